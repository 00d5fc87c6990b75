"""cluster/pods.py against a small HTTP server: what is asked of the API server for a log, and how a follower leaves."""

import asyncio
from contextlib import aclosing
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from aiohttp import web
from aiohttp.test_utils import TestServer

from supervisor_k8s.cluster.pods import Pods
from tests.kubeconfig import client_of
from tests.unit.test_client import kubeconfig


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
