"""cluster/apply.py against a real API server: what an apply changes, and what it leaves alone."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from supervisor_k8s.cluster.cluster import Cluster
from supervisor_k8s.errors import ClusterConflictError, ClusterNotFoundError, ClusterRefusedError
from supervisor_k8s.model.naming import GATE, owner_selector
from supervisor_k8s.model.plan import Plan, Workload, plan, stamped
from tests.integration.conftest import LABELS, Others, config_map, deployment, running

GOLDEN = Path(__file__).parents[1] / "unit" / "golden"


def pod(*gates: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "labels": LABELS},
        "spec": {
            "containers": [{"name": "addon", "image": "a:1"}],
            "schedulingGates": [{"name": gate} for gate in gates],
        },
    }


async def test_apply_twice(cluster: Cluster) -> None:
    """The same manifest a second time changes nothing, and the answer is in the cache at once."""
    first = await cluster.apply(config_map(a="1"))
    assert cluster.get("ConfigMap", "settings") == first
    second = await cluster.apply(config_map(a="1"))
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_fields_of_others(cluster: Cluster, others: Others) -> None:
    """What others added stays; what we no longer want goes; what others changed in our fields is ours again."""
    await cluster.apply(config_map(a="1", b="2"))
    await others.change(
        "ConfigMap", "settings", {"data": {"a": "theirs", "c": "3"}, "metadata": {"labels": {"x": "y"}}}
    )
    live = await cluster.apply(config_map(a="1"))
    assert live["data"] == {"a": "1", "c": "3"}
    assert live["metadata"]["labels"] == {**LABELS, "x": "y"}


async def test_bookkeeping_is_not_kept(cluster: Cluster) -> None:
    """The cache holds no managedFields: they are the larger half of an object."""
    await cluster.apply(config_map(a="1"))
    live = await cluster.until(lambda: cluster.get("ConfigMap", "settings"), within=10)
    assert "managedFields" not in live["metadata"]


async def test_object_of_somebody_else(cluster: Cluster, others: Others) -> None:
    """An object without our label is neither changed nor deleted; the error says what to do."""
    theirs = config_map(theirs="1")
    theirs["metadata"]["labels"] = {"app": "other"}
    before = await others.create(theirs)
    with pytest.raises(ClusterRefusedError, match="ConfigMap settings exists and is not ours"):
        await cluster.apply(config_map(a="1"))
    with pytest.raises(ClusterRefusedError, match="not ours"):
        await cluster.delete(before)
    assert (await others.read("ConfigMap", "settings"))["metadata"]["resourceVersion"] == before["metadata"][
        "resourceVersion"
    ]


async def test_namesake_behind_our_back(blind: Cluster, others: Others) -> None:
    """When ours was replaced by somebody else's and we have not heard of it yet, that one is left alone, too."""
    theirs = config_map(theirs="1")
    theirs["metadata"]["labels"] = {"app": "other"}
    async with running(blind):
        await blind.apply(config_map(a="1"))
    await others.delete("ConfigMap", "settings")
    await others.create(theirs)
    with pytest.raises(ClusterRefusedError, match="not ours"):
        await blind.apply(config_map(a="2"))


async def test_gone_behind_our_back(blind: Cluster, others: Others) -> None:
    """When the object we knew is gone and we have not heard of it yet, the apply makes it anew."""
    async with running(blind):
        await blind.apply(config_map(a="1"))
    await others.delete("ConfigMap", "settings")
    assert (await blind.apply(config_map(a="2")))["data"] == {"a": "2"}


async def test_version_of_a_read_modify_write(cluster: Cluster) -> None:
    """A manifest with a resourceVersion is only applied to that version."""
    first = await cluster.apply(config_map(a="1"))
    await cluster.apply(config_map(a="2"))
    late = config_map(a="3")
    late["metadata"] = {**late["metadata"], "resourceVersion": first["metadata"]["resourceVersion"]}
    with pytest.raises(ClusterConflictError):
        await cluster.apply(late)


async def test_unknown_field(cluster: Cluster) -> None:
    """A field that the API server does not know is a permanent refusal that names the field."""
    wrong = deployment()
    wrong["spec"]["template"]["spec"]["nonsense"] = True
    with pytest.raises(ClusterRefusedError, match="nonsense"):
        await cluster.apply(wrong)


async def test_invalid_value(cluster: Cluster) -> None:
    """An invalid value is a permanent refusal, and the object that was there stays."""
    first = await cluster.apply(deployment())
    wrong = deployment()
    wrong["spec"]["replicas"] = -1
    with pytest.raises(ClusterRefusedError, match=r"spec\.replicas"):
        await cluster.apply(wrong)
    now = await cluster.read("Deployment", "addon-a")
    assert now is not None
    assert now["metadata"]["uid"] == first["metadata"]["uid"]


def headless(ip: str | None) -> dict[str, Any]:
    spec: dict[str, Any] = {"ports": [{"port": 80}], "selector": {"a": "b"}}
    return service(spec if ip is None else {**spec, "clusterIP": ip})


def service(spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "addon-a", "labels": LABELS}, "spec": spec}


def other_selector() -> dict[str, Any]:
    changed = deployment()
    changed["spec"]["selector"] = {"matchLabels": {"io.hass.type": "addon"}}
    return changed


def secret(value: str) -> dict[str, Any]:
    metadata = {"name": "token", "labels": LABELS}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "immutable": True, "data": {"t": value}}


def job(image: str) -> dict[str, Any]:
    spec = {"restartPolicy": "Never", "containers": [{"name": "addon", "image": image}]}
    template = {"metadata": {"labels": LABELS}, "spec": spec}
    metadata = {"name": "addon-a", "labels": LABELS}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": template}}


