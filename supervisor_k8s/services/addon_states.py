"""Watches the pods of add-ons: tells when a state changes, and notes that a program ended.

The state itself is never stored; it is read off the pods and the intent every time. What is noted is Docker's *exited*:
a program that ended by itself is not started again, whatever becomes of its pod.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from supervisor_k8s.errors import SupervisorError
from supervisor_k8s.events import Signal
from supervisor_k8s.model import naming
from supervisor_k8s.model.intent import InstalledAddon, Intent, Wanted, addon_key
from supervisor_k8s.model.status import AddonState, Status, exited_pod
from supervisor_k8s.reconcile import Live
from supervisor_k8s.state.records import Records

_LOGGER = logging.getLogger(__name__)


class AddonStates:
    """Fed by the watch cache. `changed` carries slug and new state, `looked` a slug of which anything changed."""

    def __init__(
        self,
        *,
        records: Records,
        status: Callable[[InstalledAddon], Status],
        pods: Callable[[str], Sequence[Live]],
        converge: Callable[[str], Awaitable[None]],
    ) -> None:
        self.changed: Signal[tuple[str, AddonState]] = Signal()
        self.looked: Signal[str] = Signal()
        self._records = records
        self._status = status
        self._pods = pods
        self._converge = converge
        self._last: dict[str, AddonState] = {}
        self._ended: asyncio.Queue[str] = asyncio.Queue()
        self._watching = False

    def on_change(self, kind: str, old: Live | None, new: Live | None) -> None:
        """Listener of the watch cache. Before `run`, not everything is known yet, and nothing is concluded."""
        live = new or old
        if kind not in ("Pod", "Job") or live is None or not self._watching:
            return
        slug = live["metadata"].get("annotations", {}).get(naming.ANNOTATION_SLUG)
        if slug:
            self.look(slug)

    def look(self, slug: str) -> None:
        """Compare an add-on's state with the last one told, and see whether something has to be done about it."""
        record = self._records.addons.get(slug)
        if record is None:
            self._last.pop(slug, None)
        else:
            state = self._status(record).state
            if self._last.get(slug) != state:
                self._last[slug] = state
                self.changed((slug, state))
            if self._end(record) is not None:
                self._ended.put_nowait(slug)
        self.looked(slug)

    async def run(self) -> None:
        """Look at everything once, then note what `look` finds to have ended, for as long as the process lives.

        Begun when the cache knows everything.
        """
        self._watching = True
        for slug in self._records.addons:
            self.look(slug)
        while True:
            slug = await self._ended.get()
            try:
                await self._note(slug)
            except SupervisorError as error:
                _LOGGER.warning("The end of add-on %s could not be noted: %s", slug, error)
            except Exception:  # nobody foresaw it: one fault must not end the Supervisor
                _LOGGER.exception("The end of add-on %s could not be noted", slug)

    async def _note(self, slug: str) -> None:
        record = self._records.addons.get(slug)
        intent = self._end(record) if record else None
        if record is None or intent is None:
            return
        # What was asked for in the meantime is not overruled.
        await self._records.update_addon(
            slug, lambda now: replace(now, intent=intent) if now.intent is record.intent else now
        )
        self.look(slug)
        await self._converge(addon_key(slug))

    def _end(self, record: InstalledAddon) -> Intent | None:
        """The intent of an add-on whose program ended, or of which even the pod is gone that was kept; else None."""
        intent = record.intent
        if intent.wanted is Wanted.EXITED and exited_pod(self._pods(record.slug), intent) is None:
            return replace(intent, wanted=Wanted.STOPPED)
        status = self._status(record)
        if intent.wanted is not Wanted.RUNNING or status.exit_code is None:
            return None
        return replace(intent, wanted=Wanted.EXITED, failure=status.reason if status.exit_code else None)
