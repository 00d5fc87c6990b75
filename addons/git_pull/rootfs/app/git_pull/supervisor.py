"""Home Assistant run by a Supervisor: the requests of its public API, and of Core's behind it, that a pass needs.

The check of a folder is Supervisor for Kubernetes' own: others do not look at the body, check what is live already and
answer without `warnings`. Such an answer says nothing about the candidate, so it is an error here.
"""

from collections.abc import Collection, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp

from git_pull.errors import HomeError, InvalidError, RestartError
from git_pull.needs import actions

INVALID = "homeassistant_candidate_invalid_error"
NOTIFICATION = "git_pull"
QUICK, RELOAD, CHECK, RESTART = 30.0, 120.0, 900.0, 1800.0
"""Seconds; a check pulls Core's image if it must, a restart may migrate a database."""


class Supervisor:
    """A `Home`. `data` is our `/data`, which the Supervisor knows as `addons/data/<slug>`."""

    def __init__(self, *, session: aiohttp.ClientSession, address: str, token: str, data: Path) -> None:
        self._session = session
        self._address = address
        self._token = token
        self._data = data

    async def core_version(self) -> str:
        return str((await self._ask("GET", "/core/info")).get("version"))

    async def check(self, candidate: Path, without: Sequence[str]) -> None:
        slug = (await self._ask("GET", "/addons/self/info"))["slug"]
        folder = f"addons/data/{slug}/{candidate.relative_to(self._data)}"
        answer = await self._ask("POST", "/core/check", {"directory": folder, "without": list(without)}, within=CHECK)
        if "warnings" not in answer:
            raise HomeError("This Supervisor cannot check files that are not live yet, so nothing is changed")

    async def restart(self) -> None:
        try:
            await self._ask("POST", "/core/restart", {}, within=RESTART)
        except _RefusedError as error:
            raise RestartError(f"Home Assistant was not restarted, or does not come up: {error}") from error

    async def actions(self) -> Collection[str]:
        try:
            return actions(await self._request("GET", "/core/api/services"))
        except (TypeError, KeyError) as error:
            raise HomeError("Home Assistant does not say what it can be asked to do") from error

    async def act(self, action: str) -> None:
        await self._request("POST", f"/core/api/services/{action.replace('.', '/')}", {}, within=RELOAD)

    async def show(self, message: str | None) -> None:
        action = "dismiss" if message is None else "create"
        text = {} if message is None else {"title": "Git pull", "message": message}
        path = f"/core/api/services/persistent_notification/{action}"
        await self._request("POST", path, {"notification_id": NOTIFICATION, **text})

    async def _ask(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, within: float = QUICK
    ) -> dict[str, Any]:
        """The `data` of a Supervisor's answer. _RefusedError, InvalidError, HomeError."""
        answer = await self._request(method, path, body, within=within)
        data = answer.get("data") if isinstance(answer, dict) else None
        return data if isinstance(data, dict) else {}

    async def _request(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, within: float = QUICK
    ) -> Any:
        """The answer's JSON. _RefusedError, InvalidError, HomeError."""
        try:
            async with self._session.request(
                method,
                f"{self._address}{path}",
                json=body,
                headers={"Authorization": f"Bearer {self._token}"},
                timeout=aiohttp.ClientTimeout(total=within),
            ) as response:
                answer = await response.json(content_type=None)
                status = response.status
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise HomeError(f"{path} was not answered: {error or type(error).__name__}") from error
        if status < HTTPStatus.BAD_REQUEST:
            return answer
        if not isinstance(answer, dict):
            raise HomeError(f"{path} was answered with {status}")
        if answer.get("error_key") == INVALID:
            raise InvalidError(str(answer.get("message")))
        kind = _RefusedError if status == HTTPStatus.BAD_REQUEST else HomeError
        raise kind(f"{path} was answered with {status}: {answer.get('message')}")


class _RefusedError(HomeError):
    """The Supervisor understood, and says that it did not work."""
