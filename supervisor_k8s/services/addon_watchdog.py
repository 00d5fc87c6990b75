"""The watchdog of add-ons: brings back what failed, where the user asked for it.

Kubernetes restarts nothing of an add-on by itself, as Docker does not for upstream. The limits are upstream's: five
attempts ten seconds apart, and no more than ten rescues in half an hour. An add-on that runs and does not answer at the
address its manifest names is started anew once that was seen twice.
"""

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from supervisor_k8s.jobs import Jobs
from supervisor_k8s.model.intent import InstalledAddon, Intent, Wanted, job_group
from supervisor_k8s.model.status import AddonState, Status

_LOGGER = logging.getLogger(__name__)


class WatchedRecords(Protocol):
    """Which add-ons there are (state.records.Records)."""

    addons: Mapping[str, InstalledAddon]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Times in seconds."""

    pause: float = 10.0
    """Between two attempts of one rescue."""
    attempts: int = 5
    rescues: int = 10
    """Within `period`."""
    period: float = 1800.0
    look_every: float = 120.0
    """Between two looks at those that run."""


class AddonWatchdog:
    """Told of states by `on_state`; acts while `run` does."""

    def __init__(  # noqa: PLR0913 - its place in the house, keyword-only
        self,
        *,
        records: WatchedRecords,
        jobs: Jobs,
        status: Callable[[InstalledAddon], Status],
        restart: Callable[[str], Awaitable[None]],
        limits: Limits | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`restart` makes a new launch of an add-on, whatever became of the present one; it does not end one that may
        still come up.
        """
        self._records = records
        self._jobs = jobs
        self._status = status
        self._restart = restart
        self._limits = limits or Limits()
        self._now = now
        self._tasks: asyncio.TaskGroup | None = None
        self._busy: set[str] = set()
        self._silent: set[str] = set()
        self._left: dict[str, Intent] = {}
        """What the last attempt of a rescue left as an add-on's intent."""
        self._rescues: dict[str, deque[float]] = defaultdict(deque)

    def on_state(self, change: tuple[str, AddonState]) -> None:
        """An add-on is in another state than before."""
        slug, state = change
        if state is AddonState.ERROR and self._has_failed(slug):
            self._begin(slug)

    async def run(self) -> None:
        """Look now and then at those that run, until cancelled; owns the rescues."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                for slug in filter(self._has_failed, self._records.addons):  # told before anybody listened
                    self._begin(slug)
                while True:
                    await asyncio.sleep(self._limits.look_every)
                    self._look()
        finally:
            self._tasks = None

    def _look(self) -> None:
        silent = {slug for slug in self._records.addons if self._is_silent(slug)}
        for slug in silent & self._silent:
            self._begin(slug)
        self._silent = silent - self._busy

    def _has_failed(self, slug: str) -> bool:
        """Its program ended by itself with an error, and nobody asked for anything since."""
        record = self._watched(slug)
        if record is None or record.intent.wanted not in (Wanted.RUNNING, Wanted.EXITED):
            return False
        status = self._status(record)
        return status.state is AddonState.ERROR and status.exit_code is not None

    def _is_silent(self, slug: str) -> bool:
        """It runs and does not listen where its manifest says it does."""
        record = self._watched(slug)
        if record is None or record.intent.wanted is not Wanted.RUNNING:
            return False
        status = self._status(record)
        return status.state is AddonState.STARTED and not (status.ready or status.unreported)

    def _needs_it(self, slug: str) -> bool:
        return self._has_failed(slug) or self._is_silent(slug) or self._was_withdrawn(slug)

    def _was_withdrawn(self, slug: str) -> bool:
        """The start of our own last attempt was refused, and nobody asked for anything since."""
        record = self._watched(slug)
        if record is None or record.intent is not self._left.get(slug):
            return False
        return record.intent.wanted is Wanted.STOPPED and record.intent.failure is not None

    def _watched(self, slug: str) -> InstalledAddon | None:
        record = self._records.addons.get(slug)
        return record if record is not None and record.user.get("watchdog") else None

    def _begin(self, slug: str) -> None:
        if self._tasks is not None and slug not in self._busy:
            self._busy.add(slug)
            self._tasks.create_task(self._rescue(slug), name=f"rescue {slug}")

    async def _rescue(self, slug: str) -> None:
        try:
            for _ in range(self._limits.attempts):
                await self._jobs.idle(job_group(slug))
                if not self._needs_it(slug) or not self._may_rescue(slug):
                    return
                if await self._try(slug) and not self._has_failed(slug):  # it may have, before this was over
                    return
                await asyncio.sleep(self._limits.pause)
            if self._needs_it(slug):
                _LOGGER.error("Watchdog: add-on %s did not come up in %d attempts", slug, self._limits.attempts)
        finally:
            self._left.pop(slug, None)
            self._busy.discard(slug)

    async def _try(self, slug: str) -> bool:
        _LOGGER.warning("Watchdog: add-on %s has a problem and is started anew", slug)
        group = job_group(slug)
        error = await self._jobs.attempt("app_restart_after_problem", slug, group, lambda _: self._start_anew(slug))
        if error is not None:
            _LOGGER.warning("Watchdog: add-on %s could not be started: %s", slug, error)
        return error is None

    async def _start_anew(self, slug: str) -> None:
        """The job of an attempt; what it leaves is noted while nobody else can work on the add-on."""
        try:
            await self._restart(slug)
        finally:
            if record := self._records.addons.get(slug):
                self._left[slug] = record.intent

    def _may_rescue(self, slug: str) -> bool:
        now, before = self._now(), self._rescues[slug]
        while before and before[0] <= now - self._limits.period:
            before.popleft()
        if len(before) >= self._limits.rescues:
            _LOGGER.error(
                "Watchdog: add-on %s failed %d times within %.0f minutes and is left alone",
                slug, len(before), self._limits.period / 60,
            )  # fmt: skip
            return False
        before.append(now)
        return True
