"""What a program uses, in the figures of Home Assistant's API, read off the cluster's own. Pure.

From the metrics API come processor and memory, from a kubelet's summary the pod's network, too. Nobody measures what a
container reads and writes on disks. What is not known is 0, which clients can show where null breaks them. As upstream
counts, 100 % of the processor is all of its cores.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a program uses: cores, bytes; and bytes that came into its pod and left it, since the pod began."""

    cores: float = 0.0
    memory: int = 0
    received: int = 0
    sent: int = 0


def from_metrics(measured: Live, container: str) -> Usage:
    """Of a container in a PodMetrics object."""
    usage: Live = next((item["usage"] for item in measured.get("containers", ()) if item["name"] == container), {})
    return Usage(cores=quantity(usage.get("cpu", "0")), memory=int(quantity(usage.get("memory", "0"))))


def from_summary(measured: Live, container: str) -> Usage:
    """Of a container in the PodStats of a kubelet's summary, which leaves out what it does not know."""
    found: Live = next((item for item in measured.get("containers") or () if item["name"] == container), {})
    network = measured.get("network") or {}
    interfaces = network.get("interfaces") or [network]
    return Usage(
        cores=found.get("cpu", {}).get("usageNanoCores", 0) / 1e9,
        memory=found.get("memory", {}).get("workingSetBytes", 0),
        received=sum(interface.get("rxBytes", 0) for interface in interfaces),
        sent=sum(interface.get("txBytes", 0) for interface in interfaces),
    )


def stats(usage: Usage, pod: Live, container: str, node: Capacity) -> dict[str, Any]:
    """Figures of one container."""
    limit = _limit(pod, container) or node.memory
    return {
        **nothing(),
        "cpu_percent": round(usage.cores / node.cores * 100, 2) if node.cores else 0.0,
        "memory_usage": usage.memory,
        "memory_limit": limit,
        "memory_percent": round(usage.memory / limit * 100, 2) if limit else 0.0,
        "network_rx": usage.received,
        "network_tx": usage.sent,
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
