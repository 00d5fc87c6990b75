"""The gate: whom the front (`model/front.py`) lets into which add-on's page. The front asks, nobody else can.

The session of the browser comes first, then the token in the path: without a session nobody hears whether a token leads
anywhere.
"""

import logging
from collections.abc import Mapping

from aiohttp import web

from supervisor_k8s.api.front import Front
from supervisor_k8s.api.keys import Services
from supervisor_k8s.errors import FrontError, IngressSessionError
from supervisor_k8s.model.front import (
    AWAY,
    DOOR_HEADER,
    SESSION_HEADER,
    STREAMS_HEADER,
    TOKEN_HEADER,
    TRUSTED_FOR,
    UNAUTHORIZED,
    UNKNOWN,
)
from supervisor_k8s.model.ingress import user_headers

_LOGGER = logging.getLogger(__name__)
_KEEP = "X-Accel-Expires"
"""Seconds for which nginx need not ask again."""


def create_gate_app(services: Services, front: Front) -> web.Application:
    """Always 200: what becomes of the request is in its headers."""

    async def answer(request: web.Request) -> web.Response:
        session, token = (request.headers.get(name, "") for name in (SESSION_HEADER, TOKEN_HEADER))
        return web.Response(headers=await _said(services, front, session, token))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    return app


async def _said(services: Services, front: Front, session_id: str, token: str) -> Mapping[str, str]:
    try:
        session = await services.ingress.use_session(session_id)
    except IngressSessionError:
        return {DOOR_HEADER: UNAUTHORIZED}
    slug = services.ingress.addon(token)
    if slug is None:
        return {DOOR_HEADER: UNKNOWN}
    door = services.ingress_doors.of(slug)
    if door is None:
        _LOGGER.warning("Somebody wants the page of add-on %s, which does not run", slug)
        return {DOOR_HEADER: AWAY}
    if not front.leads_to(door.name):
        try:
            await front.load(services.ingress_doors.opened())
        except FrontError as error:
            _LOGGER.error("The page of add-on %s cannot be reached: %s", slug, error)  # noqa: TRY400 - said
            return {DOOR_HEADER: AWAY}
    streams = "yes" if services.addons.config(slug).ingress_stream else "no"
    return {DOOR_HEADER: door.name, STREAMS_HEADER: streams, _KEEP: str(TRUSTED_FOR), **user_headers(session)}
