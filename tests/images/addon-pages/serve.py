"""What pages of add-ons do: files, forms, uploads, events and a websocket, all by addresses relative to the page.

Beside them an echo of datagrams.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

PAGE = Path("/page")


async def page(_: web.Request) -> web.FileResponse:
    return web.FileResponse(PAGE / "index.html")


async def headers(request: web.Request) -> web.Response:
    """All of them, as they came: a list of pairs."""
    return web.json_response(list(request.headers.items()))


async def form(request: web.Request) -> web.Response:
    """A page of its own: the browser shows it instead of the first one."""
    name = str((await request.post())["name"])
    user = request.headers.get("X-Remote-User-Display-Name", "nobody")
    back = request.headers["X-Ingress-Path"]
    return web.Response(
        text=f'<p id="greeting">Hello {name}, sent by {user}</p><a id="back" href="{back}/">back</a>',
        content_type="text/html",
    )


async def upload(request: web.Request) -> web.Response:
    """Size and digest of the body, which is never in memory as a whole."""
    digest, size = hashlib.sha256(), 0
    async for piece in request.content.iter_chunked(2**20):
        digest.update(piece)
        size += len(piece)
    return web.json_response({"size": size, "sha256": digest.hexdigest()})


async def sized(request: web.Request) -> web.StreamResponse:
    """As many zeros as the query's `bytes`, with a length."""
    left, piece = int(request.query["bytes"]), bytes(2**16)
    answer = web.StreamResponse()
    answer.content_length = left
    await answer.prepare(request)
    while left > 0:
        await answer.write(piece[:left])
        left -= len(piece)
    await answer.write_eof()
    return answer


async def download(request: web.Request) -> web.StreamResponse:
    """As many zeros as the query's `bytes`, without a length."""
    answer = web.StreamResponse()
    await answer.prepare(request)
    left, piece = int(request.query["bytes"]), bytes(2**16)
    while left > 0:
        await answer.write(piece[:left])
        left -= len(piece)
    await answer.write_eof()
    return answer


async def events(request: web.Request) -> web.StreamResponse:
    """A number every quarter of a second for as long as somebody listens."""
    answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await answer.prepare(request)
    number = 0
    while True:
        number += 1
        await answer.write(f"data: {number}\n\n".encode())
        await asyncio.sleep(0.25)


async def echo(request: web.Request) -> web.WebSocketResponse:
    """What comes goes back."""
    socket = web.WebSocketResponse(max_msg_size=2**24)
    await socket.prepare(request)
    async for message in socket:
        if message.type is web.WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is web.WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket


class Echo(asyncio.DatagramProtocol):
    """What comes on 9002/udp goes back."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert isinstance(self.transport, asyncio.DatagramTransport)
        self.transport.sendto(data, addr)


async def datagrams(_: web.Application) -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    transport, _protocol = await loop.create_datagram_endpoint(Echo, local_addr=("0.0.0.0", 9002))
    yield
    transport.close()


def main() -> None:
    app = web.Application(client_max_size=2**20)
    app.add_routes(
        [
            web.get("/", page),
            web.get("/headers", headers),
            web.post("/form", form),
            web.post("/upload", upload),
            web.get("/download", download),
            web.get("/sized", sized),
            web.get("/events", events),
            web.get("/echo", echo),
            web.static("/assets", PAGE / "assets"),
        ]
    )
    app.cleanup_ctx.append(datagrams)
    web.run_app(app, port=8099, print=None)


if __name__ == "__main__":
    main()
