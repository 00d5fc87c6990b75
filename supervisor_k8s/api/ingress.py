"""`/ingress/…`: sessions and panels. Pages themselves do not come here."""

from typing import cast

import voluptuous as vol
from aiohttp import web

from supervisor_k8s.api.answers import IngressSession, Panel, Panels
from supervisor_k8s.api.routes import Call, Route, get, post
from supervisor_k8s.errors import IngressSessionError


async def panels(call: Call) -> Panels:
    return {"panels": cast("dict[str, Panel]", call.services.ingress.panels())}


async def create_session(call: Call) -> IngressSession:
    call.require_core()
    return {"session": await call.services.ingress.create_session(call.body.get("user_id"))}


async def validate_session(call: Call) -> None:
    call.require_core()
    try:
        await call.services.ingress.use_session(call.body["session"])
    except IngressSessionError:
        raise web.HTTPUnauthorized from None  # text and not the envelope: the frontend then asks for a new session


async def page(_: Call) -> None:
    """The front serves it (`model/front.py`); what comes here has a path that no browser asks for."""
    raise web.HTTPNotFound


ROUTES: tuple[Route, ...] = (
    get("/ingress/panels", panels),
    post("/ingress/session", create_session, {vol.Optional("user_id"): str}),
    post("/ingress/validate_session", validate_session, {vol.Required("session"): str}),
    Route(method="*", path="/ingress/{token}/{path:.*}", handler=page, media="*/*"),
)
