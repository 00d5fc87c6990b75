"""cluster/pods.py against a small HTTP server: what is asked of the API server for a log, how a follower leaves, and
what a program is told.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer

from supervisor_k8s.cluster.pods import Pods
from supervisor_k8s.errors import (
    ClusterConflictError,
    ClusterError,
    ClusterNotFoundError,
    ClusterRefusedError,
    ClusterUnavailableError,
    TookTooLongError,
)
from tests.kubeconfig import client_of, kubeconfig


async def test_query(tmp_path: Path) -> None:
    """Container, number of lines and time go into the query; the time as UTC."""
    asked: list[dict[str, str]] = []

    async def log(request: web.Request) -> web.Response:
        asked.append({"path": request.path, **request.query})
        return web.Response(text="one\ntwo\n")

    app = web.Application()
    app.router.add_get("/{path:.*}", log)
    async with TestServer(app) as server:
        client = client_of(kubeconfig(tmp_path, str(server.make_url("/"))))
        pods = Pods(client=client, namespace="ha")
        since = datetime(2026, 11, 21, 13, tzinfo=ZoneInfo("Europe/Berlin"))
        lines = [line async for line in pods.logs("p", "addon", tail_lines=5, since=since, previous=True)]
        await client.close()
    assert lines == [b"one", b"two"]
    assert asked == [
        {
            "path": "/api/v1/namespaces/ha/pods/p/log",
            "container": "addon",
            "tailLines": "5",
            "sinceTime": "2026-11-21T12:00:00Z",
            "previous": "true",
        }
    ]


async def test_follower_leaves(tmp_path: Path) -> None:
    """Whoever stops reading a followed log ends the connection at once."""
    left = asyncio.Event()

    async def log(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"line\n")
                await asyncio.sleep(0.01)
        finally:
            left.set()

    app = web.Application()
    app.router.add_get("/{path:.*}", log)
    async with TestServer(app) as server:
        client = client_of(kubeconfig(tmp_path, str(server.make_url("/"))))
        async with aclosing(Pods(client=client, namespace="ha").logs("p", "addon", follow=True)) as lines:
            assert await anext(lines) == b"line"
        async with asyncio.timeout(5):
            await left.wait()
        await client.close()


type Socket = web.WebSocketResponse
V5 = "v5.channel.k8s.io"
WRITTEN = {"metadata": {}, "status": "Success"}


@asynccontextmanager
async def attached(
    folder: Path, answer: Callable[[Socket], Awaitable[None]], *, protocol: str = V5
) -> AsyncIterator[tuple[Pods, list[bytes]]]:
    """Pods of an API server that takes what comes for a program until its input is closed and then gives `answer`."""
    heard: list[bytes] = []

    async def attach(request: web.Request) -> Socket:
        assert request.path == "/api/v1/namespaces/ha/pods/p/attach"
        assert dict(request.query) == {"container": "addon", "stdin": "true"}
        assert request.headers["Authorization"] == "Bearer sesame"
        socket = web.WebSocketResponse(protocols=(protocol,))
        await socket.prepare(request)
        async for message in socket:
            assert message.type is WSMsgType.BINARY
            heard.append(message.data)
            if message.data == b"\xff\x00":
                await answer(socket)
                break
        await socket.close()
        return socket

    app = web.Application()
    app.router.add_get("/{path:.*}", attach)
    async with TestServer(app) as server:
        client = client_of(kubeconfig(folder, str(server.make_url("/"))))
        yield Pods(client=client, namespace="ha"), heard
        await client.close()


def saying(status: Mapping[str, object]) -> Callable[[Socket], Awaitable[None]]:
    async def say(socket: Socket) -> None:
        await socket.send_bytes(b"\x03" + json.dumps(status).encode())

    return say


async def test_input(tmp_path: Path) -> None:
    """It arrives in pieces on the channel of standard input, which is then closed; done is when the API server says."""
    content = bytes(range(256)) * 300
    async with attached(tmp_path, saying(WRITTEN)) as (found, heard):
        await found.write("p", "addon", content)
    assert {piece[:1] for piece in heard[:-1]} == {b"\x00"}
    assert b"".join(piece[1:] for piece in heard[:-1]) == content
    assert len(heard) > 2


@pytest.mark.parametrize(
    ("status", "kind", "text"),
    [
        ({"status": "Failure", "message": "container addon not found", "code": 400}, ClusterRefusedError, "not found"),
        ({"status": "Failure", "message": "the node is away", "code": 500}, ClusterUnavailableError, "is away"),
        ({"status": "Failure", "code": 409, "message": "changed"}, ClusterConflictError, "changed"),
    ],
)
async def test_input_that_fails(
    tmp_path: Path, status: Mapping[str, object], kind: type[ClusterError], text: str
) -> None:
    """What the API server says is told."""
    async with attached(tmp_path, saying(status)) as (found, _):
        with pytest.raises(kind, match=text):
            await found.write("p", "addon", b"x")


async def test_input_without_an_end(tmp_path: Path) -> None:
    """Without a verdict nobody knows whether it was written: the connection broke."""

    async def leave(_: Socket) -> None:
        """It just goes."""

    async with attached(tmp_path, leave) as (found, _):
        with pytest.raises(ClusterUnavailableError, match="before the input was written"):
            await found.write("p", "addon", b"x")


async def test_input_that_nobody_reads(tmp_path: Path) -> None:
    """It is given up after a while, and the connection with it. On a busy machine the while may be over before there
    is a connection: then a longer one is tried.
    """
    begun, gone = asyncio.Event(), asyncio.Event()

    async def wait(socket: Socket) -> None:
        begun.set()
        await socket.receive()
        gone.set()

    async with attached(tmp_path, wait) as (found, _):
        for within in (0.2, 2.0, 20.0):
            if not begun.is_set():
                with pytest.raises(TookTooLongError, match="has not read its input"):
                    await found.write("p", "addon", b"x", within=within)
        async with asyncio.timeout(10):
            await gone.wait()


async def test_input_by_another_protocol(tmp_path: Path) -> None:
    """An API server that cannot tell the end of the input is refused: older than any we support."""
    async with attached(tmp_path, saying(WRITTEN), protocol="v4.channel.k8s.io") as (found, heard):
        with pytest.raises(ClusterRefusedError, match=V5):
            await found.write("p", "addon", b"x")
    assert heard == []


@pytest.mark.parametrize(
    ("status", "kind"), [(403, ClusterRefusedError), (404, ClusterNotFoundError), (503, ClusterUnavailableError)]
)
async def test_attach_refused(tmp_path: Path, status: int, kind: type[ClusterError]) -> None:
    """A pod that is gone, a missing right, an API server that is not there yet: each by its status."""

    async def refuse(_: web.Request) -> web.Response:
        return web.Response(status=status)

    app = web.Application()
    app.router.add_get("/{path:.*}", refuse)
    async with TestServer(app) as server:
        client = client_of(kubeconfig(tmp_path, str(server.make_url("/"))))
        with pytest.raises(kind, match=str(status)) as caught:
            await Pods(client=client, namespace="ha").write("p", "addon", b"x")
        assert type(caught.value) is kind
        await client.close()
    client = client_of(kubeconfig(tmp_path, "http://127.0.0.1:9"))
    with pytest.raises(ClusterUnavailableError, match="cannot be reached"):
        await Pods(client=client, namespace="ha").write("p", "addon", b"x")
    await client.close()
