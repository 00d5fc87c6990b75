"""States as Home Assistant knows them, read off pods. Pure; the meeting point of both vocabularies.

Nothing is remembered between calls: a state is what the pods and the intent say now. An add-on's state follows Docker's
rules (exit 0 is *stopped*, any other code *error*); the `hold` container beside the program is the witness that the
program ended by itself and was not lost with its sandbox.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

from supervisor_k8s.model.intent import Intent, Wanted
from supervisor_k8s.model.naming import ADDON_CONTAINER, HOLD_CONTAINER, LABEL_LAUNCH

type Live = Mapping[str, Any]
"""A Kubernetes object as the API server gave it."""

NO_ADDRESS = "0.0.0.0"  # noqa: S104 - no socket is bound: this is what clients know as "has no address"
FATAL_WAITS = frozenset(
    {
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
"""Reasons of a waiting container that are worth an answer: the kubelet tries again, but for the most part in vain.
`ErrImagePull` is not among them: it is a pull's first failure, and `ImagePullBackOff` with the same message follows if
it stays."""
FAILED_STARTS = frozenset({"StartError", "ContainerCannotRun"})
"""Reasons of a terminated container whose program was never executed."""
LOST = "ContainerStatusUnknown"
"""Reason of a container of which the kubelet says that it terminated because the runtime does not know it."""
PROVES_PULLED = frozenset({"CreateContainerError", "RunContainerError", "CreateContainerConfigError"})
SIGKILLED = 137
"""Exit code of a program that was killed with its container."""
NOT_YET = "failed to sync"
"""In a CreateContainerConfigError: the kubelet had not seen the Secret yet; it tries again within a second."""


class AddonState(StrEnum):
    """The words of Home Assistant's API."""

    STARTUP = "startup"
    STARTED = "started"
    STOPPED = "stopped"
    ERROR = "error"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What one workload is doing. `reason` is a sentence for people, None where there is nothing to explain."""

    state: AddonState
    reason: str | None = None
    ready: bool = False
    unreported: bool = False
    """Not ready only because its node is silent: what is known of the program is old."""
    exit_code: int | None = None
    """Of the program, where it ended and its pod is still there."""
    sandbox_lost: bool = False
    """Node or runtime restarted, or the pod was evicted: its status means nothing; delete it, go by the boot rules."""
    fatal: bool = False
    """Waiting longer changes nothing, as far as anybody can say now. With an `exit_code` the program ran and ended,
    without one it cannot start.
    """
    tried_again: bool = False
    """It cannot start, and the kubelet goes on trying in this pod: the cause may pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullState:
    """How far the pull of one image is. `stage` is for people; `failure` is the runtime's own sentence."""

    stage: str = ""
    done: bool = False
    failure: str | None = None


def observe_addon(pods: Sequence[Live], intent: Intent, job: Live | None = None) -> Status:
    """State of an add-on from its pods (all of them; those of other launches are left aside) and its intent; `job` is
    what runs it when it is a `once` add-on: a Job makes no second pod.
    """
    launch = intent.launch.id if intent.launch else None
    own = [pod for pod in pods if labels(pod).get(LABEL_LAUNCH) == launch and launch is not None]
    pod = current_pod(own)
    if intent.wanted is Wanted.RUNNING:
        if lost := next((why for one in own if (why := _lost_alone(one, own))), None):
            return Status(state=AddonState.ERROR, reason=lost, sandbox_lost=True)
        if pod is not None:
            return _observe_pod(pod)
        if job is not None and any(condition(job, kind).get("status") == "True" for kind in ("Complete", "Failed")):
            return Status(state=AddonState.ERROR, reason="its pod was deleted", exit_code=SIGKILLED, fatal=True)
        return Status(state=AddonState.STARTUP, reason="the former pod has not ended yet" if pods else None)
    if intent.wanted is Wanted.EXITED and (ended := exited_pod(own, intent)):
        return _observe_pod(ended)
    if intent.failure is not None:
        return Status(state=AddonState.ERROR, reason=intent.failure)
    if any(_runs(pod, ADDON_CONTAINER) for pod in own):
        return Status(state=AddonState.STARTED, reason="is being stopped")
    return Status(state=AddonState.STOPPED)


def exited_pod(pods: Sequence[Live], intent: Intent) -> Live | None:
    """The pod that keeps the exit code and the log of a program that ended; None once it is deleted, or when what
    made it already made another one in its place, or with its sandbox: in a new one the kubelet runs the program again,
    and goes on to report its former end.
    """
    launch = intent.launch.id if intent.launch else None
    own = [pod for pod in pods if labels(pod).get(LABEL_LAUNCH) == launch and not is_terminating(pod)]
    if any(is_gated(pod) for pod in own):
        return None
    return next((pod for pod in own if has_ended(pod) and not _sandbox_lost(pod)), None)


