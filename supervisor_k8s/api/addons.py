"""`/addons/…`: installed add-ons. Installing and updating have their place in `store`; older paths lead there."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

import voluptuous as vol

from supervisor_k8s.api import envelope, shown, views
from supervisor_k8s.api.answers import Stats
from supervisor_k8s.api.answers_addons import AddonInfo, AddonList, NotInstalledInfo, OptionsChecked
from supervisor_k8s.api.keys import Services
from supervisor_k8s.api.logs import addon_log, log_routes
from supervisor_k8s.api.routes import Call, Route, get, post
from supervisor_k8s.errors import (
    AddonNotInstalledError,
    AddonNotRunningError,
    AddonOptionsInvalidError,
    ForbiddenError,
    RefusedError,
)
from supervisor_k8s.jobs import Progress
from supervisor_k8s.model.access import CallerKind, Role
from supervisor_k8s.model.intent import addon_key, job_group
from supervisor_k8s.model.status import AddonState

LEAKS_WAIT = 3.0
"""Seconds for the question whether passwords leaked; the start button waits for this answer."""
_PORT = vol.Match(r"^\d+(/(tcp|udp))?(?!\n)$")

OPTIONS = {
    vol.Optional("boot"): vol.In(["auto", "manual"]),
    vol.Optional("network"): vol.Maybe({_PORT: vol.Maybe(vol.All(vol.Coerce(int), vol.Range(min=1, max=65535)))}),
    vol.Optional("auto_update"): vol.Boolean(),
    vol.Optional("audio_output"): vol.Maybe(str),
    vol.Optional("audio_input"): vol.Maybe(str),
    vol.Optional("ingress_panel"): vol.Boolean(),
    vol.Optional("watchdog"): vol.Boolean(),
    vol.Optional("options"): vol.Maybe(dict),
}
SYSTEM = {
    vol.Optional("system_managed"): vol.Boolean(),
    vol.Optional("system_managed_config_entry"): vol.Maybe(str),
}


async def installed(call: Call) -> AddonList:
    services = call.services
    made_of = shown.addons_made_of(services)
    return shown.kept(services, "addons", made_of, lambda: _installed(services))


def _installed(services: Services) -> AddonList:
    return {"addons": [views.addon_item(one) for one in shown.addons(services)]}


async def info(call: Call) -> AddonInfo | NotInstalledInfo:
    """An add-on that is only in the store answers too: the frontend shows its page from here."""
    slug = call.addon
    if call.caller is not None and call.caller.slug == slug:
        await call.services.addon_place.told(slug)
    try:
        return await shown.addon_info(call.services, slug, with_options=_may_see_options(call, slug))
    except AddonNotInstalledError:
        options = call.services.repositories.addon(slug).options
        return {**await shown.store_info(call.services, slug), "state": AddonState.UNKNOWN, "options": options}


def _may_see_options(call: Call, slug: str) -> bool:
    caller = call.caller
    if caller is None or caller.kind is not CallerKind.ADDON:
        return caller is not None
    return caller.slug == slug or caller.role in (Role.MANAGER, Role.ADMIN)


async def options(call: Call) -> None:
    slug = call.services.addons.get(call.addon).slug
    await call.services.addon_settings.change(slug, call.body)
    if "ingress_panel" in call.body:
        await call.services.ingress.tell_panel(slug)


async def system_options(call: Call) -> None:
    slug = call.services.addons.get(call.addon).slug
    changes = dict(call.body)
    managed = changes.get("system_managed", shown.addon(call.services, slug).record.user.get("system_managed"))
    if not managed:
        changes["system_managed_config_entry"] = None
    await call.services.addon_settings.set_user(slug, **changes)


async def validate_options(call: Call) -> OptionsChecked:
    candidate = await envelope.body(call.request)
    if not isinstance(candidate, Mapping):
        raise RefusedError("Options must be an object")
    found = await call.services.addon_settings.validate(call.services.addons.get(call.addon).slug, candidate or None)
    message, pwned = found.fault, await call.services.leaks.any_leaked(found.passwords, within=LEAKS_WAIT)
    if pwned is not False and call.services.preferences.get("force_security"):
        message = "App uses pwned secrets!" if pwned else "Error happening on pwned secrets check!"
    return {"message": message, "valid": not message, "pwned": pwned}


async def own_options(call: Call) -> Mapping[str, Any]:
    if call.part("app") != "self":
        raise ForbiddenError("This can be only read by the app itself!")
    try:
        return await call.services.addon_settings.resolved(call.services.addons.get(call.addon))
    except AddonOptionsInvalidError:
        raise RefusedError("Invalid configuration data for the app") from None


async def security(call: Call) -> None:
    slug = call.services.addons.get(call.addon).slug
    if "protected" in call.body:
        await call.services.addon_settings.set_user(slug, protected=call.body["protected"])


async def stats(call: Call) -> Stats:
    slug = call.services.addons.get(call.addon).slug
    if call.services.addons.state(slug) is not AddonState.STARTED:
        raise AddonNotRunningError(app=slug)
    return cast("Stats", await call.services.stats.of(addon_key(slug)))


async def manage(call: Call, verb: str, work: Callable[[str, Progress], Awaitable[None]]) -> None:
    """`run` for a verb of upstream's manager of add-ons: its job has one of the add-on itself as its part."""
    await run(
        call, f"app_manager_{verb}", lambda slug, whole: whole.child(f"app_{verb}", slug, lambda job: work(slug, job))
    )


