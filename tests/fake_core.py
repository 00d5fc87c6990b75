"""A double of Home Assistant Core at the outer port: a real HTTP and websocket server behind the link's mutual TLS.

It greets as Core does: `auth_ok` at once where it stands for the Unix socket, `auth_required` where it stands for the
TCP port of Core before 2026.4.
"""

import asyncio
import contextlib
import json
import ssl
import tempfile
from collections.abc import Mapping
from functools import cache
from typing import Any, Self

from aiohttp import WSMsgType, web

from supervisor_k8s.model.desired.link import LinkKeys

REFRESH_TOKEN = "refresh-me"
VERSION = "2026.11.0"


class FakeCore:
    """Used as `async with FakeCore(keys)`; `port` is where the link's TLS port would be on 127.0.0.1."""

    def __init__(self, keys: LinkKeys, *, by_token: bool = False) -> None:
        self._keys = keys
        self._by_token = by_token
        self._runner: web.AppRunner | None = None
        self._sockets: set[web.WebSocketResponse] = set()
        self._news = asyncio.Condition()
        self.host = "127.0.0.1"
        """May be set to another loopback address before `async with`, so that the link's real port is free there."""
        self.port = 0
        self.state = "RUNNING"
        self.migrating = False
        self.nonsense: str | None = None
        """Said, as JSON, instead of the state and of an access token."""
        self.silent = False
        """Websocket commands get no answer."""
        self.access_tokens: list[str] = []
        """Access tokens given out, the last one is valid."""
        self.answers: dict[str, Any] = {"config/auth/list": [{"id": "1", "name": "Supervisor"}]}
        """Result of each websocket command; unknown ones are refused."""
        self.documents: dict[str, Any] = {}
        """JSON of the answer to a path, or a function that gives it; others say `{"ok": true}`."""
        self.refusals: dict[str, int] = {}
        """Status of the answer to a path."""
        self.requests: list[tuple[str, str, Any]] = []
        """Method, path and JSON body of what was asked, but for the state."""
        self.headers: list[Mapping[str, str]] = []
        """Headers of each of these."""
        self.spoken: list[Any] = []
        """Messages on websockets that are no commands of the Supervisor's own."""
        self.closed_with: list[int | None] = []
        """How websockets were closed by the other side."""
        self.flooded = 0
        """Messages of one MiB that were sent on the word `flood`."""
        self.broken_off: list[str] = []
        """Paths of requests whose client left before the end."""
        self.listeners: set[web.StreamResponse] = set()
        """Open event streams."""
        self.events: list[Mapping[str, Any]] = []
        self.greeted = 0
        """How many websockets were let in."""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes(
            [
                web.get("/api/websocket", self._websocket),
                web.get("/api/core/state", self._state),
                web.post("/auth/token", self._token),
                web.get("/api/stream", self._stream),
                web.post("/api/echo", self._echo),
                web.route("*", "/{path:.*}", self._any),
            ]
        )
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, ssl_context=server_context(self._keys))
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.hang_up()
        if self._runner is not None:
            await self._runner.cleanup()

    def forget(self) -> None:
        """What was asked so far."""
        for heard in (self.requests, self.headers, self.spoken, self.closed_with, self.broken_off):
            heard.clear()
        self.flooded = 0

    async def hang_up(self) -> None:
        """Close all websockets."""
        for socket in list(self._sockets):
            await socket.close()

    async def heard(self, number: int, *, within: float = 5) -> list[Mapping[str, Any]]:
        """The first `number` events, waiting for them so many seconds."""
        async with asyncio.timeout(within), self._news:
            await self._news.wait_for(lambda: len(self.events) >= number)
        return self.events[:number]

    async def _state(self, request: web.Request) -> web.Response:
        self._check(request)
        if self.nonsense is not None:
            return web.Response(text=self.nonsense, content_type="application/json")
        recorder = {"migration_in_progress": self.migrating, "migration_is_live": False}
        return web.json_response({"state": self.state, "recorder_state": recorder})

    async def _token(self, request: web.Request) -> web.Response:
        if self.nonsense is not None:
            return web.Response(text=self.nonsense, content_type="application/json")
        form = await request.post()
        if form.get("grant_type") != "refresh_token" or form.get("refresh_token") != REFRESH_TOKEN:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.access_tokens.append(f"access-{len(self.access_tokens)}")
        return web.json_response({"access_token": self.access_tokens[-1], "expires_in": 1800, "token_type": "Bearer"})

    async def _any(self, request: web.Request) -> web.StreamResponse:
        self._check(request)
        content = await request.read()
        body = json.loads(content) if content else None
        self.requests.append((request.method, request.path_qs, body))
        self.headers.append(request.headers)
        if request.path in self.refusals:
            return web.Response(status=self.refusals[request.path])
        if request.path in self.documents:
            found = self.documents[request.path]
            return web.json_response(found() if callable(found) else found)
        if request.path == "/api/slow":
            await self._wait(request)
        if request.path == "/api/missing":
            return web.Response(text="404: Not Found", status=404)
        if request.path == "/api/cut":
            return await self._cut(request)
        headers = {"Cache-Control": "no-store", "Mcp-Session-Id": "session", "X-Of-Core": "stays"}
        return web.json_response({"ok": True}, headers=headers) if request.method == "GET" else web.Response()

    async def _echo(self, request: web.Request) -> web.StreamResponse:
        """The body comes back, each piece as it arrives."""
        self._check(request)
        response = web.StreamResponse(status=201, headers={"Content-Type": request.headers["Content-Type"]})
        await response.prepare(request)
        try:
            async for piece in request.content.iter_any():
                await response.write(piece)
        except ConnectionError:
            self.broken_off.append(request.path)
            raise
        return response

    async def _wait(self, request: web.Request) -> None:
        """For longer than anybody wants to."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(30):
                while request.transport is not None and not request.transport.is_closing():
                    await asyncio.sleep(0.02)
                self.broken_off.append(request.path)

    async def _cut(self, request: web.Request) -> web.StreamResponse:
        """An answer of which only the beginning arrives."""
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"the beginning")
        assert request.transport is not None
        request.transport.close()
        return response

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        """Events for as long as somebody listens."""
        self._check(request)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: ping\n\n")
        self.listeners.add(response)
        try:
            while request.transport is not None and not request.transport.is_closing():
                await asyncio.sleep(0.02)
        finally:
            self.listeners.discard(response)
        return response

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        if request.path in self.refusals:
            return web.Response(status=self.refusals[request.path])
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if self._by_token:
            await socket.send_json({"type": "auth_required", "ha_version": VERSION})
            greeting = await socket.receive_json()
            if not self.access_tokens or greeting.get("access_token") != self.access_tokens[-1]:
                await socket.send_json({"type": "auth_invalid"})
                await socket.close()
                return socket
        await socket.send_json({"type": "auth_ok", "ha_version": VERSION})
        self._sockets.add(socket)
        self.greeted += 1
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)
            elif message.type is WSMsgType.TEXT and message.data.startswith("{"):
                await self._command(socket, message.json())
            elif message.type is WSMsgType.TEXT:
                await self._hear(socket, message.data)
        self._sockets.discard(socket)
        self.closed_with.append(socket.close_code)
        return socket

    async def _hear(self, socket: web.WebSocketResponse, text: str) -> None:
        """No command: comes back, but for two words that ask for something."""
        word, _, number = text.partition(" ")
        if word == "close":
            await socket.close(code=int(number))
        elif word == "flood":
            for _ in range(int(number)):
                await socket.send_str("x" * 2**20)
                self.flooded += 1
        else:
            self.spoken.append(text)
            await socket.send_str(text)

    async def _command(self, socket: web.WebSocketResponse, message: Mapping[str, Any]) -> None:
        if self.silent:
            return
        kind, answer = message["type"], {"id": message["id"], "type": "result"}
        if kind == "supervisor/event":
            async with self._news:
                self.events.append(message["data"])
                self._news.notify_all()
            await socket.send_json({**answer, "success": True, "result": None})
        elif kind in self.answers:
            await socket.send_json({**answer, "success": True, "result": self.answers[kind]})
        else:
            error = {"code": "unknown_command", "message": "Unknown command."}
            await socket.send_json({**answer, "success": False, "error": error})

    def _check(self, request: web.Request) -> None:
        given = request.headers.get("Authorization")
        if self._by_token and (not self.access_tokens or given != f"Bearer {self.access_tokens[-1]}"):
            raise web.HTTPUnauthorized
        if not self._by_token and given is not None:
            raise web.HTTPBadRequest(text="no token belongs on the socket")


@cache
def server_context(keys: LinkKeys) -> ssl.SSLContext:
    """What nginx does in Core's pod: our authority's clients only. Nobody may change it: others get the same."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_verify_locations(cadata=keys.authority.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(keys.server.key + keys.server.certificate)
        file.flush()
        context.load_cert_chain(file.name)
    return context
