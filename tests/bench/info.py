"""What our API answers: ours against a bare aiohttp handler that sends the same bytes. And a scrape of `/metrics`.

No cluster is needed: the house is whole but for the API server and Core, which are doubles. Server and client are
processes of their own.
"""

import asyncio
import base64
import json
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import quantiles
from time import perf_counter
from typing import IO, Any

from tests.bench.figure import Figure, in_turn, progress, spread
from tests.bench.wire import CLIENTS, Wire, latency, time_each

PATH = "/supervisor/info"
ADDONS = 20
LARGE = 300
ASKED_MOST = ("/info", PATH, "/addons", "/addons/local_crowd0000/info", "/store", "/resolution/info")
MANY = 1000
STARTED = 300.0
"""Seconds until a server must have come up, with all of its add-ons."""


@asynccontextmanager
async def server(*arguments: str, contents: Mapping[str, bytes] | None = None) -> AsyncIterator[Any]:
    """What a process of `tests.bench.serving` says about itself, while it serves."""
    pipe = asyncio.subprocess.PIPE
    with tempfile.TemporaryFile() as complaints:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.bench.serving", *arguments), stdin=pipe, stdout=pipe, stderr=complaints
        )
        async with _served(process, contents or {}, complaints) as said:
            yield said


@asynccontextmanager
async def _served(
    process: asyncio.subprocess.Process, contents: Mapping[str, bytes], complaints: IO[bytes]
) -> AsyncIterator[Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if contents:
            said = {path: base64.b64encode(content).decode() for path, content in contents.items()}
            process.stdin.write(json.dumps(said).encode() + b"\n")
        async with asyncio.timeout(STARTED):
            answer = await process.stdout.readline()
        if not answer:
            code = await process.wait()
            complaints.seek(0)
            last = complaints.read().decode(errors="replace").rstrip(" |+-\n").rpartition("\n")[2].lstrip(" |")
            raise AssertionError(f"its server ended with {code}: {last}")
        yield json.loads(answer)
    finally:
        process.stdin.close()
        await process.wait()


async def answering(
    *,
    rounds: int = 15,
    requests: int = 300,
    delay: float = 0.0,
    addons: int = ADDONS,
    paths: Sequence[str] = (PATH,),
) -> list[Figure]:
    """Ratios of latency and throughput, for each path."""
    progress(f"a house with {addons} add-ons comes up")
    figures: list[Figure] = []
    async with server("ours", str(addons), str(delay)) as (port, _, token):
        contents = {path: _content(port, path, token) for path in paths}
        async with server("bare", contents=contents) as (bare_port,):
            for path, content in contents.items():
                sides = Sides(path=path, token=token, ours=port, bare=bare_port, requests=requests)
                figures += await sides.compared(f"GET {path}, {addons} add-ons", rounds=rounds, bytes=len(content))
    return figures


async def every_answer(*, rounds: int = 5, requests: int = 60) -> list[Figure]:
    """What Home Assistant and its frontend ask for most, in a small house and in a large one."""
    return [
        figure
        for addons in (ADDONS, LARGE)
        for figure in await answering(rounds=rounds, requests=requests, addons=addons, paths=ASKED_MOST)
    ]


def _content(port: int, path: str, token: str) -> bytes:
    with Wire(port, path, token) as wire:
        return wire.body


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """One path, as we answer it and as a bare handler sends the same bytes."""

    path: str
    token: str
    ours: int
    bare: int
    """Ports."""
    requests: int

    def _wire(self, port: int) -> Wire:
        return Wire(port, self.path, self.token)

    async def compared(self, name: str, *, rounds: int, **parts: Any) -> list[Figure]:
        """Latency with one client, and throughput with many."""
        with self._wire(self.ours) as mine, self._wire(self.bare) as theirs:
            assert theirs.body == mine.body
            took: dict[str, list[float]] = {"ours": [], "baseline": []}
            one = await in_turn(
                lambda: asyncio.to_thread(latency, theirs, self.requests, took["baseline"]),
                lambda: asyncio.to_thread(latency, mine, self.requests, took["ours"]),
                rounds=rounds,
                say=f"{name}, one client",
            )
        many = await in_turn(
            lambda: asyncio.to_thread(time_each, lambda: self._wire(self.bare), self.requests),
            lambda: asyncio.to_thread(time_each, lambda: self._wire(self.ours), self.requests),
            rounds=rounds,
            say=f"{name}, {CLIENTS} clients",
        )
        about: dict[str, Any] = {"aim": 1.5, "unit": "ms", "scale": 1e3, **parts}
        slowest: dict[str, Any] = {
            f"p99_{side}": f"{quantiles(values, n=100)[98] * 1e3:.3g} ms" for side, values in took.items()
        }
        return [
            one.ratio(f"{name}: p50", **about, **slowest),
            many.ratio(f"{name}: 1 / requests per second", **about),
        ]


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
