"""What was asked for stands: against kubectl, against our own restart, against a kill in the worst moment."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest

from tests.cluster import paths

from .house import Kubectl, Supervisor, becomes, is_ready, program_runs

NAME = "addon-core-mosquitto"
PODS = "io.hass.addon=core_mosquitto"


async def test_a_deleted_pod_comes_back_and_never_twice(
    kubectl: Kubectl, supervisor: Supervisor, mosquitto: str
) -> None:
    """While the old pod still terminates, its replacement waits at the gate."""
    await supervisor.post(f"/addons/{mosquitto}/start")
    old = await kubectl.pod(PODS)
    await kubectl.run("delete", "pod", old["metadata"]["name"], "--wait=false")

    async def replaced() -> bool:
        pods = await kubectl.pods(PODS)
        working = [pod for pod in pods if program_runs(pod)]
        assert len(working) <= 1, [pod["metadata"]["name"] for pod in working]
        return len(pods) == 1 and pods[0]["metadata"]["uid"] != old["metadata"]["uid"] and is_ready(pods[0])

    await becomes(replaced, what="one new pod, ready")
    assert await supervisor.state(mosquitto) == "started"


async def test_a_deleted_deployment_comes_back(kubectl: Kubectl, supervisor: Supervisor, mosquitto: str) -> None:
    """The same launch is repaired from what was stored at its start."""
    await supervisor.post(f"/addons/{mosquitto}/start")
    launch = (await kubectl.pod(PODS))["metadata"]["labels"]["io.hass.launch"]
    await kubectl.run("delete", "deployment", NAME)

    async def back() -> bool:
        pods = await kubectl.pods(PODS)
        return len(pods) == 1 and is_ready(pods[0]) and pods[0]["metadata"]["labels"]["io.hass.launch"] == launch

    await becomes(back, what="the same launch runs again")


async def test_our_restart_leaves_workloads_alone(kubectl: Kubectl, supervisor: Supervisor, mosquitto: str) -> None:
    """With our pod replaced, Core and the add-on keep theirs, and the states are right within five seconds."""
    await supervisor.post(f"/addons/{mosquitto}/start")
    before = await _uids(kubectl)
    await kubectl.run("rollout", "restart", "deployment/supervisor")
    await kubectl.run("rollout", "status", "deployment/supervisor", "--timeout=90s")

    async def right() -> bool:
        return await supervisor.answers() and await supervisor.state(mosquitto) == "started"

    await becomes(right, what="state started after our restart", within=5)
    assert before == await _uids(kubectl)


async def test_a_start_that_was_killed_is_finished(kubectl: Kubectl, supervisor: Supervisor, mosquitto: str) -> None:
    """SIGKILL as soon as the intent is on the disk: the next process brings the add-on up."""
    process = await supervisor_process(kubectl)
    async with record_written(mosquitto) as written:
        start = asyncio.create_task(supervisor.post(f"/addons/{mosquitto}/start"))
        await written
        os.kill(process, signal.SIGKILL)
        with pytest.raises(aiohttp.ClientError):
            await start

    async def started() -> bool:
        pods = await kubectl.pods(PODS)
        return len(pods) == 1 and is_ready(pods[0])

    await becomes(started, what="the add-on runs although its starter was killed")


@asynccontextmanager
async def record_written(slug: str) -> AsyncIterator[asyncio.Task[bytes]]:
    """A task that ends when the add-on's record was renamed into place on the state volume."""
    records = paths.from_environment().volumes / "state" / "addons"
    watch = await asyncio.create_subprocess_exec(
        *("inotifywait", "-q", "-e", "moved_to", "--include", f"{slug}[.]json$", "--format", "%f", str(records)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        await becomes(_inotify_instance(watch.pid), what="inotifywait is watching")
        assert watch.stdout is not None
        yield asyncio.create_task(watch.stdout.readline())
    finally:
        if watch.returncode is None:
            watch.kill()
        await watch.wait()


def _inotify_instance(pid: int) -> Callable[[], Awaitable[bool]]:
    """Whether the process has put its watch in place, by what the kernel tells of its inotify descriptor."""

    async def look() -> bool:
        infos = Path(f"/proc/{pid}/fdinfo").glob("*")
        return any("inotify wd:" in info.read_text() for info in infos)

    return look


async def supervisor_process(kubectl: Kubectl) -> int:
    """Process id on the node of the program in our pod; other pods may run the same program."""
    pod = await kubectl.pod("app.kubernetes.io/name=supervisor")
    container = pod["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # processes come and go
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
            if b"supervisor_k8s" in arguments and container in (entry / "cgroup").read_text():
                return int(entry.name)
    raise AssertionError(f"no process of pod {pod['metadata']['name']} on this node")


async def _uids(kubectl: Kubectl) -> dict[str, str]:
    """Of all but the proxy for published ports, which comes and goes behind the add-ons."""
    pods = (await kubectl.json("get", "pods", "-l", "io.hass.managed=true,io.hass.type!=ports"))["items"]
    return {pod["metadata"]["name"]: pod["metadata"]["uid"] for pod in pods}


async def test_core_can_ask_us_as_soon_as_it_hears_of_us(
    kubectl: Kubectl, supervisor: Supervisor, session: aiohttp.ClientSession
) -> None:
    """After our restart Core reads our issues anew, and its log does not say that we could not be reached for that."""
    since = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    await kubectl.run("rollout", "restart", "deployment/supervisor")
    await kubectl.run("rollout", "status", "deployment/supervisor", "--timeout=90s")

    async def asked() -> bool:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(f"{supervisor.url}:8081/metrics", timeout=aiohttp.ClientTimeout(total=5)) as answer:
                return '"/resolution/info"' in await answer.text()
        return False

    await becomes(asked, what="Core asked the new Supervisor for its issues")
    log = await kubectl.run("logs", "homeassistant-0", "-c", "homeassistant", f"--since-time={since}")
    assert "SupervisorIssues" not in log
