"""Where a workload's program is: which of its pods, and which container in it. Pure."""

from collections.abc import Mapping, Sequence

from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.core import CONTAINER
from supervisor_k8s.model.intent import CORE_KEY, addon_key
from supervisor_k8s.model.status import Live, current_pod, labels

OWN_KEY = "supervisor"
"""Key of ourselves beside the workloads'."""


def program_of(key: str) -> tuple[Mapping[str, str], str]:
    """Labels of the pods and name of the container, for `homeassistant` or `addon/<slug>`."""
    if key == CORE_KEY:
        return {naming.LABEL_TYPE: naming.TYPE_CORE}, CONTAINER
    return {naming.LABEL_ADDON: naming.label_value(key.removeprefix("addon/"))}, naming.ADDON_CONTAINER


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
