"""Pods that do not get anywhere, as issues: what keeps each workload from running, for as long as it does.

What passes by itself within a short time is not told. Events are asked for one object at a time, and only where its
status does not say what is wrong: to watch all of a namespace's would cost more than everything else we watch.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from supervisor_k8s.errors import ClusterError, ClusterRefusedError
from supervisor_k8s.model.intent import CORE_KEY, DNS_KEY, PORTS_KEY, addon_of
from supervisor_k8s.model.issue import Cause, Context, Fault, Faults
from supervisor_k8s.model.program import program_of
from supervisor_k8s.model.trouble import Trouble, explained, find
from supervisor_k8s.reconcile import Live
from supervisor_k8s.waits import hears

_LOGGER = logging.getLogger(__name__)
OURS = {CORE_KEY: Context.CORE, DNS_KEY: Context.DNS_SERVER, PORTS_KEY: Context.SYSTEM}
"""Workloads beside the add-ons, with the word that clients have for them."""
MAKERS = ("Deployment", "StatefulSet", "Job")
ASK_AGAIN, LONGEST = 30.0, 300.0
"""Seconds between two requests for Events that told nothing, the first and the longest."""
AT_ONCE = 4
"""Requests for Events at the same time."""


class Cluster(Protocol):
    """What is needed of the cluster (cluster.cluster.Cluster)."""

    def select(self, kind: str, labels: Mapping[str, str]) -> Sequence[Live]: ...

    async def warnings(self, uid: str) -> Sequence[Live]:
        """Warning Events about an object. ClusterError."""


class PodTroubles:
    """Fed by the watch cache; tells while `run` does."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        key_of: Callable[[Live], str | None],
        keys: Callable[[], Iterable[str]],
        faults: Faults,
        haste: float = 1.0,
    ) -> None:
        """`key_of` gives the workload of an object, `keys` those that are told of. `haste` divides all times."""
        self._cluster = cluster
        self._key_of = key_of
        self._keys = keys
        self._faults = faults
        self._haste = haste
        self._cases: dict[str, _Case] = {}
        self._few = asyncio.Semaphore(AT_ONCE)
        self._tasks: asyncio.TaskGroup | None = None

    def on_change(self, kind: str, old: Live | None, new: Live | None) -> None:
        """Listener of the watch cache. Before `run`, not everything is known yet, and nothing is concluded."""
        live = new or old
        if self._tasks is not None and live is not None and kind in ("Pod", *MAKERS):
            key = self._key_of(live)
            if key is not None and _is_told(key):
                self._look(key)

    async def run(self) -> None:
        """Look at every workload once, and from then on when something changes, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            for key in self._keys():
                self._look(key)
            try:
                await asyncio.get_running_loop().create_future()
            finally:
                self._tasks = None

    def _look(self, key: str) -> None:
        labels, _ = program_of(key)
        makers = [live for kind in MAKERS for live in self._cluster.select(kind, labels)]
        found = find(self._cluster.select("Pod", labels), makers)
        case = self._cases.get(key)
        if case is not None and found is not None and case.is_about(found):
            return
        if case is not None:
            case.over.set()
            del self._cases[key]
        if found is not None and self._tasks is not None:
            case = self._cases[key] = _Case(found)
            self._tasks.create_task(self._attend(key, case), name=f"trouble of {key}")

    async def _attend(self, key: str, case: "_Case") -> None:
        """Tell of a trouble that lasts, and withdraw that when it is over."""
        if await hears(case.over, within=case.trouble.patience / self._haste):
            return
        words = await self._explained(case)
        if words is None:
            return
        fault = _fault(key, *words)
        _LOGGER.warning("What is wrong with %s: %s: %s", key, *words)
        self._faults.report(fault)
        await case.over.wait()
        self._faults.settle(fault)

    async def _explained(self, case: "_Case") -> tuple[Cause, str] | None:
        """What is wrong, as soon as anybody says it; None when it is over before."""
        pause = ASK_AGAIN
        while (found := await self._asked(case.trouble)) is None:
            if await hears(case.over, within=pause / self._haste):
                return None
            pause = min(pause * 2, LONGEST)
        return None if case.over.is_set() else found

    async def _asked(self, trouble: Trouble) -> tuple[Cause, str] | None:
        if not trouble.needs_events:
            return explained(trouble, ())
        try:
            async with self._few:
                return explained(trouble, await self._cluster.warnings(trouble.subject))
        except ClusterError as error:
            level = logging.WARNING if isinstance(error, ClusterRefusedError) else logging.INFO
            _LOGGER.log(level, "Why a pod does not get on cannot be asked for: %s", error)
            return explained(trouble, ())


@dataclass(slots=True)
class _Case:
    """One trouble of one workload, from when it was first seen."""

    trouble: Trouble
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def is_about(self, trouble: Trouble) -> bool:
        """Words may differ: those that were told first stay, for a kubelet has two sentences for one thing."""
        return (self.trouble.cause, self.trouble.subject) == (trouble.cause, trouble.subject)


def _is_told(key: str) -> bool:
    return key in OURS or addon_of(key) is not None


def _fault(key: str, cause: Cause, message: str) -> Fault:
    extra = (("message", message),) if message else ()
    slug = addon_of(key)
    context = OURS[key] if slug is None else Context.ADDON
    return Fault(cause, context, slug, extra)