def observe_core(pod: Live | None) -> Status:
    """State of Home Assistant Core from its pod. Kubernetes restarts it, so a crash is an error that may pass.

    A terminating pod counts as not there: whoever waits for Core waits for the next one.
    """
    if pod is None or is_terminating(pod):
        return Status(state=AddonState.STOPPED, reason=None if pod is None else "is being stopped")
    if problem := _cannot_run(pod):
        return problem
    if condition(pod, "Ready").get("status") == "True":
        return Status(state=AddonState.STARTED, ready=True)
    crashed = next((s for s in container_statuses(pod) if _waiting(s).get("reason") == "CrashLoopBackOff"), None)
    if crashed is not None:
        last: Live = crashed.get("lastState", {}).get("terminated", {})
        reason = f"container {crashed['name']} keeps ending with exit code {last.get('exitCode', 'unknown')}"
        return Status(state=AddonState.ERROR, reason=reason, exit_code=last.get("exitCode"))
    return Status(state=AddonState.STARTUP, reason=_waits_for(pod))


def observe_pull(pods: Sequence[Live]) -> PullState:
    """How far an image-pull pod is (model/desired/pull.py). Its program does not exist: that its container was created,
    or that creating it failed, shows that the image is on the node.
    """
    pod = current_pod(pods)
    if pod is None:
        return PullState()
    for status in container_statuses(pod):
        waiting = _waiting(status)
        reason = waiting.get("reason")
        if "running" in status["state"] or "terminated" in status["state"] or reason in PROVES_PULLED:
            return PullState(stage="pulled", done=True)
        if reason in FATAL_WAITS:
            return PullState(stage="failed", done=True, failure=waiting.get("message") or reason)
        if reason is not None:
            return PullState(stage="pulling")
    if lost := evicted(pod):
        return PullState(stage="failed", done=True, failure=lost)
    if condition(pod, "PodScheduled").get("status") == "True":
        return PullState(stage="scheduled")
    return PullState(stage=_waits_for(pod) or "waiting for a node")


def pod_address(pods: Sequence[Live]) -> str:
    """IPv4 address of the workload, `0.0.0.0` when it has none. Clients parse nothing but IPv4."""
    pod = current_pod(pods)
    if pod is None or pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}:
        return NO_ADDRESS
    status: Live = pod.get("status", {})
    given = [entry.get("ip") for entry in status.get("podIPs") or ()] + [status.get("podIP")]
    return next((address for address in given if address and _is_ipv4(address)), NO_ADDRESS)


def running_container(pod: Live, name: str) -> str | None:
    """Names the running instance of a pod's container: another one after every restart. None while it does not run,
    or its node does not say.
    """
    if is_unreported(pod):
        return None
    found = _container(pod, name)
    return f"{pod['metadata']['uid']}/{found.get('restartCount', 0)}" if _runs(pod, name) else None


def labels(live: Live) -> Mapping[str, str]:
    found: Mapping[str, str] = live.get("metadata", {}).get("labels") or {}
    return found


def has_ended(pod: Live) -> bool:
    """Whether the add-on's program in this pod is at its end."""
    return "terminated" in _container(pod, ADDON_CONTAINER).get("state", {})


def is_ready(pod: Live) -> bool:
    """Whether Services lead to the pod."""
    return condition(pod, "Ready").get("status") == "True" and not is_terminating(pod)


def is_terminating(live: Live) -> bool:
    return live.get("metadata", {}).get("deletionTimestamp") is not None


def nothing_runs(pod: Live) -> bool:
    """Whether nothing of a pod that is being deleted runs any more, nor ever will: its node only clears away.

    The kubelet sets a final phase when it has seen the end of every container and of the sandbox; a Deployment with the
    strategy Recreate goes by the same. Not by others' word alone: of a container that was only lost nobody knows, and
    in the node's own process namespace a program's children may end after it.
    """
    if not is_terminating(pod) or pod.get("status", {}).get("phase") not in {"Succeeded", "Failed"}:
        return False
    ends = [status["state"].get("terminated", {}).get("reason", LOST) for status in container_statuses(pod)]
    expected = [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]
    return len(ends) == len(expected) and LOST not in ends and not pod["spec"].get("hostPID")


def is_gated(pod: Live) -> bool:
    """Whether the pod waits for us to let it be scheduled."""
    return bool(pod.get("spec", {}).get("schedulingGates"))


def current_pod(pods: Iterable[Live]) -> Live | None:
    """The pod that counts: not Terminating; one that runs before one that is over; the newest."""
    candidates = [pod for pod in pods if not is_terminating(pod)]

    def rank(pod: Live) -> tuple[bool, str]:
        over = pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}
        return (not over, pod.get("metadata", {}).get("creationTimestamp") or "")

    return max(candidates, key=rank, default=None)


