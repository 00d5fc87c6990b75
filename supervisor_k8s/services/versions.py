"""Which versions there are: the channel's version file, kept on disk, so that what was known once is known offline too.

The file is asked for at the start, every eight hours as upstream does, when somebody wants a refresh, and when the
channel changes. A file that cannot be had changes nothing.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from supervisor_k8s.errors import SupervisorError, VersionsUnavailableError
from supervisor_k8s.events import Signal
from supervisor_k8s.model import versions

_LOGGER = logging.getLogger(__name__)
EVERY = 8 * 60 * 60.0
"""Seconds between two looks."""
AGAIN_AFTER = 10 * 60.0
"""Seconds until the next look after one that failed."""


class VersionRecords(Protocol):
    """Where the last known file is kept (state.records.Records)."""

    versions: Mapping[str, Any]

    async def save_versions(self, value: Mapping[str, Any]) -> None: ...


class Versions:
    """`fetched` tells that the file was read anew."""

    def __init__(
        self,
        *,
        records: VersionRecords,
        fetch: Callable[[str], Awaitable[Mapping[str, Any]]],
        channel: Callable[[], str],
        machine: str,
    ) -> None:
        """`fetch` gives the file of a channel, or VersionsUnavailableError."""
        self.fetched: Signal[None] = Signal()
        self._records = records
        self._fetch = fetch
        self._channel = channel
        self._machine = machine
        self._known = records.versions
        self._trouble = False
        self._unkept: set[type[SupervisorError]] = set()
        self._wanted = asyncio.Event()

    @property
    def core(self) -> str | None:
        """Home Assistant Core's newest version in the channel; None as long as nobody said one."""
        known = self._known
        return versions.core_version(known, self._machine) if known.get("channel") == self._channel() else None

    async def reload(self) -> bool:
        """Ask for the file. False when it cannot be had; that is logged once until it can, and what was known stays.
        One that cannot be kept counts until our end.
        """
        try:
            found = await self._fetch(self._channel())
        except VersionsUnavailableError as error:
            if not self._trouble:
                _LOGGER.warning("%s; what was known before stays", error)
            self._trouble = True
            return False
        self._trouble = False
        self._known = found
        if found != self._records.versions:
            await self._keep(found)
        self.fetched(None)
        return True

    async def _keep(self, found: Mapping[str, Any]) -> None:
        try:
            await self._records.save_versions(found)
        except SupervisorError as error:  # a full volume, or another Supervisor is in charge
            if type(error) not in self._unkept:
                _LOGGER.warning("The versions that were read are not kept over our restart: %s", error)
            self._unkept.add(type(error))
        else:
            self._unkept.clear()

    async def run(self) -> None:
        """Look now and then until cancelled."""
        while True:
            self._wanted.clear()
            pause = EVERY if await self.reload() else AGAIN_AFTER
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), pause)

    def look_soon(self) -> None:
        """The channel changed: nobody waits for its file, but it is fetched now."""
        self._wanted.set()
