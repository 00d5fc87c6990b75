"""Updates of Home Assistant Core: which version, whether the new one is any good, and the way back.

A new version is good when Core comes up with it and has its frontend; else the version before runs again, as upstream
does it, and an issue says so. There is no way back for a Core that did not run before, for nobody knows then which of
the two was at fault.
"""

import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Protocol

from supervisor_k8s.errors import (
    CoreAnswerError,
    CoreStartError,
    CoreUnreachableError,
    CoreUpdateError,
    CoreVersionInstalledError,
    SupervisorError,
)
from supervisor_k8s.jobs import Parts, at_once
from supervisor_k8s.model.issue import Cause, Context, Fault
from supervisor_k8s.model.status import AddonState, Status

_LOGGER = logging.getLogger(__name__)
ROLLED_BACK = Fault(Cause.UPDATE_ROLLBACK, Context.CORE)
FAILED = Fault(Cause.UPDATE_FAILED, Context.CORE)


class Updatable(Protocol):
    """Core, as far as an update is concerned (services.core.Core)."""

    @property
    def version(self) -> str: ...

    def status(self) -> Status: ...

    async def switch(self, version: str, on_stage: Callable[[str], None], parts: Parts) -> None:
        """Go to this version. ImagePullError: nothing was changed. CoreStartError: it does not come up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreUpdate:
    """`latest` is the newest version that is known; `components` are those that Core has loaded; `report` and `settle`
    raise and withdraw an issue.
    """

    core: Updatable
    latest: Callable[[], str | None]
    components: Callable[[], Awaitable[Collection[str]]]
    report: Callable[[Fault], object]
    settle: Callable[[Fault], None]

    async def update(self, version: str | None, on_stage: Callable[[str], None], parts: Parts = at_once) -> None:
        """Go to `version`, the newest when None. CoreVersionInstalledError, ImagePullError; CoreUpdateError when the
        new version does not work, in which case the former one runs again where it ran before.
        """
        before, wanted = self.core.version, version or self.latest()
        if wanted is None:
            raise CoreUpdateError("Cannot determine latest version of Home Assistant for update")
        if wanted == before:
            raise CoreVersionInstalledError(version=wanted)
        self.settle(ROLLED_BACK)  # what came of an earlier try; this one may end like it, and is then told anew
        self.settle(FAILED)
        ran = self.core.status().state is AddonState.STARTED
        try:
            await self.core.switch(wanted, on_stage, parts)
            why = await self._missing() if ran else None
        except CoreStartError as error:
            why = str(error)
        if why is None:
            if ran:
                on_stage("started")
            return
        _LOGGER.error("The update of Home Assistant to %s failed: %s", wanted, why)
        if not ran:
            self.report(FAILED)
            raise CoreUpdateError(f"The update to {wanted} failed: {why}")
        try:
            await self.core.switch(before, on_stage, parts)
        except SupervisorError as error:
            self.report(FAILED)
            raise CoreUpdateError(f"The update to {wanted} failed: {why}; nor does {before} start: {error}") from error
        self.report(ROLLED_BACK)
        raise CoreUpdateError(f"The update to {wanted} failed: {why}. Home Assistant runs with {before} again")

    async def _missing(self) -> str | None:
        """What a Core that runs lacks. One that cannot be asked is taken for good: it said that it runs."""
        try:
            loaded = await self.components()
        except (CoreUnreachableError, CoreAnswerError):
            return None
        return None if "frontend" in loaded else "Home Assistant runs, but without its frontend"
