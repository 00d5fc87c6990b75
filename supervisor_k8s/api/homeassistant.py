"""`/core/…` and its older name `/homeassistant/…`: Home Assistant Core.

Core posts `/core/options` at each start with its port and TLS; old Core sends its refresh token too, today's sends
null. Nothing of that restarts anything.
"""

from typing import cast

import voluptuous as vol

from supervisor_k8s.api.answers import CoreInfo, JobStarted, Stats
from supervisor_k8s.api.logs import log_routes
from supervisor_k8s.api.routes import Call, Route, get, post
from supervisor_k8s.errors import CoreNotRunningError, RefusedError
from supervisor_k8s.model.intent import CORE_KEY
from supervisor_k8s.model.status import AddonState

GROUP = "home_assistant_core"
_IMAGE = vol.Match(r"^([a-zA-Z\-\.:\d{}]+/)*?([\-\w{}]+)/([\-\w{}]+)$")

OPTIONS = {
    vol.Optional("boot"): vol.Boolean(),
    vol.Optional("image"): vol.Maybe(_IMAGE),
    vol.Optional("port"): vol.All(vol.Coerce(int), vol.Range(min=1, max=65535)),
    vol.Optional("ssl"): vol.Boolean(),
    vol.Optional("watchdog"): vol.Boolean(),
    vol.Optional("refresh_token"): vol.Maybe(str),
    vol.Optional("audio_output"): vol.Maybe(str),
    vol.Optional("audio_input"): vol.Maybe(str),
    vol.Optional("backups_exclude_database"): vol.Boolean(),
    vol.Optional("duplicate_log_file"): vol.Boolean(),
}
UPDATE = {
    vol.Optional("version"): str,
    vol.Optional("backup"): bool,
    vol.Optional("background", default=False): bool,
}
RESTART = {vol.Optional("safe_mode", default=False): vol.Boolean(), vol.Optional("force", default=False): vol.Boolean()}
STOP = {vol.Optional("force", default=False): vol.Boolean()}


async def info(call: Call) -> CoreInfo:
    return cast("CoreInfo", call.services.core.info())


async def options(call: Call) -> None:
    if call.body:
        await call.services.core.set_options(call.body)


async def stats(call: Call) -> Stats:
    if call.services.core.status().state not in (AddonState.STARTED, AddonState.STARTUP):
        raise CoreNotRunningError
    return cast("Stats", await call.services.stats.of(CORE_KEY))


async def start(call: Call) -> None:
    core = call.services.core
    await call.services.jobs.do("home_assistant_core_start", None, GROUP, lambda _: core.start())


async def stop(call: Call) -> None:
    core, force = call.services.core, call.body["force"]
    await call.services.jobs.do("home_assistant_core_stop", None, GROUP, lambda _: core.stop(force=force))


async def restart(call: Call) -> None:
    core, body = call.services.core, call.body
    await call.services.jobs.do("home_assistant_core_restart", None, GROUP, lambda _: core.restart(**body))


async def rebuild(call: Call) -> None:
    core, body = call.services.core, call.body
    await call.services.jobs.do("home_assistant_core_rebuild", None, GROUP, lambda _: core.rebuild(**body))


async def update(call: Call) -> JobStarted | None:
    core_update, version = call.services.core_update, call.body.get("version")
    if call.body.get("backup"):
        raise RefusedError("A backup before the update was asked for; backups are not supported yet")
    outcome = await call.services.jobs.do(
        "home_assistant_core_update",
        None,
        GROUP,
        lambda progress: core_update.update(version, progress.stage),
        background=call.body["background"],
    )
    return {"job_id": outcome.job} if outcome.running else None


async def check(call: Call) -> None:
    core = call.services.core
    await call.services.jobs.do("home_assistant_core_check", None, None, lambda _: core.check())


def _log(_call: Call) -> str:
    return CORE_KEY


def _below(prefix: str) -> tuple[Route, ...]:
    return (
        get(f"{prefix}/info", info),
        get(f"{prefix}/stats", stats),
        post(f"{prefix}/options", options, OPTIONS),
        post(f"{prefix}/update", update, UPDATE),
        post(f"{prefix}/restart", restart, RESTART),
        post(f"{prefix}/rebuild", rebuild, RESTART),
        post(f"{prefix}/stop", stop, STOP),
        post(f"{prefix}/start", start),
        post(f"{prefix}/check", check),
        *log_routes(prefix, _log),
    )


ROUTES: tuple[Route, ...] = (*_below("/core"), *_below("/homeassistant"))
