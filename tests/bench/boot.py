"""On the local cluster with a house in it: fifty add-ons come up after their sandboxes were lost, as after a reboot of
their node, against a `kubectl scale` of the same fifty.

Each is the broker under another name. What is timed begins with the loss: that it is noticed, and that the old pods go,
is a part of ours alone, and so is the order of a boot. The other side is one command for fifty Deployments that have
nothing but the program.
"""

import asyncio
import json
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Iterable
from contextlib import asynccontextmanager

import yaml

from supervisor_k8s.cluster.client import Client
from tests.bench.figure import Figure, NotRun, in_turn, progress
from tests.bench.house import LABEL, NOT_HERE, WAIT, bare, fresh, is_up_here, reached, seen
from tests.cluster import paths
from tests.e2e import node
from tests.e2e.house import Kubectl, Supervisor

COUNT = 50
NAMES = (f"boot of {COUNT} add-ons by a `kubectl scale` of the same",)
BROKER = paths.REPOSITORY / "tests/images/addon-mosquitto/repository/mosquitto/config.yaml"
LEFT_OUT = frozenset({"ports", "services", "discovery", "auth_api"})
"""What only one of them could have."""
SLUGS = tuple(f"bench{number:02}" for number in range(COUNT))
SELECTOR = f"io.hass.addon in ({', '.join(f'local_{slug}' for slug in SLUGS)})"
AT_ONCE = 8
"""Requests: each waits for its add-on."""
LONG = 10 * WAIT
"""Seconds that fifty pods may take."""


async def coming_up(*, rounds: int) -> list[Figure | NotRun]:
    """How many times as long ours takes. There is no aim: the order of a boot is meant to take its time."""
    config, kubectl = paths.from_environment().kubeconfig, Kubectl()
    if os.environ.get("CLUSTER") == "external" or os.geteuid() != 0:
        return [NotRun(names=NAMES, why="what a node loses is brought about at the node, as root")]
    if not await is_up_here(kubectl):
        return [NotRun(names=NAMES, why=NOT_HERE)]
    async with reached(kubectl, config) as (client, supervisor), _installed(kubectl, supervisor):
        pairs = await in_turn(
            lambda: _scaled(kubectl, client),
            lambda: _booted(kubectl, client, supervisor),
            rounds=rounds,
            say=f"boot of {COUNT} add-ons",
        )
    return [pairs.ratio(NAMES[0], aim=None, unit="s")]


@asynccontextmanager
async def _installed(kubectl: Kubectl, supervisor: Supervisor) -> AsyncIterator[None]:
    """Fifty add-ons, stopped, and a bare Deployment beside each; afterwards all are gone."""
    local = paths.from_environment().volumes / "shared" / "addons" / "local"
    manifest = {key: value for key, value in yaml.safe_load(BROKER.read_text()).items() if key not in LEFT_OUT}
    try:
        for slug in SLUGS:
            (local / slug).mkdir(parents=True, exist_ok=True)
            (local / slug / "config.json").write_text(json.dumps({**manifest, "name": slug, "slug": slug}))
        assert (await supervisor.post("/store/reload")).status == 200
        progress(f"boot: {COUNT} add-ons are installed and started")
        await _each(_done(supervisor, f"/store/addons/local_{slug}/install") for slug in SLUGS)
        await _each(_done(supervisor, f"/addons/local_{slug}/start") for slug in SLUGS)
        deployments = (await kubectl.json("get", "deployments", "-l", SELECTOR))["items"]
        assert len(deployments) == COUNT
        others = [bare(live, f"bench-{live['metadata']['name']}") for live in deployments]
        await _each(_done(supervisor, f"/addons/local_{slug}/stop") for slug in SLUGS)
        await kubectl.run("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": others}))
        yield
    finally:
        await kubectl.run("delete", "deployments", "-l", f"app={LABEL}", "--ignore-not-found")
        await _each(supervisor.post(f"/addons/local_{slug}/uninstall") for slug in SLUGS)
        for slug in SLUGS:
            shutil.rmtree(local / slug, ignore_errors=True)
        await supervisor.post("/store/reload")


async def _scaled(kubectl: Kubectl, client: Client) -> float:
    """Until fifty bare pods are ready; they are gone afterwards."""
    up = asyncio.create_task(seen(client, f"app={LABEL}", lambda pods, first: fresh(pods, first) >= COUNT))
    await asyncio.sleep(1)  # the watch stands before the clock starts
    began = time.perf_counter()
    await kubectl.run("scale", "deployments", "-l", f"app={LABEL}", "--replicas=1")
    async with asyncio.timeout(LONG):
        took = await up - began
    await kubectl.run("scale", "deployments", "-l", f"app={LABEL}", "--replicas=0")
    await kubectl.run("wait", "--for=delete", "pod", "-l", f"app={LABEL}", f"--timeout={LONG:.0f}s", within=LONG)
    return took


async def _booted(kubectl: Kubectl, client: Client, supervisor: Supervisor) -> float:
    """Until fifty add-ons that lost their sandboxes at once run in new launches; they are stopped afterwards."""
    await _each(_done(supervisor, f"/addons/local_{slug}/start") for slug in SLUGS)
    lost = {pod["metadata"]["name"] for pod in await kubectl.pods(SELECTOR)}
    assert len(lost) == COUNT
    up = asyncio.create_task(seen(client, SELECTOR, lambda pods, first: fresh(pods, first) >= COUNT))
    await asyncio.sleep(1)  # the watch stands before the clock starts
    began = time.perf_counter()
    await asyncio.to_thread(node.kill_sandboxes, lost)
    async with asyncio.timeout(LONG):
        took = await up - began
    await _each(_done(supervisor, f"/addons/local_{slug}/stop") for slug in SLUGS)
    return took


async def _done(supervisor: Supervisor, path: str) -> None:
    answer = await supervisor.post(path)
    assert answer.status == 200, (path, answer)


async def _each(work: Iterable[Awaitable[object]]) -> None:
    """All of it, a few at a time."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(step: Awaitable[object]) -> None:
        async with gate:
            await step

    async with asyncio.TaskGroup() as tasks:
        for step in work:
            tasks.create_task(one(step))
