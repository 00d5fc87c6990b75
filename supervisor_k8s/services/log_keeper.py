"""Keeps the logs of runs that are over: when a pod of Core or an add-on is deleted, what it said and says at its end is
saved; when its container was started anew, what the former one said.

A pod's log goes with the pod, and it is the log of the run before that people want when something went wrong.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol

from supervisor_k8s.errors import ClusterError
from supervisor_k8s.model.program import Run, key_and_container, run_of
from supervisor_k8s.model.status import Live, is_terminating

_LOGGER = logging.getLogger(__name__)
LARGEST = 5 * 2**20
"""Bytes of a log that are kept: the last ones."""
MARGIN = 60.0
"""Seconds beyond its grace that a pod may take to its end."""


class KeeperCluster(Protocol):
    """What keeping logs needs of the cluster."""

    def logs(  # noqa: PLR0913 - the log's own parameters
        self, pod: str, container: str, *, tail_lines: int | None, follow: bool, previous: bool, timestamps: bool
    ) -> AsyncGenerator[bytes]: ...


class Save(Protocol):
    """Keeps the log of a workload's run, by the run's id."""

    def __call__(self, key: str, run: str, content: bytes, /) -> Awaitable[None]: ...


class LogKeeper:
    """Told of pods by `on_change`; reads while `run` does."""

    def __init__(self, *, cluster: KeeperCluster, save: Save, wanted: Callable[[str], bool]) -> None:
        """`wanted` says whether a workload is there to stay: the log of one that is uninstalled is nobody's."""
        self._cluster = cluster
        self._save = save
        self._wanted = wanted
        self._tasks: asyncio.TaskGroup | None = None

    def on_change(self, kind: str, old: Live | None, new: Live | None) -> None:
        """Listener of the watch cache."""
        if kind != "Pod" or old is None or new is None or self._tasks is None:
            return
        place = key_and_container(new)
        if place is None:
            return
        key, container = place
        before, run = run_of(old, container), run_of(new, container)
        if run is None:
            return
        if before is not None and run.number > before.number and run.before is not None:
            self._tasks.create_task(self._keep(key, run.before, MARGIN, previous=True), name=f"keep a log of {key}")
        if is_terminating(new) and not is_terminating(old):
            grace = new["spec"].get("terminationGracePeriodSeconds") or 0
            self._tasks.create_task(self._keep(key, run, grace + MARGIN), name=f"keep the last log of {key}")

    async def run(self) -> None:
        """Own the tasks until cancelled."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                await asyncio.get_running_loop().create_future()
        finally:
            self._tasks = None

    async def _keep(self, key: str, run: Run, within: float, *, previous: bool = False) -> None:
        """Read to the end; what came until then is saved, however that was."""
        lines, size = deque[bytes](), 0
        log = self._cluster.logs(
            run.pod, run.container, tail_lines=None, follow=not previous, previous=previous, timestamps=True
        )
        try:
            async with asyncio.timeout(within), contextlib.aclosing(log) as found:
                async for line in found:
                    lines.append(line)
                    size += len(line) + 1
                    while size > LARGEST:
                        size -= len(lines.popleft()) + 1
        except (ClusterError, TimeoutError) as error:
            _LOGGER.debug("The log of pod %s ended early: %s", run.pod, error)
        if lines and self._wanted(key):
            await self._save(key, run.id, b"\n".join(lines))
