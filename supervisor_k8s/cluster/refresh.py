"""What is in a ConfigMap reaches a pod's volume when its kubelet refreshes that: by itself after a minute, at once when
the pod is touched.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from supervisor_k8s.cluster.backoff import Backoff
from supervisor_k8s.errors import ClusterError
from supervisor_k8s.model.status import Live
from supervisor_k8s.waits import hears

_LOGGER = logging.getLogger(__name__)
AGAIN = 2.0
"""Seconds after which pods are touched once more: a kubelet may hear of the touch before it hears of the content."""


class Touches(Protocol):
    """What is needed of the cluster (cluster.cluster.Cluster)."""

    async def touch(self, pod: Live) -> None:
        """Have the kubelet refresh the pod's ConfigMap volumes now."""


class VolumeRefresh:
    """Has new content shown by some pods at once, while `run` does. At first what was left to be shown."""

    def __init__(self, *, cluster: Touches, pods: Callable[[], Sequence[Live]], again: float = AGAIN) -> None:
        self._cluster = cluster
        self._pods = pods
        self._again = again
        self._asked = asyncio.Event()

    def ask(self) -> None:
        """There is something new."""
        self._asked.set()

    async def run(self) -> None:
        """Until cancelled."""
        backoff = Backoff()
        self.ask()
        while True:
            await self._asked.wait()
            self._asked.clear()
            try:
                await self._touch()
                if not await hears(self._asked, within=self._again):
                    await self._touch()
            except ClusterError as error:
                _LOGGER.debug("New content is shown a little later: %s", error)
                self.ask()
                await backoff.wait()
                continue
            backoff.reset()

    async def _touch(self) -> None:
        for pod in self._pods():
            await self._cluster.touch(pod)
