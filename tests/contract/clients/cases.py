"""One case at least for every public method of Home Assistant's client, in the order in which one house is asked.

The same table is walked by three versions of the client, against our app with doubles at its outer ports and against a
real cluster: so the doubles cannot drift. What a case says holds in both; `UPHEAVAL` is for a house in which nobody
lives, and needs something of the doubles.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from tests.contract.clients.client import Client, Refused, model

SLUG = "local_throwaway"
STARTER = {"logins": [], "require_certificate": False}
CHANGED = {"logins": [], "require_certificate": True}
ADDONS: dict[str, dict[str, Any]] = {
    "throwaway": {
        "name": "Throw-away",
        "version": "1",
        "description": "Comes and goes with a test",
        "arch": ["amd64", "aarch64"],
        # There on each node of the test cluster, and a program that goes on.
        "image": "localhost/git-server",
        "init": False,
        "stdin": True,
        "ingress": True,
        "auth_api": True,
        "discovery": ["mqtt"],
        "options": STARTER,
        "schema": {"logins": [{"username": "str", "password": "password"}], "require_certificate": "bool"},
    },
    "elsewhere": {
        "name": "Elsewhere",
        "version": "1",
        "description": "For another machine",
        "arch": ["armv7"],
        "image": "localhost/elsewhere",
    },
}
NOTHING = {"uuid": UUID(int=1).hex}
BAD, MISSING = "SupervisorBadRequestError", "SupervisorNotFoundError"
FORBIDDEN, NOBODY = "SupervisorForbiddenError", "SupervisorAuthenticationError"


def write_addons(local: Path) -> None:
    """The add-ons that the cases are about, in the folder of the user's own ones."""
    for slug, manifest in ADDONS.items():
        (local / slug).mkdir(parents=True, exist_ok=True)
        (local / slug / "config.json").write_text(json.dumps({"slug": slug, **manifest}))
    (local / "throwaway" / "CHANGELOG.md").write_text("# 1\n")
    (local / "throwaway" / "DOCS.md").write_text("How to use it\n")


class Tokens(Protocol):
    """The present token of `core`, of `cli`, or of the add-on of the cases: `addon`."""

    async def __call__(self, whose: str) -> str: ...


