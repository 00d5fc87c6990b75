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
    """
    async with asyncio.TaskGroup() as tasks:
        send = tasks.create_task(sending)
        if endless:
            streams = request.app[STREAMS]
            streams.add(send)
            send.add_done_callback(streams.discard)
        while not send.done():
            await asyncio.wait({send}, timeout=LOOK_EVERY)
            if is_gone(request):
                send.cancel()
    return None if send.cancelled() else send.result()


async def end_streams(app: web.Application) -> None:
    """We are stopping: no stream may hold that up."""
    streams = app[STREAMS]
    for stream in streams.copy():
        stream.cancel()
