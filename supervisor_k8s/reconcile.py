"""converge(key): makes one workload what its stored intent says; and the loop that calls it whenever something changed.

It knows no add-ons: a key and a `render` function is all. A request converges inline and gets the error; the loop does
the same after every change in the cluster, so drift, lost events and our own restarts heal themselves.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from supervisor_k8s import metrics
from supervisor_k8s.cluster.backoff import Backoff
from supervisor_k8s.errors import (
    ClusterConflictError,
    ClusterUnavailableError,
    SupervisorError,
    TookTooLongError,
)
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.plan import ORDER, Plan, Workload, leftovers, next_pod, plan
from supervisor_k8s.model.status import Live
from supervisor_k8s.waits import hears

__all__ = ["Cluster", "Live", "Reconciler", "Workload"]

_LOGGER = logging.getLogger(__name__)

RESYNC = 600.0
"""Seconds after which a workload is looked at even when nothing was heard of it."""
PASSING = (ClusterUnavailableError, ClusterConflictError, TookTooLongError)
"""Errors that another try may not meet; all others stay until something changes."""


class Cluster(Protocol):
    """What the reconciler and the services need of the cluster: `cluster/cluster.py` has the real one."""

    def get(self, kind: str, name: str) -> Live | None:
        """From the watch cache; kind is `Pod`, `Deployment`, …"""

    def select(self, kind: str, labels: Mapping[str, str]) -> Sequence[Live]:
        """From the watch cache, by labels."""

    @property
    def revision(self) -> object:
        """Another one after every change of the cache."""

    async def until[T](self, condition: Callable[[], T | None], *, within: float) -> T:
        """Wait for something else than None; asked after every change of the cache. TookTooLongError."""

    def subscribe(self, listener: Callable[[str, Live | None, Live | None], None]) -> None:
        """Call with (kind, old, new) at every change of the cache."""

    async def apply(self, manifest: Manifest) -> Live:
        """Server-side apply; the answer is in the cache."""

    async def delete(self, live: Live) -> None:
        """Delete exactly this object; gone already is fine."""

    async def lift_gate(self, pod: Live) -> None:
        """Let the pod be scheduled."""


class Reconciler:
    """Converges workloads, each by one hand at a time."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        render: Callable[[str], Workload],
        key_of: Callable[[Live], str | None],
        resync: float = RESYNC,
    ) -> None:
        """`render` gives the workload of a key from the stored intent, also for a key that is no longer known (without
        objects). `key_of` tells from an object's labels which workload it belongs to; None: to none.
        """
        self._cluster = cluster
        self._render = render
        self._key_of = key_of
        self._resync = resync
        self._entries: dict[str, _Entry] = {}
        self._group: asyncio.TaskGroup | None = None
        cluster.subscribe(self._on_change)

    async def converge(self, key: str) -> None:
        """Make the workload what its intent says, now. Raises what the cluster says; other converges of the same key
        wait for this one. What may pass is tried again by the loop, too: the intent stands whoever asked.
        """
        try:
            await self._converge(key)
        except PASSING:
            self.poke(key)
            raise

    def poke(self, key: str) -> None:
        """Have the loop look at this workload soon; many pokes become one look."""
        self._entry(key).poked.set()

    async def run(self) -> None:
        """The loop: one task per key, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for key, entry in self._entries.items():
                self._begin(key, entry)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._group = None

    # ---------------------------------------------------------------------------------------------------------------

    async def _converge(self, key: str) -> bool:
        """Whether there is anything of this workload, wanted or found."""
        async with self._entry(key).lock:
            with metrics.CONVERGE_SECONDS.time(), _counted():
                workload = self._render(key)
                live = [live for kind in (*ORDER, "Pod") for live in self._cluster.select(kind, workload.labels)]
                await self._carry_out(plan(live, workload))
                await self._admit(workload)
        return bool(live or workload.objects)

    async def _carry_out(self, todo: Plan) -> None:
        for manifest in todo.apply:
            await self._cluster.apply(manifest)
        for live in todo.delete:
            await self._cluster.delete(live)

    async def _admit(self, workload: Workload) -> None:
        """Let the next pod run when it is its turn."""
        pods = self._cluster.select("Pod", workload.labels)
        for pod in leftovers(pods, workload):
            await self._cluster.delete(pod)
        waiting = next_pod(pods, workload)
        if waiting is not None:
            await self._cluster.lift_gate(waiting)

    def _on_change(self, _kind: str, old: Live | None, new: Live | None) -> None:
        for live in (old, new):
            if live is not None and (key := self._key_of(live)) is not None:
                self.poke(key)

    def _entry(self, key: str) -> "_Entry":
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Entry()
            self._begin(key, entry)
        return entry

    def _begin(self, key: str, entry: "_Entry") -> None:
        if self._group is not None:
            self._group.create_task(self._look_after(key, entry), name=f"reconcile {key}")

    async def _look_after(self, key: str, entry: "_Entry") -> None:
        """Converge whenever poked, until there is nothing left to look after."""
        backoff = Backoff()
        complaint = ""
        while True:
            await hears(entry.poked, within=self._resync)
            entry.poked.clear()
            try:
                remains = await self._converge(key)
            except PASSING as error:
                _LOGGER.debug("%s is tried again: %s", key, error)
                entry.poked.set()
                await backoff.wait()
                continue
            except SupervisorError as error:
                if complaint != str(error):
                    complaint = str(error)
                    _LOGGER.error("%s cannot be made what it should be: %s", key, complaint)  # noqa: TRY400 - said
            except Exception:  # nobody foresaw it: one workload's fault must not end all others'
                _LOGGER.exception("%s could not be looked after", key)
            else:
                complaint = ""
                if not remains and not entry.poked.is_set() and not entry.lock.locked():
                    # Uninstalled, and nothing of it is left: a later poke begins anew.
                    del self._entries[key]
                    return
            backoff.reset()


@contextmanager
def _counted() -> Iterator[None]:
    """Count the converge by how it ends, whoever asked for it; one that is cancelled did not end."""
    try:
        yield
    except PASSING:
        metrics.CONVERGES.labels(result="failed").inc()
        raise
    except SupervisorError:
        metrics.CONVERGES.labels(result="refused").inc()
        raise
    except Exception:
        metrics.CONVERGES.labels(result="failed").inc()
        raise
    metrics.CONVERGES.labels(result="ok").inc()


class _Entry:
    """What belongs to one key: who converges, and whether somebody asked for it."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.poked = asyncio.Event()
