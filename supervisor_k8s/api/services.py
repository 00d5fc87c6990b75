"""`/services…`: the two services that add-ons provide for one another, mqtt and mysql.

What a caller may do is what its running launch was granted, as with all other rights.
"""

from collections.abc import Mapping
from typing import Any, cast

import voluptuous as vol

from supervisor_k8s.api import envelope
from supervisor_k8s.api.answers import Service, ServiceList
from supervisor_k8s.api.routes import Call, Route, delete, get, post
from supervisor_k8s.errors import ForbiddenError
from supervisor_k8s.model.access import Caller
from supervisor_k8s.model.discovery import SERVICE_SCHEMAS


def _caller(call: Call, service: str) -> Caller:
    """The calling add-on, which must declare the service in any role."""
    if call.caller is None or not call.caller.may_use(service):
        raise ForbiddenError(f"No access to {service} service!")
    return call.caller


async def services(call: Call) -> ServiceList:
    return {"services": cast("list[Service]", call.services.registry.listing())}


async def service(call: Call) -> Mapping[str, Any]:
    name = call.services.registry.known(call.part("service"))
    _caller(call, name)
    return call.services.registry.get(name)


async def publish(call: Call) -> None:
    name = call.services.registry.known(call.part("service"))
    data = envelope.validated(call.services.registry.schema(name), await envelope.body(call.request))
    await call.services.registry.publish(name, str(_caller(call, name).slug), data)


async def withdraw(call: Call) -> None:
    name = call.services.registry.known(call.part("service"))
    if not _caller(call, name).provides(name):
        raise ForbiddenError(f"No write access to {name} service!")
    await call.services.registry.withdraw(name)


ROUTES: tuple[Route, ...] = (
    get("/services", services),
    get("/services/{service}", service),
    post("/services/{service}", publish, reads=vol.Schema(vol.Any(*SERVICE_SCHEMAS.values())), fails=(409,)),
    delete("/services/{service}", withdraw),
)
