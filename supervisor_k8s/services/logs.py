"""Logs, live from the pods and from what was kept: the boots of a workload, and their entries.

A boot is a run of the program: what the journal of a machine keeps from start to start. The latest one is read from
the pod; the one before it, too, when it ended in the same pod, or in one that its node still clears away and whose log
is not kept yet; all others are files. A workload that never ran has none, and that is no error.
"""

import contextlib
import re
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from supervisor_k8s.cluster.backoff import Backoff
from supervisor_k8s.errors import (
    ClusterInterruptedError,
    ClusterRefusedError,
    ClusterUnavailableError,
    RefusedError,
    TookTooLongError,
)
from supervisor_k8s.model.intent import CORE_KEY
from supervisor_k8s.model.log import Cursor, Entry, Reader, Window
from supervisor_k8s.model.program import OWN_KEY, Run, pod_that_counts, program_of, run_of
from supervisor_k8s.model.status import Live, nothing_runs
from supervisor_k8s.state.log_files import LogFiles

_ID = re.compile(r"[0-9a-f]{32}")
_OFFSET = re.compile(r"[+-]?\d{1,9}")
PATIENCE = 3600.0
"""Seconds of one wait for the next run; there is always another one."""
AGAIN = 1.0
"""Seconds until a follower whose connection ended asks again."""


class LogCluster(Protocol):
    """What logs need of the cluster."""

    def select(self, kind: str, labels: Mapping[str, str]) -> Sequence[Live]: ...

    async def read(self, kind: str, name: str) -> Live | None: ...

    async def until[T](self, condition: Callable[[], T | None], *, within: float) -> T: ...

    def logs(  # noqa: PLR0913 - the log's own parameters
        self,
        pod: str,
        container: str,
        *,
        tail_lines: int | None,
        since: datetime | None,
        follow: bool,
        previous: bool,
        timestamps: bool,
    ) -> AsyncGenerator[bytes]: ...


@dataclass(frozen=True, slots=True)
class Boot:
    """Where the log of one run is: in a kept file of this id, or with `run` in a pod, where `previous` is the run
    before the latest. `ended` is known of files, in nanoseconds since the epoch.
    """

    id: str
    run: Run | None = None
    previous: bool = False
    ended: int | None = None


