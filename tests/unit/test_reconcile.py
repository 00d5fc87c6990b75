"""reconcile.py on the fake cluster: the same converge for requests and for the loop, one pod at a time."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from supervisor_k8s.errors import ClusterRefusedError, ClusterUnavailableError
from supervisor_k8s.model.naming import GATE, LABEL_ADDON, LABEL_LAUNCH, addon_labels, addon_name
from supervisor_k8s.model.status import is_gated
from supervisor_k8s.reconcile import Reconciler, Workload
from tests.fakes import FakeCluster

KEY = "addon/a"
LABELS = addon_labels("a")


def deployment(launch: str = "00000001", replicas: int = 1) -> dict[str, Any]:
    spec = {"schedulingGates": [{"name": GATE}], "containers": [{"name": "addon", "image": "a:1"}]}
    template = {"metadata": {"labels": {**LABELS, LABEL_LAUNCH: launch}}, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": addon_name("a"), "labels": LABELS},
        "spec": {"replicas": replicas, "template": template},
    }


def service() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": addon_name("a"), "labels": LABELS}, "spec": {}}


class House:
    """A fake cluster, a reconciler on it, and the intents that `render` reads."""

    def __init__(self, *, resync: float = 600.0) -> None:
        self.cluster = FakeCluster()
        self.wanted: dict[str, Workload] = {}
        self.rendered = 0
        self.reconciler = Reconciler(cluster=self.cluster, render=self.render, key_of=self.key_of, resync=resync)

    def want(self, *objects: dict[str, Any], running: bool = True) -> None:
        self.wanted[KEY] = Workload(key=KEY, labels=LABELS, objects=objects, running=running)

    def render(self, key: str) -> Workload:
        self.rendered += 1
        return self.wanted[key]

    def key_of(self, live: Mapping[str, Any]) -> str | None:
        addon = live["metadata"]["labels"].get(LABEL_ADDON)
        return f"addon/{addon}" if addon else None

    def running(self) -> list[str]:
        return [pod["metadata"]["name"] for pod in self.cluster.pods() if not is_gated(pod)]

    def writes(self) -> list[tuple[str, str]]:
        return [(verb, kind) for verb, kind, _ in self.cluster.calls]

    @asynccontextmanager
    async def loop(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.reconciler.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def rest(self) -> None:
        """Let the loop do what it has to do now."""
        for _ in range(50):
            await asyncio.sleep(0)


async def test_converge_creates() -> None:
    """One inline converge makes the objects; the next lifts the gate of the pod that came of them."""
    house = House()
    house.want(service(), deployment())
    await house.reconciler.converge(KEY)
    assert house.writes() == [("apply", "Service"), ("apply", "Deployment"), ("lift_gate", "Pod")]
    assert len(house.running()) == 1


async def test_converge_without_drift() -> None:
    """A converge of what is right already writes nothing."""
    house = House()
    house.want(service(), deployment())
    await house.reconciler.converge(KEY)
    house.cluster.calls.clear()
    await house.reconciler.converge(KEY)
    assert house.cluster.calls == []


async def test_stop_and_uninstall() -> None:
    """Stopped: no pod, the objects stay. Without objects: everything with the labels goes."""
    house = House()
    house.want(service(), deployment())
    await house.reconciler.converge(KEY)
    house.want(service(), deployment(replicas=0), running=False)
    await house.reconciler.converge(KEY)
    assert house.cluster.pods() == []
    assert house.cluster.get("Deployment", addon_name("a")) is not None
    house.want(running=False)
    await house.reconciler.converge(KEY)
    assert house.cluster.get("Deployment", addon_name("a")) is None
    assert house.cluster.get("Service", addon_name("a")) is None


async def test_converge_raises() -> None:
    """A request hears what the cluster said."""
    house = House()
    house.want(service())
    house.cluster.fail("apply", ClusterRefusedError("forbidden"))
    with pytest.raises(ClusterRefusedError, match="forbidden"):
        await house.reconciler.converge(KEY)


async def test_deleted_by_hand() -> None:
    """What somebody deletes comes back."""
    house = House()
    house.want(service(), deployment())
    async with house.loop():
        house.reconciler.poke(KEY)
        await house.rest()
        house.cluster.remove("Deployment", addon_name("a"))
        house.cluster.remove("Service", addon_name("a"))
        await house.rest()
        assert house.cluster.get("Service", addon_name("a")) is not None
        assert len(house.running()) == 1


async def test_one_pod_at_a_time() -> None:
    """A replacement waits at its gate until the former pod is really gone."""
    house = House()
    house.want(deployment())
    async with house.loop():
        house.reconciler.poke(KEY)
        await house.rest()
        house.cluster.slow_stop = True
        former = house.running()[0]
        house.cluster.remove("Pod", former)
        await house.rest()
        assert len(house.cluster.pods()) == 2
        assert house.running() == [former]
        house.cluster.end(former)
        await house.rest()
        assert len(house.running()) == 1
        assert house.running() != [former]


async def test_evicted_pod_makes_room() -> None:
    """An ended pod that lies in the way of its replacement is removed."""
    house = House()
    house.want(deployment())
    async with house.loop():
        house.reconciler.poke(KEY)
        await house.rest()
        former = house.cluster.get("Pod", house.running()[0])
        assert former is not None
        house.cluster.set_status("Pod", former["metadata"]["name"], phase="Failed", reason="Evicted")
        await house.rest()
        assert house.cluster.get("Pod", former["metadata"]["name"]) is None
        assert len(house.running()) == 1


async def test_gate_stays_when_stopped() -> None:
    """A pod that waits while the intent is not running keeps its gate."""
    house = House()
    house.want(deployment(), running=False)
    await house.reconciler.converge(KEY)
    assert len(house.cluster.pods()) == 1
    assert house.running() == []


async def test_outage() -> None:
    """When the API server is away the loop tries again by itself."""
    house = House()
    house.want(service())
    house.cluster.fail("apply", ClusterUnavailableError("away"))
    async with house.loop():
        house.reconciler.poke(KEY)
        found = await house.cluster.until(lambda: house.cluster.get("Service", addon_name("a")), within=5)
    assert found["kind"] == "Service"


async def test_refusal(caplog: pytest.LogCaptureFixture) -> None:
    """A permanent refusal is said once and not tried again until something changes."""
    house = House()
    house.want(service())
    for _ in range(2):
        house.cluster.fail("apply", ClusterRefusedError("forbidden"))
    async with house.loop():
        house.reconciler.poke(KEY)
        await house.rest()
        assert house.rendered == 1
        house.reconciler.poke(KEY)
        await house.rest()
        assert house.rendered == 2
        assert [record.getMessage() for record in caplog.records] == [
            "addon/a cannot be made what it should be: forbidden"
        ]
        house.reconciler.poke(KEY)
        await house.rest()
        assert house.cluster.get("Service", addon_name("a")) is not None


async def test_pokes_are_merged() -> None:
    """Many pokes become one look."""
    house = House()
    house.want()
    async with house.loop():
        for _ in range(100):
            house.reconciler.poke(KEY)
        await house.rest()
    assert house.rendered == 1


async def test_resync() -> None:
    """A workload is looked at from time to time even when nothing is heard of it."""
    house = House(resync=0.02)
    house.want(service())
    async with house.loop():
        house.reconciler.poke(KEY)
        await house.rest()
        before = house.rendered
        async with asyncio.timeout(5):
            while house.rendered == before:
                await asyncio.sleep(0.01)


async def test_one_hand_at_a_time() -> None:
    """An inline converge and the loop never work on the same workload together."""
    house = House()
    house.want(service(), deployment())
    async with house.loop(), asyncio.TaskGroup() as group:
        for _ in range(5):
            house.reconciler.poke(KEY)
            group.create_task(house.reconciler.converge(KEY))
    assert house.writes().count(("apply", "Deployment")) == 1
