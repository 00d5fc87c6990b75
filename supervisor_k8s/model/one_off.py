"""How far a program is that runs once (model/desired/one_off.py), off its Job and its pods, and how it ended. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from supervisor_k8s.model.status import Live, current_pod, observe_core

FINISHED = ("Complete", "Failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`container` is the one that ended and decides (the program's, or one before it that failed), with its
    `exit_code` and its termination message; without one, `failure` is why there will be none. Neither: it is on its
    way.
    """

    container: str | None = None
    exit_code: int = -1
    message: str = ""
    failure: str | None = None

    @property
    def settled(self) -> bool:
        return self.container is not None or self.failure is not None


@dataclass(frozen=True, slots=True)
class Ended:
    """How it ended: which container decided, with its exit code, its output (lines, each with its end) and what it left
    as termination message.
    """

    container: str
    exit_code: int
    output: str
    message: str = ""


def observe_one_off(job: Live | None, pods: Sequence[Live]) -> Progress:
    """The pod's containers run one after the other; the last one is the program."""
    pod = current_pod(pods)
    if pod is not None:
        status = pod.get("status", {})
        for item in status.get("initContainerStatuses") or ():
            if _exit_code(item):
                return _ended(item)
        for item in status.get("containerStatuses") or ():
            if _exit_code(item) is not None:
                return _ended(item)
    return _without_end(job, pod)


def _without_end(job: Live | None, pod: Live | None) -> Progress:
    if pod is not None:
        if pod.get("status", {}).get("phase") == "Failed":
            why = pod["status"].get("message") or pod["status"].get("reason") or "its pod failed"
            return Progress(failure=str(why))
        status = observe_core(pod)
        if status.fatal:
            return Progress(failure=status.reason)
    if job is None:
        return Progress(failure="somebody deleted it")
    for condition in job.get("status", {}).get("conditions") or ():
        if condition["type"] in FINISHED and condition["status"] == "True":
            return Progress(failure=condition.get("message") or condition.get("reason") or "its pod was deleted")
    return Progress()


def last_begun(pods: Sequence[Live]) -> tuple[str, str] | None:
    """Pod and name of the container that began last; None while none has."""
    pod = current_pod(pods)
    status = {} if pod is None else pod.get("status", {})
    found = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    begun = [item["name"] for item in found if "waiting" not in item.get("state", {"waiting": {}})]
    return None if pod is None or not begun else (pod["metadata"]["name"], begun[-1])


def _ended(status: Live) -> Progress:
    message = str(status["state"]["terminated"].get("message") or "").strip()
    return Progress(container=status["name"], exit_code=_exit_code(status) or 0, message=message)


def _exit_code(status: Live) -> int | None:
    ended = status.get("state", {}).get("terminated")
    return None if ended is None else int(ended.get("exitCode", -1))
