"""The add-on's servers: its page for ingress alone, the webhook and the figures for others.

Each is at a port of its own. The page lets in whom ingress lets in: the Supervisor's address on Docker's network, or,
where there is none, who brings the address of our page, a secret that Home Assistant's ingress puts into each request.
"""

import asyncio
import contextlib
import hashlib
import hmac
import secrets
import socket
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import hdrs, web

from git_pull import page, webhook
from git_pull.bell import Bell, Wish
from git_pull.errors import HomeError
from git_pull.page import View
from git_pull.webhook import StrangerError

SUPERVISOR = "172.30.32.2"
_PATIENCE = 10.0
"""Seconds for a body to be here."""
_AT_ONCE = 8
"""Bodies that are read at a time; a forge sends again what is refused."""
_REMEMBERED = 256
"""Deliveries."""
_LARGEST_FORM = 4096


@dataclass(frozen=True, slots=True)
class Ports:
    """`hooks` and `figures` are those of config.yaml; 0 is any free one."""

    page: int = 8099
    hooks: int = 8098
    figures: int = 8080


class Page:
    def __init__(self, *, bell: Bell, view: Callable[[str], View], entry: Callable[[], Awaitable[str]]) -> None:
        """`view` is given what proves that a button is ours. `entry` is our page's address in Home Assistant;
        HomeError.
        """
        self._bell = bell
        self._view = view
        self._ask_entry = entry
        self._entry = ""
        self._ours = secrets.token_urlsafe(32)
        self._linked = _is_own(SUPERVISOR)

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._guard], client_max_size=_LARGEST_FORM)
        app.add_routes([web.get("/", self._show), web.post("/check", self._check), web.post("/return", self._return)])
        return app

    @web.middleware
    async def _guard(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.remote != SUPERVISOR and (self._linked or not await self._came_by_ingress(request)):
            raise web.HTTPForbidden(text="This page is open through Home Assistant only")
        answer = await handler(request)
        answer.headers["Content-Security-Policy"] = page.POLICY
        answer.headers["Referrer-Policy"] = "no-referrer"
        answer.headers["Cache-Control"] = "no-store"
        return answer

    async def _came_by_ingress(self, request: web.Request) -> bool:
        if not self._entry:
            with contextlib.suppress(HomeError):
                self._entry = await self._ask_entry()
        given = request.headers.get("X-Ingress-Path", "").encode(errors="surrogateescape")
        return bool(self._entry) and hmac.compare_digest(given, self._entry.encode())

    async def _show(self, _request: web.Request) -> web.Response:
        return web.Response(text=page.render(self._view(self._ours)), content_type="text/html")

    async def _check(self, request: web.Request) -> web.Response:
        await self._form(request)
        self._bell.ring(Wish("page"))
        return _back()

    async def _return(self, request: web.Request) -> web.Response:
        commit = (await self._form(request)).get("commit", "")
        if commit not in page.commits(self._view(self._ours)):
            raise web.HTTPBadRequest(text="This commit was never live here")
        self._bell.ring(Wish("page", commit))
        return _back()

    async def _form(self, request: web.Request) -> dict[str, str]:
        """Of a button of ours: another site's cannot know what is in it. 403."""
        form = {key: value for key, value in (await request.post()).items() if isinstance(value, str)}
        same = request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"
        given = form.get("ours", "").encode(errors="surrogateescape")
        if not same or not hmac.compare_digest(given, self._ours.encode()):
            raise web.HTTPForbidden(text="This button is not of this page any more; reload it")
        return form


def _back() -> web.Response:
    """To the page: a reload of it presses no button again."""
    return web.Response(status=303, headers={hdrs.LOCATION: "./"})


def _is_own(address: str) -> bool:
    """Whether this machine has it: then it is that of an ingress-link beside us, and nobody else is to be let in."""
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


class Hooks:
    def __init__(self, *, bell: Bell, secret: str, branch: str, clock: Callable[[], float]) -> None:
        """`clock` gives seconds since the epoch."""
        self._bell = bell
        self._secret = secret
        self._branch = branch
        self._clock = clock
        self._known: OrderedDict[str, None] = OrderedDict()
        self._reading = 0

    def app(self) -> web.Application:
        app = web.Application(client_max_size=webhook.LARGEST)
        app.add_routes([web.post("/webhook", self._take)])
        return app

    async def _take(self, request: web.Request) -> web.Response:
        """413 for a body that is too large, 503 when too many come at once, 401 for a stranger's."""
        body = await self._body(request)
        try:
            call = webhook.read(request.headers, body, secret=self._secret, branch=self._branch, now=self._clock())
        except StrangerError as error:
            raise web.HTTPUnauthorized(text=str(error)) from error
        if not call.wanted:
            return web.Response(text=call.said)
        if self._is_known(call.mark):
            return web.Response(text="has come before")
        self._bell.ring(Wish("webhook"))
        return web.Response(status=202, text=call.said)

    async def _body(self, request: web.Request) -> bytes:
        if (request.content_length or 0) > webhook.LARGEST:
            raise web.HTTPRequestEntityTooLarge(webhook.LARGEST, request.content_length or 0)
        if self._reading >= _AT_ONCE:
            raise web.HTTPServiceUnavailable
        self._reading += 1
        try:
            async with asyncio.timeout(_PATIENCE):
                return await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        finally:
            self._reading -= 1

    def _is_known(self, mark: str) -> bool:
        digest = hashlib.sha256(mark.encode()).hexdigest()
        if digest in self._known:
            return True
        self._known[digest] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return False


def figures_app(text: Callable[[], bytes]) -> web.Application:
    async def show(_request: web.Request) -> web.Response:
        return web.Response(body=text(), headers={hdrs.CONTENT_TYPE: "text/plain; version=0.0.4; charset=utf-8"})

    app = web.Application()
    app.add_routes([web.get("/metrics", show)])
    return app


@contextlib.asynccontextmanager
async def served(apps: Sequence[tuple[int, web.Application]]) -> AsyncIterator[None]:
    """Each at its port, of all addresses. OSError."""
    async with contextlib.AsyncExitStack() as stack:
        for port, app in apps:
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, port=port).start()
        yield
