"""Our objects as the API server last told them: read without a request, and waited on without polling.

`watch.py` keeps it up to date; answers to our own writes are put in as well, so that whoever has just applied something
sees it at once. An object never goes back to an older state: the resource versions of one kind are ordered numbers.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from supervisor_k8s import metrics
from supervisor_k8s.cluster.kinds import CACHED, OPTIONAL, Kind
from supervisor_k8s.errors import ClusterUnavailableError, TookTooLongError
from supervisor_k8s.model.naming import LABEL_ADDON, LABEL_LAUNCH, LABEL_TYPE
from supervisor_k8s.model.status import Live, labels

Listener = Callable[[str, Live | None, Live | None], None]
"""Called with kind, old and new object; old is None for a new object, new is None for one that is gone."""

INDEXED = (LABEL_ADDON, LABEL_LAUNCH, LABEL_TYPE, "app.kubernetes.io/name")
"""Labels by which objects are found without looking at all of them: with 1,000 add-ons each converge would do that."""


class Cache:
    """Objects of the cached kinds by name."""

    def __init__(self, optional: Collection[str] = ()) -> None:
        """`optional` names the optional kinds that are watched; of the others there is never anything."""
        self._tables = {kind.name: _Table() for kind in CACHED}
        self._tables |= {kind.name: _Table(watched=kind.name in optional) for kind in OPTIONAL}
        self._listeners: list[Listener] = []
        self._changed = asyncio.Event()
        self.revision = object()
        """Another one after every change."""

    def get(self, kind: str, name: str) -> Live | None:
        """The object, None when there is none. ClusterUnavailableError before the first list of its kind."""
        return self._listed_table(kind).objects.get(name)

    def select(self, kind: str, wanted: Mapping[str, str]) -> Sequence[Live]:
        """All objects with these labels, by name. ClusterUnavailableError before the first list of the kind."""
        return self._listed_table(kind).select(wanted)

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` at every change, synchronously, in the order in which the API server made them."""
        self._listeners.append(listener)

    async def until[T](self, condition: Callable[[], T | None], *, within: float) -> T:
        """Wait until `condition` gives something else than None, asking again after every change.

        Changes that arrive together are seen together, so a condition is about what is, not about what happened.
        TookTooLongError after `within` seconds.
        """
        try:
            async with asyncio.timeout(within) as timer:
                await self._first_list()
                while (found := condition()) is None:
                    await self._changed.wait()
                return found
        except TimeoutError:
            if not timer.expired():
                raise
            raise TookTooLongError(f"The cluster did not get there within {within:.0f} seconds") from None

    async def listed(self, *, within: float) -> None:
        """Wait until every kind has been listed once. ClusterUnavailableError after `within` seconds."""
        try:
            async with asyncio.timeout(within):
                await self._first_list()
        except TimeoutError:
            missing = ", ".join(name for name, table in self._tables.items() if not table.listed)
            raise ClusterUnavailableError(f"The API server has not told us about: {missing}") from None

    # --- fed by watch.py and apply.py --------------------------------------------------------------------------------

    def replace(self, kind: Kind, objects: Iterable[Live], version: str) -> None:
        """A complete list as of `version`: what it lacks is gone, unless we have made it since."""
        table = self._tables[kind.name]
        table.seen = max(table.seen, _number(version))
        listed = {live["metadata"]["name"]: live for live in objects}
        for name, live in list(table.objects.items()):
            if name not in listed and version_of(live) <= _number(version):
                self._set(kind, name, None)
        for name, live in listed.items():
            self._store(kind, name, live)
        table.listed = True
        self._tell_waiting()

    def clear(self, kind: Kind) -> None:
        """The cluster does not serve this kind, or does not tell us of it: as far as we know there is nothing."""
        for name in list(self._tables[kind.name].objects):
            self._set(kind, name, None)
        self._tables[kind.name].listed = True
        self._tell_waiting()

    def observe(self, kind: Kind, event: str, live: Live) -> None:
        """One watch event: ADDED, MODIFIED or DELETED."""
        table = self._tables[kind.name]
        table.seen = max(table.seen, version_of(live))
        name = live["metadata"]["name"]
        if event != "DELETED":
            self._store(kind, name, live)
        elif (known := table.objects.get(name)) is not None and version_of(known) <= version_of(live):
            self._set(kind, name, None)

    def bookmark(self, kind: Kind, version: str) -> None:
        """The watch has told everything up to `version`."""
        table = self._tables[kind.name]
        table.seen = max(table.seen, _number(version))

    def merge(self, kind: Kind, live: Live) -> None:
        """The answer to a write of ours. When the watch is further than this answer, the answer is old: the object may
        even be gone again.
        """
        table = self._tables[kind.name]
        if table.watched and version_of(live) > table.seen:
            self._store(kind, live["metadata"]["name"], live)

    # ---------------------------------------------------------------------------------------------------------------

    def _listed_table(self, kind: str) -> "_Table":
        table = self._tables[kind]
        if not table.listed:
            raise ClusterUnavailableError(f"The API server has not told us yet which objects of kind {kind} there are")
        return table

    async def _first_list(self) -> None:
        while not all(table.listed for table in self._tables.values()):
            await self._changed.wait()

    def _store(self, kind: Kind, name: str, live: Live) -> None:
        known = self._tables[kind.name].objects.get(name)
        if known is None or version_of(known) < version_of(live):
            self._set(kind, name, live)

    def _set(self, kind: Kind, name: str, new: Live | None) -> None:
        table = self._tables[kind.name]
        old = table.put(name, new)
        self.revision = object()
        metrics.CACHED_OBJECTS.labels(kind=kind.name).set(len(table.objects))
        for listener in self._listeners:
            listener(kind.name, old, new)
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        self._changed.set()
        # Everyone who waits holds the old event; who asks from now on waits for the next change.
        self._changed = asyncio.Event()


class _Table:
    """Objects of one kind with an index by label."""

    def __init__(self, *, watched: bool = True) -> None:
        self.objects: dict[str, Live] = {}
        self.watched = watched
        self.listed = not watched
        self.seen = 0
        """Up to this version the watch has told everything."""
        self._index: dict[tuple[str, str], set[str]] = {}

    def select(self, wanted: Mapping[str, str]) -> list[Live]:
        indexed = [self._index.get((key, wanted[key]), set()) for key in INDEXED if key in wanted]
        names = min(indexed, key=len) if indexed else self.objects
        found = (self.objects[name] for name in sorted(names))
        return [live for live in found if wanted.items() <= labels(live).items()]

    def put(self, name: str, new: Live | None) -> Live | None:
        """Store or, with None, forget. The former object."""
        old = self.objects.pop(name, None)
        if old is not None:
            for entry in _entries(old):
                names = self._index[entry]
                names.discard(name)
                if not names:
                    del self._index[entry]
        if new is not None:
            self.objects[name] = new
            for entry in _entries(new):
                self._index.setdefault(entry, set()).add(name)
        return old


def _entries(live: Live) -> list[tuple[str, str]]:
    own = labels(live)
    return [(key, own[key]) for key in INDEXED if key in own]


def version_of(live: Live) -> int:
    """Resource versions are opaque to most clients, but Kubernetes promises that those of one resource are decimal
    numbers that grow.
    """
    return _number(live["metadata"]["resourceVersion"])


def _number(version: str) -> int:
    return int(version)


def stripped(live: Any) -> Live:
    """What is kept: everything but the field managers' bookkeeping, which is the larger half of most objects."""
    live.get("metadata", {}).pop("managedFields", None)
    kept: Live = live
    return kept
