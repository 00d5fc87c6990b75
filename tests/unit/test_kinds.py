"""The kinds we handle and the rights that manifests/ grants are the same."""

from pathlib import Path
from typing import Any

import yaml

from supervisor_k8s.cluster.kinds import KINDS, OPTIONAL, Right, rights

MANIFESTS = Path(__file__).parents[2] / "manifests"
RBAC = MANIFESTS / "base" / "rbac.yaml"
NODES = MANIFESTS / "components" / "nodes" / "rbac.yaml"
GATEWAY = MANIFESTS / "components" / "gateway" / "rbac.yaml"


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


def needed(*optional: str) -> dict[tuple[str, str], set[str]]:
    """The same of what our self-check asks for before an update, and of what `optional` kinds need."""
    verbs: dict[tuple[str, str], set[str]] = {}
    for right in rights(optional):
        verbs.setdefault((right.group, right.resource), set()).add(right.verb)
    return verbs


def test_rights() -> None:
    """The Role grants for every kind what we do with it, and nothing else; the optional component a look at nodes."""
    assert granted(RBAC, "Role") == needed()
    assert granted(NODES, "ClusterRole") == {("", "nodes"): {"get", "list"}}


def test_rights_for_optional_kinds() -> None:
    """The component grants what they need beyond the base."""
    base, every = needed(), needed(*(kind.name for kind in OPTIONAL))
    assert granted(GATEWAY, "Role") == {what: verbs for what, verbs in every.items() if what not in base}


def test_paths() -> None:
    """Paths of the core group and of named groups."""
    assert KINDS["Pod"].path("ha") == "/api/v1/namespaces/ha/pods"
    assert KINDS["Deployment"].path("ha", "addon-a") == "/apis/apps/v1/namespaces/ha/deployments/addon-a"


def test_each_right_is_granted_by_a_rule() -> None:
    """As a review of our own account tells its rules; without any one of them something is missing."""
    documents = yaml.safe_load_all(RBAC.read_text())
    (rules,) = (document["rules"] for document in documents if document["kind"] == "Role")
    assert all(any(right.is_granted(rule) for rule in rules) for right in rights())
    for left_out in rules:
        left = [rule for rule in rules if rule is not left_out]
        assert not all(any(right.is_granted(rule) for rule in left) for right in rights()), left_out


def test_what_a_rule_grants() -> None:
    """Wildcards grant everything of their kind, names nothing but themselves."""
    everything = {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}
    logs = {"verbs": ["get"], "apiGroups": [""], "resources": ["*/log"]}
    named = {"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]}
    assert Right("", "pods/log", "get").is_granted(everything)
    assert Right("", "pods/log", "get").is_granted(logs)
    assert not Right("", "pods", "get").is_granted(logs)
    assert not Right("apps", "pods/log", "get").is_granted(logs)
    assert Right("", "pods", "get", "a").is_granted(named)
    assert not Right("", "pods", "get").is_granted(named)
