"""model/plan.py: what is applied, what is deleted, what is left alone, and whose gate is lifted."""

from typing import Any

from supervisor_k8s.model.naming import GATE, LABEL_LAUNCH, addon_labels
from supervisor_k8s.model.plan import Plan, Workload, covers, leftovers, next_pod, plan, stamped
from tests import builders

LABELS = addon_labels("core_mosquitto")
LAUNCH = "0123abcd"


def manifest(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "labels": dict(LABELS)}, **fields}


def deployment(replicas: int = 1, **spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {**LABELS, LABEL_LAUNCH: LAUNCH}}, "spec": {"containers": []}}
    return manifest("Deployment", "addon-core-mosquitto", spec={"replicas": replicas, "template": template, **spec})


def workload(*objects: dict[str, Any], running: bool = True) -> Workload:
    return Workload(key="addon/core_mosquitto", labels=LABELS, objects=objects, running=running)


def live(wanted: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    """The object after it was applied: with identity, and with defaults of the API server."""
    applied = dict(stamped(wanted))
    applied["metadata"] = {**applied["metadata"], "uid": "u", "resourceVersion": "7", **metadata}
    return {**applied, "status": {"observedGeneration": 1}}


def pod(name: str = "p", *, gated: bool = True, launch: str = LAUNCH, phase: str = "Pending", **metadata: Any) -> Any:
    spec = {"schedulingGates": [{"name": GATE}]} if gated else {}
    labels = {**LABELS, LABEL_LAUNCH: launch}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "uid": name, "labels": labels, **metadata},
        "spec": spec,
        "status": {"phase": phase},
    }


def names(items: Any) -> list[str]:
    return [item["metadata"]["name"] for item in items]


def test_first_apply() -> None:
    """Nothing is there: everything is applied, what pods need before what makes pods."""
    wanted = workload(deployment(), manifest("Service", "svc"), manifest("Secret", "token"))
    assert [item["kind"] for item in plan([], wanted).apply] == ["Secret", "Service", "Deployment"]


def test_nothing_to_do() -> None:
    """An object as it was applied, with defaults and status added, costs nothing."""
    wanted = deployment()
    there = live(wanted)
    there["spec"] = {**there["spec"], "progressDeadlineSeconds": 600}
    assert plan([there], workload(wanted)) == Plan()


def test_changed_by_somebody() -> None:
    """A field of ours that has another value is applied again."""
    there = live(deployment())
    there["spec"] = {**there["spec"], "replicas": 3}
    assert names(plan([there], workload(deployment())).apply) == ["addon-core-mosquitto"]


def test_field_no_longer_wanted() -> None:
    """A field that we had applied and no longer want is noticed although the live object has all that we want."""
    there = live(deployment(minReadySeconds=5))
    assert names(plan([there], workload(deployment())).apply) == ["addon-core-mosquitto"]


def test_labels_of_others() -> None:
    """Labels and annotations that others add are no drift."""
    there = live(deployment())
    there["metadata"]["labels"]["team"] = "house"
    there["metadata"]["annotations"]["note"] = "x"
    assert plan([there], workload(deployment())) == Plan()


def test_prune() -> None:
    """What is no longer wanted is deleted, what makes pods first."""
    there = [live(manifest("Service", "svc")), live(deployment()), live(manifest("ConfigMap", "c"))]
    assert [item["kind"] for item in plan(there, workload(running=False)).delete] == [
        "Deployment",
        "Service",
        "ConfigMap",
    ]


def test_prune_only_ours() -> None:
    """An object that lacks one of the workload's labels is never in the plan."""
    other = live(manifest("Service", "svc"))
    del other["metadata"]["labels"]["io.hass.addon"]
    assert plan([other], workload()) == Plan()


def test_pods_are_never_deleted() -> None:
    """Pods come and go with what makes them."""
    assert plan([pod()], workload()) == Plan()


