"""Our program as a process: its start, its memory, and what it asks of an API server when there is nothing to do.

It runs beside an API server of its own, as in the integration tier; pods are played by that tier's kubelet.
"""

import asyncio
import json
import random
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen
from uuid import uuid4

from tests.bench.figure import Figure, NotRun, progress, spread
from tests.cluster import binaries, packages
from tests.cluster.controlplane import AUDIT_ALL, ControlPlane, Ports
from tests.cluster.paths import from_environment
from tests.cluster.steps import Console, Context, Failed, StepFailed
from tests.free_ports import free_port
from tests.integration.kubelet import Kubelet
from tests.integration.lives import Pod
from tests.kubeconfig import client_of

NAMES = ("process: memory", "process: start to listening", "process: start to first right answer", "process: requests")
SETTLING = 20.0
"""Seconds after which a house that has come up counts as idle."""
LOOK = 0.005
MEGABYTE = 1e6
STAGES = {
    "interpreter": "",
    "HTTP (aiohttp, ssl)": "import aiohttp.web",
    "Kubernetes client": "import supervisor_k8s.cluster.client",
    "other libraries": "import cryptography.x509, jinja2, orjson, prometheus_client, voluptuous.humanize, yaml",
    "our modules": "import supervisor_k8s.start",
}
"""Each on top of the former ones."""


async def running(*, starts: int, idle: float) -> list[Figure | NotRun]:
    """All figures of the process; `idle` in seconds is how long its requests are counted."""
    try:
        async with _api_server() as (plane, namespace, folder):
            client = client_of(plane.kubeconfig)
            program = Pod(
                folder=folder, client=client, namespace=namespace, server=plane.server,
                authority=plane.authority.certificate, metrics=free_port(),
            )  # fmt: skip
            async with (
                Kubelet(client, namespace, chance=random.Random()).working(),
                program.installed([{"slug": "example"}]),
            ):
                await program.run()
                await program.do("install", "local_example")
                await program.do("start", "local_example")
                figures = await _starts(program, starts)
                figures += await _idle(program, plane, namespace, idle)
            await client.close()
    except (Failed, StepFailed, OSError) as error:
        return [NotRun(names=NAMES, why=f"no API server could be made: {error}")]
    return [*figures]


@asynccontextmanager
async def _api_server() -> AsyncIterator[tuple[ControlPlane, str, Path]]:
    console = Console()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = replace(from_environment(), state=folder / "plane")
        context = Context(paths, console)
        packages.servers(context)
        binaries.ensure(context, binaries.KUBE)
        plane = ControlPlane(
            directory=folder / "plane",
            paths=paths,
            address="127.0.0.1",
            ports=Ports.free(),
            controllers=True,
            audit=AUDIT_ALL,
        )
        try:
            with context.step("control plane of the bench") as step:
                await asyncio.to_thread(plane.start, step)
            namespace = f"bench-{uuid4().hex[:8]}"
            client = client_of(plane.kubeconfig)
            made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            await client.request("POST", "/api/v1/namespaces", body=made)
            while not (await client.request("GET", f"/api/v1/namespaces/{namespace}/serviceaccounts"))["items"]:
                await asyncio.sleep(LOOK)
            await client.close()
            yield plane, namespace, folder
        finally:
            plane.stop()
            console.close()


async def _starts(program: Pod, starts: int) -> list[Figure]:
    listening, answering = [], []
    for number in range(1, starts + 1):
        progress(f"process: start {number} of {starts}")
        await program.end()
        began = time.perf_counter()
        await program.start()
        listening.append(await asyncio.to_thread(_until_listening, program.port) - began)
        answering.append(await asyncio.to_thread(_until_right, program.port) - began)
        await program.up()
    return [
        spread("process: start to listening", listening, unit="s", aim=2),
        spread("process: start to first right answer", answering, unit="s", aim=2),
    ]


async def _idle(program: Pod, plane: ControlPlane, namespace: str, seconds: float) -> list[Figure]:
    progress(f"process: settles for {SETTLING:.0f} s")
    await asyncio.sleep(SETTLING)
    before = _requests(plane, namespace)
    for left in range(round(seconds), 0, -10):
        progress(f"process: idle, {left} s more")
        await asyncio.sleep(min(10, left))
    asked = _requests(plane, namespace)[len(before) :]
    kinds = {kind: asked.count(kind) for kind in sorted(set(asked))}
    rate = len(asked) * 60 / seconds
    assert program.pid is not None
    memory = rolled_up(Path(f"/proc/{program.pid}/smaps_rollup").read_text())
    parts = await _parts(memory["Rss"])
    return [
        spread(
            "process: memory idle (resident)", [memory["Rss"]], unit="MB", aim=100,
            private=f"{memory['Private_Dirty'] + memory['Private_Clean']:.0f} MB", **parts,
        ),
        spread("process: requests to the API server per idle minute", [rate], unit="/min", aim=6, **kinds),
    ]  # fmt: skip


async def _parts(whole: float) -> dict[str, str]:
    """What the resident memory consists of: the same imports, one after the other, each in a process of its own."""
    said, before, code = {}, 0.0, ""
    for name, line in STAGES.items():
        code += f"{line}\n"
        show = f"{code}print(open('/proc/self/smaps_rollup').read())"
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", show, stdout=asyncio.subprocess.PIPE)
        now = rolled_up((await process.communicate())[0].decode())["Rss"]
        said[name] = f"{now - before:.0f} MB"
        before = now
    return {**said, "what it knows and does": f"{whole - before:.0f} MB"}


def rolled_up(text: str) -> dict[str, float]:
    """Megabytes by the names of /proc/<pid>/smaps_rollup."""
    rows = (line.split() for line in text.splitlines()[1:] if line.strip())
    return {row[0].removesuffix(":"): int(row[1]) * 1024 / MEGABYTE for row in rows}


def _requests(plane: ControlPlane, namespace: str) -> list[str]:
    """What our account has asked so far, as verb and resource; of a watch, its beginning counts."""
    account, found = f"system:serviceaccount:{namespace}:supervisor", []
    for line in plane.audit_log.read_text().splitlines():
        event = json.loads(line)
        wanted = "ResponseStarted" if event["verb"] == "watch" else "ResponseComplete"
        if event["user"]["username"] == account and event["stage"] == wanted:
            found.append(f"{event['verb']} {event.get('objectRef', {}).get('resource', event['requestURI'])}")
    return found


def _until_listening(port: int) -> float:
    while True:
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return time.perf_counter()
        time.sleep(LOOK)


def _until_right(port: int) -> float:
    """The moment of the first answer that is no refusal."""
    while True:
        try:
            with urlopen(f"http://127.0.0.1:{port}/supervisor/ping", timeout=5) as answer:
                if json.load(answer)["result"] == "ok":
                    return time.perf_counter()
        except (URLError, OSError, ValueError):
            time.sleep(LOOK)
