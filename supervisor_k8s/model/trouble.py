"""What keeps a workload from running, read off its pods and what makes them, and off Events where only these say it.

A pod's status names images, configuration, scheduling and memory; of volumes and sandboxes, and of pods that a quota or
a policy refused to a StatefulSet or Job, nothing but a Warning Event tells. Pure: nothing is remembered between calls.
What Core runs with, and should not, is told in the same way.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from supervisor_k8s.model.desired.core import BEFORE
from supervisor_k8s.model.issue import Cause
from supervisor_k8s.model.status import (
    FAILED_STARTS,
    NOT_YET,
    Live,
    condition,
    container_statuses,
    current_pod,
    evicted,
    is_terminating,
    is_unreported,
)

WAITS: Mapping[str, Cause] = {
    "ErrImagePull": Cause.MISSING_IMAGE,
    "ImagePullBackOff": Cause.MISSING_IMAGE,
    "InvalidImageName": Cause.MISSING_IMAGE,
    "ErrImageNeverPull": Cause.MISSING_IMAGE,
    "ImageInspectError": Cause.MISSING_IMAGE,
    "RegistryUnavailable": Cause.MISSING_IMAGE,
    "SignatureValidationFailed": Cause.MISSING_IMAGE,
    "CreateContainerConfigError": Cause.CANNOT_START,
    "CreateContainerError": Cause.CANNOT_START,
    "RunContainerError": Cause.CANNOT_START,
}
"""Reasons of a waiting container."""
EVENTS: Mapping[str, Cause] = {
    "FailedMount": Cause.NOT_MOUNTED,
    "FailedMapVolume": Cause.NOT_MOUNTED,
    "FailedAttachVolume": Cause.NOT_MOUNTED,
    "FailedCreatePodSandBox": Cause.NO_SANDBOX,
    "NetworkNotReady": Cause.NO_SANDBOX,
    "Unhealthy": Cause.UNHEALTHY,
    "FailedCreate": Cause.NOT_ADMITTED,
}
"""Reasons of Events about pods; the last one is about what makes them."""
PATIENCE: Mapping[Cause | None, float] = {
    Cause.OUT_OF_MEMORY: 0,
    Cause.SWITCH_LEFT_OPEN: 0,
    Cause.MISSING_IMAGE: 5,
    Cause.CANNOT_START: 10,
    Cause.EVICTED: 10,
    Cause.NOT_ADMITTED: 10,
    Cause.UNSCHEDULABLE: 15,
    None: 30,
    Cause.UNHEALTHY: 300,
}
"""Seconds until it is worth telling. The withdrawal of a failed start, the next try of a kubelet, or a node that is
being added are quicker."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What is wrong with the object `subject` (its UID). Without a cause only Events about it can tell."""

    cause: Cause | None
    subject: str
    message: str = ""

    @property
    def patience(self) -> float:
        return PATIENCE[self.cause]

    @property
    def needs_events(self) -> bool:
        """Of one that does not answer, its Events have the better words."""
        return self.cause in (None, Cause.UNHEALTHY)


def find(pods: Sequence[Live], makers: Sequence[Live]) -> Trouble | None:
    """What is wrong with a workload: all its pods, and the Deployment, StatefulSet or Job that makes them."""
    pod = current_pod(pods)
    if pod is not None:
        return _of_pod(pod)
    return None if pods else next((found for maker in makers if (found := _of_maker(maker))), None)


def explained(trouble: Trouble, events: Iterable[Live]) -> tuple[Cause, str] | None:
    """Cause and words for people, from its subject's newest fitting Warning Event where there is one; None when nobody
    knows a cause.
    """
    for event in sorted(events, key=_time, reverse=True):
        cause = EVENTS.get(event.get("reason", ""))
        if cause is not None and trouble.cause in (None, cause):
            return cause, event.get("message") or trouble.message
    return None if trouble.cause is None else (trouble.cause, trouble.message)


