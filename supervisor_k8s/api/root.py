"""Routes without a prefix: what everything is, and what could be updated."""

from supervisor_k8s.api import shown, views
from supervisor_k8s.api.answers import Info, Updates
from supervisor_k8s.api.routes import Call, Route, get, post
from supervisor_k8s.services.host import FEATURES


async def info(call: Call) -> Info:
    """`hassos` stays null: this is no Home Assistant OS, and Core would make an update entity of it."""
    services = call.services
    machine = services.host.machine()
    return {
        "supervisor": services.version,
        "homeassistant": services.core.version,
        "hassos": None,
        "docker": services.host.runtime,
        "hostname": machine.name,
        "operating_system": machine.system,
        "features": list(FEATURES),
        "machine": services.site.machine,
        "machine_id": None,
        "arch": services.site.arch,
        "supported_arch": [services.site.arch],
        "supported": services.resolution.supported,
        "state": services.state(),
        "channel": services.preferences.get("channel"),
        "logging": services.preferences.get("logging"),
        "timezone": services.preferences.timezone,
    }


async def available_updates(call: Call) -> Updates:
    core = call.services.core.info()
    found = [views.update_item(addon) for addon in shown.addons(call.services) if addon.latest != addon.version]
    latest, is_update = call.services.own.offered()
    if is_update:
        found.insert(0, views.own_update(latest))
    if core["update_available"]:
        found.insert(0, views.core_update(core["version_latest"]))
    return {"available_updates": found}


async def refresh_updates(call: Call) -> None:
    """Both as upstream: what cannot be had is logged, not answered."""
    await call.services.versions.reload()
    await call.services.repositories.reload()


async def reload_updates(call: Call) -> None:
    await call.services.versions.reload()


ROUTES: tuple[Route, ...] = (
    get("/info", info),
    get("/available_updates", available_updates),
    get("/supervisor/available_updates", available_updates),
    post("/refresh_updates", refresh_updates),
    post("/reload_updates", reload_updates),
)
