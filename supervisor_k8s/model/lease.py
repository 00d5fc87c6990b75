"""The record in the Lease: whose it is, and what it becomes when it is taken, renewed or released. Pure.

Fields and rules are those of `coordination.k8s.io/v1` as client-go's leader election uses them. The times in the record
are for people: no decision reads them, because two machines' clocks differ.
"""

from collections.abc import Mapping
from typing import Any

from supervisor_k8s.model.status import Live

ANNOTATION_POD = "io.hass.pod"
"""Name of the holder's pod. Pods are found by name; the holder is a UID, which tells whether it is still that pod."""
OVER = frozenset({"Succeeded", "Failed"})
"""Phases in which no container of a pod runs or will run again."""
UNSAID = 90
"""Seconds for a record without a duration, which somebody else must have written."""


def holder(live: Live) -> str:
    """UID of the pod whose Lease it is; empty when it is nobody's."""
    return str(live["spec"].get("holderIdentity") or "")


def holder_pod(live: Live) -> str | None:
    """Name of that pod, None when the record does not tell."""
    return (live["metadata"].get("annotations") or {}).get(ANNOTATION_POD)


def is_over(pod: Live | None, uid: str) -> bool:
    """Whether the holder `uid` can act no more; `pod` is what the API has under its name."""
    return pod is None or pod["metadata"]["uid"] != uid or pod.get("status", {}).get("phase") in OVER


def seconds(live: Live) -> float:
    """How long the record must stay unchanged until anybody may take it."""
    return float(live["spec"].get("leaseDurationSeconds") or UNSAID)


def tenure(live: Live | None) -> tuple[str, int] | None:
    """Stays the same for as long as nobody else takes the Lease."""
    return None if live is None else (live["metadata"]["uid"], _transitions(live))


def acquired(live: Live | None, *, holder: str, seconds: int, now: str) -> Mapping[str, Any]:
    """The spec when `holder` takes it; its own Lease of before (a container that was restarted) goes on."""
    if live is not None and live["spec"].get("holderIdentity") == holder:
        return renewed(live, seconds=seconds, now=now)
    return {
        "holderIdentity": holder,
        "leaseDurationSeconds": seconds,
        "acquireTime": now,
        "renewTime": now,
        "leaseTransitions": 0 if live is None else _transitions(live) + 1,
    }


def renewed(live: Live, *, seconds: int, now: str) -> Mapping[str, Any]:
    return {**live["spec"], "leaseDurationSeconds": seconds, "renewTime": now}


def released(live: Live, *, now: str) -> Mapping[str, Any]:
    """Nobody's, as client-go leaves it; a duration has to be there, so it is the shortest."""
    return {**live["spec"], "holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": now}


def holder_in_words(live: Live) -> str:
    pod, uid = holder_pod(live), holder(live)
    return f"pod {pod} ({uid})" if pod and uid else uid or "nobody"


def waiting_in_words(live: Live) -> str:
    return (
        f"Another Supervisor holds the Lease: {holder_in_words(live)}. Waiting until that pod ends, or has not renewed "
        f"it for {seconds(live):.0f} s"
    )


def _transitions(live: Live) -> int:
    return int(live["spec"].get("leaseTransitions") or 0)
