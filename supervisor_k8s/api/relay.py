"""Two open connections, and what one says handed to the other: websockets, and the bodies of answers.

Nothing is gathered on the way. Who does not read makes the other side wait, so the memory that a slow reader costs is
one message, or one piece of a body.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import aiohttp
from aiohttp import WSCloseCode, WSMsgType, web

UNSAID = frozenset({1005, 1006, 1015})
"""Codes that stand for how a connection ended and must not be sent."""

type Side = web.WebSocketResponse | aiohttp.ClientWebSocketResponse
type Way = Callable[[Side, Side], Coroutine[Any, Any, None]]
"""Hands messages of the first side to the second until one of them has ended."""


async def hand_over(source: Side, target: Side) -> None:
    """The plain way: every message as it is."""
    while await pass_on(await source.receive(), target):
        pass


async def relay(near: Side, far: Side, *, out: Way) -> int:
    """Hand messages both ways until one side ends, `out` from near to far, and as they are back; the code it ended with
    goes to the other one and is returned.
    """
    async with asyncio.TaskGroup() as tasks:
        outward = tasks.create_task(out(near, far))
        backward = tasks.create_task(hand_over(far, near))
        done, rest = await asyncio.wait({outward, backward}, return_when=asyncio.FIRST_COMPLETED)
        ended, other = (far, near) if backward in done else (near, far)
        code = _said(ended.close_code)
        await other.close(code=code)
        for way in rest:  # it has nobody to speak to
            way.cancel()
    return code


async def pass_on(message: aiohttp.WSMessage, target: Side) -> bool:
    """Whether more may follow."""
    try:
        match message.type:
            case WSMsgType.TEXT:
                await target.send_str(message.data)
            case WSMsgType.BINARY:
                await target.send_bytes(message.data)
            case _:
                return False
    except (aiohttp.ClientError, ConnectionError):
        return False
    return True


async def copy_body(
    reply: aiohttp.ClientResponse, response: web.StreamResponse, progress: Callable[[], None] = lambda: None
) -> bool:
    """Whether all of the body went over; `progress` is told of each piece."""
    try:
        async for piece in reply.content.iter_any():
            await response.write(piece)
            progress()
    except (aiohttp.ClientError, ConnectionError):
        return False
    return True


def _said(code: int | None) -> int:
    return WSCloseCode.GOING_AWAY if code is None or code in UNSAID else code
