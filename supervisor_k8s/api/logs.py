"""Log routes: the same five for everything that has a log, as plain text.

Contract (`supervisor-api` §5): Accept is compared exactly; `lines` wins over `Range: entries=` and is at least 2; 100
entries when nothing is asked; `follow` gives the history first and never ends; `latest` is without colours. The header
`X-First-Cursor` names the first entry of an answer; from there the frontend pages backwards until nothing comes. Boots
are runs of the program: 0 is the present one, or the last when nothing runs.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Literal

from aiohttp import hdrs, web

from supervisor_k8s.api.keys import STREAMING
from supervisor_k8s.api.routes import Call, Handler, Parameter, Route, get
from supervisor_k8s.api.streams import until_gone
from supervisor_k8s.errors import RefusedError, SupervisorError
from supervisor_k8s.model.intent import CORE_KEY, DNS_KEY, addon_key
from supervisor_k8s.model.log import Entry, Window, window
from supervisor_k8s.model.program import OWN_KEY

DEFAULT_LINES = 100
MIN_LINES = 2
JOURNAL = "text/x-log"
FORMATS: Mapping[str, Callable[[Entry, str, str], str]] = {
    "plain": lambda entry, *_: entry.text,
    "timestamp": lambda entry, *_: entry.timed,
    "verbose": Entry.verbose,
}
"""How an entry is shown, with the machine's and the program's name."""
ACCEPTED = frozenset({None, "*/*", "text/plain", JOURNAL})
_NUMBER = re.compile(r"-?\d{1,9}")
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
FIRST_WAIT = 1.0
"""Seconds that a follower's headers wait for the first entry, which they name."""
PIECE = 64 * 1024
"""Bytes that are sent at once, at most and about."""
TEXT = "text/plain"
ASKED = (
    Parameter("lines", "query", int),
    Parameter("verbose", "query", str),
    Parameter("format", "query", Literal["plain", "timestamp", "verbose"]),
    Parameter("no_colors", "query", str),
    Parameter("Range", "header", str),
)
"""All of it is a wish: what is not understood is as if it were not there."""
UNBUFFERED = {"X-Accel-Buffering": "no"}
IDENTIFIERS = {CORE_KEY: "homeassistant", OWN_KEY: "hassio_supervisor", DNS_KEY: "hassio_dns"}
"""Names of programs in the journal; of add-ons it is `addon_<slug>`."""


type Workload = Callable[[Call], str | None]
"""Key of the workload whose log a call is about; raises when there is no such one, None when nothing can be said."""


def log_routes(prefix: str, key: Workload, *, verbose: bool = False) -> tuple[Route, ...]:
    """Routes below `<prefix>/logs`; `verbose` are those that nobody has to ask for time and name."""
    return (
        *plain_and_followed(f"{prefix}/logs", key, verbose=verbose),
        *plain_and_followed(f"{prefix}/logs/boots/{{bootid}}", key, verbose=verbose),
        _log(f"{prefix}/logs/latest", _serve(key, latest=True, verbose=verbose)),
    )


def plain_and_followed(path: str, key: Workload, *, verbose: bool = False) -> tuple[Route, ...]:
    """The log as it is now, and as it goes on."""
    follower = _serve(key, follow=True, verbose=verbose)
    return _log(path, _serve(key, verbose=verbose)), _log(f"{path}/follow", follower)


def _log(path: str, handler: Handler) -> Route:
    return get(path, handler, raw=TEXT, asks=ASKED)


def _serve(key: Workload, *, follow: bool = False, latest: bool = False, verbose: bool = False) -> Handler:
    """A boot's log begins and ends with it; without one it is the latest, and what is before and after can be had."""

    async def serve(call: Call) -> web.StreamResponse:
        request, logs = call.request, call.services.logs
        if request.headers.get("Accept") not in ACCEPTED:
            raise RefusedError("Invalid content type requested. Only text/plain and text/x-log supported for now.")
        workload, number = key(call), request.match_info.get("bootid")
        wanted = wanted_entries(request, everything=latest)
        nothing = web.Response(content_type=TEXT, charset="utf-8", headers=UNBUFFERED)
        if workload is None or wanted is None:
            return nothing
        boot = await logs.boot(workload, number or "0")
        if request.method == hdrs.METH_HEAD:
            return nothing
        entries = logs.entries(workload, boot, wanted, follow=follow, beyond=number is None)
        return await _stream(request, entries, _line(call, workload, latest=latest, verbose=verbose), eager=follow)

    return serve


