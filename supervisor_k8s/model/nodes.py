"""What the cluster's nodes are and offer, as far as somebody who thinks of an add-on wants to know it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ARCHITECTURES = {"amd64": "amd64", "arm64": "aarch64"}
"""Kubernetes' words to Home Assistant's."""
_OWN = "kubernetes.io"


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """Of all nodes that take pods; nothing is known where nobody may ask for nodes."""

    architectures: frozenset[str] = frozenset()
    """In Home Assistant's words; empty where nothing is known."""
    resources: frozenset[str] | None = None
    """What device plugins offer; None where nothing is known."""


def node_facts(nodes: Sequence[Mapping[str, Any]] | None) -> NodeFacts:
    """Facts of these live nodes; None when they are not ours to see."""
    if nodes is None:
        return NodeFacts()
    able = [node.get("status", {}) for node in nodes if not node.get("spec", {}).get("unschedulable")]
    words = [status.get("nodeInfo", {}).get("architecture", "") for status in able]
    names = [name for status in able for name in status.get("allocatable", {})]
    return NodeFacts(
        architectures=frozenset(ARCHITECTURES.get(word, word) for word in words if word),
        resources=frozenset(name for name in names if _is_of_plugin(name)),
    )


def _is_of_plugin(name: str) -> bool:
    domain, slash, _ = name.partition("/")
    return bool(slash) and domain != _OWN and not domain.endswith(f".{_OWN}")
