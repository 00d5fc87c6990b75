"""Whether a piece of work may begin: looks at what it needs (model.condition), unless the user has it ignored."""

import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from supervisor_k8s.errors import RefusedError
from supervisor_k8s.model.condition import NEEDS, Condition

_LOGGER = logging.getLogger(__name__)


class Disk(Protocol):
    """The shared volume (services.host.Disk)."""

    @property
    def is_full(self) -> bool: ...

    @property
    def free_gib(self) -> float: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What there is to look at, as functions."""

    ignored: Callable[[], Collection[str]]
    unhealthy: Callable[[], Collection[str]]
    state: Callable[[], str]
    disk: Callable[[], Awaitable[Disk]]
    outdated: Callable[[], bool]
    """There is a newer version of ourselves."""
    auto_update: Callable[[], bool]
    found_full: Callable[[], None]
    """Told when there was too little space, so that there is an issue soon."""

    async def check(self, job: str) -> None:
        """RefusedError in upstream's words when this job may not begin. One that is not known needs nothing."""
        needs = NEEDS.get(job)
        if needs is None:
            return
        ignored = set(needs.conditions).intersection(self.ignored())
        if ignored:
            _LOGGER.warning("%s goes on without: %s, as it was asked for", needs.method, ", ".join(sorted(ignored)))
        for condition in needs.conditions:
            if condition not in ignored and (reason := await self._missing(condition)):
                raise RefusedError(f"'{needs.method}' blocked from execution, {reason}")

    async def _missing(self, condition: Condition) -> str | None:
        if condition is Condition.FREE_SPACE:
            return await self._space()
        unhealthy = ", ".join(self.unhealthy())
        missing = {
            Condition.HEALTHY: unhealthy and f"system is not healthy - {unhealthy}",
            Condition.RUNNING: self.state() != "running" and f"system is not running - {self.state()}",
            Condition.SUPERVISOR_UPDATED: self.outdated() and "supervisor needs to be updated first",
            Condition.AUTO_UPDATE: not self.auto_update() and "supervisor auto updates disabled",
        }
        return missing[condition] or None

    async def _space(self) -> str | None:
        disk = await self.disk()
        if not disk.is_full:
            return None
        self.found_full()
        return f"not enough free space ({disk.free_gib}GB) left on the device"