def stateful(service_name: str) -> dict[str, Any]:
    made = deployment("homeassistant")
    del made["spec"]["strategy"]
    return {**made, "kind": "StatefulSet", "spec": {**made["spec"], "serviceName": service_name}}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (deployment(), other_selector()),
        (headless(None), headless("None")),
        (headless("None"), headless(None)),
        (secret("YQ=="), secret("Yg==")),
        (job("a:1"), job("a:2")),
        (stateful("one"), stateful("two")),
    ],
    ids=["selector", "becomes-headless", "gets-an-address", "immutable-secret", "job", "stateful-set"],
)
async def test_replace(cluster: Cluster, before: dict[str, Any], after: dict[str, Any]) -> None:
    """What cannot be changed is replaced: a new object, with what we want."""
    first = await cluster.apply(stamped(before))
    second = await cluster.apply(stamped(after))
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    workload = Workload(key="addon/a", labels=LABELS, objects=(after,), running=True)
    assert plan([second], workload) == Plan()


async def test_delete(cluster: Cluster, others: Others) -> None:
    """A delete removes the object it was given; done twice, it is fine."""
    live = await cluster.apply(config_map(a="1"))
    await cluster.delete(live)
    await cluster.delete(live)
    with pytest.raises(ClusterNotFoundError):
        await others.read("ConfigMap", "settings")
    await cluster.until(lambda: cluster.get("ConfigMap", "settings") is None or None, within=10)


async def test_delete_of_a_former_object(cluster: Cluster) -> None:
    """A delete never hits a namesake that was made since."""
    former = await cluster.apply(config_map(a="1"))
    await cluster.delete(former)
    await cluster.until(lambda: cluster.get("ConfigMap", "settings") is None or None, within=10)
    await cluster.apply(config_map(a="2"))
    with pytest.raises(ClusterConflictError):
        await cluster.delete(former)
    assert await cluster.read("ConfigMap", "settings") is not None


async def test_delete_waits_for_pods(cluster: Cluster, others: Others) -> None:
    """A deleted Deployment is there until its pods are gone, and shows that it is ending."""
    live = await cluster.apply(deployment())
    found = await cluster.until(lambda: cluster.select("Pod", LABELS) or None, within=20)
    await others.run(found[0]["metadata"]["name"])
    await cluster.delete(live)
    ending = cluster.get("Deployment", "addon-a")
    assert ending is not None
    assert "deletionTimestamp" in ending["metadata"]
    await cluster.until(lambda: "deletionTimestamp" in cluster.select("Pod", LABELS)[0]["metadata"] or None, within=20)
    await others.end(found[0]["metadata"]["name"])
    await cluster.until(lambda: cluster.get("Deployment", "addon-a") is None or None, within=20)


async def test_lift_gate(cluster: Cluster, others: Others) -> None:
    """Our gate is removed, the gates of others stay; nothing happens twice or after the pod's end."""
    waiting = await others.create(pod("example.com/other", GATE))
    await cluster.lift_gate(waiting)
    now = await cluster.read("Pod", "p")
    assert now is not None
    assert now["spec"]["schedulingGates"] == [{"name": "example.com/other"}]
    await cluster.lift_gate(now)
    with pytest.raises(ClusterConflictError):
        await cluster.lift_gate(waiting)
    await others.end("p")
    await cluster.lift_gate(waiting)


async def test_lift_the_only_gate(cluster: Cluster, others: Others) -> None:
    """A pod whose only gate was ours may be scheduled."""
    await cluster.lift_gate(await others.create(pod(GATE)))
    now = await cluster.read("Pod", "p")
    assert now is not None
    assert not now["spec"].get("schedulingGates")


async def test_gate_of_a_namesake(cluster: Cluster, others: Others) -> None:
    """The gate of another pod with the same name (StatefulSets make such) is not lifted."""
    former = await others.create(pod(GATE))
    await others.end("p")
    await others.create(pod(GATE))
    with pytest.raises(ClusterConflictError):
        await cluster.lift_gate(former)


async def test_touch(cluster: Cluster, others: Others) -> None:
    """A touch changes an annotation of this very pod, each time."""
    first = await others.create(pod())
    await cluster.touch(first)
    touched = await cluster.read("Pod", "p")
    await cluster.touch(first)
    again = await cluster.read("Pod", "p")
    assert touched is not None
    assert again is not None
    assert touched["metadata"]["annotations"] != again["metadata"]["annotations"]
    await others.end("p")
    await cluster.touch(first)
    await others.create(pod())
    with pytest.raises(ClusterConflictError):
        await cluster.touch(first)


def golden_cases() -> list[str]:
    files = [*GOLDEN.glob("*/expected.yaml"), *(GOLDEN / "core").glob("*.yaml")]
    return sorted(str(file.relative_to(GOLDEN)) for file in files)


@pytest.mark.parametrize("case", golden_cases())
async def test_golden_manifests(cluster: Cluster, case: str) -> None:
    """The API server takes what we render as it is, and a second look finds nothing to do."""
    objects = []
    for manifest in yaml.safe_load_all((GOLDEN / case).read_text()):
        metadata = {key: value for key, value in manifest["metadata"].items() if key != "namespace"}
        objects.append({**manifest, "metadata": metadata})
    for manifest in objects:
        await cluster.apply(stamped(manifest))
    workload = Workload(key="k", labels=owner_selector(), objects=tuple(objects), running=True)
    kinds = {manifest["kind"] for manifest in objects} - {"Pod"}
    live = [item for kind in kinds for item in cluster.select(kind, {})]
    assert plan(live, workload) == Plan()
