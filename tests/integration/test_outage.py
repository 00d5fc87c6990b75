"""The API server is away for a minute: the house goes on, people are told, and everything comes back by itself."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from supervisor_k8s.cluster.client import Client
from tests.cluster.controlplane import ControlPlane
from tests.cluster.process import read_record
from tests.integration.lives import Life, Pod, becomes, living, yes
from tests.integration.test_lease import a_pod

OUTAGE = 60.0
"""Seconds."""
READS = ("/addons", "/addons/local_a/info", "/core/info", "/info", "/supervisor/info", "/store", "/resolution/info")
AT_ONCE = 5.0
"""Seconds a read may take on a busy machine: it asks nobody."""
ANSWER = 45.0
"""Seconds in which a verb must have said that it cannot be done: a client hangs up after 60."""
BACK = 45.0
"""Seconds until all is as it was asked for, once the API server is there again."""


@asynccontextmanager
async def hanging(plane: ControlPlane, seconds: float) -> AsyncIterator[None]:
    """The API server is stopped in the block, and for so long: connections stand, and nothing comes over them."""
    daemon = next(daemon for daemon in plane.daemons() if daemon.name == "kube-apiserver")
    record = read_record(daemon.record)
    assert record is not None
    began = time.monotonic()
    os.kill(record.pid, signal.SIGSTOP)
    try:
        yield
        await asyncio.sleep(began + seconds - time.monotonic())
    finally:
        os.kill(record.pid, signal.SIGCONT)


@pytest.mark.timeout(300)
async def test_api_server_hangs(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path) -> None:
    """Reads are answered from what was known; verbs say that the API server does not answer, and those that were
    recorded are done afterwards; nothing restarts, nothing runs twice, and a second Supervisor waits all the time.
    """
    addons = [{"slug": "a"}, {"slug": "b"}, {"slug": "c"}]
    async with living(plane, admin, namespace, tmp_path, addons) as life:
        program, second = life.program, life.program.neighbour("supervisor-1")
        try:
            await program.do("install", "local_a", "local_b")
            await program.do("start", "local_a")
            await life.others.create(a_pod(second.pod))
            await second.start()
            await becomes(lambda: waits(second))
            before = await life.others.read("Pod", "homeassistant-0")
            async with hanging(plane, OUTAGE):
                await ask_meanwhile(life)
                assert await waits(second)
            await becomes(lambda: as_asked(life), within=BACK)
            after = await life.others.read("Pod", "homeassistant-0")
            assert after["metadata"]["uid"] == before["metadata"]["uid"]
            assert life.kubelet.faults == []
            assert [owner for owner in life.kubelet.running.values() if owner.startswith("local_")] == ["local_b"]
            await program.do("install", "local_c")
            await program.do("start", "local_a", "local_c")
            assert await waits(second)
            lease = await life.others.read("Lease", "supervisor")
            assert lease["metadata"]["annotations"]["io.hass.pod"] == program.pod
            assert lease["spec"]["leaseTransitions"] == 0
        finally:
            await second.kill()


async def as_asked(life: Life) -> bool:
    """Whether what was recorded during the outage is done."""
    return await life.program.states() == {"local_a": "stopped", "local_b": "started"}


async def ask_meanwhile(life: Life) -> None:
    """What a person tries while the API server is away."""
    program = life.program
    for path in READS:
        began = time.monotonic()
        answer = await program.ask("GET", path)
        assert answer.ok, (path, answer)
        assert time.monotonic() - began < AT_ONCE, path
    assert await program.states() == {"local_a": "started", "local_b": "stopped"}
    began = time.monotonic()
    verbs = ("addons/local_a/stop", "addons/local_b/start", "store/addons/local_c/install")
    for answer in await asyncio.gather(*(program.ask("POST", f"/{verb}") for verb in verbs)):
        assert answer.status == 503, answer
        assert "API server" in answer.body["message"], answer
    assert time.monotonic() - began < ANSWER
    for path in READS:
        assert (await program.ask("GET", path)).ok


async def waits(second: Pod) -> bool:
    """Whether this Supervisor waits for its turn."""
    answer = await second.ask("GET", "/supervisor/ping")
    return await yes(answer.body is not None and answer.body["message"] == "System is not ready with state: setup")
