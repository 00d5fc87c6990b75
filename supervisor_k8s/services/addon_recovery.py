"""Ends what was begun and is not ended: a removal, a relaunch or an update of a process of ours that is gone or that
met an API server that was away; and brings up what went down with its node.

The intent on the disk decides. An add-on that runs is left alone by our own start; one that is stopped, or was
installed and never started, stays so: that the node or we come up is no wish of the user's. (Upstream starts everything
with boot `auto` when its machine boots; a cluster has no such moment.) What ran and lost its sandbox comes up again by
its boot rule, in the phases of a boot. A fault that passes does not end that: where the kubelet tries again it
is left to it, and a pod in which nobody does gets a successor.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from supervisor_k8s.cluster.backoff import Backoff
from supervisor_k8s.errors import AddonStartError, BusyError, NotReadyError, SupervisorError
from supervisor_k8s.events import Signal
from supervisor_k8s.jobs import Jobs
from supervisor_k8s.model.intent import InstalledAddon, Intent, Wanted, job_group
from supervisor_k8s.model.launch import boot_phase
from supervisor_k8s.model.status import Status
from supervisor_k8s.reconcile import PASSING, Live
from supervisor_k8s.state.records import Records

_LOGGER = logging.getLogger(__name__)
GATHER = 1.0
"""Seconds between a pod's end and the next launch after a loss: a node reports its pods one by one, and its add-ons
come up in the order of their phases.
"""
PHASE_WAIT = 120.0
"""Seconds an add-on waits for those of earlier phases, as upstream does."""
AT_ONCE = 8
"""Add-ons that come up at the same time: each wait looks at every change of the cluster."""

MAY_PASS = (BusyError, NotReadyError, *PASSING)
"""Failures after which it goes on by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """What a recovery needs of others, as functions."""

    status: Callable[[InstalledAddon], Status]
    pods: Callable[[str], Sequence[Live]]
    """All pods of an add-on, those that are ending included."""
    intend: Callable[[str, Intent], Awaitable[None]]
    """Records an intent and has the cluster follow it, without waiting for that."""
    pass_through: Callable[[str, Intent], Awaitable[None]]
    """Brings an add-on to where nothing of it runs, and from there to what the intent says."""
    remove: Callable[[str], Awaitable[None]]
    """Takes away all there is of an add-on whose removal is recorded."""
    unpublish: Callable[[str], Awaitable[None]]
    """Drops what an add-on offers as a service: it went down without a chance to do so itself."""