@dataclass(slots=True)
class Scene:
    """A house that is asked. `repository` is the URL of a store that it does not have; `known` is what earlier cases
    kept for later ones.
    """

    client: Client
    tokens: Tokens
    core_version: str
    repository: str
    known: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One call. An argument that can be called is given the scene. Without `error` the answer must be `right`; with it
    the client must raise that exception, with the words `says` in its message.
    """

    method: str
    arguments: Sequence[Any] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)
    right: Callable[[Any, Scene], object] = lambda *_: True
    keep: str | None = None
    """Remember the answer under this name."""
    error: str | None = None
    says: str = ""
    by: str = "core"


def ok(method: str, *arguments: Any, right: Any = lambda *_: True, **more: Any) -> Case:
    """Answered. `right` is what to answer exactly, or a function of the answer and the scene."""
    return Case(method=method, arguments=arguments, right=right if callable(right) else _equals(right), **more)


def no(error: str, method: str, *arguments: Any, **more: Any) -> Case:
    """Refused."""
    return Case(method=method, arguments=arguments, error=error, **more)


def _equals(right: Any) -> Callable[[Any, Scene], object]:
    return lambda got, _: got == right


def _has(**parts: Any) -> Callable[[Any, Scene], object]:
    return lambda got, _: all(got[key] == value for key, value in parts.items())


def _figures(got: Any, _: Scene) -> object:
    return all(isinstance(got[key], int | float) and got[key] >= 0 for key in ("cpu_percent", "memory_usage"))


def _lines(got: Any, _: Scene) -> object:
    return isinstance(got, list)


def _of(name: str) -> Callable[[Scene], Any]:
    return lambda scene: scene.known[name]


def _uuid_of(name: str) -> Callable[[Scene], Any]:
    return lambda scene: {"uuid": scene.known[name]}


def _slug_of_repository(got: Any, scene: Scene) -> object:
    """Keep the slug of the repository that was added."""
    found = [entry["slug"] for entry in got if entry["source"] == scene.repository]
    scene.known["repository"] = found[0] if found else None
    return len(found) == 1


FACTS = (
    ok("supervisor.ping"),
    ok("info", right=lambda got, scene: (got["homeassistant"], got["hassos"]) == (scene.core_version, None)),
    ok("info", right=_has(state="running", supported=True)),
    ok("available_updates", right=lambda got, _: isinstance(got, list)),
    ok("reload_updates"),
    ok("refresh_updates"),
    ok("supervisor.info", right=_has(channel="stable", healthy=True)),
    ok("supervisor.set_options", model("SupervisorOptions", debug_block=True)),
    ok("supervisor.info", right=_has(debug_block=True)),
    ok("supervisor.set_options", model("SupervisorOptions", debug_block=False)),
    ok("supervisor.stats", right=_figures),
    no(BAD, "supervisor.update", says="No supervisor update available"),
    ok("supervisor.reload"),
    ok("supervisor.repair"),
    ok("supervisor.logs", right=_lines),
    ok("supervisor.logs", model("LogsOptions", lines=2, format="verbose"), right=_lines),
    ok("homeassistant.info", right=lambda got, scene: (got["version"], got["port"]) == (scene.core_version, 80)),
    ok("homeassistant.set_options", model("HomeAssistantOptions", watchdog=False, audio_input=None)),
    ok("homeassistant.info", right=_has(watchdog=False)),
    ok("homeassistant.set_options", model("HomeAssistantOptions", watchdog=True)),
    ok("homeassistant.stats", right=_figures),
    ok("homeassistant.logs", right=_lines),
    ok("homeassistant.logs", keywords={"latest": True}, right=_lines),
    ok("homeassistant.logs", model("LogsOptions", no_colors=True), keywords={"boot": 0}, right=_lines),
    no(BAD, "homeassistant.logs", keywords={"boot": -99}),
    no(
        BAD,
        "homeassistant.update",
        lambda scene: model("HomeAssistantUpdateOptions", version=scene.core_version),
        says="is already installed",
    ),
    ok("homeassistant.start"),
)
"""What everybody asks first, and options."""

STORE = (
    ok("store.reload"),
    ok("store.info", right=lambda got, _: SLUG in [addon["slug"] for addon in got["addons"]]),
    ok("store.addons_list", right=lambda got, _: SLUG in [addon["slug"] for addon in got]),
    ok("store.addon_info", SLUG, right=_has(name="Throw-away", installed=False, version=None)),
    ok("store.addon_changelog", SLUG, right="# 1\n"),
    ok("store.addon_documentation", SLUG, right="How to use it\n"),
    ok("store.addon_availability", SLUG),
    no("AddonNotSupportedArchitectureError", "store.addon_availability", "local_elsewhere"),
    no("AddonNotSupportedArchitectureError", "store.install_addon", "local_elsewhere"),
    no(MISSING, "store.addon_info", "none_such"),
    ok("store.add_repository", lambda scene: model("StoreAddRepository", repository=scene.repository)),
    ok("store.repositories_list", right=_slug_of_repository),
    ok("store.repository_info", _of("repository"), right=lambda got, scene: got["source"] == scene.repository),
    ok("store.repair_repository", _of("repository")),
    ok("store.remove_repository", _of("repository")),
    no(MISSING, "store.repository_info", _of("repository")),
)

ADDON = (
    no(BAD, "addons.start_addon", SLUG, says="App is not installed"),
    ok("store.install_addon", SLUG),
    no(BAD, "store.install_addon", SLUG, says="already installed"),
    ok("store.addon_info", SLUG, right=_has(installed=True, version="1")),
    no(BAD, "store.update_addon", SLUG, says="No update available"),
    no(BAD, "addons.write_addon_stdin", SLUG, {"bytes": "x"}, says="not running"),
    no(BAD, "addons.addon_stats", SLUG, says="not running"),
    ok("addons.start_addon", SLUG),
    ok("addons.addon_info", SLUG, right=_has(state="started", hostname="local-throwaway", boot="auto")),
    ok(
        "addons.list",
        right=lambda got, _: (SLUG, "started") in [(addon["slug"], addon["state"]) for addon in got],
    ),
    ok("addons.set_addon_options", SLUG, model("AddonsOptions", options=CHANGED, boot="manual")),
    ok("addons.addon_info", SLUG, right=_has(options=CHANGED, boot="manual")),
    ok("addons.addon_config_validate", SLUG, CHANGED, right=_has(valid=True)),
    ok("addons.addon_config_validate", SLUG, {"logins": "none"}, right=_has(valid=False)),
    ok("addons.set_addon_security", SLUG, model("AddonsSecurityOptions", protected=False)),
    ok("addons.addon_info", SLUG, right=_has(protected=False)),
    ok("addons.addon_config", "self", by="addon", right=CHANGED),
    no(FORBIDDEN, "addons.addon_config", SLUG),
    ok("addons.addon_stats", SLUG, right=_figures),
    ok("addons.addon_logs", SLUG, right=_lines),
    ok("addons.addon_logs", SLUG, model("LogsOptions", format="timestamp", range="entries=:-9:10"), right=_lines),
    ok("addons.write_addon_stdin", SLUG, {"bytes": "x"}),
    no(BAD, "addons.rebuild_addon", SLUG),
    no(NOBODY, "discovery.list", by="addon"),
    ok("discovery.set", model("DiscoveryConfig", service="mqtt", config={"host": "x"}), by="addon", keep="message"),
    ok("discovery.get", _uuid_of("message"), right=_has(addon=SLUG, service="mqtt", config={"host": "x"})),
    ok("discovery.list", right=lambda got, scene: scene.known["message"] in [entry["uuid"] for entry in got]),
    ok("discovery.delete", _uuid_of("message"), by="addon"),
    no(MISSING, "discovery.get", _uuid_of("message")),
    ok("ingress.panels", right=lambda got, _: got[SLUG]["title"] == "Throw-away"),
    ok("ingress.create_session", model("CreateSessionOptions", user_id="1"), keep="session"),
    ok("ingress.validate_session", _of("session")),
    no(NOBODY, "ingress.validate_session", "0" * 128),
    ok("addons.restart_addon", SLUG),
    ok("addons.stop_addon", SLUG),
    ok("addons.addon_info", SLUG, right=_has(state="stopped", ip_address="0.0.0.0")),
    ok("addons.uninstall_addon", SLUG, model("AddonsUninstall", remove_config=True)),
    ok("addons.list", right=lambda got, _: SLUG not in [addon["slug"] for addon in got]),
    no(MISSING, "addons.addon_info", "none_such"),
)
"""The life of one, with what it tells Core and what the frontend opens."""

REST = (
    ok("jobs.info", right={"ignore_conditions": [], "jobs": []}),
    ok("jobs.set_options", model("JobsOptions", ignore_conditions=["healthy"])),
    ok("jobs.info", right=_has(ignore_conditions=["healthy"])),
    ok("jobs.reset"),
    ok("jobs.info", right=_has(ignore_conditions=[])),
    no(MISSING, "jobs.get_job", NOTHING),
    no(MISSING, "jobs.delete_job", NOTHING),
    ok("resolution.info", right=lambda got, _: "free_space" in [check["slug"] for check in got["checks"]]),
    ok("resolution.run_check", "free_space"),
    no(MISSING, "resolution.run_check", "none_such"),
    ok("resolution.check_options", "free_space", model("CheckOptions", enabled=False)),
    ok("resolution.info", right=lambda got, _: {"enabled": False, "slug": "free_space"} in got["checks"]),
    ok("resolution.check_options", "free_space", model("CheckOptions", enabled=True)),
    ok("resolution.healthcheck"),
    no(MISSING, "resolution.suggestions_for_issue", NOTHING),
    no(MISSING, "resolution.apply_suggestion", NOTHING),
    no(MISSING, "resolution.dismiss_suggestion", NOTHING),
    no(MISSING, "resolution.dismiss_issue", NOTHING),
    ok("host.info", right=lambda got, _: got["disk_total"] > 0),
    ok("host.reload"),
    ok("host.services", right=[]),
    ok("host.get_disk_usage", right=lambda got, _: got["used_bytes"] > 0),
    no(BAD, "host.reboot"),
    no(BAD, "host.shutdown"),
    no(BAD, "host.set_options", model("HostOptions", hostname="other")),
    no(BAD, "host.logs"),
    ok("host.logs", keywords={"identifier": "homeassistant", "boot": 0}, right=_lines),
    ok("host.logs", keywords={"identifier": "none_such"}, right=[]),
    ok("host.log_boots", right=lambda got, _: all(len(boot) == 32 for boot in got.values())),
    ok("host.log_identifiers", right=lambda got, _: {"homeassistant", "hassio_supervisor"} <= set(got)),
    ok("network.info", right=lambda got, _: got["docker"]["interface"] == "hassio"),
    ok("network.interface_info", "default", right=_has(connected=True, primary=True)),
    no(BAD, "network.reload"),
    no(MISSING, "network.interface_info", "none"),
    no(MISSING, "network.update_interface", "none", model("NetworkInterfaceConfig", enabled=True)),
    no(MISSING, "network.access_points", "none"),
    no(MISSING, "network.save_vlan", "none", 7, model("VlanConfig", ipv4={"method": "auto"})),
    ok("time.info", right=_has(config={"servers": [], "fallback_servers": []})),
    no(BAD, "time.set_options", model("TimeOptions", servers=["a.test"])),
)

ABSENT = (
    ok("os.info", right=_has(version=None)),
    ok("os.list_data_disks", right=[]),
    *(no(BAD, f"os.{name}", says="Home Assistant OS") for name in ("update", "config_sync", "wipe_data")),
    no(BAD, "os.migrate_data", model("MigrateDataOptions", device="sda")),
    no(BAD, "os.set_boot_slot", model("SetBootSlotOptions", boot_slot="A")),
    no(BAD, "os.green_info", says="not in use"),
    no(BAD, "os.yellow_info", says="not in use"),
    no(BAD, "os.set_green_options", model("GreenOptions", power_led=True)),
    no(BAD, "os.set_yellow_options", model("YellowOptions", power_led=True)),
    no(MISSING, "os.swap_info"),
    no(MISSING, "os.set_swap_options", model("os.SwapOptions", swappiness=1)),
    no(MISSING, "os.raspberry_pi_firmware_info"),
    no(MISSING, "os.update_raspberry_pi_firmware"),
    no(BAD, "plugins.logs", "audio"),
    ok("plugins.logs", "dns", right=_lines),
    ok("mounts.info", right={"default_backup_mount": None, "mounts": []}),
    no(BAD, "mounts.create_mount", "nas", model("NFSMountRequest", usage="media", server="nas.test", path="/media")),
    no(BAD, "mounts.options", model("MountsOptions", default_backup_mount=None)),
    no(MISSING, "mounts.update_mount", "nas", model("NFSMountRequest", usage="media", server="n.test", path="/m")),
    no(MISSING, "mounts.delete_mount", "nas"),
    no(MISSING, "mounts.reload_mount", "nas"),
    ok("backups.list", right=[]),
    ok("backups.set_options", model("BackupsOptions", days_until_stale=7)),
    ok("backups.info", right={"backups": [], "days_until_stale": 7}),
    ok("backups.set_options", model("BackupsOptions", days_until_stale=30)),
    ok("backups.reload"),
    no(BAD, "backups.full_backup"),
    no(BAD, "backups.partial_backup", model("PartialBackupOptions", homeassistant=True)),
    no(BAD, "backups.upload_backup", {"stream": "no archive"}),
    no(BAD, "backups.freeze"),
    no(BAD, "backups.thaw"),
    *(
        no(MISSING, f"backups.{name}", "0123abcd")
        for name in ("backup_info", "remove_backup", "full_restore", "download_backup")
    ),
    no(MISSING, "backups.partial_restore", "0123abcd", model("PartialRestoreOptions", homeassistant=True)),
)
"""What there is not, in upstream's words for a machine without it."""

