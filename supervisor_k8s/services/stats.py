"""What Core, add-ons and ourselves use: as the kubelets say where we may ask them, else as the metrics API does.

Many small clusters have neither for us (metrics-server is an extra): all figures are 0 then, and the log says so once.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from supervisor_k8s.errors import ClusterError
from supervisor_k8s.model import stats
from supervisor_k8s.model.program import OWN_KEY, pod_that_counts, program_of
from supervisor_k8s.model.stats import Capacity, Usage
from supervisor_k8s.model.status import Live

_LOGGER = logging.getLogger(__name__)
WAIT = 4.0
"""Seconds for each of both answers: Core gives up on us after 10."""


class StatsCluster(Protocol):
    """What figures need of the cluster."""

    def select(self, kind: str, labels: Mapping[str, str]) -> Sequence[Live]: ...

    async def pod_stats(self, pod: Live) -> Live | None:
        """PodStats of a pod; None when it was not measured, or we may not ask. ClusterError."""

    async def pod_metrics(self, pod: Live) -> Live | None:
        """PodMetrics of a pod; None when it was not measured, or nothing is. ClusterError."""


class Stats:
    """Figures in the shape of `GET …/stats`."""

    def __init__(self, *, cluster: StatsCluster, own_pod: Live, own_container: str = "supervisor") -> None:
        self._cluster = cluster
        self._own = own_pod
        self._own_container = own_container
        self._node = Capacity(cores=os.cpu_count() or 0, memory=_memory())
        self._said: set[str] = set()

    async def of(self, key: str) -> dict[str, Any]:
        """Figures of `homeassistant`, `addon/<slug>` or `supervisor`. Nodes are taken to be like ours."""
        pod: Live | None = self._own
        container = self._own_container
        if key != OWN_KEY:
            labels, container = program_of(key)
            pod = pod_that_counts(self._cluster.select("Pod", labels))
        if pod is None:
            return stats.nothing()
        return stats.stats(await self._usage(pod, container), pod, container, self._node)

    async def _usage(self, pod: Live, container: str) -> Usage:
        if found := await self._measured(self._cluster.pod_stats, pod, "its kubelet"):
            return stats.from_summary(found, container)
        if found := await self._measured(self._cluster.pod_metrics, pod, "the metrics API"):
            return stats.from_metrics(found, container)
        self._say("Processor and memory of programs are shown as 0: is there a metrics-server?")
        return Usage()

    async def _measured(self, ask: Callable[[Live], Awaitable[Live | None]], pod: Live, whom: str) -> Live | None:
        try:
            async with asyncio.timeout(WAIT):
                return await ask(pod)
        except (ClusterError, TimeoutError) as error:
            self._say(f"What a pod uses cannot be asked of {whom}: {error or f'no answer within {WAIT:.0f} s'}")
            return None

    def _say(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            _LOGGER.info("%s", sentence)


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
