"""Core's websocket for add-ons: our own greeting in front, then every message both ways.

An add-on proves itself to us with its own token; towards Core we are the Supervisor's user. Commands by which Core
would call us back with the Supervisor's rights are answered here and go no further. Contract: `supervisor-api` §6.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import orjson
from aiohttp import WSCloseCode, WSMsgType, web

from supervisor_k8s.api.keys import STREAMING
from supervisor_k8s.api.relay import Side, pass_on, relay
from supervisor_k8s.api.routes import Call
from supervisor_k8s.api.streams import until_gone
from supervisor_k8s.errors import CoreAnswerError, CoreUnreachableError

_LOGGER = logging.getLogger(__name__)
HEARTBEAT = 30.0
"""Seconds between pings to the add-on: one that is gone is noticed, and nothing on the way calls the line idle."""
TOKEN_WAIT = 10.0
"""Seconds for the add-on to send its token, as Core itself gives."""
LARGEST_MESSAGE = 4 * 1024 * 1024
"""Bytes of one message of an add-on's."""
FAREWELL_WAIT = 1.0
"""Seconds for the add-on to answer our closing: our own end does not wait for one that does not listen."""
CLOSED_TYPES = ("supervisor/", "hassio/")
"""Beginnings of the types of commands that only Home Assistant's own users may send."""


async def websocket(call: Call) -> web.WebSocketResponse:
    """Serve one add-on's websocket until either side ends it. 502 before the upgrade while Core is not running."""
    if not await call.services.home_assistant.is_up():
        raise web.HTTPBadGateway
    # Within the cluster a compressed message costs more than it saves.
    server = web.WebSocketResponse(
        timeout=FAREWELL_WAIT, heartbeat=HEARTBEAT, max_msg_size=LARGEST_MESSAGE, compress=False
    )
    await server.prepare(call.request)
    call.request[STREAMING] = True
    code = await until_gone(call.request, _serve(call, server))
    await server.close(code=WSCloseCode.GOING_AWAY if code is None else code)
    return server


async def _serve(call: Call, server: web.WebSocketResponse) -> int:
    """The code to close with."""
    try:
        slug = await _greeted(call, server)
        if slug is None:
            return WSCloseCode.OK
        async with call.services.home_assistant.dial() as core:
            _LOGGER.debug("Add-on %s speaks with Home Assistant", slug)
            return await relay(server, core.raw, out=_addon_to_core)
    except (CoreUnreachableError, CoreAnswerError) as error:
        _LOGGER.error("An add-on's websocket to Home Assistant failed: %s", error)  # noqa: TRY400 - it says it all
        return WSCloseCode.INTERNAL_ERROR
    except ConnectionError:
        return WSCloseCode.GOING_AWAY


async def _greeted(call: Call, server: web.WebSocketResponse) -> str | None:
    """Slug of the add-on that was let in; None for anybody else, or who does not say in time."""
    version = call.services.core.version
    await server.send_json({"type": "auth_required", "ha_version": version})
    try:
        message = await server.receive(timeout=TOKEN_WAIT)
    except TimeoutError:
        _LOGGER.warning("Nobody proved to be an add-on on a websocket within %.0f s", TOKEN_WAIT)
        return None
    token = _token(message)
    caller = call.services.access.caller(token) if token else None
    if caller is None or caller.slug is None or not caller.homeassistant_api:
        _LOGGER.warning("%s may not use Home Assistant's websocket", caller.name if caller else "An unknown token")
        if not server.closed:
            await server.send_json({"type": "auth_invalid", "message": "Invalid access"})
        return None
    await server.send_json({"type": "auth_ok", "ha_version": version})
    return caller.slug


def _token(message: aiohttp.WSMessage) -> str | None:
    try:
        content = orjson.loads(message.data) if message.type is WSMsgType.TEXT else None
    except orjson.JSONDecodeError:
        return None
    if not isinstance(content, dict):
        return None
    token = content.get("api_password") or content.get("access_token")
    return token if isinstance(token, str) else None


async def _addon_to_core(addon: Side, core: Side) -> None:
    while True:
        message = await addon.receive()
        if message.type is not WSMsgType.TEXT:
            if not await pass_on(message, core):
                return
            continue
        allowed, refused = sifted(message.data)
        try:
            for command in refused:
                await addon.send_str(_unauthorized(command))
            if allowed is not None:
                await core.send_str(allowed)
        except (aiohttp.ClientError, ConnectionError):
            return


def sifted(text: str) -> tuple[str | None, Sequence[Mapping[str, Any]]]:
    """What of an add-on's message may go on to Core (None: nothing), and the commands that may not.

    Core takes a list as several commands. What is no JSON is Core's to refuse.
    """
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text, ()
    commands = content if isinstance(content, list) else [content]
    refused = [command for command in commands if _is_closed(command)]
    if not refused:
        return text, ()
    allowed = [command for command in commands if not _is_closed(command)]
    return orjson.dumps(allowed).decode() if allowed else None, refused


def _is_closed(command: Any) -> bool:
    kind = command.get("type") if isinstance(command, dict) else None
    return isinstance(kind, str) and kind.startswith(CLOSED_TYPES)


def _unauthorized(command: Mapping[str, Any]) -> str:
    error = {"code": "unauthorized", "message": "Unauthorized"}
    answer = {"id": command.get("id"), "type": "result", "success": False, "error": error}
    return orjson.dumps(answer).decode()
