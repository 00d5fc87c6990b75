"""The kinds we read and write: where the API serves them and what may be done with them.

The rights in `manifests/` follow from this table, and a test compares the two. The order in which kinds are applied and
deleted is a decision and stands in `model/plan.py`.
"""

from dataclasses import dataclass


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

    def path(self, namespace: str, name: str | None = None) -> str:
        """Request path of the collection, or of one object."""
        root = "/apis" if "/" in self.api else "/api"
        collection = f"{root}/{self.api}/namespaces/{namespace}/{self.plural}"
        return collection if name is None else f"{collection}/{name}"


def _workload(name: str, api: str, plural: str) -> Kind:
    return Kind(name=name, api=api, plural=plural, cached=True, written=True, replaceable=True, owns_pods=True)


def _part(name: str, plural: str) -> Kind:
    return Kind(name=name, api="v1", plural=plural, cached=True, written=True, replaceable=True)


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
        Kind(name="PersistentVolumeClaim", api="v1", plural="persistentvolumeclaims"),
        Kind(name="Event", api="v1", plural="events"),
        Kind(name="Lease", api="coordination.k8s.io/v1", plural="leases"),
    )
}
"""By the name that manifests use."""

CACHED = tuple(kind for kind in KINDS.values() if kind.cached)
