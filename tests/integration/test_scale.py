"""A thousand installed add-ons, a tenth of them running: nothing that we do grows with the square of their number.

What is compared at 250 and at 1,000 is counted (requests, converges, steps of our program, bytes), because seconds say
more about the machine. Pods are played by this tier's own kubelet: kwok can be built, too, but it needs a scheduler
beside it, and a minute of building for a simulated node that we have already and that also sees two pods of one add-on.
"""

import asyncio
import json
import os
import random
import re
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter

import aiohttp
import pytest

from supervisor_k8s.cluster.client import Client
from tests import builders
from tests.bench.crowd import settle
from tests.bench.process import rolled_up
from tests.cluster.controlplane import ControlPlane, Ports
from tests.cluster.paths import from_environment
from tests.cluster.steps import Console, Context
from tests.free_ports import free_port
from tests.integration.kubelet import Kubelet
from tests.integration.lives import Pod
from tests.integration.wire import Wire

FEW, MANY = 250, 1000
EVERY = 10
"""Every tenth runs."""
LINEAR = MANY / FEW
MARGIN = 1.15
"""What is proportional to their number may be this much more: batches fall differently each time."""
BATCH = 9
"""Writes: names come to their servers in batches; one more is three writes (the names, and a word to each server)."""
WAIT = 120.0
"""Seconds for whatever has to come about, on a machine that is busy."""
QUIET = 1.0
"""Seconds without a word to or from the API server, after which a house has settled."""
VERBS = ("GET", "PATCH", "POST", "DELETE")
"""Of requests; a PUT only ever renews the Lease."""
LAUNCHES = 2
PLAIN, COUNTED = "supervisor_k8s", "tests.integration.counted"
"""What is run: to count takes time and memory."""


@dataclass(slots=True)
class Work:
    """What was done so far, or between two moments."""

    requests: dict[str, int]
    converges: int
    steps: dict[str, int]
    bytes: int

    def __sub__(self, before: "Work") -> "Work":
        return Work(
            {verb: number - before.requests[verb] for verb, number in self.requests.items()},
            self.converges - before.converges,
            {name: number - before.steps.get(name, 0) for name, number in self.steps.items()},
            self.bytes - before.bytes,
        )

    @property
    def writes(self) -> int:
        return sum(number for verb, number in self.requests.items() if verb != "GET")

    @property
    def all_steps(self) -> int:
        return sum(self.steps.values())


@dataclass(slots=True, kw_only=True)
class Crowd:
    """One installation with many add-ons."""

    program: Pod
    wire: Wire
    site: dict[str, str]
    states: dict[str, str] = field(default_factory=dict)
    """How each add-on is to be."""

    async def grow(self, count: int) -> None:
        """Go down, have so many add-ons, come up and bring all of them to where they belong."""
        if self.states:
            await self.program.end()
        self.program.module = PLAIN
        self.states |= await settle(
            count, site=builders.site(**self.site), state=self.program.state, first=len(self.states), every=EVERY
        )
        await self.come_up()

    async def restart(self) -> Work:
        """What a start costs that finds everything as it should be."""
        await self.program.end()
        self.program.module, passed = COUNTED, self.wire.passed
        await self.come_up()
        work = await self.work(end=True)
        return replace(work, bytes=work.bytes - passed)

    async def restart_uncounted(self) -> None:
        """For what is measured in seconds and megabytes."""
        await self.program.end()
        self.program.module = PLAIN
        await self.come_up()

    async def launch(self) -> Work:
        """What some starts and stops of one add-on cost."""
        before = await self.work()
        slug = "local_crowd0001"  # one that is stopped
        for verb in ("start", "stop") * LAUNCHES:
            await self.program.do(verb, slug)
            await self.settled()
        return await self.work(end=True) - before

    async def come_up(self) -> None:
        await self.program.run()
        async with asyncio.timeout(WAIT):
            await self.settled()
            while (await self.program.states()) != self.states:
                await self.settled()

    async def settled(self) -> None:
        """Nothing is going on any more: our line to the API server is silent."""
        async with asyncio.timeout(WAIT):
            last, since = self.wire.passed, perf_counter()
            while perf_counter() - since < QUIET:
                await asyncio.sleep(0.1)
                if self.wire.passed != last:
                    last, since = self.wire.passed, perf_counter()

    async def counters(self) -> tuple[dict[str, int], int]:
        """Requests by verb and converges, as our own /metrics count them."""
        async with aiohttp.ClientSession() as session, session.get(self._metrics) as answer:
            text = await answer.text()
        requests = dict.fromkeys(VERBS, 0)
        for verb, number in re.findall(
            r'^supervisor_cluster_requests_total{.*verb="(\w+)"} ([\d.e+]+)$', text, re.MULTILINE
        ):
            if verb in requests:
                requests[verb] += round(float(number))
        found = re.findall(r"^supervisor_converges_total{.*} ([\d.e+]+)$", text, re.MULTILINE)
        return requests, round(sum(map(float, found)))

    async def work(self, *, end: bool = False) -> Work:
        """All so far. A scrape is work itself, and more with more add-ons: it is left out of what lies between this at
        the beginning and this at the `end`.
        """
        if end:
            steps = await self._steps()
            requests, converges = await self.counters()
        else:
            requests, converges = await self.counters()
            steps = await self._steps()
        return Work(requests, converges, steps, self.wire.passed)

    async def _steps(self) -> dict[str, int]:
        counts = Path(self.program.settings["COUNTS"])
        counts.unlink(missing_ok=True)
        assert self.program.pid is not None
        os.kill(self.program.pid, signal.SIGUSR1)
        async with asyncio.timeout(WAIT):
            while not counts.exists():
                await asyncio.sleep(0.02)
        found: dict[str, int] = json.loads(counts.read_text())
        return found

    async def took(self, path: str) -> float:
        """Milliseconds of one answer, the slowest of three: what is remembered was made for one of them."""
        slowest = 0.0
        for _ in range(3):
            began = perf_counter()
            answer = await self.program.ask("GET", path)
            assert answer.ok, answer
            slowest = max(slowest, perf_counter() - began)
        return slowest * 1000

    def memory(self) -> float:
        """Megabytes."""
        return rolled_up(Path(f"/proc/{self.program.pid}/smaps_rollup").read_text())["Rss"]

    @property
    def _metrics(self) -> str:
        return f"http://127.0.0.1:{self.program.metrics}/metrics"


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """An API server of this file's own, with controllers that are not held back."""
    directory = tmp_path_factory.mktemp("plane")
    console = Console()
    paths = replace(from_environment(), state=directory)
    made = ControlPlane(
        directory=directory, paths=paths, address="127.0.0.1", ports=Ports.free(), controllers=True, rate=1000,
        tied=True,
    )  # fmt: skip
    try:
        with Context(paths, console).step("control plane for a thousand add-ons") as step:
            made.start(step)
        yield made
    finally:
        made.stop()
        console.close()


