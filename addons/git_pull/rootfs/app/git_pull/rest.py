"""JSON over HTTP with a token: how everybody is asked but git servers."""

import json
import ssl
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import aiohttp

from git_pull.errors import HomeError

QUICK = 30.0
"""Seconds for an answer that needs no work."""


def trust(more: str) -> ssl.SSLContext:
    """The system's authorities, and these (PEM)."""
    context = ssl.create_default_context()
    if more:
        context.load_verify_locations(cadata=more)
    return context


class AnswerError(HomeError):
    """The answer was an error. `body` is its JSON, an empty object when it has none."""

    def __init__(self, path: str, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"{path} was answered with {status}" + (f": {body['message']}" if "message" in body else ""))
        self.status = status
        self.body = body


class Rest:
    """What is below `address`. `token` is asked for each request: some are another one each hour."""

    def __init__(
        self,
        *,
        session: aiohttp.ClientSession,
        address: str,
        token: Callable[[], str],
        trust: ssl.SSLContext | bool = True,
    ) -> None:
        self._session = session
        self._address = address.rstrip("/")
        self._token = token
        self._trust = trust

    async def ask(self, method: str, path: str, body: Any = None, *, within: float = QUICK) -> Any:
        """The answer's JSON; None for an empty one. AnswerError, HomeError."""
        try:
            async with self._session.request(
                method,
                f"{self._address}{path}",
                json=body,
                headers={"Authorization": f"Bearer {self._token()}"},
                timeout=aiohttp.ClientTimeout(total=within),
                ssl=self._trust,
            ) as response:
                status, content = response.status, await response.read()
        except (aiohttp.ClientError, OSError) as error:
            raise HomeError(f"{path} was not answered: {error or type(error).__name__}") from error
        if status >= HTTPStatus.BAD_REQUEST:
            raise AnswerError(path, status, _object(content))
        try:
            return json.loads(content) if content else None
        except ValueError as error:
            raise HomeError(f"{path} was not answered with JSON: {error}") from error


def _object(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
