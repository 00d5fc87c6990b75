"""What has to be done to make a workload's objects right: plan(live, workload) → Plan. Pure.

Ownership comes first: an object is only looked at when it carries all labels of the workload.

| live object            | wanted | same hash | covers | then                                   |
|------------------------|--------|-----------|--------|----------------------------------------|
| none                   | yes    |           |        | apply                                  |
| is being deleted       | any    |           |        | wait: its end brings us back           |
| there                  | yes    | yes       | yes    | nothing, not even a request            |
| there                  | yes    | no        | any    | apply: we want something else now      |
| there                  | yes    | yes       | no     | apply: somebody changed our fields     |
| there, token of a pod  | no     |           |        | wait: its program may still need it    |
| there                  | no     |           |        | delete                                 |

Two tests are needed for "nothing to do". *Covers*: every value we want is in the live object (the API server adds
defaults, others may add fields of their own; both are left alone). That does not see a field we no longer want, so the
hash of what was applied is kept in an annotation: another hash, another apply, and server-side apply removes what was
dropped. Together they cost no request, so that a converge of 1,000 workloads without drift asks the API server nothing.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.naming import LABEL_LAUNCH, LABEL_MANAGED
from supervisor_k8s.model.status import Live, has_ended, is_gated, is_terminating, labels, nothing_runs

ANNOTATION_APPLIED = "io.hass.applied"
"""Hash of the manifest as it was last applied."""
ORDER = (
    "Secret", "ConfigMap", "Service", "StatefulSet", "Deployment", "Job",
    "Gateway", "HTTPRoute", "TCPRoute", "UDPRoute",
)  # fmt: skip
"""Kinds of a workload in the order of apply: what pods need comes before what makes pods. Deletes go backwards."""
KEYS = ("name", "containerPort", "port", "mountPath")
"""Fields by which an entry of a list is found where others may have added entries."""
OVER = frozenset({"Succeeded", "Failed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Everything one key stands for."""

    key: str
    labels: Mapping[str, str]
    """Select all its objects and pods, and nothing else."""
    objects: tuple[Manifest, ...]
    """What shall exist, with the right replicas. Empty: everything with these labels is deleted."""
    running: bool
    """Whether a pod may begin to run: only then its gate is lifted."""


def untouched(key: str) -> Workload:
    """A workload of which nothing is looked at: whatever there is stays as it is."""
    return Workload(key=key, labels={LABEL_MANAGED: "false"}, objects=(), running=False)


@dataclass(frozen=True, slots=True)
class Plan:
    """Manifests to apply and live objects to delete, each in order; applies come first."""

    apply: tuple[Manifest, ...] = ()
    delete: tuple[Live, ...] = ()


def plan(live: Iterable[Live], workload: Workload) -> Plan:
    """What is to be done. `live` are the objects and pods with the workload's labels; pods are never in the plan, they
    come and go with what makes them.
    """
    ours = [item for item in live if workload.labels.items() <= labels(item).items()]
    there = {_identity(item): item for item in ours if item["kind"] != "Pod"}
    launches = {labels(item).get(LABEL_LAUNCH) for item in ours if item["kind"] == "Pod" and not has_ended(item)}
    wanted = {_identity(manifest) for manifest in workload.objects}
    apply = [stamped(manifest) for manifest in workload.objects if _to_apply(there.get(_identity(manifest)), manifest)]
    delete = [
        item
        for identity, item in there.items()
        if identity not in wanted and not is_terminating(item) and not _needed_by_pod(item, launches)
    ]
    return Plan(
        apply=tuple(sorted(apply, key=_rank)),
        delete=tuple(sorted(delete, key=_rank, reverse=True)),
    )


def next_pod(pods: Sequence[Live], workload: Workload) -> Live | None:
    """The pod whose gate may be lifted now: the only pod of a workload that shall run, beside those in which nothing
    runs any more, made from the template we want (after a new launch the former pod may still wait at its gate).
    """
    rest = [pod for pod in pods if not nothing_runs(pod)]
    if not workload.running or len(rest) != 1:
        return None
    pod = rest[0]
    return pod if _may_run(pod, workload) else None


