"""One table: routes that have no meaning on Kubernetes, or not yet, and what they answer.

A refusal is the one that upstream gives on a machine without the feature, word for word, so clients that know it treat
us alike; an empty answer is the truth in the shape that clients parse. A feature that arrives takes its rows with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from supervisor_k8s.api import envelope
from supervisor_k8s.api.routes import Call, Route
from supervisor_k8s.model import stats


@dataclass(frozen=True, slots=True)
class Absent:
    """One route. With `refusal` the answer is an error with `status`, else `data`. `{…}` in a refusal is filled with
    the parts of the path.
    """

    method: str
    path: str
    data: Mapping[str, Any] | None = None
    refusal: str | None = None
    status: int = 400
    text: bool = False
    """The refusal is plain text: a log route."""


def _no(method: str, path: str, refusal: str, status: int = 400, *, text: bool = False) -> Absent:
    return Absent(method, path, refusal=refusal, status=status, text=text)


def _empty(path: str, data: Mapping[str, Any], method: str = "GET") -> Absent:
    return Absent(method, path, data=data)


def _blocked(path: str, job: str, method: str = "POST") -> Absent:
    return _no(method, path, f"'{job}' blocked from execution, no Home Assistant OS available")


WITHOUT_FIGURES = ("audio", "cli", "multicast", "observer")
PLUGINS = (*WITHOUT_FIGURES, "dns")
NO_PLUGIN = "This cluster does the work of the {plugin} plugin; there is nothing to control"
NO_AUDIO = "No PulseAudio server available"
NO_SWAP = "Home Assistant OS 15.0 or newer required for swap settings"
NO_FIRMWARE = "OS Agent 1.9.0 or newer required for Raspberry Pi firmware updates"
NO_BACKUP = "Backups are not supported by this version of the Supervisor for Kubernetes"
NO_MOUNT = "blocked from execution, mounting not supported on system"
NO_JOURNAL = "No systemd-journal-gatewayd Unix socket available"

_LOGS = ("", "/follow", "/latest", "/boots/{bootid}", "/boots/{bootid}/follow")
_HOST_LOGS = ("", "/follow", "/boots/{bootid}", "/boots/{bootid}/follow")

TABLE: tuple[Absent, ...] = (
    # --- host, network, time ---
    _no("POST", "/host/options", "No hostname D-Bus connection available"),
    _no("POST", "/host/reboot", "No reboot D-Bus connection available"),
    _no("POST", "/host/shutdown", "No shutdown D-Bus connection available"),
    *(_no("GET", f"/host/logs{rest}", NO_JOURNAL, text=True) for rest in _HOST_LOGS),
    _no("POST", "/network/reload", "No network D-Bus connection available"),
    _no("GET", "/network/interface/{interface}/accesspoints", "Interface {interface} does not exist", 404),
    _no("POST", "/network/interface/{interface}/update", "Interface {interface} does not exist", 404),
    _no("POST", "/network/interface/{interface}/vlan/{vlan}", "Interface {interface} does not exist", 404),
    _empty("/time/info", {"config": {"servers": [], "fallback_servers": []}}),
    _no("POST", "/time/options", "No ntp D-Bus connection available"),
    # --- operating system ---
    _empty(
        "/os/info",
        {
            "version": None,
            "version_latest": None,
            "version_pending": None,
            "update_available": False,
            "board": None,
            "boot": None,
            "data_disk": None,
            "boot_slots": {},
        },
    ),
    _blocked("/os/update", "OSManager.update"),
    _blocked("/os/config/sync", "OSManager.config_sync"),
    _blocked("/os/boot-slot", "OSManager.set_boot_slot"),
    _blocked("/os/datadisk/move", "DataDisk.migrate_disk"),
    _blocked("/os/datadisk/wipe", "DataDisk.wipe_disk"),
    _empty("/os/datadisk/list", {"devices": [], "disks": []}),
    _no("GET", "/os/config/swap", NO_SWAP, 404),
    _no("POST", "/os/config/swap", NO_SWAP, 404),
    _no("GET", "/os/boards/raspberrypi/firmware", NO_FIRMWARE, 404),
    _no("POST", "/os/boards/raspberrypi/firmware/update", NO_FIRMWARE, 404),
    _no("GET", "/os/boards/green", "Green board is not in use"),
    _no("POST", "/os/boards/green", "Green board is not in use"),
    _no("GET", "/os/boards/yellow", "Yellow board is not in use"),
    _no("POST", "/os/boards/yellow", "Yellow board is not in use"),
    _no("GET", "/os/boards/{board}", "{board} board is not in use"),
    # --- mounts ---
    _empty("/mounts", {"default_backup_mount": None, "mounts": []}),
    _no("POST", "/mounts", f"'MountManager.create_mount' {NO_MOUNT}"),
    _no("POST", "/mounts/options", f"'MountManager.set_options' {NO_MOUNT}"),
    _no("PUT", "/mounts/{mount}", "No mount exists with name {mount}", 404),
    _no("DELETE", "/mounts/{mount}", "No mount exists with name {mount}", 404),
    _no("POST", "/mounts/{mount}/reload", "No mount exists with name {mount}", 404),
    # --- backups ---
    _no("POST", "/backups/new/full", NO_BACKUP),
    _no("POST", "/backups/new/partial", NO_BACKUP),
    _no("POST", "/backups/new/upload", NO_BACKUP),
    _no("POST", "/backups/freeze", NO_BACKUP),
    _no("POST", "/backups/thaw", "Backups are not frozen"),
    _no("GET", "/backups/{slug}/info", "Backup does not exist", 404),
    _no("DELETE", "/backups/{slug}", "Backup does not exist", 404),
    _no("POST", "/backups/{slug}/restore/full", "Backup does not exist", 404),
    _no("POST", "/backups/{slug}/restore/partial", "Backup does not exist", 404),
    _no("GET", "/backups/{slug}/download", "Backup does not exist", 404),
    _empty("/backups/reload", {}, "POST"),
    # --- docker, security ---
    _no("POST", "/docker/options", "Docker is not used here"),
    _no("POST", "/docker/migrate-storage-driver", "Home Assistant OS 17.0 or newer required", 404),
    _no("POST", "/security/integrity", "Integrity check feature has been removed.", 410),
    # --- plugins ---
    *(_empty(f"/{plugin}/stats", stats.nothing()) for plugin in WITHOUT_FIGURES),
    *(_no("POST", f"/{plugin}/update", NO_PLUGIN.format(plugin=plugin)) for plugin in PLUGINS),
    *(_no("POST", f"/{plugin}/restart", NO_PLUGIN.format(plugin=plugin)) for plugin in ("audio", "multicast")),
    *(
        _no("POST", f"/audio/{rest}", NO_AUDIO)
        for rest in (
            "reload",
            "profile",
            "default/{source}",
            "mute/{source}",
            "mute/{source}/application",
            "volume/{source}",
            "volume/{source}/application",
        )
    ),
    *(
        _no("GET", f"/{plugin}/logs{rest}", NO_JOURNAL, text=True)
        for plugin in ("audio", "multicast")
        for rest in _LOGS
    ),
)


def routes() -> tuple[Route, ...]:
    return tuple(_route(row) for row in TABLE)


def _route(row: Absent) -> Route:
    async def answer(call: Call) -> Any:
        if row.refusal is None:
            return row.data
        message = row.refusal.format_map(call.request.match_info)
        if row.text:
            return web.Response(text=message, status=row.status)
        return envelope.refused(message, row.status)

    return Route(method=row.method, path=row.path, handler=answer)
