"""Home Assistant's users, for add-ons that let them log in with their Home Assistant password."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol

from supervisor_k8s.errors import CoreAnswerError, CoreUnreachableError, LoginUnavailableError, PasswordResetError

REFUSED = frozenset({401, 403, 404})
"""Core's statuses for a wrong user name or password (404 in Core 2026.11)."""


class Post(Protocol):
    """Posts JSON to a path of Core. CoreUnreachableError, CoreAnswerError."""

    async def __call__(self, path: str, body: Any = None, /) -> Any: ...


class Logins:
    """Asks Core; nothing is kept here."""

    def __init__(self, *, post: Post, list_users: Callable[[], Awaitable[Sequence[Mapping[str, Any]]]]) -> None:
        self._post = post
        self._list_users = list_users

    async def check(self, addon: str, username: str, password: str) -> bool:
        """Whether Core lets this user in for this add-on. LoginUnavailableError when Core cannot say."""
        try:
            await self._post("/api/hassio_auth", {"username": username, "password": password, "addon": addon})
        except CoreAnswerError as error:
            if error.fields["status"] in REFUSED:
                return False
            raise LoginUnavailableError from error
        except CoreUnreachableError as error:
            raise LoginUnavailableError from error
        return True

    async def reset(self, username: str, password: str) -> None:
        """Give a user a new password. PasswordResetError."""
        try:
            await self._post("/api/hassio_auth/password_reset", {"username": username, "password": password})
        except (CoreAnswerError, CoreUnreachableError) as error:
            raise PasswordResetError(user=username, auth_list_command="ha auth list") from error

    async def users(self) -> Sequence[Mapping[str, Any]]:
        """Core's own list. CoreUnreachableError."""
        return await self._list_users()
