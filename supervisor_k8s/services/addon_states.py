"""Watches the pods of add-ons: tells when a state changes and does what an ended program or a lost sandbox asks for.

The state itself is never stored; it is read off the pods and the intent every time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from supervisor_k8s.errors import SupervisorError
from supervisor_k8s.events import Signal
from supervisor_k8s.model import naming
from supervisor_k8s.model.intent import InstalledAddon
from supervisor_k8s.model.status import AddonState, Status
from supervisor_k8s.reconcile import Live
from supervisor_k8s.state.records import Records

_LOGGER = logging.getLogger(__name__)


class AddonStates:
    """One task, fed by the watch cache; `changed` carries slug and new state."""

    def __init__(
        self,
        *,
        records: Records,
        status: Callable[[InstalledAddon], Status],
        note_exit: Callable[[str], Awaitable[None]],
        sandbox_lost: Callable[[str], Awaitable[None]],
    ) -> None:
        self.changed: Signal[tuple[str, AddonState]] = Signal()
        self._records = records
        self._status = status
        self._note_exit = note_exit
        self._sandbox_lost = sandbox_lost
        self._last: dict[str, AddonState] = {}
        self._due: asyncio.Queue[str] = asyncio.Queue()

    def on_change(self, kind: str, old: Live | None, new: Live | None) -> None:
        """Listener of the watch cache."""
        live = new or old
        if kind != "Pod" or live is None:
            return
        slug = live["metadata"].get("annotations", {}).get(naming.ANNOTATION_SLUG)
        if slug:
            self.look(slug)

    def look(self, slug: str) -> None:
        """Compare an add-on's state with the last one told, and queue what has to be done about it."""
        record = self._records.addons.get(slug)
        if record is None:
            self._last.pop(slug, None)
            return
        status = self._status(record)
        if self._last.get(slug) != status.state:
            self._last[slug] = status.state
            self.changed((slug, status.state))
        if status.exit_code is not None or status.sandbox_lost:
            self._due.put_nowait(slug)

    async def run(self) -> None:
        """Work off what `look` queued, one at a time, for as long as the process lives."""
        while True:
            slug = await self._due.get()
            record = self._records.addons.get(slug)
            if record is None:
                continue
            status = self._status(record)
            try:
                if status.sandbox_lost:
                    await self._sandbox_lost(slug)
                elif status.exit_code is not None:
                    await self._note_exit(slug)
            except SupervisorError as error:
                _LOGGER.error(  # noqa: TRY400 - a refusal, its sentence says it all
                    "Add-on %s could not be brought to rest after its pod ended: %s", slug, error
                )
