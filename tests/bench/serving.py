"""Runs as a process of its own: either our whole API over a house with add-ons, or a bare handler that sends bytes.

    python -m tests.bench.serving ours ADDONS [SECONDS]     says: port, port of /metrics, Core's token
    python -m tests.bench.serving loud                      our API over a house whose add-on writes all the time, as
                                                            fast as it is read; says: port, Core's token, process id
    python -m tests.bench.serving bare                      reads path to bytes (base64), as JSON in a line; says: port

Ends when its standard input does. SECONDS are waited before each request of ours is handled, by a middleware that is
not part of the product: with it, the figures must get worse.
"""

import asyncio
import base64
import itertools
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from supervisor_k8s.api.app import create_app
from supervisor_k8s.api.listen import serve
from supervisor_k8s.cluster.cache import Cache
from supervisor_k8s.cluster.kinds import KINDS
from supervisor_k8s.cluster.pods import Pods
from supervisor_k8s.remote.certificates import make_keys, utc_now
from tests import builders
from tests.bench.crowd import settle
from tests.contract.house import Home, HouseCluster
from tests.fakes import Object
from tests.free_ports import free_port
from tests.kubeconfig import client_of, kubeconfig

MOST_RUNNING = 100
"""Of more add-ons than this, only some run: the double of a cluster is slow with many pods."""
TEXT = "2026-11-21 22:05:41.123 INFO (MainThread) [homeassistant.components.example] Something has been done again"
"""A line as Home Assistant writes them."""
LINES = 1000
"""So many in one piece."""
PIPE = asyncio.subprocess.PIPE
UP_WAIT = 240.0
"""Seconds until all add-ons must be up."""


class CachedCluster(HouseCluster):
    """The double with the product's own watch cache in front: reads cost what they cost in a real house."""

    def __init__(self, core_address: str) -> None:
        super().__init__(core_address)
        self._cache = Cache()
        for kind in KINDS.values():
            if kind.cached:
                self._cache.replace(kind, (), "1")
        self.subscribe(self._follow)

    def get(self, kind: str, name: str) -> Object | None:
        return self._cache.get(kind, name)  # type: ignore[return-value] # a mapping that nobody changes

    def select(self, kind: str, labels: Mapping[str, str]) -> Sequence[Object]:
        return self._cache.select(kind, labels)  # type: ignore[return-value]

    def _follow(self, kind: str, old: Any, new: Any) -> None:
        if KINDS[kind].cached:
            gone = new is None
            self._cache.observe(KINDS[kind], "DELETED" if gone else "MODIFIED", old if gone else new)


async def ours(addons: int, delay: float) -> None:
    """A house in which everything runs, and its API once more behind the delay."""
    with tempfile.TemporaryDirectory() as folder:
        share, state = Path(folder, "share"), Path(folder, "state")
        every = max(1, addons // MOST_RUNNING)
        states = await settle(addons, site=builders.site(), share=share, state=state, every=every)
        home = Home(Path(folder), "", make_keys(utc_now()), cluster_kind=CachedCluster, up_wait=UP_WAIT)
        async with home.living(), AsyncExitStack() as stack:
            await until_settled(home, states)
            app = create_app(home.house.services)
            if delay:
                app.middlewares.insert(0, _delayed(delay))
            port = free_port()
            await serve(app, port, stack)
            metrics = int(home.metrics_url.split(":")[2].split("/")[0])
            await _until_told(port, metrics, home.core_token)


async def loud() -> None:
    """The log comes as it does in a cluster: over HTTP, from another process, through the product's own client."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        await settle(1, site=builders.site(), share=folder / "share", state=folder / "state")
        async with writer() as url:
            client = client_of(kubeconfig(folder, url))
            pods = Pods(client=client, namespace="home-assistant")
            home = Home(folder, "", make_keys(utc_now()), cluster_kind=CachedCluster, up_wait=UP_WAIT)
            home.cluster.logs = pods.logs  # type: ignore[method-assign] # the real one
            async with home.living():
                await _until_told(int(home.url.rpartition(":")[2]), home.core_token, os.getpid())
            await client.close()


@asynccontextmanager
async def writer() -> AsyncIterator[str]:
    """A process that answers everything with a log without end; its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.serving", "writing", stdin=PIPE, stdout=PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        (port,) = json.loads(await process.stdout.readline())
        yield f"http://127.0.0.1:{port}"
    finally:
        process.stdin.close()
        await process.wait()


async def writing() -> None:
    """Lines as the API server sends them, each with its time."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for second in itertools.count():
            stamp = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            lines = (f"{stamp}.{number:09}Z {TEXT}\n" for number in range(LINES))
            await response.write("".join(lines).encode())
        raise AssertionError("it has an end")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    port = free_port()
    async with AsyncExitStack() as stack:
        await serve(app, port, stack)
        await _until_told(port)


async def bare(contents: Mapping[str, bytes]) -> None:
    """What these bytes cost with aiohttp alone."""
    app = web.Application()
    for path, content in contents.items():
        app.router.add_get(path, _sender(content))
    port = free_port()
    async with AsyncExitStack() as stack:
        await serve(app, port, stack)
        await _until_told(port)


def _sender(content: bytes) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=content, content_type="application/json", charset="utf-8")

    return answer


async def until_settled(home: Home, states: Mapping[str, str]) -> None:
    """Wait until every add-on is in its state."""
    async with asyncio.timeout(UP_WAIT):
        while await _states(home) != states:
            await asyncio.sleep(0.5)


async def _states(home: Home) -> dict[str, str]:
    found = (await home.raw("GET", "/addons")).data["addons"]
    return {addon["slug"]: addon["state"] for addon in found}


async def _until_told(*said: Any) -> None:
    """Say where we are, and live until nobody wants us any more."""
    print(json.dumps(said), flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)


def _delayed(seconds: float) -> Any:
    @web.middleware
    async def delayed(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await handler(request)

    return delayed


def main(kind: str, *more: str) -> None:
    if kind == "loud":
        asyncio.run(loud())
    elif kind == "writing":
        asyncio.run(writing())
    elif kind == "bare":
        contents = json.loads(sys.stdin.buffer.readline())
        asyncio.run(bare({path: base64.b64decode(content) for path, content in contents.items()}))
    else:
        asyncio.run(ours(int(more[0]), float(more[1]) if len(more) > 1 else 0.0))


if __name__ == "__main__":
    main(*sys.argv[1:])
