"""Log routes: the same five for everything that has a log, as plain text.

Contract (`supervisor-api` §5): Accept is compared exactly; `lines` wins over `Range: entries=` and is at least 2; 100
entries when nothing is asked; `follow` gives the history first and never ends; `latest` is without colours. What is
read is the running container's own log, so there is one boot, number 0, and no cursor to page before it.
"""

import contextlib
import re
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from aiohttp import web

from supervisor_k8s.api.keys import STREAMING
from supervisor_k8s.api.routes import Call, Handler, Route, get
from supervisor_k8s.api.streams import until_gone
from supervisor_k8s.errors import RefusedError, SupervisorError

DEFAULT_LINES = 100
MIN_LINES = 2
ACCEPTED = frozenset({None, "*/*", "text/plain", "text/x-log"})
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
RANGE = re.compile(r"entries=(?P<cursor>[^:]*)(:(?P<skip>[+-]?\d*))?(:(?P<count>\d*))?")


@dataclass(frozen=True, slots=True)
class Window:
    """Which entries are wanted: the `last` ones (None: all), of these the first `count` (None: all)."""

    last: int | None
    count: int | None = None


def log_routes(prefix: str, key: Callable[[Call], str], *, latest: bool = True) -> tuple[Route, ...]:
    """Routes below `<prefix>/logs`; `key` names the workload of a call and raises when there is none."""
    text = "text/plain"
    plain = (
        get(f"{prefix}/logs", _serve(key), raw=text),
        get(f"{prefix}/logs/follow", _serve(key, follow=True), raw=text),
        get(f"{prefix}/logs/boots/{{bootid}}", _serve(key), raw=text),
        get(f"{prefix}/logs/boots/{{bootid}}/follow", _serve(key, follow=True), raw=text),
    )
    return (*plain, get(f"{prefix}/logs/latest", _serve(key, latest=True), raw=text)) if latest else plain


def window(lines: str | None, ranged: str | None, *, everything: bool) -> Window | None:
    """What `?lines=` and `Range:` ask for; None for a cursor, before which nothing is kept."""
    if lines is not None:
        number = int(lines) if lines.lstrip("-").isdecimal() else DEFAULT_LINES
        return Window(max(number, MIN_LINES))
    found = RANGE.fullmatch(ranged) if ranged else None
    if found is None:
        return Window(None if everything else DEFAULT_LINES)
    if found["cursor"]:
        return None
    count = int(found["count"]) if found["count"] else None
    skip = int(found["skip"]) if found["skip"] not in (None, "", "+", "-") else 0
    return Window(1 - skip, count) if skip < 0 else Window(None, count)


def _serve(key: Callable[[Call], str], *, follow: bool = False, latest: bool = False) -> Handler:
    async def serve(call: Call) -> web.StreamResponse:
        request = call.request
        if request.headers.get("Accept") not in ACCEPTED:
            raise RefusedError("Invalid content type requested. Only text/plain and text/x-log supported for now.")
        if request.match_info.get("bootid", "0") != "0":
            raise RefusedError("Only the current boot (0) has a log")
        workload = key(call)
        wanted = window(request.query.get("lines"), request.headers.get("Range"), everything=latest)
        if wanted is None:
            return web.Response(content_type="text/plain", charset="utf-8")
        plain = latest or "no_colors" in request.query
        lines = call.services.logs.lines(workload, last=wanted.last, follow=follow)
        return await _stream(request, _shown(lines, wanted.count, plain=plain), eager=follow)

    return serve


async def _shown(lines: AsyncGenerator[str], count: int | None, *, plain: bool) -> AsyncGenerator[str]:
    number = 0
    async with contextlib.aclosing(lines):
        async for line in lines:
            if count is not None and number >= count:
                return
            number += 1
            yield COLOURS.sub("", line) if plain else line


async def _stream(request: web.Request, lines: AsyncGenerator[str], *, eager: bool) -> web.StreamResponse:
    """Send the lines; with `eager` the headers go out before the first one. An error before any byte is raised."""
    response = web.StreamResponse(headers={"X-Accel-Buffering": "no"})
    response.content_type, response.charset = "text/plain", "utf-8"

    async def begin() -> None:
        if not response.prepared:
            request[STREAMING] = True
            await response.prepare(request)

    async def send() -> SupervisorError | None:
        try:
            async with contextlib.aclosing(lines):
                async for line in lines:
                    await begin()
                    await response.write(f"{line}\n".encode())
        except SupervisorError as error:
            return error
        except ConnectionError:
            return None  # the client has left in the middle of a line
        return None

    if eager:
        await begin()
    error = await until_gone(request, send())
    if error is not None and not response.prepared:
        raise error
    await begin()
    await response.write_eof()
    return response


def addon_log(call: Call) -> str:
    """Workload of the add-on that the path names. AddonNotFoundError, AddonNotInstalledError."""
    return f"addon/{call.services.addons.get(call.addon).slug}"
