"""The kinds we handle and the rights that manifests/ grants are the same."""

from pathlib import Path
from typing import Any

import yaml

from supervisor_k8s.cluster.kinds import KINDS, rights

MANIFESTS = Path(__file__).parents[2] / "manifests"
RBAC = MANIFESTS / "base" / "rbac.yaml"
NODES = MANIFESTS / "components" / "nodes" / "rbac.yaml"
CACHED = {"list", "watch"}
WRITTEN = {"get", "create", "patch", "delete"}
"""Before the first apply of an object we read whether somebody else's has its name."""
BY_REQUEST = {
    ("", "persistentvolumeclaims"): {"get"},
    ("", "pods/log"): {"get"},
    ("", "events"): {"list"},
    ("", "pods/attach"): {"get", "create"},
    ("metrics.k8s.io", "pods"): {"get"},
    ("coordination.k8s.io", "leases"): {"get", "watch", "create", "update"},
}
"""What is neither cached nor applied."""


def granted(manifest: Path, kind: str) -> dict[tuple[str, str], set[str]]:
    """Verbs by API group and resource, as the Role or ClusterRole says."""
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(manifest.read_text()))
    (role,) = (document for document in documents if document["kind"] == kind)
    verbs: dict[tuple[str, str], set[str]] = {}
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                verbs.setdefault((group, resource), set()).update(rule["verbs"])
    return verbs


def needed() -> dict[tuple[str, str], set[str]]:
    """The same of what our self-check asks for before an update."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for right in rights():
        verbs.setdefault((right.group, right.resource), set()).add(right.verb)
    return verbs


def test_rights() -> None:
    """The Role grants for every kind what we do with it, and nothing else; the optional component a look at nodes."""
    assert granted(RBAC, "Role") == needed()
    assert granted(NODES, "ClusterRole") == {("", "nodes"): {"get"}}


def test_paths() -> None:
    """Paths of the core group and of named groups."""
    assert KINDS["Pod"].path("ha") == "/api/v1/namespaces/ha/pods"
    assert KINDS["Deployment"].path("ha", "addon-a") == "/apis/apps/v1/namespaces/ha/deployments/addon-a"
