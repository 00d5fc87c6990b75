"""Updates of ourselves that nobody asked for: once a day, as upstream, unless the user has switched them off.

Not at our start, as upstream also does: a start is to need nothing but what is there, and a new version that cannot
take over would else be looked at after each of them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from supervisor_k8s.errors import RefusedError
from supervisor_k8s.jobs import Jobs
from supervisor_k8s.model.program import OWN_KEY

_LOGGER = logging.getLogger(__name__)
EVERY = 24 * 60 * 60.0
"""Seconds between two looks."""
JOB, UPDATE = "tasks_update_supervisor", "supervisor_update"
"""Upstream's: the look, by which its conditions are known, and the update, which Core follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnUpdates:
    """Looks into our own channel file."""

    jobs: Jobs
    reload: Callable[[], Awaitable[object]]
    """Reads the version files anew."""
    offered: Callable[[], tuple[str, bool]]
    """The newest version, and whether it is an update."""
    undone: Callable[[], str | None]
    """The version that somebody went back from."""
    may: Callable[[str], Awaitable[None]]
    """Raises RefusedError when a job may not begin."""
    update: Callable[[Callable[[str], None]], Awaitable[None]]
    """Goes to the newest version, telling its stages."""
    every: float = EVERY

    async def run(self) -> None:
        """Look once in a while, until cancelled."""
        while True:
            await asyncio.sleep(self.every)
            await self.look()

    async def look(self) -> None:
        """Update to the newest version now, if there is one and it may be. A failure is an issue already."""
        await self.reload()
        version, is_update = self.offered()
        if not is_update:
            return
        if version == self.undone():
            _LOGGER.info("Version %s of the Supervisor was undone: it is not installed by itself again", version)
            return
        try:
            await self.may(JOB)
        except RefusedError as refused:
            _LOGGER.info("Version %s of the Supervisor is not installed by itself: %s", version, refused)
            return
        _LOGGER.info("Found new Supervisor version %s, updating", version)
        error = await self.jobs.attempt(UPDATE, None, OWN_KEY, lambda progress: self.update(progress.stage))
        if error is not None:
            _LOGGER.warning("The next try is in %.0f hours: %s", self.every / 3600, error)
