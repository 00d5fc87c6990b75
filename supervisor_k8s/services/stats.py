"""What Core, add-ons and ourselves use, as the cluster's metrics API says.

Many small clusters have none (metrics-server is an extra): all figures are 0 then, and the log says so once.
"""

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from supervisor_k8s.errors import ClusterError
from supervisor_k8s.model import stats
from supervisor_k8s.model.program import OWN_KEY, pod_that_counts, program_of
from supervisor_k8s.model.stats import Capacity
from supervisor_k8s.model.status import Live

_LOGGER = logging.getLogger(__name__)
WAIT = 4.0
"""Seconds for an answer: Core gives up on us after 10."""


class StatsCluster(Protocol):
    """What figures need of the cluster."""

    def select(self, kind: str, labels: Mapping[str, str]) -> Sequence[Live]: ...

    async def pod_metrics(self, pod: str) -> Live | None:
        """PodMetrics of a pod; None when it was not measured, or nothing is. ClusterError."""


class Stats:
    """Figures in the shape of `GET …/stats`."""

    def __init__(self, *, cluster: StatsCluster, own_pod: Live, own_container: str = "supervisor") -> None:
        self._cluster = cluster
        self._own = own_pod
        self._own_container = own_container
        self._node = Capacity(cores=os.cpu_count() or 0, memory=_memory())
        self._said = False

    async def of(self, key: str) -> dict[str, Any]:
        """Figures of `homeassistant`, `addon/<slug>` or `supervisor`. Nodes are taken to be like ours."""
        pod: Live | None = self._own
        container = self._own_container
        if key != OWN_KEY:
            labels, container = program_of(key)
            pod = pod_that_counts(self._cluster.select("Pod", labels))
        if pod is None:
            return stats.nothing()
        return stats.stats(await self._measured(pod), pod, container, self._node)

    async def _measured(self, pod: Live) -> Live | None:
        name = pod.get("metadata", {}).get("name", "")
        try:
            async with asyncio.timeout(WAIT):
                found = await self._cluster.pod_metrics(name)
            why = "this pod was not measured, or nothing is: is there a metrics-server?"
        except ClusterError as error:
            found, why = None, str(error)
        except TimeoutError:
            found, why = None, f"no answer within {WAIT:.0f} s"
        if found is None and not self._said:
            _LOGGER.info("Processor and memory of programs are shown as 0 where the metrics API does not say: %s", why)
            self._said = True
        return found


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
