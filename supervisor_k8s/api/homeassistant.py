"""`/core/…` and its older name `/homeassistant/…`: Home Assistant Core.

Core posts `/core/options` at each start with its port and TLS; old Core sends its refresh token too, today's sends
null. Nothing of that restarts anything.
"""

import re
from typing import Any, cast

import voluptuous as vol

from supervisor_k8s.api.answers import CandidateCheck, CoreInfo, JobStarted, Stats
from supervisor_k8s.api.logs import log_routes
from supervisor_k8s.api.routes import Call, Route, get, post
from supervisor_k8s.errors import CoreNotRunningError, RefusedError
from supervisor_k8s.model.config_check import CHECK_GROUP, CHECK_JOB, CHECK_REFERENCE, candidate_at, lost_paths
from supervisor_k8s.model.desired.config_check import Candidate
from supervisor_k8s.model.intent import CORE_GROUP, CORE_KEY
from supervisor_k8s.model.status import AddonState

_IMAGE = vol.Match(r"^([a-zA-Z\-\.:\d{}]+/)*?([\-\w{}]+)/([\-\w{}]+)(?!\n)$")

_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


def image_tag(value: Any) -> str:
    """A version as it stands behind the colon of an image."""
    if not isinstance(value, str) or not _TAG.fullmatch(value):
        raise vol.Invalid("expected a version that can be the tag of an image")
    return value


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
    vol.Optional("version"): image_tag,
    vol.Optional("backup"): bool,
    vol.Optional("background", default=False): bool,
}
CHECK = vol.Schema({vol.Optional("directory"): str, vol.Optional("without"): [str]}, extra=vol.ALLOW_EXTRA)
"""Upstream does not look at the body, so keys that we do not know are no error."""
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
    await call.services.jobs.do("home_assistant_core_start", None, CORE_GROUP, lambda _: core.start())


async def stop(call: Call) -> None:
    core, force = call.services.core, call.body["force"]
    await call.services.jobs.do("home_assistant_core_stop", None, CORE_GROUP, lambda _: core.stop(force=force))


async def restart(call: Call) -> None:
    core, body = call.services.core, call.body
    await call.services.jobs.do("home_assistant_core_restart", None, CORE_GROUP, lambda _: core.restart(**body))


async def rebuild(call: Call) -> None:
    core, body = call.services.core, call.body
    await call.services.jobs.do(
        "home_assistant_core_rebuild", None, CORE_GROUP, lambda job: core.rebuild(job.part, **body)
    )


async def update(call: Call) -> JobStarted | None:
    core_update, version = call.services.core_update, call.body.get("version")
    if call.body.get("backup"):
        raise RefusedError("A backup before the update was asked for; backups are not supported yet")
    outcome = await call.services.jobs.do(
        "home_assistant_core_update",
        None,
        CORE_GROUP,
        lambda job: core_update.update(version, job.stage, job.part),
        background=call.body["background"],
    )
    return {"job_id": outcome.job} if outcome.running else None


async def check(call: Call) -> CandidateCheck | None:
    """Without a body upstream's own: 400 with all that Core's checker wrote when it does not take the configuration.

    Ours is `{"directory": <path on the shared volume>, "without": [<path in the configuration>, …]}`: would Core take
    this folder as its configuration, together with what only the live one has, but without these paths? It is a folder
    below an add-on's own `addons/data/<slug>` or `addon_configs/<slug>`, or below `share`. Answered with
    `{"warnings": [<sentence>, …]}`, those that the live configuration has, too, or all where that has errors. What Core
    does not take is a 400 with the `error_key` `homeassistant_candidate_invalid_error` and `errors` and `warnings` (new
    ones) in `extra_fields`; an answer without this key says that nobody knows, and that it may be asked again.
    """
    directory, without = call.body.get("directory"), lost_paths(call.body.get("without", ()))
    checker = call.services.config_check
    if directory is None:
        if without:
            raise RefusedError("`without` is said of a candidate: `directory` is missing")
        await call.services.jobs.do(CHECK_JOB, CHECK_REFERENCE, CHECK_GROUP, lambda _: checker.live())
        return None
    addon = None if call.caller is None else call.caller.slug
    candidate = Candidate(candidate_at(directory, addon=addon), without)
    outcome = await call.services.jobs.do(
        CHECK_JOB, CHECK_REFERENCE, CHECK_GROUP, lambda _: checker.candidate(candidate)
    )
    return {"warnings": list(outcome.result.warnings) if outcome.result else []}


def _log(_call: Call) -> str:
    return CORE_KEY


def _below(prefix: str) -> tuple[Route, ...]:
    return (
        get(f"{prefix}/info", info),
        get(f"{prefix}/stats", stats),
        post(f"{prefix}/options", options, OPTIONS),
        post(f"{prefix}/update", update, UPDATE, fails=(429,)),
        post(f"{prefix}/restart", restart, RESTART),
        post(f"{prefix}/rebuild", rebuild, RESTART),
        post(f"{prefix}/stop", stop, STOP),
        post(f"{prefix}/start", start),
        post(f"{prefix}/check", check, CHECK),
        *log_routes(prefix, _log),
    )


ROUTES: tuple[Route, ...] = (*_below("/core"), *_below("/homeassistant"))
