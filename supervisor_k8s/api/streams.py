"""Answers without an end: log followers, event streams, websockets. They stop when the client leaves, or when we do."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from aiohttp import web

from supervisor_k8s.api.keys import STREAMS

LOOK_EVERY = 1.0
"""Seconds between two looks whether the client of a quiet stream is still there."""


def is_gone(request: web.Request) -> bool:
    """Whether the client has left."""
    return request.transport is None or request.transport.is_closing()


async def until_gone[T](request: web.Request, sending: Coroutine[Any, Any, T], *, endless: bool = True) -> T | None:
    """Send until done, until we stop or until the client has left; None in the latter cases. A quiet stream has nothing
    to write, so it is the connection that is looked at now and then: aiohttp tells a handler of a lost one in no other
    way. What is not `endless` gets the time of every open request when we stop.

    No task is made for that: it would take half as long as all else that is done here for a small page.
    """
    loop, streams = asyncio.get_running_loop(), request.app[STREAMS]
    scope = asyncio.timeout(None)

    def look() -> None:
        nonlocal timer
        if is_gone(request):
            end(scope)
        else:
            timer = loop.call_later(LOOK_EVERY, look)

    timer = loop.call_later(LOOK_EVERY, look)
    if endless:
        streams.add(scope)
    try:
        async with scope:
            return await sending
    except TimeoutError:
        if not scope.expired():
            raise
        return None
    finally:
        timer.cancel()
        streams.discard(scope)


def end(stream: asyncio.Timeout) -> None:
    """Cancel what is sent, once."""
    if not stream.expired():
        stream.reschedule(asyncio.get_running_loop().time())


async def end_streams(app: web.Application) -> None:
    """We are stopping: no stream may hold that up."""
    streams = app[STREAMS]
    for stream in streams.copy():
        end(stream)
