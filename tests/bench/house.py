"""On a real cluster with a house in it: start, restart and stop of an add-on against `kubectl`, and our pod's start.

The other side is a Deployment as a person would write it for the same image: one container, the same volumes, ready
when its port answers. Nothing of ours looks after it.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from supervisor_k8s.cluster.client import Client
from tests.bench.figure import Figure, NotRun, Pairs, progress, spread
from tests.cluster import paths
from tests.e2e.house import NAMESPACE, Kubectl, Supervisor, is_ready
from tests.kubeconfig import client_of

SLUG = "core_mosquitto"
PORT = 1883
BARE = "bench-bare"
LABEL = "supervisor-k8s-bench"
OURS = "app.kubernetes.io/name=supervisor"
NOT_HERE = "no local cluster with a house in it: `make up` makes one"
NAMES = ("add-on start", "add-on restart", "add-on stop", "pod start to listening", "pod start to first right answer")
BARELY = {"start": "kubectl scale", "restart": "kubectl rollout restart", "stop": "kubectl scale"}
"""What each of our verbs is held against."""
AIMS = {"start": 1.10, "restart": 1.10, "stop": 1.05}
WAIT = 120.0
"""Seconds a pod may take for anything."""


async def living(*, rounds: int, starts: int, delay: float = 0.0) -> list[Figure | NotRun]:
    """Figures of a real house. `delay` in seconds is waited before each request to our API."""
    config = Path(os.environ["KUBECONFIG"]) if os.environ.get("CLUSTER") == "external" else _local()
    kubectl = Kubectl()
    if not config.exists() or not await kubectl.run("get", "pods", "-l", OURS, check=False):
        return [NotRun(names=NAMES, why="no cluster with a house in it: `make up` makes one")]
    async with reached(kubectl, config) as (client, supervisor):
        figures = await _lives(kubectl, client, supervisor, rounds, delay)
        if os.environ.get("CLUSTER") == "external" or os.geteuid() != 0:
            return [*figures, NotRun(names=NAMES[3:], why="our pod's process is looked at from its node, as root")]
        return [*figures, *await _pod_starts(kubectl, supervisor, starts)]


async def is_up_here(kubectl: Kubectl) -> bool:
    """Whether the local cluster is there, with a house in it."""
    return _local().exists() and bool(await kubectl.run("get", "pods", "-l", OURS, check=False))


@asynccontextmanager
async def reached(kubectl: Kubectl, config: Path) -> AsyncIterator[tuple[Client, Supervisor]]:
    """The cluster's API, and the Supervisor with the command line's token."""
    async with AsyncExitStack() as stack:
        client = client_of(config)
        stack.push_async_callback(client.close)
        yield client, await stack.enter_async_context(supervisor_of(kubectl))


@asynccontextmanager
async def supervisor_of(kubectl: Kubectl) -> AsyncIterator[Supervisor]:
    """The Supervisor with the command line's token."""
    async with aiohttp.ClientSession() as session:
        url = f"http://{await kubectl.address('supervisor')}"
        yield Supervisor(session, url, await kubectl.secret("supervisor-cli", "token"))


def _local() -> Path:
    return paths.from_environment().kubeconfig


async def _lives(kubectl: Kubectl, client: Client, supervisor: Supervisor, rounds: int, delay: float) -> list[Figure]:
    installed = {addon["slug"] for addon in (await supervisor.get("/addons")).data.get("addons", [])}
    if SLUG not in installed:
        assert (await supervisor.post(f"/store/addons/{SLUG}/install")).status == 200
    was_up = await supervisor.state(SLUG) == "started"
    assert (await supervisor.post(f"/addons/{SLUG}/start")).status == 200
    live = await kubectl.json("get", "deployment", f"addon-{SLUG.replace('_', '-')}")
    assert (await supervisor.post(f"/addons/{SLUG}/stop")).status == 200
    await kubectl.run("apply", "-f", "-", stdin=json.dumps(bare(live)))
    sides: dict[str, list[list[float]]] = {what: [[], []] for what in BARELY}
    try:
        for number in range(rounds + 1):
            progress(f"add-on: {f'round {number} of {rounds}' if number else 'warm-up'}")
            for side, once in enumerate((_scaled(kubectl, client), _asked(supervisor, delay))):
                for what in BARELY:
                    seconds = await once(what)
                    if number:
                        sides[what][side].append(seconds)
    finally:
        await kubectl.run("delete", "deployment", BARE, "--ignore-not-found")
        if was_up:
            await supervisor.post(f"/addons/{SLUG}/start")
    return [
        Pairs(*sides[what]).ratio(f"add-on {what} through the API by a bare `{other}`", aim=AIMS[what], unit="s")
        for what, other in BARELY.items()
    ]


