"""Tracked work: what runs, how far it is, what went wrong, and that two operations on one thing never overlap.

Work belongs to the task group that `run` opens, not to the HTTP request that asked for it: a client that hangs up in
the middle of an install changes nothing. Jobs live in memory only, as upstream's do.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from supervisor_k8s.errors import (
    UNKNOWN,
    BusyError,
    JobNotDoneError,
    JobNotFoundError,
    NotReadyError,
    SupervisorError,
    UnknownError,
)
from supervisor_k8s.events import Signal
from supervisor_k8s.model.job import Job, JobError, event, forest, tree

_LOG = logging.getLogger(__name__)
_COMPLETE = 100
UNFORESEEN = "HassioError"
"""Type of an error in a job that has no class of its own, in upstream's word."""


type Step = Callable[[], Awaitable[None]]
type Parts = Callable[[str, str | None, Step], Awaitable[None]]
"""Does a step of some work as its part, which has this name and this reference."""


async def at_once(_name: str, _reference: str | None, step: Step) -> None:
    """`Parts` of work that nobody follows."""
    await step()


@dataclass(frozen=True, slots=True)
class Outcome[T]:
    """How a call of `Jobs.do` ended: `result` is None while the work still goes on in the background."""

    job: str
    running: bool
    result: T | None = None


@dataclass(slots=True)
class _Entry:
    job: Job
    checked: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    awaited: bool = True
    complete: bool = False
    """The work did not fail."""
    failure: BaseException | None = None


class Progress:
    """What work sees of its own job. The first stage says that all checks are passed: from here a caller who asked
    for the background gets the answer. The stage of a part is that of the whole, too.
    """

    def __init__(self, jobs: "Jobs", uuid: str) -> None:
        self._jobs = jobs
        self.uuid = uuid

    def stage(self, name: str) -> None:
        for uuid in self._jobs.with_those_above(self.uuid):
            self._jobs.change(uuid, stage=name)
            self._jobs.checked(uuid)

    def percent(self, value: float) -> None:
        """Only what was measured; 0 to 100."""
        self._jobs.change(self.uuid, progress=value)

    def reference(self, value: str) -> None:
        self._jobs.change(self.uuid, reference=value)

    async def child[T](
        self, name: str, reference: str | None, work: Callable[["Progress"], Awaitable[T]], *, keep: bool = False
    ) -> T:
        """Run a part of this job as a job of its own, in the same task."""
        return await self._jobs.nested(name, reference, work, parent=self.uuid, keep=keep)

    async def part(self, name: str, reference: str | None, step: Step) -> None:
        """`child` for work that knows no jobs: `Parts`."""
        await self.child(name, reference, lambda _: step())


async def _nothing_is_needed(_job: str) -> None:
    """There are no conditions."""