@pytest.fixture
async def crowd(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path) -> AsyncIterator[Crowd]:
    async with _crowd(plane, admin, namespace, tmp_path) as crowd:
        yield crowd


@asynccontextmanager
async def _crowd(plane: ControlPlane, admin: Client, namespace: str, folder: Path) -> AsyncIterator[Crowd]:
    kubelet = Kubelet(admin, namespace, chance=random.Random(namespace), fast=0.001, slow=0.005)
    async with Wire(plane.ports.api).open() as wire, kubelet.working():
        program = Pod(
            folder=folder, client=admin, namespace=namespace, server=f"https://127.0.0.1:{wire.port}",
            authority=plane.authority.certificate, metrics=free_port(),
            settings={"COUNTS": str(folder / "counts.json")},
        )  # fmt: skip
        site = {"namespace": namespace, "shared_claim": "ha-shared-rwx"}
        async with program.installed(()):
            yield Crowd(program=program, wire=wire, site=site)
        assert kubelet.faults == []


@pytest.mark.timeout(600)
async def test_a_thousand(crowd: Crowd, record_property: Callable[[str, object], None]) -> None:
    """A restart with 1,000 add-ons asks for nothing but lists and does four times the work of one with 250; a start of
    one add-on costs what it did.
    """
    await crowd.grow(FEW)
    few, few_launches = await crowd.restart(), await crowd.launch()
    await crowd.grow(MANY)
    many, many_launches = await crowd.restart(), await crowd.launch()

    await crowd.restart_uncounted()
    figures = {
        "restart": _compared(few, many),
        "launches": _compared(few_launches, many_launches),
        "memory MB": round(crowd.memory()),
        "ms": {path: round(await crowd.took(path)) for path in ("/addons", "/supervisor/info", "/info")},
    }
    record_property("figures", json.dumps(figures))
    print(json.dumps(figures, indent=2))

    assert many.writes <= few.writes + BATCH, "what is right already is not written again"
    assert many.converges <= few.converges * LINEAR * MARGIN
    assert many.bytes <= few.bytes * LINEAR * MARGIN
    assert many.all_steps <= few.all_steps * LINEAR * MARGIN, _grown(few, many, LINEAR)
    assert many_launches.requests["GET"] <= few_launches.requests["GET"] + 2
    assert many_launches.bytes <= few_launches.bytes * 2
    assert many_launches.all_steps <= few_launches.all_steps * 2, _grown(few_launches, many_launches, 1)


def _compared(few: Work, many: Work) -> dict[str, str]:
    pairs = {
        "requests": (sum(few.requests.values()), sum(many.requests.values())),
        "writes": (few.writes, many.writes),
        "converges": (few.converges, many.converges),
        "steps": (few.all_steps, many.all_steps),
        "kB": (few.bytes // 1000, many.bytes // 1000),
    }
    return {name: f"{one} → {other} (x {other / max(one, 1):.2f})" for name, (one, other) in pairs.items()}


def _grown(few: Work, many: Work, factor: float) -> str:
    """The functions that do the most beyond what they should."""
    beyond = {name: number - few.steps.get(name, 0) * factor for name, number in many.steps.items()}
    worst = sorted(beyond, key=lambda name: -beyond[name])[:15]
    return "\n".join(f"{name}: {few.steps.get(name, 0)} → {many.steps[name]}" for name in worst)
