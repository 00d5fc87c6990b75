"""Published ports: each belongs to one add-on, or to Core. Reserved before the add-on starts, free again when it is
stopped; Core's are those that the settings name.

What is reserved follows from the records alone; the ConfigMap `supervisor-port-registry` says it to everybody else. It
is written with the version that was read, and one that somebody damaged is set aside and made anew.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Protocol

from supervisor_k8s.cluster.backoff import Backoff
from supervisor_k8s.errors import AddonPortConflictError, ClusterConflictError, ClusterError, ClusterRefusedError
from supervisor_k8s.events import Signal
from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.l4_proxy import DAMAGED_KEY, registry_config, registry_of
from supervisor_k8s.model.intent import InstalledAddon, Manifest
from supervisor_k8s.model.issue import Cause, Context, Fault
from supervisor_k8s.model.launch import config_of
from supervisor_k8s.model.ports import (
    Conflict,
    Reservation,
    asked_for,
    first_conflict,
    held_by,
    is_registry,
    of_core,
    registered,
    registry_text,
)
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import Live, labels

_LOGGER = logging.getLogger(__name__)
TRIES = 5
"""How often the registry is read anew when somebody else wrote it meanwhile."""


class Cluster(Protocol):
    """What is needed of the cluster (cluster.cluster.Cluster)."""

    def get(self, kind: str, name: str) -> Live | None:
        """From the watch cache."""

    async def read(self, kind: str, name: str) -> Live | None:
        """By a request of its own."""

    async def apply(self, manifest: Manifest) -> Live: ...


class Ports:
    """Reservations of all add-ons."""

    def __init__(  # noqa: PLR0913 - its place in the house, keyword-only
        self,
        *,
        cluster: Cluster,
        records: Callable[[], Mapping[str, InstalledAddon]],
        lost: Callable[[], Collection[str]],
        site: Callable[[], Site],
        refused: Callable[[], Collection[int]],
        publishes: bool = True,
    ) -> None:
        """`records` by slug; `lost` are slugs of add-ons that run and have none; `site` is where add-ons' pods are made
        for; `refused` are numbers that the cluster needs on the address itself. Where nobody `publishes` ports, none
        are reserved.
        """
        self.changed: Signal[str] = Signal()
        """Slug of an add-on that has other ports than before."""
        self.conflicted: Signal[Fault] = Signal()
        """Why an add-on was not started."""
        self.settled: Signal[Fault] = Signal()
        """What hinders it no more."""
        self._cluster = cluster
        self._records = records
        self._lost = lost
        self._site = site
        self._refused = refused
        self._publishes = publishes
        self._pending: dict[str, tuple[Reservation, ...]] = {}
        """Of starts that are not recorded yet."""
        self._held: dict[str, tuple[Reservation, ...]] = {}
        """By slug, of those that have any: to ask every record at each start would cost more with each add-on."""
        self._winners: dict[str, Reservation] | None = None
        """Of these, by port; None when it is to be found out anew."""
        self._faults: dict[str, Fault] = {}
        self._writing = asyncio.Lock()
        self._to_write = asyncio.Event()
        self._written: str | None = None
        """What the registry holds, as far as we know."""
        self._complaint = ""

    # --- reading ---------------------------------------------------------------------------------------------

    def held(self) -> list[Reservation]:
        """Of Core, and of add-ons that are to run. Of two that have had the same port since before anybody looked, the
        first by slug has it. Of one whose record is lost the registry still knows: what runs is not to be cut off.
        """
        if self._winners is None:
            self._winners = {item.key: item for slug in sorted(self._held, reverse=True) for item in self._held[slug]}
        held = self._winners
        if self._publishes and (lost := self._lost()):
            written = registered(registry_of(self._cluster.get("ConfigMap", naming.PORT_REGISTRY)))
            held = {item.key: item for item in written if item.slug in lost} | held
        return list((held | {item.key: item for item in self._of_core()}).values())

    def check(self, record: InstalledAddon) -> None:
        """AddonPortConflictError when an add-on could not have its ports, with another number that it could have."""
        if (conflict := self._conflict(record)) is not None:
            raise _error(conflict)

    # --- verbs -----------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """To be called before anything is published or started: what the records say."""
        if lost := [item.key for item in of_core(self._site()) if item.number in self._refused()]:
            _LOGGER.warning("Core's ports %s are not published: the node, whose address it is, needs them", lost)
        for slug in self._records():
            self._renew(slug)
        self._tell_losers(tuple(self._held))

    def check_start(self, record: InstalledAddon) -> None:
        """As `check`, for somebody who wants the add-on to start: the conflict is an issue until it is gone."""
        conflict = self._conflict(record)
        self._note(record.slug, conflict)
        if conflict is not None:
            raise _error(conflict)

    @asynccontextmanager
    async def reserved(self, record: InstalledAddon) -> AsyncIterator[None]:
        """Nobody else gets the ports that the add-on asks for, until its start is recorded or given up.
        AddonPortConflictError. A registry that cannot be written now hinders nothing: it is written as soon as it can.
        """
        self.check_start(record)
        self._pending[record.slug] = self._asked(record)
        try:
            with contextlib.suppress(ClusterError):
                await self._announce()
            yield
        finally:
            given_up = self._pending.pop(record.slug)
            self._to_write.set()
            self._renew(record.slug)
            self._freed(given_up)

    def look(self, slug: str) -> None:
        """Something about an add-on changed."""
        if self._renew(slug):
            self._tell_losers((slug,))
        if slug in self._faults:
            self._look_again(slug)

    def on_change(self, kind: str, old: Live | None, new: Live | None) -> None:
        """Listener of the watch cache: somebody else's hand on the registry."""
        live = new or old
        ours = live is not None and labels(live).get(naming.LABEL_TYPE) == naming.TYPE_PORT_REGISTRY
        if ours and kind == "ConfigMap" and registry_of(new) != self._written:
            self._written = None
            self._to_write.set()

    async def run(self) -> None:
        """Keep the registry true, until cancelled."""
        backoff = Backoff()
        self._to_write.set()
        while True:
            await self._to_write.wait()
            self._to_write.clear()
            try:
                await self._announce()
            except ClusterError as error:
                _LOGGER.debug("The registry of ports is written a little later: %s", error)
                self._to_write.set()
                await backoff.wait()
                continue
            backoff.reset()

    # -----------------------------------------------------------------------------------------------------------

    def _of_core(self) -> Collection[Reservation]:
        refused = self._refused()
        return [item for item in of_core(self._site()) if item.number not in refused] if self._publishes else ()

    def _renew(self, slug: str) -> bool:
        """Whether an add-on has reserved other ports than before."""
        record = self._records().get(slug)
        before, now = self._held.pop(slug, ()), held_by(record) if record and self._publishes else ()
        if now:
            self._held[slug] = now
        if now == before:
            return False
        self._winners = None
        self._to_write.set()
        self.changed(slug)
        self._freed({*before, *now})
        return True

    def _freed(self, items: Collection[Reservation]) -> None:
        """These may be somebody else's by now: whoever wanted them is looked at again."""
        numbers = {item.number for item in items}
        for slug in [slug for slug, fault in self._faults.items() if dict(fault.extra)["port"] in numbers]:
            self._look_again(slug)

    def _look_again(self, slug: str) -> None:
        record = self._records().get(slug)
        self._note(slug, self._conflict(record) if record else None, news=False)

    def _tell_losers(self, slugs: Collection[str]) -> None:
        """Of add-ons that run and have not got all of their ports."""
        given = set(self.held())
        for slug in slugs:
            if not given.issuperset(self._held.get(slug, ())):
                self._note(slug, self._conflict(self._records()[slug]))

    def _conflict(self, record: InstalledAddon) -> Conflict | None:
        wanted = self._asked(record)
        keys = {item.key for item in wanted}
        for item in self.held():
            if item.key in keys:
                self._renew(item.slug)  # it may have been stopped a moment ago
        others = [item for item in self._taken() if item.slug != record.slug]
        return first_conflict(wanted, others, self._refused())

    def _asked(self, record: InstalledAddon) -> tuple[Reservation, ...]:
        return asked_for(record, config_of(record), self._site()) if self._publishes else ()

    def _taken(self) -> set[Reservation]:
        return {*self.held(), *(item for items in self._pending.values() for item in items)}

    def _note(self, slug: str, conflict: Conflict | None, *, news: bool = True) -> None:
        """An issue for a start that was refused. Without `news` nobody wants to start anything: none is new."""
        before = self._faults.get(slug)
        extra = () if conflict is None else (("port", conflict.wanted.number), ("owner", conflict.owner))
        fault = None if conflict is None else Fault(Cause.APP_PORT_CONFLICT, Context.ADDON, slug, extra)
        if before is not None and before != fault:
            del self._faults[slug]
            self.settled(before)
        if fault is not None and (news or before not in (None, fault)):
            self._faults[slug] = fault
            self.conflicted(fault)

    async def _announce(self) -> None:
        """Write the registry. What is refused for good is said, and hinders nobody: reservations hold without it."""
        try:
            async with self._writing:
                await self._write()
        except ClusterRefusedError as error:
            if self._complaint != str(error):
                self._complaint = str(error)
                _LOGGER.error("The registry of ports cannot be written: %s", error)  # noqa: TRY400 - said
        else:
            self._complaint = ""

    async def _write(self) -> None:
        for left in reversed(range(TRIES)):
            text = registry_text(self._taken())
            if text == self._written:
                return
            live = await self._cluster.read("ConfigMap", naming.PORT_REGISTRY)
            manifest = self._registry(text, live)
            try:
                if manifest is not None:
                    await self._cluster.apply(manifest)
            except ClusterConflictError:
                if not left:
                    raise
            else:
                self._written = text
                return

    def _registry(self, text: str, live: Live | None) -> Manifest | None:
        """What to write; None when it is there, and for an installation that has never published anything."""
        found = registry_of(live)
        if found == text or (live is None and not self._taken()):
            return None
        damaged = (live or {}).get("data", {}).get(DAMAGED_KEY)
        if found is not None and not is_registry(found):
            _LOGGER.warning("The registry of ports was damaged; what it held is kept as %s in it", DAMAGED_KEY)
            damaged = found
        version = live["metadata"]["resourceVersion"] if live else None
        return registry_config(text, damaged, version, self._site())


def _error(conflict: Conflict) -> AddonPortConflictError:
    wanted = conflict.wanted
    return AddonPortConflictError(name=wanted.slug, port=wanted.number, owner=conflict.owner, free=conflict.free)
