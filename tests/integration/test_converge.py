"""converge on a real API server with the real controllers: what we want comes about, and never two pods at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any

import pytest

from supervisor_k8s.cluster.cluster import Cluster
from supervisor_k8s.model.naming import GATE, LABEL_ADDON, LABEL_LAUNCH
from supervisor_k8s.model.status import is_gated, is_terminating
from supervisor_k8s.reconcile import Reconciler, Workload
from tests.cluster.controlplane import ControlPlane
from tests.integration.conftest import LABELS, Others, config_map, deployment

KEY = "addon/a"


class House:
    """A reconciler on the real cluster, and the one intent that it reads."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.workload = Workload(key=KEY, labels=LABELS, objects=(), running=False)
        self.reconciler = Reconciler(cluster=cluster, render=lambda _: self.workload, key_of=_key_of)

    def want(self, *objects: dict[str, Any], running: bool = True) -> None:
        self.workload = Workload(key=KEY, labels=LABELS, objects=objects, running=running)

    def pods(self) -> list[Mapping[str, Any]]:
        return list(self.cluster.select("Pod", LABELS))

    async def until[T](self, condition: Callable[[], T | None]) -> T:
        return await self.cluster.until(condition, within=30)

    async def admitted(self, *, other_than: str = "") -> str:
        """Name of the pod that may run."""
        return await self.until(
            lambda: next((n for p in self.pods() if not is_gated(p) and (n := _name(p)) != other_than), None)
        )


@pytest.fixture
async def house(cluster: Cluster) -> AsyncIterator[House]:
    """With the loop running."""
    made = House(cluster)
    task = asyncio.create_task(made.reconciler.run())
    yield made
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def gated(launch: str = "00000001", replicas: int = 1) -> dict[str, Any]:
    made = deployment(launch=launch, gate=GATE)
    return {**made, "spec": {**made["spec"], "replicas": replicas}}


def gone(house: House, kind: str, name: str) -> bool | None:
    return house.cluster.get(kind, name) is None or None


def service() -> dict[str, Any]:
    spec = {"selector": {LABEL_ADDON: "a"}, "ports": [{"port": 80, "targetPort": 8080}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "addon-a", "labels": LABELS}, "spec": spec}


async def test_create_and_run(house: House) -> None:
    """What is wanted is made, and its pod is let go."""
    house.want(service(), gated())
    await house.reconciler.converge(KEY)
    assert house.cluster.get("Service", "addon-a") is not None
    await house.admitted()


async def test_repair(house: House, others: Others) -> None:
    """What somebody deletes or changes is put right."""
    house.want(service(), config_map("c", x="1"), gated())
    await house.reconciler.converge(KEY)
    deleted = _at(house.cluster.get("Service", "addon-a"), "metadata", "uid")
    await others.delete("Service", "addon-a")
    await others.change("ConfigMap", "c", {"data": {"x": "2"}})
    await others.change("Deployment", "addon-a", {"spec": {"replicas": 3}})
    await house.until(
        lambda: _at(house.cluster.get("Service", "addon-a"), "metadata", "uid") not in (None, deleted) or None
    )
    await house.until(lambda: _at(house.cluster.get("ConfigMap", "c"), "data", "x") == "1" or None)
    await house.until(lambda: _at(house.cluster.get("Deployment", "addon-a"), "spec", "replicas") == 1 or None)


async def test_deployment_deleted(house: House, others: Others) -> None:
    """A deleted Deployment comes back; its new pod waits for the end of the former."""
    house.want(gated())
    await house.reconciler.converge(KEY)
    former = await house.admitted()
    await others.run(former)
    await others.delete("Deployment", "addon-a", propagationPolicy="Background")
    await house.until(lambda: any(map(is_gated, house.pods())) or None)
    assert await settled(house) == [former]
    await others.end(former)
    assert await house.admitted(other_than=former) != former


async def with_a_deleted_pod(house: House, others: Others) -> str:
    """It terminates, and there is another one in its place."""
    house.want(gated())
    await house.reconciler.converge(KEY)
    former = await house.admitted()
    await others.run(former)
    await others.delete("Pod", former)
    await house.until(lambda: len(house.pods()) == 2 or None)
    return former


async def test_one_pod_at_a_time(house: House, others: Others) -> None:
    """While a deleted pod still terminates, its replacement waits at its gate; then it may run."""
    former = await with_a_deleted_pod(house, others)
    assert await settled(house) == [former]
    await others.end(former)
    assert await house.admitted(other_than=former) != former


async def test_node_clears_away(house: House, others: Others) -> None:
    """Once nothing runs in the pod that terminates, its replacement may run, although the pod is still there."""
    former = await with_a_deleted_pod(house, others)
    ended = {"name": "addon", "image": "a:1", "imageID": "", "ready": False, "restartCount": 0}
    ended["state"] = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    status = {"phase": "Succeeded", "containerStatuses": [ended]}
    await others.change("Pod", former, {"status": status}, part="/status")
    assert await house.admitted(other_than=former) != former
    assert former in [_name(pod) for pod in house.pods()]
    await others.end(former)


