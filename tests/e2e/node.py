"""What befalls a node: a sandbox that dies, a container runtime that restarts, a power cut, a full disk. For the local
cluster.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress

from tests.cluster import cluster, paths, teardown
from tests.cluster.steps import Console, Context

NAMESPACE = "home-assistant"
COMMAND_WAIT = 180.0
"""Seconds that stopping or starting the cluster may take."""
MOUNT_WAIT = 20.0
"""Seconds that a mount of a few files may take."""


def kill_sandbox(pod: str) -> None:
    """The pod's pause process dies; what becomes of its containers is the node's affair."""
    kill_sandboxes({pod})


def kill_sandboxes(pods: Collection[str]) -> None:
    """Those of all these pods at once."""
    found = _sandboxes(lambda one: one.namespace == NAMESPACE and one.pod in pods)
    assert {one.pod for one in found} == set(pods)
    for sandbox in found:
        os.kill(sandbox.record.pid, signal.SIGKILL)


def programs() -> set[str]:
    """Pods whose add-on's program runs, by the processes there are: the kubelet may say something else."""
    running = teardown.containers(paths.from_environment())
    return {one.pod for one in running if (one.namespace, one.name) == (NAMESPACE, "addon")}


async def restart_runtime() -> None:
    """The container runtime ends, every sandbox of the node dies meanwhile, containerd comes back."""
    async with _tools() as ctx:
        node = cluster.node(ctx)
        *_, containerd = node.daemons()
        await asyncio.to_thread(containerd.stop)
        for sandbox in _sandboxes(lambda _: True):
            with suppress(ProcessLookupError):
                os.kill(sandbox.record.pid, signal.SIGKILL)
        await asyncio.to_thread(node.start_containerd)


async def switch(command: str) -> None:
    """`stop` or `start` the whole local cluster, as `make stop` and `make start` do."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.cluster", command),
        cwd=paths.REPOSITORY,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(COMMAND_WAIT):
        out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()


@asynccontextmanager
async def without_api_server(seconds: float) -> AsyncIterator[None]:
    """The API server is killed; it comes back after the block, and not before so many seconds."""
    async with _tools() as ctx:
        plane = cluster.node(ctx).plane
        daemon = next(daemon for daemon in plane.daemons() if daemon.name == "kube-apiserver")
        over = asyncio.get_running_loop().time() + seconds
        await asyncio.to_thread(daemon.stop, grace=0)
        try:
            yield
            await asyncio.sleep(over - asyncio.get_running_loop().time())
        finally:
            with ctx.step("control plane") as step:
                await asyncio.to_thread(plane.start, step)


@asynccontextmanager
async def small_volume(pod: str, folder: str, *files: str, size: str) -> AsyncIterator[None]:
    """For the block the add-on of this pod, and nobody else, has another volume at `folder`: of this size, as mount(8)
    takes it, with copies of these files of its. What is there really is there again afterwards.
    """
    found = teardown.containers(paths.from_environment())
    (pid,) = [one.record.pid for one in found if (one.namespace, one.pod, one.name) == (NAMESPACE, pod, "addon")]
    made, copies = "/tmp/e2e-small", " ".join(f"{folder}/{name}" for name in files)
    await _beside(
        pid,
        f"mkdir {made}; mount -n -t tmpfs -o size={size},mode=755 tmpfs {made}; cp -p {copies} {made};"
        f"mount -n --bind {made} {folder}; umount -n {made}; rmdir {made}",
    )
    try:
        yield
    finally:
        # Whatever a pass has open there just now must not hold it.
        await _beside(pid, f"umount -n -l {folder}")


async def _beside(pid: int, script: str) -> None:
    """Run by a shell with the rights of the node, which sees the files that this process sees."""
    # The processes, too: umount(8) looks itself up in /proc.
    process = await asyncio.create_subprocess_exec(
        *("nsenter", f"--target={pid}", "--mount", "--pid", "sh", "-ec", script),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(MOUNT_WAIT):
        out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()


def _sandboxes(which: Callable[[teardown.Container], bool]) -> list[teardown.Container]:
    return [one for one in teardown.containers(paths.from_environment()) if one.is_sandbox and which(one)]


@asynccontextmanager
async def _tools() -> AsyncIterator[Context]:
    console = Console()
    try:
        yield Context(paths.from_environment(), console)
    finally:
        await asyncio.to_thread(console.close)