class Logs:
    """Entries of Core, add-ons and ourselves."""

    def __init__(self, *, cluster: LogCluster, kept: LogFiles, own_pod: str, own_container: str = "supervisor") -> None:
        self._cluster = cluster
        self._kept = kept
        self._own = (own_pod, own_container)

    async def boots(self, key: str) -> Sequence[Boot]:
        """Those whose log can be read, the latest first. `key` is `homeassistant`, `addon/<slug>` or `supervisor`."""
        run, kept = await self._latest(key), await self._kept.kept(key)
        there = [] if run is None else [Boot(run.id, run)]
        if run is not None and run.before is not None and run.before.id not in kept:
            there.append(Boot(run.before.id, run, previous=True))
        there += [Boot(over.id, over) for over in self._over(key) if over != run and over.id not in kept]
        return (*there, *(Boot(name, ended=end) for name, end in kept.items() if run is None or name != run.id))

    async def boot(self, key: str, wanted: str) -> Boot | None:
        """The boot of an id, or of a number: 0 is the latest, -1 the one before it; positive ones count from the
        oldest. An id of Core's, which stands for a boot of the whole house, is the workload's boot of the same number.
        None when nothing is known of it; RefusedError when the number is out of range.
        """
        there = await self.boots(key)
        if _ID.fullmatch(wanted):
            own = next((boot for boot in there if boot.id == wanted), None)
            house = [boot.id for boot in await self.boots(CORE_KEY)] if own is None else []
            number = house.index(wanted) if wanted in house else len(there)
            return own or next(iter(there[number:]), None)
        if not _OFFSET.fullmatch(wanted):
            raise RefusedError("A boot is an id of 32 hex digits or a number: 0 is the latest, -1 the one before it")
        number = -int(wanted) if int(wanted) <= 0 else len(there) - int(wanted)
        if number and not 0 <= number < len(there):
            raise RefusedError(f"Logs only contain {len(there)} boots")
        return next(iter(there[number:]), None)

    async def entries(
        self, key: str, boot: Boot | None, wanted: Window, *, follow: bool = False, beyond: bool = False
    ) -> AsyncGenerator[Entry]:
        """The wanted entries of a boot, oldest first. `follow` goes on until the program ends. With `beyond` its ends
        are none: a cursor may lie in an earlier boot, and a follower is told of those that come. ClusterError.
        """
        number = 0
        earlier = await self._earlier(key, boot, wanted.cursor) if beyond and wanted.cursor else ()
        source = self._chained(key, (*earlier, boot), wanted.last, follow=follow, endless=follow and beyond)
        async with contextlib.aclosing(source) as found:
            async for entry in found if wanted.cursor is None else _around(found, wanted):
                yield entry
                number += 1
                if wanted.cursor is None and number == wanted.count:
                    return

    async def _earlier(self, key: str, boot: Boot | None, cursor: Cursor) -> Sequence[Boot]:
        """Boots before this one, back to the one before that in which the cursor is: entries before it may be wanted,
        too. Oldest first.
        """
        there = list(await self.boots(key))
        found: list[Boot] = []
        for older in there[next((place + 1 for place, one in enumerate(there) if boot and one.id == boot.id), 0) :]:
            found.insert(0, older)
            if older.ended is not None and older.ended < cursor.time:
                break
        return found

    async def _chained(
        self, key: str, boots: Sequence[Boot | None], last: int | None, *, follow: bool, endless: bool
    ) -> AsyncGenerator[Entry]:
        """Boot after boot; `follow` is for the last of them, and `endless` for those that come after it."""
        left = deque(boots)
        while left:
            boot = left.popleft()
            async with contextlib.aclosing(self._of(key, boot, last, follow=follow and not left)) as found:
                async for entry in found:
                    yield entry
            if endless and not left:
                left.append(await self._next(key, boot))
                last = None

    async def _next(self, key: str, boot: Boot | None) -> Boot:
        """Wait for another boot."""

        def another() -> Boot | None:
            run = self._present(key)
            return None if run is None or (boot is not None and run.id == boot.id) else Boot(run.id, run)

        while True:
            with contextlib.suppress(TookTooLongError):
                return await self._cluster.until(another, within=PATIENCE)

    async def _of(self, key: str, boot: Boot | None, last: int | None, *, follow: bool) -> AsyncGenerator[Entry]:
        """Entries of one boot from the beginning, or where the last ones are wanted from there."""
        if boot is None:
            return
        if boot.run is None:
            source = self._of_file(key, boot.id, last)
        elif follow and not boot.previous:
            source = self._followed(key, boot.run, last)
        else:
            source = self._read(boot.run, last, previous=boot.previous)
        async with contextlib.aclosing(source) as found:
            async for entry in found:
                yield entry

    async def _followed(self, key: str, run: Run, last: int | None) -> AsyncGenerator[Entry]:
        """To the end of the run. The API server may end a connection at any time: it is asked again then, and what was
        seen already is left out.
        """
        seen, first, backoff = Cursor(0, -1), True, Backoff(first=AGAIN)
        while True:
            since = seen.moment if seen.time else None
            try:
                source = self._read(run, None if since else last, since=since, follow=True)
                async with contextlib.aclosing(source) as found:
                    async for entry in found:
                        if entry.cursor > seen:
                            seen = entry.cursor
                            backoff.reset()
                            yield entry
            except ClusterInterruptedError:
                pass
            except ClusterUnavailableError:
                if first:
                    raise
            if not self._goes_on(key, run):
                return
            first = False
            await backoff.wait()

    async def _read(
        self,
        run: Run,
        last: int | None,
        *,
        since: datetime | None = None,
        follow: bool = False,
        previous: bool = False,
    ) -> AsyncGenerator[Entry]:
        reader = Reader()
        lines = self._cluster.logs(
            run.pod, run.container, tail_lines=last, since=since, follow=follow, previous=previous, timestamps=True
        )
        try:
            async with contextlib.aclosing(lines):
                async for line in lines:
                    yield reader.entry(line)
        except ClusterRefusedError:
            return  # the pod is gone by now, or the kubelet keeps that container no more

    async def _of_file(self, key: str, name: str, last: int | None) -> AsyncGenerator[Entry]:
        lines, reader = (await self._kept.read(key, name)).split(b"\n"), Reader()
        for line in lines[-last:] if last else lines:
            yield reader.entry(line)

    async def _latest(self, key: str) -> Run | None:
        """The latest run that a pod has the log of. Our own pod is not among those that are watched."""
        if key != OWN_KEY:
            return self._present(key)
        name, container = self._own
        pod = await self._cluster.read("Pod", name)
        run = None if pod is None else run_of(pod, container)
        return run or Run(name, container, uid=name)

    def _present(self, key: str) -> Run | None:
        pods, container = self._pods(key)
        pod = pod_that_counts(pods)
        return None if pod is None else run_of(pod, container)

    def _over(self, key: str) -> Sequence[Run]:
        """Runs in pods that are cleared away."""
        pods, container = self._pods(key)
        return [run for pod in pods if nothing_runs(pod) and (run := run_of(pod, container))]

    def _pods(self, key: str) -> tuple[Sequence[Live], str]:
        """Those of a workload, with the name of its program's container; none of our own."""
        if key == OWN_KEY:
            return (), ""
        labels, container = program_of(key)
        return self._cluster.select("Pod", labels), container

    def _goes_on(self, key: str, run: Run) -> bool:
        """Whether the run has not ended; our own has not, or nobody would ask."""
        present = self._present(key)
        return key == OWN_KEY or (present is not None and present.id == run.id and not present.is_over)


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
        if left == 0 or (wanted.until is not None and entry.cursor.time > wanted.until):
            return
        left = None if left is None else left - 1
        yield entry
    if not told:
        for earlier in list(before)[: wanted.count]:
            yield earlier
