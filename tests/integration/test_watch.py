"""The watch cache on a real API server: whatever happens to its connections, it ends up knowing the truth."""

import asyncio
import json
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY

from supervisor_k8s.cluster.cluster import Cluster
from supervisor_k8s.cluster.watch import Pace
from supervisor_k8s.errors import ClusterUnavailableError
from tests.cluster.controlplane import ControlPlane
from tests.cluster.steps import Console, Context
from tests.integration.conftest import LABELS, PACE, Others, config_map, running
from tests.integration.wire import Wire
from tests.kubeconfig import client_of


@pytest.fixture
async def wire(plane: ControlPlane) -> AsyncIterator[Wire]:
    async with Wire(plane.ports.api).open() as opened:
        yield opened


@pytest.fixture
async def connect(plane: ControlPlane, wire: Wire, namespace: str, tmp_path: Path) -> AsyncIterator[Any]:
    """Makes our view of the cluster through the wire, with a pace of its own."""
    clients = []

    async def make(pace: Pace = PACE) -> Cluster:
        client = client_of(wire.kubeconfig(plane.kubeconfig, tmp_path / "kubeconfig"))
        clients.append(client)
        return Cluster(client=client, namespace=namespace, pace=pace)

    yield make
    for client in clients:
        await client.close()


def has(cluster: Cluster, name: str) -> Callable[[], bool | None]:
    return lambda: cluster.get("ConfigMap", name) is not None or None


def lacks(cluster: Cluster, name: str) -> Callable[[], bool | None]:
    return lambda: cluster.get("ConfigMap", name) is None or None


async def reconnected(cluster: Cluster) -> None:
    async with asyncio.timeout(60):
        while not cluster.connected:
            await asyncio.sleep(0.02)


async def test_follows(cluster: Cluster, others: Others) -> None:
    """What others create, change and delete is seen; what is not ours is not."""
    await others.create(config_map("theirs") | {"metadata": {"name": "theirs"}})
    await others.create(config_map("a", x="1"))
    await cluster.until(has(cluster, "a"), within=10)
    await others.change("ConfigMap", "a", {"data": {"x": "2"}})
    await cluster.until(lambda: cluster.select("ConfigMap", LABELS)[0]["data"] == {"x": "2"} or None, within=10)
    await others.delete("ConfigMap", "a")
    await cluster.until(lacks(cluster, "a"), within=10)
    assert cluster.get("ConfigMap", "theirs") is None


async def test_label_taken_away(cluster: Cluster, others: Others) -> None:
    """An object that loses our label is gone for us."""
    await others.create(config_map("a"))
    await cluster.until(has(cluster, "a"), within=10)
    await others.change("ConfigMap", "a", {"metadata": {"labels": None}})
    await cluster.until(lacks(cluster, "a"), within=10)


async def test_objects_say_what_they_are(blind: Cluster, others: Others) -> None:
    """Objects from a list have apiVersion and kind as those from a watch do: they are deleted by these."""
    await others.create(config_map("a"))
    async with running(blind):
        found = blind.get("ConfigMap", "a")
        assert found is not None
        assert (found["apiVersion"], found["kind"]) == ("v1", "ConfigMap")
        await blind.delete(found)


async def test_list_in_pages(connect: Any, others: Others) -> None:
    """A list longer than a page is complete."""
    names = [f"c{number}" for number in range(7)]
    for name in names:
        await others.create(config_map(name))
    cluster = await connect(replace(PACE, chunk=3))
    async with running(cluster):
        assert [live["metadata"]["name"] for live in cluster.select("ConfigMap", LABELS)] == names


async def test_end_of_a_session(connect: Any, others: Others) -> None:
    """Watches end by their own time and go on where they were, without a new list and without a word."""
    cluster = await connect(replace(PACE, session=1.0))
    told: list[tuple[str, bool]] = []
    async with running(cluster):
        cluster.subscribe(lambda kind, old, _: told.append((kind, old is None)))
        for number in range(4):
            await others.create(config_map(f"c{number}"))
            await cluster.until(has(cluster, f"c{number}"), within=10)
            await asyncio.sleep(0.7)
        assert cluster.connected
    assert [entry for entry in told if entry[0] == "ConfigMap"] == [("ConfigMap", True)] * 4


async def test_killed_connection(connect: Any, wire: Wire, others: Others) -> None:
    """After a broken connection the changes made meanwhile are seen."""
    cluster = await connect()
    async with running(cluster):
        await cluster.apply(config_map("a"))
        wire.break_once()
        await others.create(config_map("b"))
        await others.delete("ConfigMap", "a")
        await cluster.until(has(cluster, "b"), within=20)
        await cluster.until(lacks(cluster, "a"), within=20)


