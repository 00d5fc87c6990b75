"""The Lease on a real API server: one acts, the others wait, and nobody waits longer than needed."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.cluster.lease import Lease, Terms
from supervisor_k8s.errors import NotInChargeError
from tests import rights
from tests.cluster.controlplane import ControlPlane
from tests.integration.conftest import Others, config_map
from tests.integration.lives import Life, Pod, becomes, living, yes
from tests.integration.program import Answer
from tests.integration.wire import Wire
from tests.kubeconfig import client_of

TERMS = Terms(duration=4.0, renew_every=0.5, renew_within=2.0, answer=0.5, longest_pause=0.2)
"""Shorter than in the product, in the same proportions; but the duration, which a takeover must not wait for."""
AT_ONCE = 1.5
"""Seconds that are less than the duration by far."""
SECONDS = 8.0
"""Of random faults."""

type Connect = Callable[..., Awaitable["Contender"]]


@dataclass
class Contender:
    """One Supervisor's pod, its wire to the API server, its part in the election, and its writes."""

    pod: str
    wire: Wire
    lease: Lease
    client: Client
    others: Others
    returned: list[bool] = field(default_factory=list)
    _task: asyncio.Task[None] | None = None

    async def _live(self) -> None:
        await self.lease.acquire()
        await self.lease.keep(self.returned.append)

    def begin(self) -> None:
        self._task = asyncio.create_task(self._live())

    async def end(self, *, release: bool) -> None:
        """The process ends, with or without having been asked."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if release:
            await self.lease.release()

    async def write(self, **data: str) -> None:
        path = f"/api/v1/namespaces/{self.others.namespace}/configmaps"
        await self.client.request("POST", path, body=config_map(f"by-{self.pod}-{time.monotonic_ns()}", **data))


@pytest.fixture
async def contend(plane: ControlPlane, others: Others, tmp_path: Path) -> AsyncIterator[Connect]:
    """Makes contenders; each has a pod of its own unless it is said to be the same as another's."""
    made: list[Contender] = []
    async with contextlib.AsyncExitStack() as stack:

        async def make(pod: str, *, terms: Terms = TERMS, restarted: bool = False) -> Contender:
            wire = await stack.enter_async_context(Wire(plane.ports.api).open())
            if not restarted:
                await others.create(a_pod(pod))
            path = wire.kubeconfig(plane.kubeconfig, tmp_path / f"kubeconfig-{len(made)}")
            own, client = client_of(path), client_of(path)
            stack.push_async_callback(own.close)
            stack.push_async_callback(client.close)
            lease = Lease(client=own, namespace=others.namespace, pod=pod, terms=terms)
            client._may_write = lease.check
            made.append(Contender(pod, wire, lease, client, others))
            return made[-1]

        yield make
        for contender in made:
            await contender.end(release=False)


