"""Ingress: sessions, the panels in Core's sidebar, and where a token leads.

Sessions outlive our restarts: people keep their add-on pages open. A use moves the end in memory at once and on disk
only now and then, so that a page that asks every few seconds does not wear out the volume. A disk that takes nothing,
or an API server that is away, breaks no page: sessions then live in memory.
"""

import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from supervisor_k8s.errors import CoreAnswerError, CoreUnreachableError, IngressSessionError
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.ingress import LIFETIME, Session, panel, renewed
from supervisor_k8s.model.intent import InstalledAddon, Wanted
from supervisor_k8s.state.keeping import BestEffort

_LOGGER = logging.getLogger(__name__)
SAVE_AFTER = 60.0
"""Seconds that the sessions on disk may be older than those in memory."""


class IngressRecords(Protocol):
    """Where sessions are kept (state.records.Records)."""

    ingress: Mapping[str, Any]
    addons: Mapping[str, InstalledAddon]
    """All of them, those that are being removed included."""

    async def save_ingress(self, value: Mapping[str, Any]) -> None: ...


class PushPanel(Protocol):
    """Tells Core that a panel is on or off; Core then reads it here. CoreUnreachableError, CoreAnswerError."""

    async def __call__(self, slug: str, *, enabled: bool) -> None: ...


class Ingress:
    """One for all add-ons."""

    def __init__(
        self,
        *,
        records: IngressRecords,
        config: Callable[[InstalledAddon], AddonConfig],
        users: Callable[[], Awaitable[Sequence[Mapping[str, Any]]]],
        push_panel: PushPanel,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`config` is the installed manifest of a record; `users` are Core's, CoreUnreachableError when it is away."""
        self._records = records
        self._config = config
        self._users = users
        self._push_panel = push_panel
        self._now = now
        self._sessions = {item["id"]: Session(**item) for item in records.ingress.get("sessions", ())}
        self._saved = now()
        self._saves = BestEffort("Ingress sessions are")

    def panels(self) -> dict[str, dict[str, Any]]:
        """Slug to panel, for every installed add-on with ingress."""
        return {
            slug: panel(config, enabled=bool(record.user.get("ingress_panel")))
            for slug, record in self._records.addons.items()
            if record.intent.wanted is not Wanted.REMOVED and (config := self._config(record)).ingress
        }

    async def tell_panel(self, slug: str) -> None:
        """After `ingress_panel` was stored: Core shows or hides the panel. When it cannot be told now it reads the
        panels anew at its next start.
        """
        enabled = bool(self._records.addons[slug].user.get("ingress_panel"))
        try:
            await self._push_panel(slug, enabled=enabled)
        except (CoreUnreachableError, CoreAnswerError) as error:
            _LOGGER.warning("The panel of %s could not be %s: %s", slug, "shown" if enabled else "hidden", error)

    async def forget(self, slug: str) -> None:
        """An add-on goes: its panel, if it has one, leaves Core's sidebar."""
        record = self._records.addons.get(slug)
        if record is None or not record.user.get("ingress_panel"):
            return
        try:
            await self._push_panel(slug, enabled=False)
        except (CoreUnreachableError, CoreAnswerError) as error:
            _LOGGER.warning("The panel of %s could not be hidden: %s", slug, error)

    async def create_session(self, user_id: str | None) -> str:
        """A new session; the user's names come from Core and are left out when Core cannot be asked."""
        session = Session(
            id=secrets.token_hex(64),
            expires=self._now() + LIFETIME,
            user=await self._user(user_id) if user_id else None,
        )
        self._sessions[session.id] = session
        await self._save()
        return session.id

    async def use_session(self, session_id: str) -> Session:
        """The session, prolonged. IngressSessionError when it is unknown or over."""
        known = self._sessions.get(session_id)
        session = renewed(known, self._now()) if known else None
        if session is None:
            self._sessions.pop(session_id, None)
            raise IngressSessionError("No valid ingress session")
        self._sessions[session_id] = session
        if self._now() - self._saved > SAVE_AFTER:
            await self._save()
        return session

    def addon(self, token: str) -> str | None:
        """Slug of the installed add-on that an ingress token leads to."""
        for slug, record in self._records.addons.items():
            own = str(record.user.get("ingress_token") or "")
            if own and secrets.compare_digest(own.encode(), token.encode()):
                # Asked last: to read a manifest takes longer than all the rest.
                has_page = record.intent.wanted is not Wanted.REMOVED and self._config(record).ingress
                return slug if has_page else None
        return None

    async def _user(self, user_id: str) -> Mapping[str, Any] | None:
        try:
            users = await self._users()
        except (CoreUnreachableError, CoreAnswerError) as error:
            _LOGGER.info("An ingress session has no user: %s", error)
            return None
        for user in users:
            if user.get("id") == user_id:
                return {"id": user_id, "username": user.get("username"), "name": user.get("name")}
        return None

    async def _save(self) -> None:
        now = self._now()
        self._sessions = {key: session for key, session in self._sessions.items() if session.expires > now}
        self._saved = now
        sessions = [asdict(session) for session in self._sessions.values()]
        await self._saves.keep(self._records.save_ingress({"sessions": sessions}))