def test_token_of_a_pod() -> None:
    """A launch's Secret stays while a pod of that launch exists: its finish script still calls us."""
    token = live(manifest("Secret", f"addon-core-mosquitto-{LAUNCH}"))
    token["metadata"]["labels"] = {**LABELS, LABEL_LAUNCH: LAUNCH}
    assert plan([token, pod(deletionTimestamp="now")], workload()) == Plan()
    assert names(plan([token, pod(launch="ffff0000")], workload()).delete) == [f"addon-core-mosquitto-{LAUNCH}"]


def test_being_deleted() -> None:
    """An object that is being deleted is neither applied nor deleted again."""
    there = live(deployment(), deletionTimestamp="now")
    assert plan([there], workload(deployment(replicas=0))) == Plan()
    assert plan([there], workload()) == Plan()


def test_text_of_a_secret() -> None:
    """A Secret's stringData is compared with the data it becomes."""
    wanted = manifest("Secret", "token", stringData={"token": "abc"})
    there = live(wanted)
    del there["stringData"]
    there["data"] = {"token": "YWJj"}
    assert plan([there], workload(wanted)) == Plan()
    there["data"] = {"token": "eHl6"}
    assert names(plan([there], workload(wanted)).apply) == ["token"]


def test_covers() -> None:
    """Every wanted value must be there; lists by position, or by name where others added entries."""
    assert covers({"a": 1, "b": 2}, {"a": 1})
    assert not covers({"a": 1}, {"a": 2})
    assert covers({}, {"hostNetwork": False, "args": [], "extra": {"a": None}})
    assert not covers({}, {"hostNetwork": True})
    assert covers([{"name": "x", "d": 1}], [{"name": "x"}])
    assert covers([{"name": "injected"}, {"name": "x", "v": 1}], [{"name": "x", "v": 1}])
    assert not covers([{"name": "injected"}, {"name": "x", "v": 2}], [{"name": "x", "v": 1}])
    assert not covers(["a", "b"], ["a"])
    assert not covers([{"name": "x"}], [{"name": "x"}, {"name": "y"}])


def test_gate_of_the_only_pod() -> None:
    """The only pod of a workload that shall run may run."""
    waiting = pod()
    assert next_pod([waiting], workload(deployment())) is waiting


def test_gate_stays() -> None:
    """Not while another pod exists (Terminating and ended ones count), not when stopped, not for a former launch."""
    wanted = workload(deployment())
    assert next_pod([pod("new"), pod("old", gated=False, deletionTimestamp="now")], wanted) is None
    assert next_pod([pod("new"), pod("old", gated=False, phase="Failed")], wanted) is None
    assert next_pod([pod()], workload(deployment(replicas=0), running=False)) is None
    assert next_pod([pod(launch="ffff0000")], wanted) is None
    assert next_pod([pod(gated=False)], wanted) is None
    assert next_pod([pod(deletionTimestamp="now")], wanted) is None
    assert next_pod([], wanted) is None


def test_gate_while_a_node_clears_away() -> None:
    """A pod in which nothing runs any more keeps nobody waiting, one whose program still ends does."""
    waiting, former = pod("new"), builders.terminating(builders.pod("core_mosquitto"))
    assert next_pod([waiting, former], workload(deployment())) is None
    assert next_pod([waiting, builders.cleared_away(former)], workload(deployment())) is waiting
    assert next_pod([builders.cleared_away(former)], workload(deployment())) is None


def test_ended_pod_in_the_way() -> None:
    """An evicted pod is removed when another one waits for its turn, and otherwise stays readable."""
    wanted = workload(deployment())
    evicted = pod("old", gated=False, phase="Failed")
    assert leftovers([pod("new"), evicted], wanted) == [evicted]
    assert list(leftovers([evicted], wanted)) == []
    assert list(leftovers([pod("new"), evicted], workload(deployment(), running=False))) == []
