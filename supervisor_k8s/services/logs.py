"""Logs, live from the pods: which pod and container a workload's log is in, and its lines.

A workload without a pod, or whose container has not begun, has no lines; that is no error.
"""

import contextlib
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

from supervisor_k8s.errors import ClusterRefusedError
from supervisor_k8s.model.program import OWN_KEY, pod_that_counts, program_of
from supervisor_k8s.model.status import Live


class LogCluster(Protocol):
    """What logs need of the cluster."""

    def select(self, kind: str, labels: Mapping[str, str]) -> Sequence[Live]: ...

    def logs(
        self, pod: str, container: str, *, tail_lines: int | None = None, follow: bool = False
    ) -> AsyncGenerator[bytes]: ...


class Logs:
    """Lines of Core, add-ons and ourselves."""

    def __init__(self, *, cluster: LogCluster, own_pod: str, own_container: str = "supervisor") -> None:
        self._cluster = cluster
        self._own = (own_pod, own_container)

    async def lines(self, key: str, *, last: int | None = None, follow: bool = False) -> AsyncGenerator[str]:
        """Lines of the workload's program, oldest first, without line ends and with their colours.

        `key` is `homeassistant`, `addon/<slug>` or `supervisor`. `last` limits what is already there, None gives all of
        it. `follow` goes on until the container ends. ClusterError.
        """
        place = self._place(key)
        if place is None:
            return
        try:
            async with contextlib.aclosing(self._cluster.logs(*place, tail_lines=last, follow=follow)) as found:
                async for line in found:
                    yield line.decode(errors="replace")
        except ClusterRefusedError:
            return  # the pod is gone by now, or its container has not begun

    def _place(self, key: str) -> tuple[str, str] | None:
        """Pod and container of the workload."""
        if key == OWN_KEY:
            return self._own
        labels, container = program_of(key)
        pod = pod_that_counts(self._cluster.select("Pod", labels))
        return None if pod is None else (pod["metadata"]["name"], container)
