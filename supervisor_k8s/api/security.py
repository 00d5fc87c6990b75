"""`/security/…` and `/docker/info`: choices that are kept."""

import voluptuous as vol

from supervisor_k8s.api.answers_host import DockerInfo, SecurityInfo
from supervisor_k8s.api.routes import Call, Route, get, post


async def info(call: Call) -> SecurityInfo:
    chosen = call.services.preferences.get
    return {"pwned": chosen("pwned"), "force_security": chosen("force_security")}


async def options(call: Call) -> None:
    if call.body:
        await call.services.preferences.set(call.body)


async def docker_info(call: Call) -> DockerInfo:
    return {
        "version": call.services.host.runtime,
        "enable_ipv6": None,
        "mtu": None,
        "storage": "kubernetes",
        "logging": "kubernetes",
        "registries": {host: {"username": user} for host, user in call.services.image_registries.users().items()},
    }


ROUTES: tuple[Route, ...] = (
    get("/security/info", info),
    post(
        "/security/options",
        options,
        {vol.Optional("pwned"): vol.Boolean(), vol.Optional("force_security"): vol.Boolean()},
    ),
    get("/docker/info", docker_info),
)