UPHEAVAL = (
    ok("resolution.info", right=lambda got, scene: scene.known["issue"] in [entry["uuid"] for entry in got["issues"]]),
    ok(
        "resolution.suggestions_for_issue",
        _uuid_of("issue"),
        right=lambda got, scene: scene.known["suggestion"] in [entry["uuid"] for entry in got],
    ),
    ok("resolution.dismiss_suggestion", _uuid_of("suggestion")),
    ok("resolution.suggestions_for_issue", _uuid_of("issue"), right=[]),
    ok("resolution.dismiss_issue", _uuid_of("issue")),
    no(MISSING, "resolution.dismiss_issue", _uuid_of("issue")),
    # Core's own token ends with each of its launches.
    ok("homeassistant.restart", by="cli"),
    ok("homeassistant.rebuild", model("HomeAssistantRebuildOptions", safe_mode=True), by="cli"),
    ok("homeassistant.update", model("HomeAssistantUpdateOptions", version="2026.11.1"), by="cli"),
    ok("homeassistant.info", by="cli", right=_has(version="2026.11.1")),
    ok("homeassistant.stop", model("HomeAssistantStopOptions", force=True), by="cli"),
    no(BAD, "homeassistant.stats", by="cli"),
    ok("homeassistant.start", by="cli"),
    ok("homeassistant.check_config", by="cli"),
    ok("supervisor.restart", by="cli"),
)
"""Only where nobody lives; the last one is our own end."""

EVERYWHERE: tuple[Case, ...] = (*FACTS, *STORE, *ADDON, *REST, *ABSENT)


async def failures(scene: Scene, cases: Sequence[Case]) -> list[str]:
    """Walk through the cases that this version of the client has; those that were not as they should be."""
    found = []
    for case in cases:
        if scene.client.has(case.method):
            wrong = await _wrong(scene, case)
            found += [f"{case.method}: {wrong}"] if wrong else []
    return found


async def _wrong(scene: Scene, case: Case) -> str | None:
    arguments = [argument(scene) if callable(argument) else argument for argument in case.arguments]
    try:
        got = await scene.client.get(case.method, *arguments, token=await scene.tokens(case.by), **case.keywords)
    except Refused as refused:
        expected = case.error in refused.classes and case.says in str(refused)
        return None if expected else str(refused)
    if case.error is not None:
        return f"expected {case.error}, got {got}"
    if case.keep is not None:
        scene.known[case.keep] = got
    return None if case.right(got, scene) else f"got {got}"