def _observe_pod(pod: Live) -> Status:
    """State of one add-on's pod that is not Terminating."""
    if lost := _sandbox_lost(pod):
        return Status(state=AddonState.ERROR, reason=lost, sandbox_lost=True)
    program = _container(pod, ADDON_CONTAINER)
    ended: Live = program.get("state", {}).get("terminated") or {}
    if ended:
        return _ended(ended)
    if problem := _cannot_run(pod):
        return problem
    ready = condition(pod, "Ready")
    if ready.get("status") == "True":
        return Status(state=AddonState.STARTED, ready=True)
    began = program.get("state", {}).get("running", {}).get("startedAt")
    # "Ready" turned false after the program began, so it was true once: a running add-on does not go back to startup.
    if began and (ready.get("lastTransitionTime") or "") > began:
        silent = is_unreported(pod)
        why = "the node does not report" if silent else ready.get("message") or "does not answer its readiness probe"
        return Status(state=AddonState.STARTED, reason=why, unreported=silent)
    if pod.get("status", {}).get("phase") == "Unknown":
        return Status(state=AddonState.UNKNOWN, reason="the node does not report")
    return Status(state=AddonState.STARTUP, reason=_waits_for(pod))


def _ended(ended: Live) -> Status:
    code: int = ended.get("exitCode", -1)
    why, message = ended.get("reason"), ended.get("message")
    text = f": {message}" if message else ""
    if why in FAILED_STARTS:
        return Status(state=AddonState.ERROR, reason=f"the program cannot be executed{text}", fatal=True)
    if code == 0:
        return Status(state=AddonState.STOPPED, exit_code=0, fatal=True)
    detail = f" ({why})" if why and why != "Error" else ""
    reason = f"the program ended with exit code {code}{detail}{text}"
    return Status(state=AddonState.ERROR, reason=reason, exit_code=code, fatal=True)


def _sandbox_lost(pod: Live) -> str | None:
    """Why the pod's own report is not to be trusted, or None."""
    if lost := evicted(pod):
        return lost
    hold = _container(pod, HOLD_CONTAINER)
    if hold.get("restartCount", 0) > 0 or "terminated" in hold.get("state", {}):
        return "the pod was lost with its node's container runtime"
    program: Live = _container(pod, ADDON_CONTAINER).get("state", {}).get("terminated") or {}
    if program.get("reason") == LOST:
        return "the node lost the container"
    return None


def _lost_alone(pod: Live, own: Sequence[Live]) -> str | None:
    """Why the pod is lost, if it is and no other one of its launch runs. A replacement that waits at its gate does not
    count: whether the add-on comes up again is a question of its boot rule.
    """
    if is_terminating(pod) or not (lost := _sandbox_lost(pod)):
        return None
    others = (other for other in own if other is not pod and not is_terminating(other) and not is_gated(other))
    return None if any(not _sandbox_lost(other) for other in others) else lost


def evicted(pod: Live) -> str | None:
    """The kubelet or a controller ended the pod as a whole (eviction, admission, node shutdown): its own words."""
    status: Live = pod.get("status", {})
    if status.get("phase") != "Failed" or not status.get("reason"):
        return None
    message = status.get("message")
    return f"{status['reason']}: {message}" if message else str(status["reason"])


def _cannot_run(pod: Live) -> Status | None:
    for status in container_statuses(pod):
        waiting = _waiting(status)
        reason, message = waiting.get("reason"), waiting.get("message") or ""
        if reason in FATAL_WAITS and NOT_YET not in message:
            text = f"{reason}: {message}" if message else str(reason)
            image = f" from image {named}" if (named := status.get("image")) else ""
            return Status(
                state=AddonState.ERROR,
                reason=f"container {status['name']} cannot be started{image}: {text}",
                fatal=True,
                tried_again=True,
            )
    return None


def _waits_for(pod: Live) -> str | None:
    """What a pod that is not ready waits for, where it is more than its ordinary way."""
    if is_gated(pod):
        return "waits for its turn"
    scheduled = condition(pod, "PodScheduled")
    if scheduled.get("reason") == "Unschedulable":
        return f"no node can take it: {scheduled.get('message', 'no reason given')}"
    for status in container_statuses(pod):
        waiting = _waiting(status)
        if waiting.get("message"):
            return f"{waiting.get('reason')}: {waiting['message']}"
    return None


def container_statuses(pod: Live) -> list[Live]:
    status: Live = pod.get("status", {})
    found = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return [{"state": {}, **entry} for entry in found]


def _container(pod: Live, name: str) -> Live:
    return next((status for status in container_statuses(pod) if status["name"] == name), {})


def _waiting(status: Live) -> Live:
    found: Live = status["state"].get("waiting") or {}
    return found


def _runs(pod: Live, name: str) -> bool:
    return "running" in _container(pod, name).get("state", {})


def condition(pod: Live, kind: str) -> Live:
    conditions: Sequence[Live] = pod.get("status", {}).get("conditions") or ()
    return next((entry for entry in conditions if entry["type"] == kind), {})


def is_unreported(pod: Live) -> bool:
    """Whether the node controller called the pod not ready, not the kubelet, which tells of both conditions."""
    return (
        condition(pod, "Ready").get("status") == "False" and condition(pod, "ContainersReady").get("status") == "True"
    )


@lru_cache(maxsize=4096)
def _is_ipv4(address: str) -> bool:
    try:
        ipaddress.IPv4Address(address)
    except ValueError:
        return False
    return True
