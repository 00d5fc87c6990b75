"""A double of an add-on's page at the outer port: a real HTTP and websocket server that tells what it was asked."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any, Self

from aiohttp import WSMsgType, web

LARGE = 5_000_000


class Page:
    """Used as `async with Page(host, port)`; with `tls` there is an ingress-link before it."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._place = (host, port)
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self.requests: list[tuple[str, str, bytes]] = []
        """Method, path with query as it came over the wire, and body."""
        self.headers: list[Any] = []
        """Headers of each of these, as aiohttp has them."""
        self.pings: list[bytes] = []
        self.closed_with: list[int | None] = []
        self.gone = asyncio.Event()
        """Somebody left an endless answer."""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**30)
        routes = {
            "/start": self._any, "/away": self._away, "/events": self._events, "/large": self._large, "/cut": self._cut,
            "/orders": self._orders, "/empty": self._empty, "/packed": self._packed, "/socket": self._socket,
            "/closed": self._closed,
        }  # fmt: skip
        app.add_routes([web.route("*", path, handler) for path, handler in routes.items()])
        app.add_routes([web.route("*", "/{path:.*}", self._any)])
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, *self._place, ssl_context=self._tls).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    @property
    def header(self) -> Mapping[str, str]:
        """Headers of the last request."""
        last: Mapping[str, str] = self.headers[-1]
        return last

    async def _any(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.raw_path, await request.read()))
        self.headers.append(request.headers.copy())
        answer = web.Response(text="<p>hello</p>", content_type="text/html", charset="utf-8")
        answer.headers.extend([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("X-Of-Page", "yes")])
        answer.headers["Connection"] = "keep-alive"
        return answer

    async def _orders(self, request: web.Request) -> web.StreamResponse:
        return web.Response(text="mine", headers={"X-Accel-Redirect": request.query["to"]})

    async def _away(self, _: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/elsewhere?a=b#c")

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            while True:
                await response.write(b"data: tick\n\n")
                await asyncio.sleep(0.05)
        except ConnectionError:
            self.gone.set()
        return response

    async def _large(self, _: web.Request) -> web.StreamResponse:
        return web.Response(body=b"x" * LARGE)

    async def _cut(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = int(request.query["of"])
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    async def _empty(self, _: web.Request) -> web.StreamResponse:
        return web.Response(status=204)

    async def _packed(self, _: web.Request) -> web.StreamResponse:
        answer = web.Response(text="word " * 100)
        answer.enable_compression(web.ContentCoding.gzip)
        return answer

    async def _closed(self, _: web.Request) -> web.StreamResponse:
        raise web.HTTPForbidden

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        self.headers.append(request.headers.copy())
        socket = web.WebSocketResponse(protocols=("second",), autoping=False, max_msg_size=0)
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.PING:
                self.pings.append(bytes(message.data))
                await socket.pong(message.data)
            elif message.data == "bye":
                await socket.close(code=4000)
            elif message.type is WSMsgType.TEXT:
                await socket.send_str(message.data)
            elif message.type is WSMsgType.BINARY:
                await socket.send_bytes(message.data)
        self.closed_with.append(socket.close_code)
        return socket
