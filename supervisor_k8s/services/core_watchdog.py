"""The watchdog of Home Assistant Core: one that ran and does not answer any more is started anew.

That its program ends is no matter of ours, for Kubernetes starts it again. What nobody else notices is a Core that
hangs. Only a container that has answered once is judged: how long a start takes is Core's own affair. As upstream, two
looks in a row that find it silent are needed, two minutes apart.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from supervisor_k8s.jobs import Jobs
from supervisor_k8s.model.intent import CORE_GROUP

_LOGGER = logging.getLogger(__name__)
LOOK_EVERY = 120.0
"""Seconds between two looks."""


class CoreWatchdog:
    """Acts while `run` does."""

    def __init__(  # noqa: PLR0913 - its place in the house, keyword-only
        self,
        *,
        jobs: Jobs,
        instance: Callable[[], str | None],
        wanted: Callable[[], bool],
        answers: Callable[[], Awaitable[bool]],
        restart: Callable[[], Awaitable[None]],
        look_every: float = LOOK_EVERY,
    ) -> None:
        """`instance` names the container that runs now, None without one; `wanted` says whether Core is to run and to
        be watched; `answers` whether its API says anything at all.
        """
        self._jobs = jobs
        self._instance = instance
        self._wanted = wanted
        self._answers = answers
        self._restart = restart
        self._look_every = look_every
        self._known: str | None = None
        self._silent = 0

    async def run(self) -> None:
        """Look now and then until cancelled. A look that meets what nobody foresaw says nothing about Core."""
        while True:
            await asyncio.sleep(self._look_every)
            try:
                await self._look()
            except Exception:  # one fault must not end the Supervisor
                _LOGGER.exception("Watchdog: Home Assistant could not be looked at")

    async def _look(self) -> None:
        """One look; nobody else may be at work on Core."""
        await self._jobs.idle(CORE_GROUP)
        instance = self._instance()
        if instance is None or not self._wanted():
            self._silent = 0
        elif await self._answers():
            self._known, self._silent = instance, 0
        elif instance != self._instance() or not self._wanted():  # asking takes a while
            self._silent = 0
        elif instance == self._known:
            self._silent += 1
            if self._silent == 1:
                _LOGGER.warning("Watchdog: Home Assistant does not answer; once more and it is started anew")
            else:
                self._silent = 0
                await self._rescue()

    async def _rescue(self) -> None:
        _LOGGER.error("Watchdog: Home Assistant does not answer and is started anew")
        name = "home_assistant_core_restart_after_problem"
        error = await self._jobs.attempt(name, None, CORE_GROUP, lambda _: self._restart())
        if error is not None:
            _LOGGER.warning("Watchdog: Home Assistant could not be started anew: %s", error)
