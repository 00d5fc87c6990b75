"""Listening: what is done about clients before there is a request.

aiohttp waits for a client's first request for ever, and for the next one an hour. And what it cannot read it writes
into the log, with the line that was wrong: in a header of a token, that is the token.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from aiohttp.http import HttpProcessingError

SHUTDOWN = 10.0
"""Seconds that open requests have when we stop."""
_LOGGER = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds with a connection: until the whole head of its first request is there, and after an answer until that of
    the next. That is longer than clients keep one open: aiohttp does for 15, nginx for 60. After an answer that did not
    wait for the body, `rest` is until all of that is there.
    """

    first: float = 60.0
    next: float = 75.0
    rest: float = 10.0


async def serve(
    app: web.Application, place: int | Path, stack: AsyncExitStack, *, patience: Patience = Patience()
) -> None:
    """Listen at a port or a unix socket until the stack ends; open requests then get SHUTDOWN seconds."""
    loop = asyncio.get_running_loop()
    silent: dict[asyncio.Protocol, asyncio.TimerHandle] = {}  # also those that left without a request, until the timer

    @web.middleware
    async def heard(request: web.Request, handler: Handler) -> web.StreamResponse:
        if timer := silent.pop(request.protocol, None):
            timer.cancel()
        return await handler(request)

    _LOGGER.addFilter(_quiet)
    app.middlewares.insert(0, heard)
    runner = web.AppRunner(
        app,
        access_log=None,
        shutdown_timeout=SHUTDOWN,
        keepalive_timeout=patience.next,
        lingering_time=patience.rest,
        logger=_LOGGER,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    make = runner.server
    assert make is not None  # noqa: S101 - it is set up

    def connected() -> web.RequestHandler:
        connection = make()

        def give_up() -> None:
            del silent[connection]
            connection.force_close()

        silent[connection] = loop.call_later(patience.first, give_up)
        return connection

    if isinstance(place, Path):
        server: asyncio.Server = await loop.create_unix_server(connected, place)
    else:
        server = await loop.create_server(connected, port=place)
    stack.callback(server.close)


def _quiet(record: logging.LogRecord) -> bool:
    """What is no HTTP is said in one line and without a quotation; who has left in the middle of it is not missed."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, (ConnectionError, web.RequestPayloadError)):
        return False
    if isinstance(error, HttpProcessingError):
        record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        record.msg, record.args = "What %s sent is no HTTP (%s)", (*(record.args or ("?",)), type(error).__name__)
        record.exc_info = None
    return True
