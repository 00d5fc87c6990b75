"""`/discovery…`: what add-ons tell Home Assistant Core about themselves."""

import voluptuous as vol

from supervisor_k8s.api.answers import Discovered, DiscoveryList, DiscoverySent
from supervisor_k8s.api.routes import Call, Route, delete, get, post
from supervisor_k8s.errors import ForbiddenError
from supervisor_k8s.model.discovery import DiscoveryMessage

SCHEMA = {vol.Required("service"): str, vol.Required("config"): dict}


def _shown(message: DiscoveryMessage) -> Discovered:
    return {
        "addon": message.addon,
        "service": message.service,
        "uuid": message.uuid,
        "config": message.config,
    }


async def messages(call: Call) -> DiscoveryList:
    call.require_core()
    found, services = call.services.discovery.listing()
    return {"discovery": [_shown(message) for message in found], "services": services}


async def send(call: Call) -> DiscoverySent:
    caller, service = call.caller, call.body["service"]
    if caller is None or caller.slug is None or service not in caller.discovery:
        raise ForbiddenError("Apps must list services they provide via discovery in their config!")
    message = await call.services.discovery.send(caller.slug, service, call.body["config"])
    return {"uuid": message.uuid}


async def message(call: Call) -> Discovered:
    call.require_core()
    return _shown(call.services.discovery.get(call.part("uuid")))


async def remove(call: Call) -> None:
    found = call.services.discovery.get(call.part("uuid"))
    if call.caller is None or found.addon != call.caller.slug:
        raise ForbiddenError("Can't remove discovery message")
    await call.services.discovery.remove(found.uuid)


ROUTES: tuple[Route, ...] = (
    get("/discovery", messages),
    post("/discovery", send, SCHEMA),
    get("/discovery/{uuid}", message),
    delete("/discovery/{uuid}", remove),
)