async def run(call: Call, name: str, work: Callable[[str, Progress], Awaitable[None]]) -> None:
    """Do `work` on the installed add-on of the path, as a job, one at a time for each add-on."""
    slug = call.services.addons.get(call.addon).slug
    await call.services.jobs.do(name, slug, job_group(slug), lambda progress: work(slug, progress))


async def start(call: Call) -> None:
    await run(call, "app_start", lambda slug, _: call.services.addons.start(slug))


async def stop(call: Call) -> None:
    await run(call, "app_stop", lambda slug, _: call.services.addons.stop(slug))


async def restart(call: Call) -> None:
    await run(call, "app_restart", lambda slug, job: call.services.addons.restart(slug, job.part))


async def rebuild(call: Call) -> None:
    force = call.body["force"]
    await manage(
        call, "rebuild", lambda slug, job: call.services.addons.rebuild(slug, job.stage, job.part, force=force)
    )


async def stdin(call: Call) -> None:
    """The body as it is, whatever it is."""
    slug = call.services.addons.get(call.addon).slug
    call.services.addon_input.check(slug)
    content = await envelope.content(call.request)
    await run(call, "app_write_stdin", lambda slug, _: call.services.addon_input.write(slug, content))


async def uninstall(call: Call) -> None:
    remove = call.body["remove_config"]
    await manage(call, "uninstall", lambda slug, _: call.services.addons.uninstall(slug, remove_config=remove))


ROUTES: tuple[Route, ...] = (
    get("/addons", installed),
    get("/addons/{app}/info", info),
    post("/addons/{app}/options", options, OPTIONS),
    post("/addons/{app}/sys_options", system_options, SYSTEM),
    post("/addons/{app}/options/validate", validate_options, reads=vol.Schema(dict)),
    get("/addons/{app}/options/config", own_options),
    post("/addons/{app}/security", security, {vol.Optional("protected"): vol.Boolean()}),
    post("/addons/{app}/start", start),
    post("/addons/{app}/stop", stop),
    post("/addons/{app}/restart", restart),
    post("/addons/{app}/rebuild", rebuild, {vol.Optional("force", default=False): vol.Boolean()}, fails=(429, 500)),
    post("/addons/{app}/uninstall", uninstall, {vol.Optional("remove_config", default=False): vol.Boolean()}),
    post("/addons/{app}/stdin", stdin, reads="application/octet-stream"),
    get("/addons/{app}/stats", stats),
    *log_routes("/addons/{app}", addon_log),
)
