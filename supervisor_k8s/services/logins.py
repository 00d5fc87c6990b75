"""Home Assistant's users, for add-ons that let them log in with their Home Assistant password.

Core is asked each time, so that a user who is switched off or has a new password is out at once. Only while Core cannot
say, a login that it let in before counts: after a power cut a broker's clients come back while Core is still starting.
"""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

from supervisor_k8s.errors import (
    CoreAnswerError,
    CoreUnreachableError,
    LoginUnavailableError,
    PasswordResetError,
)
from supervisor_k8s.model import login
from supervisor_k8s.state.keeping import BestEffort

_LOGGER = logging.getLogger(__name__)
REFUSED = frozenset({401, 403, 404})
"""Core's statuses for a wrong user name or password (404 in Core 2026.11)."""
ABSENT = 404
"""Also Core's answer to everything while its `hassio` integration is not loaded yet."""
MOST = 500
"""Users whose login is kept; the one that was kept first goes first."""


class Post(Protocol):
    """Posts JSON to a path of Core. CoreUnreachableError, CoreAnswerError."""

    async def __call__(self, path: str, body: Any = None, /) -> Any: ...


class LoginRecords(Protocol):
    """Where logins are kept (state.records.Records)."""

    logins: Mapping[str, Any]

    async def save_logins(self, value: Mapping[str, Any]) -> None: ...


class Logins:
    """One for all add-ons."""

    def __init__(
        self,
        *,
        records: LoginRecords,
        post: Post,
        components: Callable[[], Awaitable[Collection[str]]],
        list_users: Callable[[], Awaitable[Sequence[Mapping[str, Any]]]],
    ) -> None:
        """`components` are what Core has loaded. CoreUnreachableError, CoreAnswerError."""
        self._records = records
        self._post = post
        self._components = components
        self._list_users = list_users
        self._saves = BestEffort("Logins for when Home Assistant is away are")
        self._changing = asyncio.Lock()
        self._recognised: dict[str, bytes] = {}
        """User to a mark, of this process only, of the password that is kept: an unchanged one costs nothing more."""
        self._key = secrets.token_bytes(32)

    async def check(self, addon: str, username: str, password: str) -> bool:
        """Whether Core lets this user in for this add-on. LoginUnavailableError when Core cannot say, and did not let
        the same login in before.
        """
        try:
            await self._post("/api/hassio_auth", {"username": username, "password": password, "addon": addon})
        except (CoreAnswerError, CoreUnreachableError) as error:
            if await self._is_refusal(error):
                await self._forget(username, password)
                return False
            if await self._knows(username, password):
                _LOGGER.info("Home Assistant cannot be asked; it let this user of add-on %s in before", addon)
                return True
            raise LoginUnavailableError from error
        if not await self._is_active(username):
            await self._forget(username, password)
            return False
        await self._keep(username, password)
        return True

    async def reset(self, username: str, password: str) -> None:
        """Give a user a new password. PasswordResetError."""
        try:
            await self._post("/api/hassio_auth/password_reset", {"username": username, "password": password})
        except (CoreAnswerError, CoreUnreachableError) as error:
            raise PasswordResetError(user=username, auth_list_command="ha auth list") from error
        async with self._changing:
            await self._drop(username)

    async def users(self) -> Sequence[Mapping[str, Any]]:
        """Core's own list. CoreUnreachableError."""
        return await self._list_users()

    async def clear(self) -> None:
        """Forget all that was let in."""
        async with self._changing:
            self._recognised.clear()
            await self._records.save_logins({})

    async def _is_active(self, username: str) -> bool:
        """Core judges the password alone here and lets users in who are switched off (seen with 2026.11)."""
        try:
            users = await self._list_users()
        except (CoreAnswerError, CoreUnreachableError):
            return True
        named = [user for user in users if _same_name(user.get("username"), username)]
        return all(user.get("is_active", True) for user in named)

    async def _is_refusal(self, error: CoreAnswerError | CoreUnreachableError) -> bool:
        """Whether Core judged the password, and did not only lack the place to ask."""
        status = error.fields["status"] if isinstance(error, CoreAnswerError) else None
        if status not in REFUSED:
            return False
        if status != ABSENT:
            return True
        try:
            return "hassio" in await self._components()
        except (CoreAnswerError, CoreUnreachableError):
            return False

    async def _knows(self, username: str, password: str) -> bool:
        if self._recognised.get(username) == self._mark(password):
            return True
        known = await asyncio.to_thread(login.matches, self._records.logins.get(username), password)
        if known:
            self._recognised[username] = self._mark(password)
        return known

    async def _keep(self, username: str, password: str) -> None:
        async with self._changing:
            if await self._knows(username, password):
                return
            entry = await asyncio.to_thread(login.kept, password, salt=secrets.token_bytes(login.SALT_BYTES))
            others = [(key, value) for key, value in self._records.logins.items() if key != username]
            await self._saves.keep(self._records.save_logins({**dict(others[-(MOST - 1) :]), username: entry}))
            self._recognised[username] = self._mark(password)

    async def _forget(self, username: str, password: str) -> None:
        """A login that was kept is refused now. A wrong guess takes nobody's login away."""
        async with self._changing:
            if await self._knows(username, password):
                await self._drop(username)

    async def _drop(self, username: str) -> None:
        self._recognised.pop(username, None)
        if username in self._records.logins:
            others = {key: value for key, value in self._records.logins.items() if key != username}
            await self._saves.keep(self._records.save_logins(others))

    def _mark(self, password: str) -> bytes:
        return hashlib.blake2b(password.encode("utf-8", "surrogatepass"), key=self._key).digest()


def _same_name(one: object, other: str) -> bool:
    """Core finds a user by name without regard to case and space around it."""
    return isinstance(one, str) and one.strip().casefold() == other.strip().casefold()
