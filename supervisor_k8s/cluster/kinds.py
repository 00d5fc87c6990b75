"""The kinds we read and write: where the API serves them and what may be done with them.

The rights in `manifests/` follow from this table, and a test compares the two. The order in which kinds are applied and
deleted is a decision and stands in `model/plan.py`.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One namespaced kind. `plural` is its name in paths."""

    name: str
    api: str
    """Group and version as in a manifest, for example `apps/v1`."""
    plural: str
    cached: bool = False
    """Mirrored by the watch cache (only objects that are ours)."""
    written: bool = False
    """Applied and deleted by us."""
    replaceable: bool = False
    """May be deleted and made again when an immutable field changes. Never for what holds data."""
    owns_pods: bool = False
    """A delete must wait for its pods (propagationPolicy Foreground)."""
    optional: bool = False
    """Of an API that many clusters do not serve; we are given rights for it, and watch it, only where it is wanted."""
    older: tuple[str, ...] = ()
    """Versions of the API that a cluster may serve instead, the best one first."""

    def at(self, api: str) -> Self:
        """The same kind by another version of its API."""
        return self if api == self.api else replace(self, api=api)

    def path(self, namespace: str, name: str | None = None) -> str:
        """Request path of the collection, or of one object."""
        root = "/apis" if "/" in self.api else "/api"
        collection = f"{root}/{self.api}/namespaces/{namespace}/{self.plural}"
        return collection if name is None else f"{collection}/{name}"


def _workload(name: str, api: str, plural: str) -> Kind:
    return Kind(name=name, api=api, plural=plural, cached=True, written=True, replaceable=True, owns_pods=True)


def _part(name: str, plural: str) -> Kind:
    return Kind(name=name, api="v1", plural=plural, cached=True, written=True, replaceable=True)


GATEWAY_API = "gateway.networking.k8s.io"


def _routing(name: str, plural: str, *older: str) -> Kind:
    versions = tuple(f"{GATEWAY_API}/{version}" for version in older)
    return Kind(
        name=name, api=f"{GATEWAY_API}/v1", plural=plural, cached=True, written=True, optional=True, older=versions
    )


KINDS = {
    kind.name: kind
    for kind in (
        Kind(name="Pod", api="v1", plural="pods", cached=True, written=True),
        _workload("Deployment", "apps/v1", "deployments"),
        _workload("StatefulSet", "apps/v1", "statefulsets"),
        _workload("Job", "batch/v1", "jobs"),
        _part("Service", "services"),
        _part("Secret", "secrets"),
        _part("ConfigMap", "configmaps"),
        _routing("Gateway", "gateways"),
        _routing("HTTPRoute", "httproutes"),
        # Gateway API 1.6 made v1 of them; before, they were in its experimental channel alone.
        _routing("TCPRoute", "tcproutes", "v1alpha2"),
        _routing("UDPRoute", "udproutes", "v1alpha2"),
        Kind(name="PersistentVolumeClaim", api="v1", plural="persistentvolumeclaims"),
        Kind(name="Event", api="v1", plural="events"),
        Kind(name="Lease", api="coordination.k8s.io/v1", plural="leases"),
    )
}
"""By the name that manifests use."""

CACHED = tuple(kind for kind in KINDS.values() if kind.cached and not kind.optional)
OPTIONAL = tuple(kind for kind in KINDS.values() if kind.optional)


def kind_of(item: Mapping[str, Any]) -> Kind:
    """Of a manifest or a live object, by the version of the API that it is written in."""
    kind = KINDS[item["kind"]]
    return kind.at(item.get("apiVersion", kind.api))


@dataclass(frozen=True, slots=True)
class Right:
    """One verb that our Role must allow. `name` where it is for one object only."""

    group: str
    resource: str
    """With its part, where there is one: `pods/log`."""
    verb: str
    name: str = ""

    def is_granted(self, rule: Mapping[str, Any]) -> bool:
        """Whether a rule of a Role, or of a SelfSubjectRulesReview, allows it."""
        part = self.resource.partition("/")[2]
        resources = {self.resource, "*", f"*/{part}" if part else "*"}
        return (
            not {self.verb, "*"}.isdisjoint(rule.get("verbs") or ())
            and not {self.group, "*"}.isdisjoint(rule.get("apiGroups") or ())
            and not resources.isdisjoint(rule.get("resources") or ())
            and (not rule.get("resourceNames") or self.name in rule["resourceNames"])
        )


_WRITTEN = ("get", "create", "patch", "delete")
"""Before the first apply of an object we read whether somebody else's has its name."""
_BESIDE = (
    Right("", "persistentvolumeclaims", "get"),
    Right("", "pods/log", "get"),
    Right("", "events", "list"),
    Right("", "pods/attach", "get"),
    Right("", "pods/attach", "create"),
    Right("metrics.k8s.io", "pods", "get"),
    *(Right("coordination.k8s.io", "leases", verb, "supervisor") for verb in ("get", "watch", "update")),
    Right("coordination.k8s.io", "leases", "create"),
)
"""What is neither cached nor applied."""


def rights(optional: Collection[str] = ()) -> Iterator[Right]:
    """Everything that we need to be allowed in our namespace; of `optional` kinds only those that are named."""
    yield from _BESIDE
    for kind in KINDS.values():
        if kind.optional and kind.name not in optional:
            continue
        verbs = dict.fromkeys((*(("list", "watch") if kind.cached else ()), *(_WRITTEN if kind.written else ())))
        yield from (Right(kind.api.rpartition("/")[0], kind.plural, verb) for verb in verbs)
