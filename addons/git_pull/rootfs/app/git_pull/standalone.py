"""Home Assistant without a Supervisor: Core's API with a token of a user's, and a workload of the cluster.

Core's API can check what is live only. So new files are live on trial: what Core says about them is compared with what
it said before, and they are taken back when it has anything new to complain about. Where it had errors before, it may
not have come to its warnings: then only errors count. Core reads files at a start or a reload, and none is asked for
while a trial lasts.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from git_pull.core import CoreApi
from git_pull.errors import HomeError, InvalidError, RestartError
from git_pull.kube import Workload
from git_pull.rest import Rest
from git_pull.wait import until

CHECK, RESTART = 900.0, 1800.0
"""Seconds; a check may install what an integration needs, a restart may migrate a database."""
_PLACE = re.compile(r"\bline \d+|\bcolumn \d+")


@dataclass(frozen=True, slots=True)
class Complaints:
    """Core's sentences about its configuration."""

    errors: tuple[str, ...]
    warnings: tuple[str, ...]


class StandAlone(CoreApi):
    """A `Home`. Without a `workload` it cannot restart."""

    def __init__(self, *, core: Rest, workload: Workload | None) -> None:
        super().__init__(core)
        self._workload = workload
        self._before = Complaints((), ())
        """About what was live before the trial."""

    async def core_version(self) -> str:
        return str((await self._core.ask("GET", "/config")).get("version"))

    async def check(self, candidate: Path, without: Sequence[str]) -> bool:  # noqa: ARG002 - it can see neither
        self._before = await self._complaints()
        return False

    async def check_live(self) -> None:
        found = await self._complaints()
        new = () if self._before.errors else added(found.warnings, self._before.warnings)
        if found.errors or new:
            raise InvalidError("\n".join((*found.errors, *new)))
        self._tell(found.warnings)

    async def restart(self) -> None:
        if self._workload is None:
            raise HomeError("Home Assistant is to be restarted by you")
        await self._workload.restart(within=RESTART)
        try:
            await until(self._is_up, within=RESTART)
        except TimeoutError as error:
            raise RestartError("Home Assistant was restarted and does not come up") from error

    async def _is_up(self) -> bool:
        """RestartError when it came up without its configuration."""
        try:
            about = await self._core.ask("GET", "/config")
        except HomeError:
            return False
        if about.get("recovery_mode"):
            raise RestartError("Home Assistant came up in recovery mode")
        return bool(about.get("state") == "RUNNING")

    async def _complaints(self) -> Complaints:
        """HomeError."""
        answer = await self._core.ask("POST", "/config/core/check_config", {}, within=CHECK)
        if not isinstance(answer, dict) or answer.get("result") not in {"valid", "invalid"}:
            raise HomeError("Home Assistant does not say what it thinks of its configuration")
        errors, warnings = (tuple((answer.get(kind) or "").splitlines()) for kind in ("errors", "warnings"))
        if answer["result"] == "invalid" and not errors:
            errors = ("Home Assistant does not say why",)
        return Complaints(errors, warnings)


def added(warnings: Iterable[str], before: Iterable[str]) -> tuple[str, ...]:
    """Warnings that are not among those from before, wherever in a file their cause stands now."""
    left = Counter(_PLACE.sub("", warning) for warning in before)
    new = []
    for warning in warnings:
        essence = _PLACE.sub("", warning)
        if left[essence] > 0:
            left[essence] -= 1
        else:
            new.append(warning)
    return tuple(new)
