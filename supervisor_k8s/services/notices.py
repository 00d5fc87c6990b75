"""Issues that Home Assistant shows no repair for become notifications there, and go with the issue.

Core keeps notifications in memory only: when it is back after a restart, all of them are told again.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from supervisor_k8s.errors import CoreAnswerError, CoreUnreachableError
from supervisor_k8s.model.notice import SHOWN_BY_CORE, notification

_LOGGER = logging.getLogger(__name__)
SERVICE = "/api/services/persistent_notification/"


class Notices:
    """Hears of issues by `on_event`; tells them while `run` does."""

    def __init__(self, *, post: Callable[[str, Mapping[str, str]], Awaitable[Any]]) -> None:
        """`post` calls a path of Core's API; CoreUnreachableError, CoreAnswerError."""
        self._post = post
        self._open: dict[str, Mapping[str, str]] = {}
        self._news: asyncio.Queue[str] = asyncio.Queue()

    def on_event(self, message: Mapping[str, Any]) -> None:
        """A message for Core's `supervisor/event`."""
        issue = message["data"]
        if message["event"] == "issue_changed" and (issue["context"], issue["type"]) not in SHOWN_BY_CORE:
            told = notification(issue)
            if self._open.get(issue["uuid"]) != told:
                self._open[issue["uuid"]] = told
                self._news.put_nowait(issue["uuid"])
        elif message["event"] == "issue_removed" and self._open.pop(issue["uuid"], None):
            self._news.put_nowait(issue["uuid"])

    def tell_again(self) -> None:
        """Core is back and knows of none."""
        for uuid in self._open:
            self._news.put_nowait(uuid)

    async def run(self) -> None:
        """One after another, until cancelled. What Core cannot be told now, it is told when it is back."""
        while True:
            uuid = await self._news.get()
            told = self._open.get(uuid)
            try:
                await self._post(*((f"{SERVICE}create", told) if told else _dismissal(uuid)))
            except (CoreUnreachableError, CoreAnswerError) as error:
                _LOGGER.info("A notification could not be %s: %s", "shown" if told else "withdrawn", error)


def _dismissal(uuid: str) -> tuple[str, Mapping[str, str]]:
    return f"{SERVICE}dismiss", {"notification_id": uuid}