def a_pod(name: str) -> dict[str, Any]:
    spec = {"containers": [{"name": "supervisor", "image": "a:1"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


async def until(condition: Callable[[], Any], *, within: float = AT_ONCE) -> float:
    """Seconds until it became true."""
    began = time.monotonic()
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.005)
    return time.monotonic() - began


async def test_first(contend: Connect, others: Others) -> None:
    """The first one takes it; the record says in Kubernetes' words whose it is."""
    one = await contend("one")
    one.begin()
    await until(lambda: one.lease.held)
    await one.write()
    live = await others.read("Lease", "supervisor")
    pod = await others.read("Pod", "one")
    assert live["spec"]["holderIdentity"] == pod["metadata"]["uid"]
    assert live["spec"]["leaseTransitions"] == 0
    assert live["metadata"]["annotations"]["io.hass.pod"] == "one"
    await asyncio.sleep(2 * TERMS.renew_every)
    renewed = await others.read("Lease", "supervisor")
    assert renewed["spec"]["renewTime"] > live["spec"]["renewTime"]
    assert renewed["spec"]["acquireTime"] == live["spec"]["acquireTime"]


async def test_second_waits(contend: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """While the first one lives nobody else gets it, for however long; one line tells who it is."""
    caplog.set_level(logging.INFO)
    one, two = await contend("one"), await contend("two")
    one.begin()
    await until(lambda: one.lease.held)
    two.begin()
    await asyncio.sleep(1.5 * TERMS.duration)
    assert one.lease.held
    assert not two.lease.held
    with pytest.raises(NotInChargeError, match="holds the Lease: pod one "):
        await two.write()
    assert len([line for line in caplog.messages if "holds the Lease" in line]) == 1


async def test_release(contend: Connect) -> None:
    """Who ends in order is followed at once."""
    one, two = await contend("one"), await contend("two")
    one.begin()
    await until(lambda: one.lease.held)
    two.begin()
    await asyncio.sleep(0.3)
    await one.end(release=True)
    assert not one.lease.held
    await until(lambda: two.lease.held)


async def test_release_while_a_renewal_is_under_way(contend: Connect) -> None:
    """An end in the middle of a renewal, whose answer never came, releases too."""
    one, two = await contend("one"), await contend("two")
    one.begin()
    await until(lambda: one.lease.held)
    stale = one.lease._live
    await until(lambda: one.lease._live is not stale)
    one.lease._live = stale
    await one.end(release=True)
    two.begin()
    await until(lambda: two.lease.held)


@pytest.mark.parametrize("fate", ["deleted", "replaced", "evicted", "finished"])
async def test_pod_is_gone(contend: Connect, others: Others, fate: str) -> None:
    """A holder whose pod is no more is followed at once: nobody waits for the Lease's end."""
    one, two = await contend("one"), await contend("two")
    one.begin()
    await until(lambda: one.lease.held)
    two.begin()
    await asyncio.sleep(0.3)
    await one.end(release=False)
    if fate in ("evicted", "finished"):
        phase = "Failed" if fate == "evicted" else "Succeeded"
        await others.change("Pod", "one", {"status": {"phase": phase}}, part="/status")
    else:
        await others.delete("Pod", "one")
        if fate == "replaced":
            await others.create(a_pod("one"))
    await until(lambda: two.lease.held)
    assert (await others.read("Lease", "supervisor"))["spec"]["leaseTransitions"] == 1


async def test_a_holder_hears_that_it_was_replaced(contend: Connect, others: Others) -> None:
    """A pod that was deleted by force may still run somewhere: it stops writing as soon as another one has taken over,
    not only at its next renewal.
    """
    slow = replace(TERMS, renew_every=30.0, renew_within=60.0)
    one, two = await contend("one", terms=slow), await contend("two")
    one.begin()
    await until(lambda: one.lease.held)
    await others.delete("Pod", "one")
    two.begin()
    await until(lambda: two.lease.held)
    await until(lambda: not one.lease.held)
    with pytest.raises(NotInChargeError):
        await one.write()
    await two.write()


async def test_restarted_container(contend: Connect) -> None:
    """A process that comes back in the same pod goes on at once."""
    one = await contend("one")
    one.begin()
    await until(lambda: one.lease.held)
    await one.end(release=False)
    again = await contend("one", restarted=True)
    again.begin()
    await until(lambda: again.lease.held)


async def test_hung_holder(contend: Connect) -> None:
    """A pod that exists and does not renew is followed when the Lease's time is over, and not before."""
    terms = replace(TERMS, duration=3.0)
    one, two = await contend("one", terms=terms), await contend("two", terms=terms)
    one.begin()
    await until(lambda: one.lease.held)
    one.wire.silence()
    two.begin()
    took = await until(lambda: two.lease.held, within=6)
    assert took > 2.5
    assert not one.lease.held


@pytest.mark.parametrize("how", ["cut", "silence"])
async def test_api_server_away(contend: Connect, how: str) -> None:
    """Without the API server a holder stops in time, and goes on when it is back, as the same one."""
    one = await contend("one")
    one.begin()
    await until(lambda: one.lease.held)
    getattr(one.wire, how)()
    took = await until(lambda: not one.lease.held, within=5)
    assert took > TERMS.renew_within - TERMS.renew_every - 0.5
    with pytest.raises(NotInChargeError):
        await one.write()
    await asyncio.sleep(2)
    one.wire.mend()
    if how == "silence":
        one.wire.break_once()
    await until(lambda: one.lease.held, within=5)
    await one.write()
    await until(lambda: one.returned == [True])


async def test_back_after_another(contend: Connect) -> None:
    """Who was away for longer than the Lease's duration hears at its return that another one acted meanwhile."""
    terms = replace(TERMS, duration=3.0)
    one, two = await contend("one", terms=terms), await contend("two", terms=terms)
    one.begin()
    await until(lambda: one.lease.held)
    two.begin()
    one.wire.cut()
    await until(lambda: two.lease.held, within=6)
    assert not one.lease.held
    one.wire.mend()
    await asyncio.sleep(2)
    assert not one.lease.held
    await two.end(release=True)
    await until(lambda: one.lease.held)
    await until(lambda: one.returned == [False])


async def test_deleted_lease(contend: Connect, others: Others) -> None:
    """Somebody deletes the Lease: its holder makes it again at once, and stays who it is."""
    one, two = await contend("one"), await contend("two")
    one.begin()
    await until(lambda: one.lease.held)
    uid = (await others.read("Lease", "supervisor"))["metadata"]["uid"]
    await others.delete("Lease", "supervisor")
    await asyncio.sleep(TERMS.renew_within)
    two.begin()
    await asyncio.sleep(0.5)
    live = await others.read("Lease", "supervisor")
    assert live["metadata"]["uid"] != uid
    assert live["metadata"]["annotations"]["io.hass.pod"] == "one"
    assert one.lease.held
    assert not two.lease.held
    assert one.returned == []


async def test_two_pods(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path) -> None:
    """The whole program in two pods of one installation: the second one waits without touching anything, says so in its
    log and to who asks, and goes on where the first one ended.
    """
    async with living(plane, admin, namespace, tmp_path, [{"slug": "a"}]) as life:
        second, third = life.program.neighbour("supervisor-1"), life.program.neighbour("supervisor-2")
        try:
            await waits(second, life, behind="supervisor-0")
            await life.do("/store/addons/local_a/install")
            await life.program.end()
            await second.up()
            assert await second.states() == {"local_a": "stopped"}
            await second.kill()
            await waits(third, life, behind="supervisor-1")
            await life.others.delete("Pod", "supervisor-1", gracePeriodSeconds=0)
            await third.up()
            await third.end()
        finally:
            await second.kill()
            await third.kill()


async def waits(program: Pod, life: Life, *, behind: str) -> None:
    """Start it in its pod; it must wait for the pod `behind`, and say so once."""
    before = len(life.program.said(10_000))
    await life.others.create(a_pod(program.pod))
    await program.start()
    answer = await becomes(lambda: answers(program, "/supervisor/ping"))
    assert (answer.status, answer.body["message"]) == (400, "System is not ready with state: setup")
    assert await alive(program), "the kubelet's liveness probe would kill a Supervisor that only waits"
    line = f"Another Supervisor holds the Lease: pod {behind} "
    await becomes(lambda: yes(line in life.program.said(10_000)[before:]))
    await asyncio.sleep(1)
    assert life.program.said(10_000)[before:].count("holds the Lease") == 1


async def alive(program: Pod) -> bool:
    """What the liveness probe of `manifests/` hears."""
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"http://127.0.0.1:{program.metrics}/alive") as answer,
    ):
        return answer.status == 200


async def answers(program: Pod, path: str) -> Answer | None:
    answer = await program.ask("GET", path)
    return answer if answer.status else None


async def test_idle(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path) -> None:
    """With nothing to do, renewals are all that is asked once the watches stand."""
    async with living(plane, admin, namespace, tmp_path, [{"slug": "a"}]) as life:
        await life.do("/store/addons/local_a/install")
        await life.do("/addons/local_a/start")
        await asyncio.sleep(3)
        before = len(rights.requests(plane.audit_log, namespace))
        await asyncio.sleep(1.5 * Terms().renew_every)
        asked = rights.requests(plane.audit_log, namespace)[before:]
    lease = f"update /apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/supervisor"
    assert asked in ([lease], [lease, lease])


async def test_never_two(contend: Connect) -> None:
    """Three of them, with connections that break and fall silent at random: at no moment two may write."""
    terms = replace(TERMS, duration=1.5, renew_every=0.1, renew_within=0.6)
    chance = random.Random()
    contenders = [await contend(name, terms=terms) for name in ("one", "two", "three")]
    for contender in contenders:
        contender.begin()
    held_by: list[Contender] = []

    def look() -> Contender | None:
        holders = [contender for contender in contenders if contender.lease.held]
        assert len(holders) <= 1
        held_by.extend(holder for holder in holders if held_by[-1:] != [holder])
        return holders[0] if holders else None

    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        wire = chance.choice(contenders).wire
        chance.choice((wire.cut, wire.silence, wire.break_once, wire.mend, wire.mend, wire.mend))()
        pause = time.monotonic() + chance.uniform(0.02, 0.4)
        while time.monotonic() < pause:
            look()
            await asyncio.sleep(0.002)
    # Chance may have spared the holder all the time: whoever has it now loses it to another.
    for contender in contenders:
        contender.wire.mend()
    await until(look, within=30)
    last = held_by[-1]
    last.wire.silence()
    await until(lambda: look() not in (None, last), within=30)
