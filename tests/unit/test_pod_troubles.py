"""Troubles of pods as issues: told when they last, withdrawn when they are over."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from supervisor_k8s.errors import ClusterRefusedError, ClusterUnavailableError
from supervisor_k8s.model import naming
from supervisor_k8s.model.issue import Cause, Context, Fault
from supervisor_k8s.services.pod_troubles import PodTroubles
from tests.builders import condition, pod, waiting
from tests.fakes import FakeCluster

SLUG = "local_example"
KEY = f"addon/{SLUG}"
CREATING = waiting("ContainerCreating")
SCHEDULED = condition("PodScheduled", "True")
HASTE = 1000.0
"""Seconds become milliseconds."""


class Watch:
    """PodTroubles on the double of a cluster, and what it says."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.open: list[Fault] = []
        self.changes = 0
        self.troubles = PodTroubles(
            cluster=self.cluster, key_of=key_of, keys=lambda: [KEY, "homeassistant"], faults=self,
            haste=HASTE,
        )  # fmt: skip
        self.cluster.subscribe(self.troubles.on_change)

    def report(self, fault: Fault) -> None:
        self.open.append(fault)
        self.changes += 1

    def settle(self, fault: Fault) -> None:
        self.open.remove(fault)
        self.changes += 1

    def shows(self, *, uid: str = "uid-1", **state: Any) -> None:
        """The add-on's pod is in this state now."""
        live = pod(SLUG, **state)
        live["metadata"]["uid"] = uid
        self.cluster.put(live)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.001)


def key_of(live: Any) -> str | None:
    kind = live["metadata"]["labels"][naming.LABEL_TYPE]
    return {"addon": KEY, "homeassistant": "homeassistant", "dns": "dns"}.get(kind, "names")


@pytest.fixture
async def watch() -> AsyncIterator[Watch]:
    made = Watch()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(made.troubles.run())
        await asyncio.sleep(0)
        yield made
        running.cancel()


def fault(cause: Cause, message: str) -> Fault:
    return Fault(cause, Context.ADDON, SLUG, (("message", message),))


async def test_an_image_that_cannot_be_pulled(watch: Watch) -> None:
    """Told once in the words of the first look, whichever of its two sentences the kubelet has; over when it runs."""
    watch.shows(program=waiting("ErrImagePull", "not found"), phase="Pending")
    await watch.until(lambda: bool(watch.open))
    watch.shows(program=waiting("ImagePullBackOff", "Back-off: not found"), phase="Pending")
    await asyncio.sleep(0.05)
    assert watch.open == [fault(Cause.MISSING_IMAGE, "ErrImagePull: not found")]
    watch.shows()
    await watch.until(lambda: not watch.open)
    assert watch.changes == 2


@pytest.mark.parametrize("gone", [True, False], ids=["deleted", "stopping"])
async def test_it_is_over_without_the_pod(watch: Watch, gone: bool) -> None:
    """Stopped, uninstalled, or replaced."""
    watch.shows(program=waiting("ImagePullBackOff"), phase="Pending")
    await watch.until(lambda: bool(watch.open))
    name = pod(SLUG)["metadata"]["name"]
    if gone:
        watch.cluster.remove("Pod", name)
    else:
        live = watch.cluster.get("Pod", name)
        assert live is not None
        watch.cluster.put({**live, "metadata": {**live["metadata"], "deletionTimestamp": "2026-11-21T10:05:00Z"}})
    await watch.until(lambda: not watch.open)


async def test_what_passes_is_not_told(watch: Watch) -> None:
    """A pod waits a moment for a node, for its volumes, and runs."""
    no_node = condition("PodScheduled", "False", reason="Unschedulable", message="no")
    for state in (no_node, SCHEDULED):
        watch.shows(program=CREATING, hold=CREATING, phase="Pending", conditions=[state])
    watch.shows()
    await asyncio.sleep(0.1)
    assert (watch.open, watch.changes, watch.cluster.calls) == ([], 0, [])


async def test_events_are_asked_where_the_status_says_nothing(watch: Watch) -> None:
    """Again and again until they tell; a request that fails is one that told nothing."""
    watch.cluster.fail("warnings", ClusterUnavailableError("away"))
    watch.cluster.fail("warnings", ClusterRefusedError("no right"))
    watch.shows(program=CREATING, hold=CREATING, phase="Pending", conditions=[SCHEDULED])
    await watch.until(lambda: len(watch.cluster.calls) > 2)
    assert watch.open == []
    watch.cluster.events["uid-1"].append({"reason": "FailedMount", "message": "no such claim", "metadata": {}})
    await watch.until(lambda: bool(watch.open))
    assert watch.open == [fault(Cause.NOT_MOUNTED, "no such claim")]
    watch.shows()
    await watch.until(lambda: not watch.open)


async def test_another_trouble_takes_its_place(watch: Watch) -> None:
    """One issue for each workload: what keeps it now."""
    watch.shows(program=waiting("CreateContainerError", "no space"), phase="Pending")
    await watch.until(lambda: bool(watch.open))
    watch.shows(program=waiting("ImagePullBackOff", "gone"), phase="Pending")
    await watch.until(lambda: watch.open == [fault(Cause.MISSING_IMAGE, "ImagePullBackOff: gone")])


async def test_a_new_pod_is_a_new_case(watch: Watch) -> None:
    """Its words may be others."""
    watch.shows(program=waiting("ImagePullBackOff", "one"), phase="Pending")
    await watch.until(lambda: bool(watch.open))
    watch.shows(uid="uid-2", program=waiting("ImagePullBackOff", "two"), phase="Pending")
    await watch.until(lambda: watch.open == [fault(Cause.MISSING_IMAGE, "ImagePullBackOff: two")])


async def test_core(watch: Watch) -> None:
    """The pods of Home Assistant that a quota refuses: nothing but an Event says so."""
    labels = naming.core_labels()
    metadata = {"name": "homeassistant", "uid": "uid-core", "labels": labels}
    watch.cluster.events["uid-core"].append({"reason": "FailedCreate", "message": "quota", "metadata": {}})
    live = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": metadata, "spec": {"replicas": 1}, "status": {}}
    watch.cluster.put(live)
    await watch.until(lambda: bool(watch.open))
    assert watch.open == [Fault(Cause.NOT_ADMITTED, Context.CORE, extra=(("message", "quota"),))]
    watch.cluster.put({**live, "spec": {"replicas": 0}})
    await watch.until(lambda: not watch.open)


async def test_the_server_of_names(watch: Watch) -> None:
    """Nobody finds anything when its image cannot be pulled; it has a context of its own."""
    live = pod(SLUG, phase="Pending")
    live["metadata"]["labels"] = naming.dns_labels()
    image = {"name": "coredns", "restartCount": 0, "state": waiting("ImagePullBackOff", "no such image")}
    live["status"]["containerStatuses"] = [image]
    watch.cluster.put(live)
    await watch.until(lambda: bool(watch.open))
    message = "ImagePullBackOff: no such image"
    assert watch.open == [Fault(Cause.MISSING_IMAGE, Context.DNS_SERVER, extra=(("message", message),))]
    watch.cluster.remove("Pod", live["metadata"]["name"])
    await watch.until(lambda: not watch.open)


async def test_what_was_wrong_before_our_start() -> None:
    """Is told, too, and nothing is told before everything is known."""
    made = Watch()
    made.shows(program=waiting("ImagePullBackOff", "gone"), phase="Pending")
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(made.troubles.run())
        await made.until(lambda: made.open == [fault(Cause.MISSING_IMAGE, "ImagePullBackOff: gone")])
        running.cancel()
