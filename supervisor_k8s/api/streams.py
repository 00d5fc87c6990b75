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

    It is sent by the handler's own task: another one for each request costs a small page a tenth of its time.
    """
    streams, scope = request.app[STREAMS], asyncio.timeout(None)
    watch = _Watch(request, scope)
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
        watch.stop()
        streams.discard(scope)


class _Watch:
    """Looks at the connection, and ends what is sent to a client that has left."""

    def __init__(self, request: web.Request, sending: asyncio.Timeout) -> None:
        self._request = request
        self._sending = sending
        self._wait()

    def stop(self) -> None:
        self._timer.cancel()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(LOOK_EVERY, self._look)

    def _look(self) -> None:
        if is_gone(self._request):
            end(self._sending)
        else:
            self._wait()


def end(stream: asyncio.Timeout) -> None:
    """Cancel what is sent, once."""
    if not stream.expired():
        stream.reschedule(asyncio.get_running_loop().time())


async def end_streams(app: web.Application) -> None:
    """We are stopping: no stream may hold that up."""
    streams = app[STREAMS]
    for stream in streams.copy():
        end(stream)
