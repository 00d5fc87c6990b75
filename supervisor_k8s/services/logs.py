"""Logs, live from the pods: which pod and container a workload's log is in, and its entries.

A workload without a pod has the log of its last launch, where that was kept. One that never ran, or whose container has
not begun, has none; that is no error.
"""

import contextlib
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

from supervisor_k8s.errors import ClusterRefusedError, RefusedError
from supervisor_k8s.model.log import Entry, Reader, Window
from supervisor_k8s.model.program import OWN_KEY, pod_that_counts, program_of
from supervisor_k8s.model.status import Live
from supervisor_k8s.state.log_files import LogFiles


class LogCluster(Protocol):
    """What logs need of the cluster."""

    def select(self, kind: str, labels: Mapping[str, str]) -> Sequence[Live]: ...

    def logs(
        self, pod: str, container: str, *, tail_lines: int | None, follow: bool, timestamps: bool
    ) -> AsyncGenerator[bytes]: ...


class Logs:
    """Entries of Core, add-ons and ourselves."""

    def __init__(self, *, cluster: LogCluster, kept: LogFiles, own_pod: str, own_container: str = "supervisor") -> None:
        self._cluster = cluster
        self._kept = kept
        self._own = (own_pod, own_container)

    async def boot(self, key: str, number: int) -> str | None:
        """What to read for a boot, which is a launch. 0 is the present one or, when nothing runs, the last; -1 the one
        before it; positive numbers count from the oldest that is kept. None is the present one's pod, else a kept log's
        name. RefusedError when there is none.
        """
        kept: list[str | None] = list(await self._kept.names(key))
        there = [None, *kept] if self._place(key) is not None or not kept else kept
        place = -number if number <= 0 else len(there) - number
        if not 0 <= place < len(there):
            raise RefusedError(f"There is no boot {number}; logs of {len(there)} are there")
        return there[place]

    async def entries(
        self, key: str, wanted: Window, *, kept: str | None = None, follow: bool = False
    ) -> AsyncGenerator[Entry]:
        """The wanted entries of the workload's program, oldest first. `follow` goes on until the container ends.

        `key` is `homeassistant`, `addon/<slug>` or `supervisor`; `kept` as `boot` gives it. ClusterError.
        """
        number = 0
        source = self._all(key, wanted, follow=follow) if kept is None else self._of_file(key, kept, wanted)
        async with contextlib.aclosing(source) as found:
            async for entry in found if wanted.cursor is None else _around(found, wanted):
                yield entry
                number += 1
                if wanted.cursor is None and number == wanted.count:
                    return

    async def _all(self, key: str, wanted: Window, *, follow: bool) -> AsyncGenerator[Entry]:
        """From the beginning, or where the last ones are wanted from there."""
        place, reader = self._place(key), Reader()
        if place is None:
            return
        lines = self._cluster.logs(*place, tail_lines=wanted.last, follow=follow, timestamps=True)
        try:
            async with contextlib.aclosing(lines):
                async for line in lines:
                    yield reader.entry(line)
        except ClusterRefusedError:
            return  # the pod is gone by now, or its container has not begun

    async def _of_file(self, key: str, name: str, wanted: Window) -> AsyncGenerator[Entry]:
        lines, reader = (await self._kept.read(key, name)).split(b"\n"), Reader()
        for line in lines[-wanted.last :] if wanted.last else lines:
            yield reader.entry(line)

    def _place(self, key: str) -> tuple[str, str] | None:
        """Pod and container of the workload."""
        if key == OWN_KEY:
            return self._own
        labels, container = program_of(key)
        pod = pod_that_counts(self._cluster.select("Pod", labels))
        return None if pod is None else (pod["metadata"]["name"], container)


async def _around(entries: AsyncGenerator[Entry], wanted: Window) -> AsyncGenerator[Entry]:
    """The entries around the cursor. What is before it is kept only as far as it is wanted."""
    before: deque[Entry] = deque(maxlen=wanted.before)
    left, skip, told = wanted.count, max(wanted.skip, 0), False
    async for entry in entries:
        if wanted.cursor is not None and entry.cursor < wanted.cursor:
            before.append(entry)
            continue
        if not told:
            left, told = wanted.after(len(before)), True
            for earlier in list(before)[: wanted.count]:
                yield earlier
        if skip:
            skip -= 1
            continue
        if left == 0:
            return
        left = None if left is None else left - 1
        yield entry
    if not told:
        for earlier in list(before)[: wanted.count]:
            yield earlier
