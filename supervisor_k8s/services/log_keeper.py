"""Keeps the logs of launches: when a pod of Core or an add-on is deleted, what it said and says at its end is saved.

A pod's log goes with the pod, and it is the log of the launch before that people want when something went wrong.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol

from supervisor_k8s.errors import ClusterError
from supervisor_k8s.model.program import key_and_container
from supervisor_k8s.model.status import Live, is_terminating

_LOGGER = logging.getLogger(__name__)
LARGEST = 5 * 2**20
"""Bytes of a log that are kept: the last ones."""
MARGIN = 60.0
"""Seconds beyond its grace that a pod may take to its end."""


class KeeperCluster(Protocol):
    """What keeping logs needs of the cluster."""

    def logs(
        self, pod: str, container: str, *, tail_lines: int | None, follow: bool, timestamps: bool
    ) -> AsyncGenerator[bytes]: ...


class LogKeeper:
    """Told of pods by `on_change`; reads while `run` does."""

    def __init__(self, *, cluster: KeeperCluster, save: Callable[[str, bytes], Awaitable[None]]) -> None:
        self._cluster = cluster
        self._save = save
        self._tasks: asyncio.TaskGroup | None = None

    def on_change(self, kind: str, old: Live | None, new: Live | None) -> None:
        """Listener of the watch cache."""
        if kind != "Pod" or old is None or new is None or is_terminating(old) or not is_terminating(new):
            return
        place = key_and_container(new)
        if place is not None and self._tasks is not None:
            self._tasks.create_task(self._keep(*place, new), name=f"keep the log of {place[0]}")

    async def run(self) -> None:
        """Own the tasks until cancelled."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                await asyncio.get_running_loop().create_future()
        finally:
            self._tasks = None

    async def _keep(self, key: str, container: str, pod: Live) -> None:
        """Read to the end; what came until then is saved, however that was."""
        lines, size = deque[bytes](), 0
        name = pod["metadata"]["name"]
        grace = pod["spec"].get("terminationGracePeriodSeconds") or 0
        try:
            async with (
                asyncio.timeout(grace + MARGIN),
                contextlib.aclosing(
                    self._cluster.logs(name, container, tail_lines=None, follow=True, timestamps=True)
                ) as found,
            ):
                async for line in found:
                    lines.append(line)
                    size += len(line) + 1
                    while size > LARGEST:
                        size -= len(lines.popleft()) + 1
        except (ClusterError, TimeoutError) as error:
            _LOGGER.debug("The log of pod %s ended early: %s", name, error)
        if lines:
            await self._save(key, b"\n".join(lines))