def _scaled(kubectl: Kubectl, client: Client) -> Callable[[str], Any]:
    """One command of `kubectl`, until the pod is ready or gone, as a watch tells it."""

    async def once(what: str) -> float:
        done = asyncio.create_task(seen(client, f"app={LABEL}", ENOUGH[what]))
        await asyncio.sleep(0.3)  # the watch stands before the clock starts
        began = time.perf_counter()
        if what == "restart":
            await kubectl.run("rollout", "restart", f"deployment/{BARE}")
        else:
            await kubectl.run("scale", "deployment", BARE, f"--replicas={int(what == 'start')}")
        async with asyncio.timeout(WAIT):
            return await done - began

    return once


def _asked(supervisor: Supervisor, delay: float) -> Callable[[str], Any]:
    """One verb of our API, until its answer."""

    async def once(what: str) -> float:
        await asyncio.sleep(0.3)
        began = time.perf_counter()
        await asyncio.sleep(delay)
        answer = await supervisor.post(f"/addons/{SLUG}/{what}")
        assert answer.status == 200, answer
        return time.perf_counter() - began

    return once


type Enough = Callable[[Mapping[str, Any], Collection[str]], bool]
"""Whether these pods, by uid, are what is waited for; the uids are those that were there at first."""


def fresh(pods: Mapping[str, Any], first: Collection[str]) -> int:
    """How many new pods are ready."""
    return sum(is_ready(pod) for uid, pod in pods.items() if uid not in first)


ENOUGH: Mapping[str, Enough] = {
    "start": lambda pods, first: fresh(pods, first) > 0,
    "restart": lambda pods, first: fresh(pods, first) > 0,
    "stop": lambda pods, _: not pods,
}


async def seen(client: Client, selector: str, enough: Enough) -> float:
    """The moment at which the pods of a selector are what is waited for."""
    path = f"/api/v1/namespaces/{NAMESPACE}/pods"
    query = {"labelSelector": selector}
    found = await client.request("GET", path, query=query)
    pods = {pod["metadata"]["uid"]: pod for pod in found["items"]}
    first = frozenset(pods)
    watch = {**query, "watch": "true", "resourceVersion": found["metadata"]["resourceVersion"]}
    async with client.stream(path, query=watch, silence=WAIT) as lines:
        async for line in lines:
            event = orjson.loads(line)
            pod = event["object"]
            if event["type"] == "DELETED":
                pods.pop(pod["metadata"]["uid"], None)
            else:
                pods[pod["metadata"]["uid"]] = pod
            if enough(pods, first):
                return time.perf_counter()
    raise AssertionError("the watch ended")


def bare(live: Mapping[str, Any], name: str = BARE) -> dict[str, Any]:
    """A Deployment for the image of this add-on's, scaled to nothing."""
    spec = live["spec"]["template"]["spec"]
    (program,) = (one for one in spec["containers"] if one["name"] == "addon")
    parts = ("name", "image", "imagePullPolicy", "ports", "volumeMounts")
    container = {key: program[key] for key in parts if key in program}
    container["readinessProbe"] = {"tcpSocket": {"port": PORT}, "periodSeconds": 1}
    kept = ("volumes", "terminationGracePeriodSeconds", "automountServiceAccountToken", "enableServiceLinks")
    labels = {"app": LABEL, "deployment": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
        "spec": {
            "replicas": 0,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {**{key: spec[key] for key in kept if key in spec}, "containers": [container]},
            },
        },
    }


# --- our own pod -------------------------------------------------------------------------------------------------


async def _pod_starts(kubectl: Kubectl, supervisor: Supervisor, starts: int) -> list[Figure]:
    listening, answering = [], []
    for number in range(1, starts + 1):
        progress(f"our pod: start {number} of {starts}")
        await kubectl.run("scale", "deployment", "supervisor", "--replicas=0")
        await kubectl.run("wait", "--for=delete", "pod", "-l", OURS, f"--timeout={WAIT:.0f}s")
        known = set(_processes())
        await kubectl.run("scale", "deployment", "supervisor", "--replicas=1")
        async with asyncio.timeout(WAIT):
            while not (new := set(_processes()) - known):
                await asyncio.sleep(0.01)
        (pid,) = new
        inside = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.inside", str(pid), "8080", stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(WAIT):
            said = (await inside.communicate())[0].decode().split()
        began = _began(pid)
        listening.append(float(said[0]) - began)
        answering.append(float(said[1]) - began)
        await _up(supervisor)
    return [
        spread("pod: its process' start to listening", listening, unit="s", aim=2),
        spread("pod: its process' start to first right answer", answering, unit="s", aim=2),
    ]


async def _up(supervisor: Supervisor) -> None:
    async with asyncio.timeout(WAIT):
        while True:
            with suppress(aiohttp.ClientError):
                answer = await supervisor.get("/info")
                if answer.status == 200 and answer.data["state"] == "running":
                    return
            await asyncio.sleep(0.2)


def _processes() -> list[int]:
    """Supervisors in a network of their own: those in pods."""
    found = []
    own = Path("/proc/self/ns/net").readlink()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            if b"supervisor_k8s" in (entry / "cmdline").read_bytes() and (entry / "ns" / "net").readlink() != own:
                found.append(int(entry.name))
    return found


def _began(pid: int) -> float:
    """In seconds since the machine's start, to a hundredth."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")
