"""Which versions there are: the channel's version files, kept on disk: what was known once is known offline too.

Two files: Home Assistant's for Core, and our own for ourselves, where the administrator named one. They are asked for
at the start, every eight hours as upstream does, when somebody wants a refresh, and when the channel changes. A file
that cannot be had changes nothing.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from supervisor_k8s.errors import VersionsUnavailableError
from supervisor_k8s.events import Signal
from supervisor_k8s.model import versions
from supervisor_k8s.state.keeping import BestEffort

_LOGGER = logging.getLogger(__name__)
EVERY = 8 * 60 * 60.0
"""Seconds between two looks."""
AGAIN_AFTER = 10 * 60.0
"""Seconds until the next look after one that failed."""

type VersionData = Mapping[str, Any]


class KnownFile:
    """One version file: read anew when asked, else as it was last read."""

    def __init__(
        self,
        *,
        fetch: Callable[[str], Awaitable[VersionData]],
        kept: Callable[[], VersionData],
        save: Callable[[VersionData], Awaitable[None]],
    ) -> None:
        """`fetch` gives the file of a channel, or VersionsUnavailableError; `kept` is what is on the disk."""
        self._fetch = fetch
        self._kept = kept
        self._save = save
        self._known = kept()
        self._trouble = False
        self._saves = BestEffort("The versions that were read are")

    def of(self, channel: str) -> VersionData:
        """What is known of a channel; empty as long as nobody told."""
        return self._known if self._known.get("channel") == channel else {}

    async def reload(self, channel: str) -> bool:
        """Ask for the file. False when it cannot be had; that is logged once until it can, and what was known stays.
        One that cannot be kept counts until our end.
        """
        try:
            found = await self._fetch(channel)
        except VersionsUnavailableError as error:
            if not self._trouble:
                _LOGGER.warning("%s; what was known before stays", error)
            self._trouble = True
            return False
        self._trouble = False
        self._known = found
        if found != self._kept():
            await self._saves.keep(self._save(found))
        return True


class Versions:
    """`fetched` tells that the files were looked at anew."""

    def __init__(self, *, core: KnownFile, own: KnownFile | None, channel: Callable[[], str], machine: str) -> None:
        """`own` is None where no version file of ours was named: there are no updates of ourselves then."""
        self.fetched: Signal[None] = Signal()
        self._core = core
        self._own = own
        self._channel = channel
        self._machine = machine
        self._wanted = asyncio.Event()

    @property
    def core(self) -> str | None:
        """Home Assistant Core's newest version in the channel; None as long as nobody said one."""
        return versions.core_version(self._core.of(self._channel()), self._machine)

    @property
    def own(self) -> str | None:
        """Our own newest version in the channel; None as long as nobody said one."""
        return None if self._own is None else versions.own_version(self._own.of(self._channel()))

    async def reload(self) -> bool:
        """Ask for the files. False when one of them cannot be had."""
        files = [self._core] if self._own is None else [self._core, self._own]
        had = [await file.reload(self._channel()) for file in files]
        if any(had):
            self.fetched(None)
        return all(had)

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
