"""What keeps a workload from running, as its pods, what makes them, and Events say it."""

from typing import Any

import pytest

from supervisor_k8s.model.issue import Cause
from supervisor_k8s.model.trouble import Trouble, explained, find
from tests.builders import condition, ended, pod, terminating, waiting

CREATING = waiting("ContainerCreating")
SCHEDULED = condition("PodScheduled", "True")
UID = "uid-1"


def seen(*pods: dict[str, Any], makers: tuple[dict[str, Any], ...] = ()) -> tuple[Cause | None, str] | None:
    found = find(pods, makers)
    return None if found is None else (found.cause, found.message)


def maker(kind: str, status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "it", "uid": UID}, "spec": spec, "status": status or {}}


def event(reason: str, message: str, at: str = "2026-11-21T10:00:00Z") -> dict[str, Any]:
    return {"reason": reason, "message": message, "lastTimestamp": at, "metadata": {"name": message}}


def test_a_pod_that_is_well_has_no_trouble() -> None:
    """Ready; on its way with an image that is being pulled; behind our gate; ended by itself; or going."""
    started = condition("PodReadyToStartContainers", "True")
    pulling = pod(program=CREATING, hold=CREATING, phase="Pending", conditions=[SCHEDULED, started])
    gated = pod(program=CREATING, hold=CREATING, phase="Pending", conditions=[])
    gated["spec"]["schedulingGates"] = [{"name": "hass.io/one-at-a-time"}]
    for live in (pod(), pulling, gated, pod(program=ended(0)), pod(program=ended(1))):
        assert seen(live) is None
    assert seen(terminating(pod(program=waiting("ImagePullBackOff")))) is None
    assert seen() is None


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("ErrImagePull", Cause.MISSING_IMAGE),
        ("ImagePullBackOff", Cause.MISSING_IMAGE),
        ("InvalidImageName", Cause.MISSING_IMAGE),
        ("CreateContainerConfigError", Cause.CANNOT_START),
        ("RunContainerError", Cause.CANNOT_START),
    ],
)
def test_what_a_container_waits_for(reason: str, cause: Cause) -> None:
    """With the kubelet's words, of init containers, too."""
    assert seen(pod(program=waiting(reason, "it says why"), phase="Pending")) == (cause, f"{reason}: it says why")
    first = pod(program=CREATING, phase="Pending", initContainerStatuses=[{"name": "x", "state": waiting(reason)}])
    assert seen(first) == (cause, reason)


def test_a_secret_that_the_kubelet_has_not_seen_yet_is_no_trouble() -> None:
    """It tries again within a second."""
    config = waiting("CreateContainerConfigError", "failed to sync secret cache: timed out")
    started = condition("PodReadyToStartContainers", "True")
    assert seen(pod(program=config, hold=CREATING, phase="Pending", conditions=[SCHEDULED, started])) is None


def test_a_program_that_the_runtime_cannot_execute() -> None:
    """Names what the runtime says."""
    broken = {"terminated": {"exitCode": 128, "reason": "StartError", "message": "exec: not found"}}
    assert seen(pod(program=broken)) == (Cause.CANNOT_START, "exec: not found")


def test_out_of_memory() -> None:
    """Of a program that stays ended, and of one that the kubelet started again since."""
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    assert seen(pod(program=killed)) == (Cause.OUT_OF_MEMORY, "")
    again = pod()
    again["status"]["containerStatuses"][0]["lastState"] = killed
    assert seen(again) == (Cause.OUT_OF_MEMORY, "")


def test_no_node_can_take_it() -> None:
    """The scheduler's sentence."""
    why = condition("PodScheduled", "False", reason="Unschedulable", message="0/1 nodes are available: 1 cordoned")
    live = pod(program=CREATING, hold=CREATING, phase="Pending", conditions=[why], containerStatuses=[])
    assert seen(live) == (Cause.UNSCHEDULABLE, "0/1 nodes are available: 1 cordoned")


def test_evicted() -> None:
    """The kubelet's own words."""
    lost = pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory.")
    assert seen(lost) == (Cause.EVICTED, "Evicted: The node was low on resource: memory.")