def leftovers(pods: Sequence[Live], workload: Workload) -> Sequence[Live]:
    """Pods that are over (evicted, say) and that nobody else removes: in the way of one that waits at its gate, or of a
    workload that is to have no pod at all.
    """
    awaited = any(_may_run(pod, workload) for pod in pods) if workload.running else not _makes_pods(workload)
    if not awaited:
        return ()
    return [pod for pod in pods if pod.get("status", {}).get("phase") in OVER and not is_terminating(pod)]


def stamped(manifest: Manifest) -> Manifest:
    """The manifest with its own hash as an annotation."""
    metadata = manifest["metadata"]
    annotations = {**metadata.get("annotations", {}), ANNOTATION_APPLIED: _hash(manifest)}
    return {**manifest, "metadata": {**metadata, "annotations": annotations}}


def covers(live: Any, wanted: Any) -> bool:
    """Whether everything in `wanted` is in `live`. Both are JSON values."""
    if isinstance(wanted, (str, int)):  # most values; whether one is a mapping takes ten times as long to say
        return bool(live == wanted)
    if isinstance(wanted, Mapping):
        # The API server leaves out what is empty, zero or false.
        return isinstance(live, Mapping) and all(
            covers(live[key], value) if key in live else _is_nothing(value) for key, value in wanted.items()
        )
    if isinstance(wanted, (list, tuple)):
        return isinstance(live, Sequence) and _covers_list(live, wanted)
    return bool(live == wanted)


# --- private -----------------------------------------------------------------------------------------------------


def _may_run(pod: Live, workload: Workload) -> bool:
    if not is_gated(pod) or is_terminating(pod):
        return False
    templates = (manifest.get("spec", {}).get("template") for manifest in workload.objects)
    wanted = (template["metadata"]["labels"].items() for template in templates if template)
    return any(own <= labels(pod).items() for own in wanted)


def _makes_pods(workload: Workload) -> bool:
    specs = (manifest["spec"] for manifest in workload.objects if "template" in manifest.get("spec", {}))
    return any(spec.get("replicas", 1) > 0 for spec in specs)


def _to_apply(live: Live | None, manifest: Manifest) -> bool:
    if live is None:
        return True
    if is_terminating(live):
        return False
    applied = live["metadata"].get("annotations", {}).get(ANNOTATION_APPLIED)
    return bool(applied != _hash(manifest)) or not covers(live, _as_stored(manifest))


def _needed_by_pod(item: Live, launches: set[str | None]) -> bool:
    launch = labels(item).get(LABEL_LAUNCH)
    return item["kind"] == "Secret" and launch is not None and launch in launches


def _as_stored(manifest: Manifest) -> Manifest:
    """A Secret's `stringData` is only a way to write `data`."""
    texts = manifest.get("stringData")
    if texts is None:
        return manifest
    encoded = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    rest = {key: value for key, value in manifest.items() if key != "stringData"}
    return {**rest, "data": {**manifest.get("data", {}), **encoded}}


def _covers_list(live: Sequence[Any], wanted: Sequence[Any]) -> bool:
    if len(live) == len(wanted):
        return all(covers(one, other) for one, other in zip(live, wanted, strict=True))
    key = next((key for key in KEYS if wanted and all(isinstance(w, Mapping) and key in w for w in wanted)), None)
    if key is None:
        return False
    return all(any(one.get(key) == entry[key] and covers(one, entry) for one in live) for entry in wanted)


def _is_nothing(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_is_nothing(item) for item in value.values())
    return not value


def _hash(manifest: Manifest) -> str:
    return hashlib.sha256(orjson.dumps(manifest, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _identity(item: Mapping[str, Any]) -> tuple[str, str]:
    return item["kind"], item["metadata"]["name"]


def _rank(item: Mapping[str, Any]) -> tuple[int, str]:
    kind = item["kind"]
    return (ORDER.index(kind) if kind in ORDER else len(ORDER)), item["metadata"]["name"]
