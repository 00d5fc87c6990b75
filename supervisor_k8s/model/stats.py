"""What a program uses, in the figures of Home Assistant's API, read off the cluster's own. Pure.

From the metrics API come processor and memory; nobody measures a container's network and disk there, so these stay 0,
which clients can show where null breaks them. As upstream counts, 100 % of the processor is all of its cores.
"""

from dataclasses import dataclass
from typing import Any

from supervisor_k8s.model.status import Live

SUFFIXES = {
    "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What the node has: whole cores, bytes."""

    cores: int
    memory: int


def stats(measured: Live | None, pod: Live, container: str, node: Capacity) -> dict[str, Any]:
    """Figures of one container. `measured` is its pod's PodMetrics object, None when there is none."""
    containers: Any = (measured or {}).get("containers", ())
    usage: Live = next((item["usage"] for item in containers if item["name"] == container), {})
    memory, limit = int(quantity(usage.get("memory", "0"))), _limit(pod, container) or node.memory
    return {
        **nothing(),
        "cpu_percent": round(quantity(usage.get("cpu", "0")) / node.cores * 100, 2) if node.cores else 0.0,
        "memory_usage": memory,
        "memory_limit": limit,
        "memory_percent": round(memory / limit * 100, 2) if limit else 0.0,
    }


def nothing() -> dict[str, Any]:
    """All figures of what nobody measures."""
    whole = ("memory_usage", "memory_limit", "network_rx", "network_tx", "blk_read", "blk_write")
    return {"cpu_percent": 0.0, "memory_percent": 0.0, **dict.fromkeys(whole, 0)}


def quantity(text: str) -> float:
    """A quantity of Kubernetes', such as `250m` or `64Mi`; 0 for one that is none."""
    number = text.rstrip("numkKMGTPi")
    try:
        return float(number) * SUFFIXES[text[len(number) :]]
    except (KeyError, ValueError):
        return 0.0


def _limit(pod: Live, container: str) -> int:
    for one in pod.get("spec", {}).get("containers", ()):
        if one["name"] == container:
            return int(quantity(str(one.get("resources", {}).get("limits", {}).get("memory", "0"))))
    return 0
