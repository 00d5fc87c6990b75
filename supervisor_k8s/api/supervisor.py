"""`/supervisor/…`: ourselves."""

import re
import zoneinfo
from typing import Any, cast

import voluptuous as vol

from supervisor_k8s.api import shown, views
from supervisor_k8s.api.answers import Stats, SupervisorInfo
from supervisor_k8s.api.keys import Services
from supervisor_k8s.api.logs import log_routes
from supervisor_k8s.api.routes import Call, Route, get, post
from supervisor_k8s.model.program import OWN_KEY

_ZONE = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*")


def time_zone(value: Any) -> str:
    """A name of the time zone database; only its form is checked where the system has no database."""
    if not isinstance(value, str) or not _ZONE.fullmatch(value):
        raise vol.Invalid("expected the name of a time zone, such as Europe/Zurich")
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, OSError, ValueError):
        if zoneinfo.available_timezones():
            raise vol.Invalid("not a time zone of the database; see tz database names") from None
    return value


OPTIONS = {
    vol.Optional("channel"): vol.In(["stable", "beta", "dev"]),
    vol.Optional("timezone"): time_zone,
    vol.Optional("logging"): vol.In(["debug", "info", "warning", "error", "critical"]),
    vol.Optional("debug"): vol.Boolean(),
    vol.Optional("debug_block"): vol.Boolean(),
    vol.Optional("diagnostics"): vol.Boolean(),
    vol.Optional("auto_update"): vol.Boolean(),
    vol.Optional("detect_blocking_io"): vol.In(["off", "on", "on-at-startup", "on_at_startup"]),
    vol.Optional("country"): str,
    vol.Optional("feature_flags"): {str: vol.Boolean()},
    vol.Optional("addons_repositories"): [str],
    vol.Optional("wait_boot"): vol.All(vol.Coerce(int), vol.Range(min=1, max=60)),
}


async def ping(_call: Call) -> None:
    return None


async def info(call: Call) -> SupervisorInfo:
    """Core asks for it every few minutes, and older Core makes its entities of it."""
    services, resolution = call.services, call.services.resolution
    made_of = (
        services.preferences.all,
        *services.own.offered(),
        services.site,
        resolution.supported,
        resolution.healthy,
        *shown.addons_made_of(services),
    )
    return shown.kept(services, "supervisor_info", made_of, lambda: _info(services))


def _info(services: Services) -> SupervisorInfo:
    chosen = services.preferences.all
    latest, is_update = services.own.offered()
    return {
        "channel": chosen["channel"],
        "timezone": chosen["timezone"],
        "logging": chosen["logging"],
        "debug": chosen["debug"],
        "debug_block": chosen["debug_block"],
        "diagnostics": chosen["diagnostics"],
        "auto_update": chosen["auto_update"],
        "detect_blocking_io": chosen["detect_blocking_io"],
        "country": chosen["country"],
        "wait_boot": chosen["wait_boot"],
        "version": services.version,
        "version_latest": latest,
        "update_available": is_update,
        "arch": services.site.arch,
        "supported": services.resolution.supported,
        "healthy": services.resolution.healthy,
        "ip_address": services.site.supervisor_address,
        "feature_flags": chosen["feature_flags"],
        "addons": [views.supervisor_addon(one) for one in shown.addons(services)],
        "addons_repositories": [
            {"name": repository.name, "slug": slug}
            for slug, repository in services.repositories.catalogue.repositories.items()
        ],
    }


async def options(call: Call) -> None:
    changes = dict(call.body)
    repositories = changes.pop("addons_repositories", None)
    if "detect_blocking_io" in changes:
        changes["detect_blocking_io"] = changes["detect_blocking_io"] != "off"
    if changes:
        await call.services.preferences.set(changes)
    if "channel" in changes:
        call.services.versions.look_soon()
    if "timezone" in changes:
        await call.services.core.set_options({"timezone": changes["timezone"]})
    if repositories is not None:
        await call.services.repositories.replace(repositories)


async def update(call: Call) -> None:
    """To the channel's version; `version` is for developers of upstream's, and without a meaning here."""
    own = call.services.own
    await call.services.jobs.do("supervisor_update", None, OWN_KEY, lambda progress: own.update(progress.stage))


async def reload(call: Call) -> None:
    await call.services.versions.reload()
    await call.services.resolution.healthcheck()


async def repair(call: Call) -> None:
    """Everything in the cluster is compared with what it is to be, and put right."""
    call.services.look_again()
    await reload(call)


async def restart(call: Call) -> None:
    own = call.services.own
    await call.services.jobs.do("supervisor_restart", None, OWN_KEY, lambda _: own.restart())


async def stats(call: Call) -> Stats:
    return cast("Stats", await call.services.stats.of(OWN_KEY))


def _own_log(_call: Call) -> str:
    return OWN_KEY


ROUTES: tuple[Route, ...] = (
    get("/supervisor/ping", ping),
    get("/supervisor/info", info),
    get("/supervisor/stats", stats),
    post("/supervisor/options", options, OPTIONS),
    post("/supervisor/update", update, {vol.Optional("version"): str}),
    post("/supervisor/reload", reload),
    post("/supervisor/repair", repair),
    post("/supervisor/restart", restart),
    *log_routes("/supervisor", _own_log),
)