async def test_evicted(house: House, others: Others) -> None:
    """The remains of an evicted pod do not keep its replacement waiting for ever."""
    house.want(gated())
    await house.reconciler.converge(KEY)
    former = await house.admitted()
    await others.run(former)
    await others.change("Pod", former, {"status": {"phase": "Failed", "reason": "Evicted"}}, part="/status")
    assert await house.admitted(other_than=former) != former
    assert former not in [_name(pod) for pod in house.pods()]


async def test_stopped_waits_at_its_gate(house: House) -> None:
    """Without the intent to run, a pod that somehow exists does not begin."""
    house.want(gated(), running=False)
    await house.reconciler.converge(KEY)
    await house.until(lambda: house.pods() or None)
    assert await settled(house) == []


async def test_new_launch(house: House, others: Others) -> None:
    """A new launch replaces the pod, one after the other, and a waiting pod of the former launch is never let go."""
    house.want(gated("00000001"), running=False)
    await house.reconciler.converge(KEY)
    await house.until(lambda: house.pods() or None)
    house.want(gated("00000002"))
    await house.reconciler.converge(KEY)
    admitted = await house.admitted()
    assert _at(house.cluster.get("Pod", admitted), "metadata", "labels")[LABEL_LAUNCH] == "00000002"
    assert others.namespace == house.cluster.namespace


async def test_stop(house: House, others: Others) -> None:
    """Stopped: the pod ends, the Deployment stays with no replicas."""
    house.want(service(), gated())
    await house.reconciler.converge(KEY)
    name = await house.admitted()
    await others.run(name)
    house.want(service(), gated(replicas=0), running=False)
    await house.reconciler.converge(KEY)
    await house.until(lambda: all(map(is_terminating, house.pods())) or None)
    await others.end(name)
    await house.until(lambda: not house.pods() or None)
    assert house.cluster.get("Deployment", "addon-a") is not None


async def test_uninstall(house: House, others: Others) -> None:
    """Uninstalled: all that is ours goes, what somebody else put beside it stays."""
    house.want(service(), config_map("c"), gated())
    await house.reconciler.converge(KEY)
    theirs = config_map("theirs")
    theirs["metadata"]["labels"] = {LABEL_ADDON: "a"}
    await others.create(theirs)
    await house.admitted()
    house.want(running=False)
    await house.reconciler.converge(KEY)
    for kind, name in (("Service", "addon-a"), ("ConfigMap", "c"), ("Deployment", "addon-a")):
        await house.until(partial(gone, house, kind, name))
    await house.until(lambda: not house.pods() or None)
    assert (await others.read("ConfigMap", "theirs"))["metadata"]["name"] == "theirs"


async def test_token_lives_as_its_pod(house: House, others: Others) -> None:
    """The token's Secret of a launch stays until the last pod of that launch is gone."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "addon-a-00000001", "labels": {**LABELS, LABEL_LAUNCH: "00000001"}},
        "immutable": True,
        "data": {"token": "YQ=="},
    }
    house.want(secret, gated())
    await house.reconciler.converge(KEY)
    name = await house.admitted()
    await others.run(name)
    house.want(gated(replicas=0), running=False)
    await house.reconciler.converge(KEY)
    await house.until(lambda: all(map(is_terminating, house.pods())) or None)
    assert house.cluster.get("Secret", "addon-a-00000001") is not None
    await others.end(name)
    await house.until(lambda: house.cluster.get("Secret", "addon-a-00000001") is None or None)


async def test_no_drift_no_request(plane: ControlPlane, house: House) -> None:
    """Converges of what is right already ask the API server nothing, as its audit log shows."""
    house.want(service(), config_map("c", x="1"), gated())
    await house.reconciler.converge(KEY)
    await house.admitted()
    await settled(house)
    before = _requests(plane, house.cluster.namespace)
    for _ in range(20):
        await house.reconciler.converge(KEY)
    await settled(house)
    assert _requests(plane, house.cluster.namespace) == before


async def settled(house: House) -> list[str]:
    """Names of the pods that may run, after the loop had time for everything it might do."""
    await asyncio.sleep(1.0)
    return [_name(pod) for pod in house.pods() if not is_gated(pod)]


def _requests(plane: ControlPlane, namespace: str) -> int:
    """Writes and single reads by us in this namespace so far."""
    lines = plane.audit_log.read_text().splitlines()
    ours = [line for line in lines if f'"namespace":"{namespace}"' in line and '"username":"admin"' in line]
    return len([line for line in ours if '"verb":"watch"' not in line])


def _key_of(live: Mapping[str, Any]) -> str | None:
    addon = live["metadata"]["labels"].get(LABEL_ADDON)
    return f"addon/{addon}" if addon else None


def _name(live: Mapping[str, Any]) -> str:
    name: str = live["metadata"]["name"]
    return name


def _at(live: Any, *path: str) -> Any:
    for key in path:
        live = (live or {}).get(key)
    return live