class Jobs:
    """All running work and the finished jobs that are kept."""

    def __init__(
        self,
        *,
        may_begin: Callable[[], None] = lambda: None,
        conditions: Callable[[str], Awaitable[None]] = _nothing_is_needed,
    ) -> None:
        """`may_begin` raises while no work may begin, `conditions` while the job of this name may not."""
        self._may_begin = may_begin
        self._conditions = conditions
        self.event: Signal[Mapping[str, Any]] = Signal()
        """Messages for Core's `supervisor/event`, one for every change."""
        self._entries: dict[str, _Entry] = {}
        self._busy: set[str] = set()
        self._freed = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Own the tasks until cancelled; a cancellation ends all work."""
        async with asyncio.TaskGroup() as self._tasks:
            await asyncio.Event().wait()

    async def do[T](  # noqa: PLR0913 - the parts of a job, keyword-only but the obvious ones
        self,
        name: str,
        reference: str | None,
        group: str | None,
        work: Callable[[Progress], Awaitable[T]],
        *,
        background: bool = False,
        keep: bool = False,
        queue: bool = False,
    ) -> Outcome[T]:
        """Run `work` as a job and wait for it; with `background` only until its checks are passed.

        `group` is what the work excludes others from (`app_<slug>`, `home_assistant_core`): BusyError when taken, but
        with `queue` the job waits for its turn, not begun. `keep` leaves the finished job readable until it is deleted.
        What `work` raises, this raises, and what hinders a job of this name.
        """
        if self._tasks is None:
            raise NotReadyError("Work is not accepted yet")
        self._may_begin()
        await self._conditions(name)
        waits = group in self._busy
        if waits and not queue:
            raise BusyError(group=group)
        entry = self._open(name, reference, parent=None)
        if group and not waits:
            self._busy.add(group)
        task = self._tasks.create_task(self._work(entry, group, work, keep=keep, waits=waits), name=f"job {name}")
        try:
            waited_for: list[asyncio.Future[Any]] = [task, entry.checked] if background else [task]
            await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)  # never cancels the task
        finally:
            entry.awaited = False
        if not task.done():
            return Outcome(entry.job.uuid, running=True)
        if task.cancelled():
            raise NotReadyError("The Supervisor is shutting down")
        if entry.failure is not None:
            raise entry.failure
        return Outcome(entry.job.uuid, running=False, result=task.result())

    async def attempt(
        self, name: str, reference: str | None, group: str, work: Callable[[Progress], Awaitable[object]]
    ) -> SupervisorError | None:
        """`do` for tasks of our own, which have nobody above them who could answer: the error when it failed.

        What nobody foresaw is logged here with its traceback and is an UnknownError.
        """
        try:
            await self.do(name, reference, group, work)
        except SupervisorError as error:
            return error
        except Exception as failure:  # noqa: BLE001 - as a request's guard: one fault must not end the Supervisor
            _LOG.exception("Job %s (%s) failed", name, reference)
            return UnknownError(f"something unforeseen went wrong ({type(failure).__name__}); the log has the details")
        return None

    async def idle(self, group: str) -> None:
        """Return when nobody works on the group; a `do` that follows without another await gets it."""
        while group in self._busy:
            await self._freed.wait()

    async def nested[T](
        self,
        name: str,
        reference: str | None,
        work: Callable[[Progress], Awaitable[T]],
        *,
        parent: str,
        keep: bool,
    ) -> T:
        entry = self._open(name, reference, parent=parent)
        try:
            return await self._tracked(entry, work)
        finally:
            self._close(entry, keep=keep)

    def change(self, uuid: str, **changes: Any) -> None:
        """Set fields of a job and tell everybody; nothing happens when nothing changed."""
        entry = self._entries.get(uuid)
        if entry is None or all(getattr(entry.job, key) == value for key, value in changes.items()):
            return
        entry.job = replace(entry.job, **changes)
        self.event(event(entry.job))

    def with_those_above(self, uuid: str) -> Iterator[str]:
        """The job, the one it is a part of, and so on."""
        entry = self._entries.get(uuid)
        while entry is not None:
            yield entry.job.uuid
            entry = self._entries.get(entry.job.parent or "")

    def checked(self, uuid: str) -> None:
        entry = self._entries.get(uuid)
        if entry is not None and not entry.checked.done():
            entry.checked.set_result(None)

    def forest(self) -> list[dict[str, Any]]:
        return forest(entry.job for entry in self._entries.values())

    def tree(self, uuid: str) -> dict[str, Any]:
        """The job with its children as `/jobs/<uuid>` shows it. JobNotFoundError."""
        if uuid not in self._entries:
            raise JobNotFoundError(uuid=uuid)
        return tree((entry.job for entry in self._entries.values()), uuid)

    def remove(self, uuid: str) -> None:
        """Forget a finished job and its children. JobNotFoundError, JobNotDoneError."""
        if uuid not in self._entries:
            raise JobNotFoundError(uuid=uuid)
        if not self._entries[uuid].job.done:
            raise JobNotDoneError(uuid=uuid)
        for child in [entry.job.uuid for entry in self._entries.values() if entry.job.parent == uuid]:
            self.remove(child)
        del self._entries[uuid]

    def _open(self, name: str, reference: str | None, *, parent: str | None) -> _Entry:
        job = Job(uuid=uuid4().hex, name=name, reference=reference, parent=parent, created=datetime.now(UTC))
        entry = self._entries[job.uuid] = _Entry(job)
        return entry

    def _close(self, entry: _Entry, *, keep: bool) -> None:
        self.change(entry.job.uuid, done=True, **({"progress": _COMPLETE} if entry.complete else {}))
        if not keep:
            self._entries.pop(entry.job.uuid, None)

    async def _work[T](
        self, entry: _Entry, group: str | None, work: Callable[[Progress], Awaitable[T]], *, keep: bool, waits: bool
    ) -> T | None:
        """The task's body: never raises but when cancelled, or it would take the whole group down. When it `waits`,
        the group is yet to be taken.
        """
        if group and waits:
            await self.idle(group)
            self._busy.add(group)
        try:
            return await self._tracked(entry, work)
        except Exception as failure:  # noqa: BLE001 - handed to who waits, or logged here when nobody does
            entry.failure = failure
            if not entry.awaited:
                unknown = None if isinstance(failure, SupervisorError) else failure
                _LOG.error("Job %s (%s) failed: %s", entry.job.name, entry.job.reference, failure, exc_info=unknown)
            return None
        finally:
            if group:
                self._busy.discard(group)
                self._freed.set()
                self._freed = asyncio.Event()
            self._close(entry, keep=keep)

    async def _tracked[T](self, entry: _Entry, work: Callable[[Progress], Awaitable[T]]) -> T:
        self.change(entry.job.uuid, done=False)
        try:
            result = await work(Progress(self, entry.job.uuid))
        except Exception as failure:
            error = job_error(failure, entry.job.stage)
            self.change(entry.job.uuid, errors=(*entry.job.errors, error))
            raise
        entry.complete = True
        return result


def job_error(failure: Exception, stage: str | None) -> JobError:
    """A failure as clients read it. Of what nobody foresaw it says no more than upstream: its text may hold anything,
    and the log has it.
    """
    if not isinstance(failure, SupervisorError):
        return JobError(type=UNFORESEEN, message=UNKNOWN, stage=stage)
    return JobError(
        type=type(failure).__name__,
        message=str(failure),
        stage=stage,
        error_key=failure.error_key,
        extra_fields=failure.extra_fields or None,
    )
