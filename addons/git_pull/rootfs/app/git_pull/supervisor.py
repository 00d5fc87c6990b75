"""Home Assistant run by a Supervisor: the requests of its public API that a pass needs; Core's API is behind it.

The check of a folder is Supervisor for Kubernetes' own: others do not look at the body, check what is live already and
answer without `warnings`. Such an answer says nothing about the candidate, so it is an error here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from git_pull.core import CoreApi
from git_pull.errors import GitPullError, HomeError, InvalidError, RestartError
from git_pull.rest import QUICK, AnswerError, Rest

ERRORS: Mapping[str, type[GitPullError]] = {
    "homeassistant_candidate_invalid_error": InvalidError,
    "homeassistant_start_error": RestartError,
}
"""By `error_key`. Any other says that it did not work now, and may be asked again."""
CHECK, RESTART = 900.0, 1800.0
"""Seconds; a check pulls Core's image if it must, a restart may migrate a database."""


class Supervisor(CoreApi):
    """A `Home`. `data` is our `/data`, which the Supervisor knows as `addons/data/<slug>`."""

    def __init__(self, *, session: aiohttp.ClientSession, address: str, token: str, data: Path) -> None:
        super().__init__(Rest(session=session, address=f"{address}/core/api", token=lambda: token))
        self._rest = Rest(session=session, address=address, token=lambda: token)
        self._data = data

    async def core_version(self) -> str:
        return str((await self._ask("GET", "/core/info")).get("version"))

    async def page(self) -> str:
        """The address of our page in Home Assistant, which is a secret between it and us. HomeError."""
        return str((await self._ask("GET", "/addons/self/info")).get("ingress_entry") or "")

    async def check(self, candidate: Path, without: Sequence[str]) -> bool:
        slug = (await self._ask("GET", "/addons/self/info"))["slug"]
        folder = f"addons/data/{slug}/{candidate.relative_to(self._data)}"
        answer = await self._ask("POST", "/core/check", {"directory": folder, "without": list(without)}, within=CHECK)
        if "warnings" not in answer:
            raise HomeError("This Supervisor cannot check files that are not live yet, so nothing is changed")
        self._tell([str(warning) for warning in answer["warnings"]])
        return True

    async def check_live(self) -> None:
        """Never asked: `check` can look at everything."""

    async def restart(self) -> None:
        """What Home Assistant could not load it leaves out, and says so: it is up then, but not with its whole
        configuration. Whether it is so is not asked again when that is not answered.
        """
        await self._ask("POST", "/core/restart", {}, within=RESTART)
        try:
            found = await self._core.ask("GET", "/config")
        except HomeError:
            return
        if isinstance(found, dict) and found.get("recovery_mode") is True:
            raise RestartError("it is in recovery mode")

    async def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, within: float = QUICK
    ) -> dict[str, Any]:
        """The `data` of a Supervisor's answer. InvalidError, RestartError, HomeError."""
        try:
            answer = await self._rest.ask(method, path, body, within=within)
        except AnswerError as error:
            if (kind := ERRORS.get(str(error.body.get("error_key")))) is not None:
                raise kind(str(error.body.get("message"))) from error
            raise
        data = answer.get("data") if isinstance(answer, dict) else None
        return data if isinstance(data, dict) else {}
