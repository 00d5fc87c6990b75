"""Where a workload's program is: which of its pods, which container in it, and which run of that. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from supervisor_k8s.model import naming
from supervisor_k8s.model.desired import dns, l4_proxy
from supervisor_k8s.model.desired.core import CONTAINER
from supervisor_k8s.model.intent import CORE_KEY, DNS_KEY, PORTS_KEY, addon_key, addon_of
from supervisor_k8s.model.status import Live, current_pod, labels

OWN_KEY = "supervisor"
"""Key of ourselves beside the workloads'."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a program, from its start to its end: the kubelet makes a new container for each. `number` counts the
    runs before it in the same pod.
    """

    pod: str
    container: str
    uid: str
    """Of the pod."""
    number: int = 0
    is_over: bool = False
    """Its container has ended; for as long as the kubelet keeps it, its log can be read."""

    @property
    def id(self) -> str:
        """32 hex digits, as the journal names a boot; the same whenever somebody asks."""
        return hashlib.sha256(f"{self.uid}/{self.number}".encode()).hexdigest()[:32]

    @property
    def before(self) -> "Run | None":
        """The run before it in the same pod."""
        return replace(self, number=self.number - 1, is_over=True) if self.number else None


def run_of(pod: Live, container: str) -> Run | None:
    """The latest run of a container; None when it has not begun."""
    for status in pod.get("status", {}).get("containerStatuses") or ():
        state = status.get("state") or {}
        begun = "running" in state or "terminated" in state or (status.get("lastState") or {}).get("terminated")
        if status["name"] == container and begun:
            name, uid = pod["metadata"]["name"], pod["metadata"]["uid"]
            return Run(name, container, uid, int(status.get("restartCount") or 0), is_over="running" not in state)
    return None


def program_of(key: str) -> tuple[Mapping[str, str], str]:
    """Labels of the pods and name of the container, for `homeassistant`, `dns`, `ports` or `addon/<slug>`."""
    slug = addon_of(key)
    if slug is not None:
        return {naming.LABEL_ADDON: naming.label_value(slug)}, naming.ADDON_CONTAINER
    if key == DNS_KEY:
        return {naming.LABEL_TYPE: naming.TYPE_DNS}, dns.CONTAINER
    if key == PORTS_KEY:
        return {naming.LABEL_TYPE: naming.TYPE_PORTS}, l4_proxy.CONTAINER
    return {naming.LABEL_TYPE: naming.TYPE_CORE}, CONTAINER


def pod_that_counts(pods: Sequence[Live]) -> Live | None:
    """The present pod, or one that is ending where there is no other."""
    return current_pod(pods) or next(iter(pods), None)


def key_and_container(pod: Live) -> tuple[str, str] | None:
    """Key of the workload that a pod is of, with the container of its program; None for other pods."""
    slug = pod["metadata"].get("annotations", {}).get(naming.ANNOTATION_SLUG)
    kind = labels(pod).get(naming.LABEL_TYPE)
    if kind == naming.TYPE_CORE:
        return CORE_KEY, CONTAINER
    return (addon_key(slug), naming.ADDON_CONTAINER) if kind == naming.TYPE_ADDON and slug else None