def _of_pod(pod: Live) -> Trouble | None:
    subject = pod["metadata"]["uid"]
    if lost := evicted(pod):
        return Trouble(cause=Cause.EVICTED, subject=subject, message=lost)
    statuses = container_statuses(pod)
    if found := next((found for status in statuses if (found := _of_container(status, subject))), None):
        return found
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("reason") == "Unschedulable":
        return Trouble(cause=Cause.UNSCHEDULABLE, subject=subject, message=scheduled.get("message", ""))
    if _is_stuck(pod, statuses):
        return Trouble(cause=None, subject=subject)
    return _silent(pod, statuses) or _left_open(pod)


def _of_container(status: Live, subject: str) -> Trouble | None:
    waiting = status["state"].get("waiting") or {}
    ended = status["state"].get("terminated") or {}
    before = status.get("lastState", {}).get("terminated") or {}
    reason, message = waiting.get("reason", ""), waiting.get("message") or ""
    if reason in WAITS and NOT_YET not in message:
        return Trouble(cause=WAITS[reason], subject=subject, message=f"{reason}: {message}" if message else reason)
    if "OOMKilled" in (ended.get("reason"), before.get("reason")):
        return Trouble(cause=Cause.OUT_OF_MEMORY, subject=subject)
    if ended.get("reason") in FAILED_STARTS:
        return Trouble(cause=Cause.CANNOT_START, subject=subject, message=ended.get("message") or ended["reason"])
    return None


def _is_stuck(pod: Live, statuses: Sequence[Live]) -> bool:
    """Scheduled, and the kubelet has not got to its images yet."""
    if condition(pod, "PodScheduled").get("status") != "True" or pod.get("status", {}).get("phase") != "Pending":
        return False
    begun = any(status["state"].keys() & {"running", "terminated"} for status in statuses)
    return not begun and condition(pod, "PodReadyToStartContainers").get("status") != "True"


def _silent(pod: Live, statuses: Sequence[Live]) -> Trouble | None:
    """All programs run, and the pod is not ready any more."""
    ready = condition(pod, "Ready")
    began = [status["state"]["running"].get("startedAt") or "" for status in statuses if status["state"].get("running")]
    if ready.get("status") != "False" or is_unreported(pod) or not began:
        return None
    main = {container["name"] for container in pod["spec"]["containers"]}
    runs = all(status["state"].get("running") for status in statuses if status["name"] in main)
    if not runs or (ready.get("lastTransitionTime") or "") <= max(began):
        return None
    return Trouble(cause=Cause.UNHEALTHY, subject=pod["metadata"]["uid"], message=ready.get("message") or "not ready")


def _left_open(pod: Live) -> Trouble | None:
    """Core runs; what was to be done to its configuration before is not done."""
    for status in pod.get("status", {}).get("initContainerStatuses") or ():
        message = (status.get("state", {}).get("terminated") or {}).get("message")
        if status["name"] == BEFORE and message:
            return Trouble(cause=Cause.SWITCH_LEFT_OPEN, subject=pod["metadata"]["uid"], message=message)
    return None


def _of_maker(maker: Live) -> Trouble | None:
    """Pods are wanted, and there is none."""
    subject, status = maker["metadata"]["uid"], maker.get("status", {})
    if is_terminating(maker):
        return None
    refused = condition(maker, "ReplicaFailure")
    if refused.get("status") == "True":
        return Trouble(cause=Cause.NOT_ADMITTED, subject=subject, message=refused.get("message", ""))
    over = any(condition(maker, kind).get("status") == "True" for kind in ("Complete", "Failed"))
    wanted = maker["kind"] == "Job" or maker["spec"].get("replicas", 1) > 0
    if maker["kind"] == "Deployment" or over or not wanted or status.get("active") or maker["spec"].get("suspend"):
        return None
    return Trouble(cause=None, subject=subject)


def _time(event: Live) -> str:
    """When it was last seen."""
    series = event.get("series") or {}
    seen = series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("eventTime")
    return str(seen or event["metadata"].get("creationTimestamp") or "")
