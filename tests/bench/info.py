"""`GET /supervisor/info`: ours against a bare aiohttp handler that sends the same bytes. And a scrape of `/metrics`.

No cluster is needed: the house is whole but for the API server and Core, which are doubles. Server and client are
processes of their own.
"""

import asyncio
import base64
import json
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import IO, Any

from tests.bench.figure import Figure, in_turn, progress, spread
from tests.bench.wire import CLIENTS, Wire, latency, time_each

PATH = "/supervisor/info"
ADDONS = 20
MANY = 1000
STARTED = 300.0
"""Seconds until a server must have come up, with all of its add-ons."""


@asynccontextmanager
async def server(*arguments: str, content: bytes = b"") -> AsyncIterator[Any]:
    """What a process of `tests.bench.serving` says about itself, while it serves."""
    pipe = asyncio.subprocess.PIPE
    with tempfile.TemporaryFile() as complaints:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.serving", *arguments), stdin=pipe, stdout=pipe, stderr=complaints
        )
        async with _served(process, content, complaints) as said:
            yield said


@asynccontextmanager
async def _served(process: asyncio.subprocess.Process, content: bytes, complaints: IO[bytes]) -> AsyncIterator[Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if content:
            process.stdin.write(base64.b64encode(content) + b"\n")
        async with asyncio.timeout(STARTED):
            said = await process.stdout.readline()
        if not said:
            code = await process.wait()
            complaints.seek(0)
            last = complaints.read().decode(errors="replace").rstrip(" |+-\n").rpartition("\n")[2].lstrip(" |")
            raise AssertionError(f"its server ended with {code}: {last}")
        yield json.loads(said)
    finally:
        process.stdin.close()
        await process.wait()


async def answering(*, rounds: int = 15, requests: int = 300, delay: float = 0.0, addons: int = ADDONS) -> list[Figure]:
    """Ratios of latency and throughput."""
    progress(f"info: a house with {addons} add-ons comes up")
    async with server("ours", str(addons), str(delay)) as (port, _, token):
        with Wire(port, PATH, token) as mine:
            async with server("bare", content=mine.body) as (bare_port,):
                with Wire(bare_port, PATH, token) as bare:
                    assert bare.body == mine.body
                    one = await in_turn(
                        lambda: asyncio.to_thread(latency, bare, requests),
                        lambda: asyncio.to_thread(latency, mine, requests),
                        rounds=rounds,
                        say="info, one client",
                    )
                    many = await in_turn(
                        lambda: asyncio.to_thread(time_each, bare_port, PATH, token, requests),
                        lambda: asyncio.to_thread(time_each, port, PATH, token, requests),
                        rounds=rounds,
                        say=f"info, {CLIENTS} clients",
                    )
    name = f"GET {PATH}, {addons} add-ons"
    about: dict[str, Any] = {"aim": 1.5, "unit": "ms", "scale": 1e3, "bytes": len(mine.body)}
    return [one.ratio(f"{name}: p50", **about), many.ratio(f"{name}: 1 / requests per second", **about)]


async def scraping(*, scrapes: int = 15, addons: int = MANY) -> list[Figure]:
    """How long a scrape of /metrics takes with many add-ons."""
    progress(f"metrics: a house with {addons} add-ons comes up")
    async with server("ours", str(addons)) as (_, port, _):
        took = [_scrape(port) for _ in range(scrapes + 1)][1:]
    return [spread(f"/metrics, {addons} add-ons: one scrape", [seconds * 1e3 for seconds in took], unit="ms")]


def _scrape(port: int) -> float:
    began = perf_counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        text = answer.read().decode()
    took = perf_counter() - began
    assert 'supervisor_workloads{state="started",type="addon"}' in text
    return took