class AddonRecovery:
    """One task for each add-on that needs it; never while a request works on the same add-on."""

    def __init__(self, *, records: Records, jobs: Jobs, neighbours: Neighbours, gather: float = GATHER) -> None:
        """`gather` in seconds: how long the add-ons of one node are awaited."""
        self._records = records
        self._jobs = jobs
        self._to = neighbours
        self._gather = gather
        self._patients: dict[str, _Patient] = {}
        self._going_up: Counter[int] = Counter()
        """How many patients of each boot phase are on their way."""
        self._phase_done = asyncio.Event()
        self._few = asyncio.Semaphore(AT_ONCE)
        self._tasks: asyncio.TaskGroup | None = None
        self.failed: Signal[str] = Signal()
        """Slug of an add-on that did not come up; it may be tried again."""

    def attend(self, slug: str) -> None:
        """Something about this add-on changed: see whether it needs a hand."""
        if patient := self._patients.get(slug):
            patient.stirred.set()
        elif self._is_unfinished(self._records.addons.get(slug)):
            self._patients[slug] = _Patient(slug)
            self._begin(self._patients[slug])

    async def run(self) -> None:
        """Own the tasks until cancelled. Begun when the cache knows everything."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for patient in self._patients.values():
                self._begin(patient)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._tasks = None

    # ---------------------------------------------------------------------------------------------------------------

    def _is_unfinished(self, record: InstalledAddon | None) -> bool:
        """Whether there is something to end, which somebody may be doing right now."""
        if record is None:
            return False
        begun = record.intent.wanted in (Wanted.REMOVED, Wanted.RELAUNCH) or record.intent.update is not None
        return begun or self._is_down(record)

    def _is_down(self, record: InstalledAddon) -> bool:
        """Whether it is meant to run and its pod is of no use any more: lost with its node's runtime, or left by the
        kubelet because its program could not be executed.
        """
        if record.intent.wanted is not Wanted.RUNNING:
            return False
        status = self._to.status(record)
        given_up = status.fatal and status.exit_code is None and not status.tried_again
        return status.sandbox_lost or given_up

    def _begin(self, patient: "_Patient") -> None:
        if self._tasks is not None:
            self._tasks.create_task(self._look_after(patient), name=f"recover {patient.slug}")

    async def _look_after(self, patient: "_Patient") -> None:
        """Until it is at an end, or cannot be brought to one: then until something about it changes."""
        slug, backoff = patient.slug, Backoff()
        try:
            while True:
                await self._jobs.idle(job_group(slug))
                patient.stirred.clear()
                record = self._records.addons.get(slug)
                if record is None or not self._is_unfinished(record):
                    return
                goes_up = record.intent.wanted in (Wanted.RUNNING, Wanted.RELAUNCH) and not patient.is_late
                self._set_phase(patient, boot_phase(record) if goes_up else None)
                if not self._is_down(record) and self._to.pods(slug):
                    await patient.stirred.wait()  # what is left to do is done when nothing runs
                elif (failure := await self._step(patient, record)) is not None:
                    if not isinstance(failure, (AddonStartError, *MAY_PASS)):
                        return
                    patient.is_late = not isinstance(failure, BusyError)
                    await backoff.wait()
        finally:
            self._set_phase(patient, None)
            del self._patients[slug]

    async def _step(self, patient: "_Patient", record: InstalledAddon) -> SupervisorError | None:
        """Do what can be done now, as a job; the error when it failed."""
        slug, down = patient.slug, self._is_down(record)
        if not down:
            await self._await_turn(patient)
        work = self._let_go if down else self._complete
        async with contextlib.nullcontext() if down else self._few:
            error = await self._jobs.attempt("app_recover", slug, job_group(slug), lambda _: work(slug))
        if error is not None and not isinstance(error, MAY_PASS):
            self.failed(slug)
        if isinstance(error, MAY_PASS):
            _LOGGER.info("Add-on %s is not brought to an end yet: %s", slug, error)
        elif error is not None and patient.complaint != str(error):
            patient.complaint = str(error)
            _LOGGER.error("Add-on %s could not be brought to an end: %s", slug, error)
        return error

    async def _let_go(self, slug: str) -> None:
        """A pod of no use goes; the add-on is to come up anew, by its boot rule where something that ran was lost."""
        record = self._records.addons.get(slug)
        if record is None or not self._is_down(record):
            return
        status, wanted = self._to.status(record), Wanted.RELAUNCH
        _LOGGER.warning("The pod of add-on %s is of no use any more: %s", slug, status.reason)
        if status.sandbox_lost:
            await self._to.unpublish(slug)
            wanted = Wanted.STOPPED if boot_phase(record) is None else Wanted.RELAUNCH
        await self._to.intend(slug, replace(record.intent, wanted=wanted, failure=None))

    async def _complete(self, slug: str) -> None:
        """Nothing runs: go on from there."""
        record = self._records.addons.get(slug)
        if record is None or not self._is_unfinished(record) or self._to.pods(slug):
            return
        if record.intent.wanted is Wanted.REMOVED:
            await self._to.remove(slug)
        else:
            await self._to.pass_through(slug, record.intent)

    async def _await_turn(self, patient: "_Patient") -> None:
        """Let those of earlier phases go first."""
        phase = patient.phase
        if phase is None:
            return
        await asyncio.sleep(self._gather)
        try:
            async with asyncio.timeout(PHASE_WAIT):
                while any(self._going_up[earlier] for earlier in range(phase)):
                    await self._phase_done.wait()
        except TimeoutError:
            _LOGGER.warning("Add-on %s goes up although not all of the boot phases before its own are up", patient.slug)

    def _set_phase(self, patient: "_Patient", phase: int | None) -> None:
        before, patient.phase = patient.phase, phase
        if phase is not None:
            self._going_up[phase] += 1
        if before is not None:
            self._going_up[before] -= 1
            if not self._going_up[before]:
                self._phase_done.set()
                self._phase_done = asyncio.Event()


@dataclass(slots=True)
class _Patient:
    """An add-on that is looked after."""

    slug: str
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    """Something about it changed."""
    phase: int | None = None
    """Its boot phase while it is on its way up; later phases wait for it."""
    is_late: bool = False
    """It needs another try, and nobody waits for it any more."""
    complaint: str = ""
    """What was said last of its failure; the same is said once."""