async def test_silent_connection(connect: Any, wire: Wire, others: Others) -> None:
    """A connection that says nothing any more, and does not end either, is given up after the limit."""
    cluster = await connect(replace(PACE, silence=1.5))
    async with running(cluster):
        await reconnected(cluster)
        wire.silence()
        await others.create(config_map("b"))
        async with asyncio.timeout(20):
            while cluster.connected:
                await asyncio.sleep(0.05)
        wire.mend()
        wire.break_once()
        await cluster.until(has(cluster, "b"), within=30)


async def test_outage(connect: Any, wire: Wire, others: Others) -> None:
    """While the API server is away: answers come from the cache, writes are refused clearly, and it recovers alone."""
    cluster = await connect()
    async with running(cluster):
        await reconnected(cluster)
        await cluster.apply(config_map("a"))
        wire.cut()
        async with asyncio.timeout(20):
            while cluster.connected:
                await asyncio.sleep(0.02)
        assert cluster.get("ConfigMap", "a") is not None
        with pytest.raises(ClusterUnavailableError, match="cannot be reached"):
            await cluster.apply(config_map("b"))
        await others.create(config_map("c"))
        wire.mend()
        await cluster.until(has(cluster, "c"), within=20)
        await reconnected(cluster)


async def test_start_without_api_server(connect: Any, wire: Wire) -> None:
    """Started while the API server is away, it says what it does not know, and knows it once the server is there."""
    cluster = await connect()
    wire.cut()
    task = asyncio.create_task(cluster.run())
    with pytest.raises(ClusterUnavailableError, match="has not told us"):
        await cluster.listed(within=0.5)
    wire.mend()
    await cluster.listed(within=20)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_version_too_old(plane: ControlPlane, connect: Any, wire: Wire, others: Others) -> None:
    """When the API server has forgotten where we were (410), everything is listed anew: what vanished meanwhile is told
    to listeners as gone.
    """
    cluster = await connect()
    told: list[tuple[str, str]] = []
    before = expired()
    async with running(cluster):
        await cluster.apply(config_map("vanishes"))
        await cluster.apply(config_map("stays"))
        cluster.subscribe(lambda _, old, new: told.append(("gone" if new is None else "there", _name(new or old))))
        wire.cut()
        await others.delete("ConfigMap", "vanishes")
        await others.create(config_map("appears"))
        await forget(plane)
        wire.mend()
        await cluster.until(has(cluster, "appears"), within=60)
        await cluster.until(lacks(cluster, "vanishes"), within=10)
        assert cluster.get("ConfigMap", "stays") is not None
    assert expired() > before
    assert ("gone", "vanishes") in told
    assert ("there", "appears") in told
    assert ("there", "stays") not in told


async def test_idle(connect: Any) -> None:
    """Where nothing changes the API server may say nothing at all before the end of a watch: that is no silence yet, so
    an idle house stays connected.
    """
    assert Pace().silence > Pace().session
    cluster = await connect(replace(PACE, session=3.0, silence=4.0))
    async with running(cluster):
        await reconnected(cluster)
        began = time.monotonic()
        while time.monotonic() - began < 10:
            await asyncio.sleep(0.1)
            assert cluster.connected


def expired() -> float:
    """How often a new list of ConfigMaps was needed, as /metrics says."""
    labels = {"kind": "ConfigMap", "reason": "expired"}
    return REGISTRY.get_sample_value("supervisor_watch_restarts_total", labels) or 0.0


def _name(live: Any) -> str:
    name: str = live["metadata"]["name"]
    return name


async def forget(plane: ControlPlane) -> None:
    """Compact etcd to its newest state and start the API server anew: nobody has the old states any more."""
    _, server, *_ = plane.daemons()
    await asyncio.to_thread(compact, plane)
    await asyncio.to_thread(server.stop)
    server.ensure()  # not in a thread: it would end with that
    await asyncio.to_thread(until_ready, plane)


def compact(plane: ControlPlane) -> None:
    url = f"http://127.0.0.1:{plane.ports.etcd}/v3"
    status = ask(f"{url}/maintenance/status", {})
    ask(f"{url}/kv/compaction", {"revision": status["header"]["revision"], "physical": True})


def until_ready(plane: ControlPlane) -> None:
    console = Console()
    with Context(plane.paths, console).step("API server anew") as step:
        plane.start(step)
    console.close()


def ask(url: str, body: dict[str, Any]) -> Any:
    with urllib.request.urlopen(url, json.dumps(body).encode(), timeout=10) as answer:
        return json.load(answer)