def test_a_pod_whose_volumes_or_sandbox_are_not_there_is_asked_about() -> None:
    """Its status says no cause, so its Events are asked for."""
    live = pod(program=CREATING, hold=CREATING, phase="Pending", conditions=[SCHEDULED])
    assert seen(live) == (None, "")


def test_unhealthy_is_what_was_ready_once() -> None:
    """A program that starts slowly is not; nor is one of a node that is silent."""
    silent = condition("Ready", "False", at="2026-11-21T11:00:00Z", message="containers with unready status: [addon]")
    assert seen(pod(conditions=[SCHEDULED, silent])) == (Cause.UNHEALTHY, silent["message"])
    assert seen(pod(ready=False)) is None
    unreported = [SCHEDULED, silent, condition("ContainersReady", "True")]
    assert seen(pod(conditions=unreported)) is None
    assert seen(pod(program=ended(1), conditions=[SCHEDULED, silent])) is None


def test_core_runs_and_its_configuration_is_left_half_done() -> None:
    """What the container before Core could not end; of other containers a message is none of our affairs."""
    left = {"name": "before-core", "state": ended(0, message="plan.json is damaged")}
    assert seen(pod(initContainerStatuses=[left])) == (Cause.SWITCH_LEFT_OPEN, "plan.json is damaged")
    for fine in ({**left, "state": ended(0)}, {**left, "name": "setup"}):
        assert seen(pod(initContainerStatuses=[fine])) is None


def test_pods_that_are_refused() -> None:
    """A Deployment says so itself; of a StatefulSet or a Job without pods nothing but Events tells."""
    why = {"type": "ReplicaFailure", "status": "True", "message": "exceeded quota"}
    assert seen(makers=(maker("Deployment", {"conditions": [why]}, replicas=1),)) == (
        Cause.NOT_ADMITTED,
        "exceeded quota",
    )
    assert seen(makers=(maker("StatefulSet", replicas=1),)) == (None, "")
    assert seen(makers=(maker("Job"),)) == (None, "")


@pytest.mark.parametrize(
    "whole",
    [
        maker("Deployment", replicas=1),
        maker("StatefulSet", replicas=0),
        maker("Job", {"conditions": [condition("Complete", "True")]}),
        maker("Job", {"active": 1}),
        maker("Job", suspend=True),
        terminating(maker("Job")),
    ],
    ids=str,
)
def test_no_pods_are_no_trouble(whole: dict[str, Any]) -> None:
    """Where none is wanted, or one is coming."""
    assert seen(makers=(whole,)) is None


def test_a_pod_that_is_there_says_more_than_its_maker() -> None:
    """Also one that is going: the next one is made when it is gone."""
    refused = maker("StatefulSet", replicas=1)
    assert seen(pod(), makers=(refused,)) is None
    assert seen(terminating(pod()), makers=(refused,)) is None


def test_the_newest_event_that_names_a_cause() -> None:
    """Others are left aside; without any, nobody knows."""
    stuck = Trouble(cause=None, subject=UID)
    events = [
        event("FailedMount", "old", at="2026-11-21T10:00:00Z"),
        event("FailedCreatePodSandBox", "no network", at="2026-11-21T10:02:00Z"),
        event("Pulled", "fine", at="2026-11-21T10:03:00Z"),
    ]
    assert explained(stuck, events) == (Cause.NO_SANDBOX, "no network")
    assert explained(stuck, events[:1]) == (Cause.NOT_MOUNTED, "old")
    assert explained(stuck, events[2:]) is None
    silent = Trouble(cause=Cause.UNHEALTHY, subject=UID, message="not ready")
    assert explained(silent, events) == (Cause.UNHEALTHY, "not ready")
    assert explained(silent, [event("Unhealthy", "refused")]) == (Cause.UNHEALTHY, "refused")


def test_events_of_the_newer_kind_have_other_times() -> None:
    """`series` and `eventTime` instead of `lastTimestamp`."""
    older = {"reason": "FailedMount", "message": "older", "eventTime": "2026-11-21T10:00:00.1Z", "metadata": {}}
    newer = {**older, "message": "newer", "series": {"lastObservedTime": "2026-11-21T10:05:00.1Z"}}
    assert explained(Trouble(cause=None, subject=UID), [newer, older]) == (Cause.NOT_MOUNTED, "newer")
