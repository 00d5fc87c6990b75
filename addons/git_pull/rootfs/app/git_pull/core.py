"""Home Assistant Core's API, whoever runs Core and by whatever way it is reached."""

import logging
from collections.abc import Collection, Iterable
from typing import Any

from git_pull.errors import HomeError
from git_pull.needs import actions
from git_pull.rest import QUICK, Rest

_LOGGER = logging.getLogger(__name__)
NOTIFICATION = "git_pull"
RELOAD = 120.0
"""Seconds."""


class CoreApi:
    """The part of a `Home` that only Core can do. `core` leads to its `/api`."""

    def __init__(self, core: Rest) -> None:
        self._core = core

    async def actions(self) -> Collection[str]:
        try:
            return actions(await self._read_by("GET", "/services"))
        except (TypeError, KeyError) as error:
            raise HomeError("Home Assistant does not say what it can be asked to do") from error

    async def act(self, action: str) -> None:
        await self._read_by("POST", f"/services/{action.replace('.', '/')}", {}, within=RELOAD)

    async def show(self, message: str | None) -> None:
        action = "dismiss" if message is None else "create"
        text = {} if message is None else {"title": "Git pull", "message": message}
        body = {"notification_id": NOTIFICATION, **text}
        await self._core.ask("POST", f"/services/persistent_notification/{action}", body)

    @staticmethod
    def _tell(warnings: Iterable[str]) -> None:
        """Those with which files are taken all the same."""
        for warning in warnings:
            _LOGGER.warning("Home Assistant warns, which refuses nothing: %s", warning)

    async def _read_by(self, method: str, path: str, body: Any = None, *, within: float = QUICK) -> Any:
        """A request on the way to have files read that are live. HomeError."""
        try:
            return await self._core.ask(method, path, body, within=within)
        except HomeError as error:
            raise HomeError(f"Home Assistant has not read yet what is live: {error}") from error