def wanted_entries(request: web.Request, *, everything: bool) -> Window | None:
    """What `?lines=` and `Range:` ask for; None for a cursor that is not ours, before which there is nothing.

    `everything` unless `lines` says how many: `Range` is not looked at then, as upstream does it with `/latest`.
    """
    lines = request.query.get("lines")
    if lines is not None:
        number = int(lines) if _NUMBER.fullmatch(lines) else DEFAULT_LINES
        return Window(max(number, MIN_LINES))
    return Window() if everything else window(request.headers.get("Range", ""), default=DEFAULT_LINES)


def _line(call: Call, workload: str, *, latest: bool, verbose: bool) -> Callable[[Entry], str]:
    """How an entry is shown."""
    request = call.request
    plain = latest or "no_colors" in request.query
    verbose = verbose or "verbose" in request.query or request.headers.get("Accept") == JOURNAL
    form = request.query.get("format", "")
    if form not in FORMATS:
        form = "verbose" if verbose else "plain"
    host = call.services.host.machine().name if form == "verbose" else ""
    name = identifier(workload)

    def line(entry: Entry) -> str:
        text = FORMATS[form](entry, host, name)
        return COLOURS.sub("", text) if plain else text

    return line


class _Answer:
    """A log on its way to a client. Lines that come together are sent together: one by one they take several times as
    long. None waits for others that are not there yet.
    """

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self._beginning = asyncio.Lock()
        self._unsent = bytearray()
        self._due = asyncio.Event()
        self.response = web.StreamResponse(headers=UNBUFFERED)
        self.response.content_type, self.response.charset = TEXT, "utf-8"

    async def begin(self, first: Entry | None = None) -> None:
        """Send the headers, once."""
        async with self._beginning:
            if not self.response.prepared:
                if first is not None:
                    self.response.headers["X-First-Cursor"] = str(first.cursor)
                self._request[STREAMING] = True
                await self.response.prepare(self._request)

    async def begin_late(self) -> None:
        """The headers go out although there is no entry yet."""
        await asyncio.sleep(FIRST_WAIT)
        with contextlib.suppress(ConnectionError):
            await self.begin()

    async def send(self, entries: AsyncGenerator[Entry], line: Callable[[Entry], str]) -> SupervisorError | None:
        """All entries; what kept the rest from coming."""
        error: SupervisorError | None = None
        try:
            try:
                async with contextlib.aclosing(entries):
                    async for entry in entries:
                        if not self.response.prepared:
                            await self.begin(entry)
                        await self._add(f"{line(entry)}\n".encode())
            except SupervisorError as failure:
                error = failure
            await self._flush()
        except ConnectionError:
            return None  # the client has left in the middle of a line
        return error

    async def flush_what_is_due(self) -> None:
        """Send what there is as soon as nothing more comes at once, again and again."""
        with contextlib.suppress(ConnectionError):
            while True:
                await self._due.wait()
                self._due.clear()
                await self._flush()

    async def _add(self, text: bytes) -> None:
        if not self._unsent:
            asyncio.get_running_loop().call_soon(self._due.set)
        self._unsent += text
        if len(self._unsent) >= PIECE:
            await self._flush()

    async def _flush(self) -> None:
        """Nothing is awaited between taking the lines and handing them on, so they stay in their order."""
        text, self._unsent = self._unsent, bytearray()
        if text:
            await self.response.write(text)


async def _stream(
    request: web.Request, entries: AsyncGenerator[Entry], line: Callable[[Entry], str], *, eager: bool
) -> web.StreamResponse:
    """Send the entries. An error before any byte is raised. With `eager` the headers do not wait for the first one."""
    answer = _Answer(request)
    async with asyncio.TaskGroup() as tasks:
        beside = [tasks.create_task(answer.flush_what_is_due())]
        if eager:
            beside.append(tasks.create_task(answer.begin_late()))
        error = await until_gone(request, answer.send(entries, line))
        for task in beside:
            task.cancel()
    if error is not None and not answer.response.prepared:
        raise error
    with contextlib.suppress(ConnectionError):  # the client has left before there was anything to say
        await answer.begin()
    return answer.response  # aiohttp ends it, and knows of clients that are gone


def identifier(workload: str) -> str:
    """The workload's name in the journal."""
    return IDENTIFIERS.get(workload) or f"addon_{workload.removeprefix('addon/')}"


def addon_log(call: Call) -> str:
    """Workload of the add-on that the path names. AddonNotFoundError, AddonNotInstalledError."""
    return addon_key(call.services.addons.get(call.addon).slug)
