"""Programs that run once in the cluster for an answer of ours: started, waited for, read, removed.

What an earlier process of ours left is removed at our start and before the next run of its kind; when we never come
back, the cluster removes it.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Protocol

from supervisor_k8s.errors import ClusterError, OneOffError, TookTooLongError
from supervisor_k8s.model.desired.one_off import TYPE_ONE_OFF, one_off_labels
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.naming import LABEL_TYPE
from supervisor_k8s.model.one_off import Ended, Progress, last_begun, observe_one_off
from supervisor_k8s.reconcile import Cluster

MARGIN = 60.0
"""Seconds beyond its deadline until we stop waiting for the cluster to end it."""
REMOVAL = 60.0
"""Seconds until an earlier one must be gone, with its pod."""
LINES = 5000
"""Last lines of the output that are read."""
LARGEST = 512 * 1024
"""Bytes of the output that are read."""


type Hear = Callable[[str, str], None]
"""Is told a line of the output, with its container."""


class OneOffCluster(Cluster, Protocol):
    """What this needs of the cluster beyond the rest."""

    def logs(  # noqa: PLR0913 - the log's own parameters
        self, pod: str, container: str, *, tail_lines: int | None, follow: bool, previous: bool, timestamps: bool
    ) -> AsyncGenerator[bytes]: ...


class OneOffs:
    """Runs Jobs of `model/desired/one_off.py`."""

    def __init__(self, *, cluster: OneOffCluster) -> None:
        self._cluster = cluster

    async def run(self, job: Manifest, *, hear: Hear | None = None) -> Ended:
        """Have it done. OneOffError with the reason when it cannot begin, or was ended before its end; ClusterError.

        `hear` is told the output as it comes. Whoever calls this never does so for one name twice at the same time.
        """
        async with self._there(job):
            name, deadline = job["metadata"]["name"], job["spec"]["activeDeadlineSeconds"]
            progress = await self._end(name, deadline, hear)
            if progress.container is None:
                raise OneOffError(name=name, reason=progress.failure)
            output = await self._output(name, progress.container)
            return Ended(progress.container, progress.exit_code, output, progress.message)

    async def sweep(self) -> None:
        """Remove what an earlier process of ours left behind."""
        for job in self._cluster.select("Job", {LABEL_TYPE: TYPE_ONE_OFF}):
            await self._cluster.delete(job)

    async def _end(self, name: str, deadline: float, hear: Hear | None) -> Progress:
        async with asyncio.TaskGroup() as tasks:
            listening = tasks.create_task(self._listen(name, deadline + MARGIN, hear)) if hear else None
            try:
                return await self._cluster.until(lambda: self._settled(name), within=deadline + MARGIN)
            except TookTooLongError:
                return Progress(failure=f"it did not end within {deadline} seconds")
            finally:
                if listening:
                    listening.cancel()

    async def _listen(self, name: str, within: float, hear: Hear) -> None:
        """Container after container, until cancelled. It is only for people who wait: what cannot be read is left out,
        and the output is read once more in the end.
        """
        heard: tuple[str, str] | None = None

        def another() -> tuple[str, str] | None:
            found = last_begun(self._cluster.select("Pod", one_off_labels(name)))
            return None if found == heard else found

        while True:
            try:
                heard = await self._cluster.until(another, within=within)
                pod, container = heard
                lines = self._cluster.logs(
                    pod, container, tail_lines=None, follow=True, previous=False, timestamps=False
                )
                async with contextlib.aclosing(lines):
                    async for line in lines:
                        hear(container, line.decode(errors="replace"))
            except (ClusterError, TookTooLongError):
                continue

    def _settled(self, name: str) -> Progress | None:
        pods = self._cluster.select("Pod", one_off_labels(name))
        progress = observe_one_off(self._cluster.get("Job", name), pods)
        return progress if progress.settled else None

    async def _output(self, name: str, container: str) -> str:
        (pod, *_) = self._cluster.select("Pod", one_off_labels(name))
        found = bytearray()
        lines = self._cluster.logs(
            pod["metadata"]["name"], container, tail_lines=LINES, follow=False, previous=False, timestamps=False
        )
        try:
            async with contextlib.aclosing(lines):
                async for line in lines:
                    found += line + b"\n"
                    if len(found) > LARGEST:
                        break
        except ClusterError as error:  # its exit code says something all the same
            found += f"Its output cannot be read: {error}\n".encode()
        return found[:LARGEST].decode(errors="replace")

    @contextlib.asynccontextmanager
    async def _there(self, job: Manifest) -> AsyncIterator[None]:
        """The Job exists inside of the block; nothing of an earlier one does."""
        name = job["metadata"]["name"]
        await self._remove(name)
        await self._cluster.until(lambda: self._is_gone(name), within=REMOVAL)
        await self._cluster.apply(job)
        try:
            yield
        finally:
            with contextlib.suppress(ClusterError):  # the cluster removes it later
                await self._remove(name)

    async def _remove(self, name: str) -> None:
        job = self._cluster.get("Job", name)
        if job is not None:
            await self._cluster.delete(job)

    def _is_gone(self, name: str) -> bool | None:
        found: Mapping[str, object] | None = self._cluster.get("Job", name)
        return (found is None and not self._cluster.select("Pod", one_off_labels(name))) or None
