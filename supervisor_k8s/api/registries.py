"""`/docker/registries`: logins of image registries. A password goes in and never comes out."""

from typing import TypedDict

import voluptuous as vol

from supervisor_k8s.api import envelope
from supervisor_k8s.api.routes import Call, Route, delete, get, post

LOGINS = vol.Schema({str: {vol.Required("username"): str, vol.Required("password"): str}})


class ShownLogin(TypedDict):
    username: str


class ShownRegistries(TypedDict):
    registries: dict[str, ShownLogin]


async def registries(call: Call) -> ShownRegistries:
    return {"registries": {host: {"username": user} for host, user in call.services.image_registries.users().items()}}


async def add_registries(call: Call) -> None:
    """What is wrong with a body is said without its values: a password may stand under a wrong key."""
    await call.services.image_registries.add(envelope.validated(LOGINS, await envelope.body(call.request), secret=True))


async def remove_registry(call: Call) -> None:
    await call.services.image_registries.remove(call.part("hostname"))


ROUTES: tuple[Route, ...] = (
    get("/docker/registries", registries),
    post("/docker/registries", add_registries, reads=LOGINS),
    delete("/docker/registries/{hostname}", remove_registry),
)
