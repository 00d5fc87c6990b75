"""Gateways and routes of one workload, as far as the cluster serves their kinds; and whether its controllers say that
they work. What they say otherwise is an issue for as long.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

from supervisor_k8s.cluster.backoff import Backoff
from supervisor_k8s.errors import ClusterRefusedError, ClusterUnavailableError, SupervisorError
from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.gateway import GATEWAY
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.issue import Cause, Context, Fault, Faults
from supervisor_k8s.model.route_status import complaint
from supervisor_k8s.model.serving import Serving
from supervisor_k8s.model.status import Live, labels
from supervisor_k8s.waits import hears

_LOGGER = logging.getLogger(__name__)
PATIENCE = 30.0
"""Seconds that controllers may take to bring about what they were told."""
AGAIN = 600.0
"""Seconds after which everything is looked at without a reason: certificates end without a word."""
KINDS = frozenset({GATEWAY, "HTTPRoute", "TCPRoute", "UDPRoute"})
NOT_SERVED = "Gateway API"


class Cluster(Protocol):
    """What is needed of the cluster (cluster.cluster.Cluster)."""

    def get(self, kind: str, name: str) -> Live | None:
        """From the watch cache."""

    def serving(self, kind: str) -> Serving:
        """Whether the cluster serves an optional kind."""


class LeftOver(Protocol):
    """What is needed of the cluster to clean up."""

    async def left_over(self) -> Sequence[Live]:
        """Our objects of optional kinds that nobody wants any more. ClusterError."""

    async def delete(self, live: Live) -> None: ...


class Routes:
    """Of one workload."""

    def __init__(  # noqa: PLR0913 - its place in the house, keyword-only
        self,
        *,
        cluster: Cluster,
        workload_type: str,
        cause: Cause,
        wanted: Callable[[], Sequence[Manifest]],
        converge: Callable[[], Awaitable[None]],
        beside: Callable[[], Awaitable[Mapping[str, str]]],
        faults: Callable[[], Faults],
        patience: float = PATIENCE,
        again: float = AGAIN,
    ) -> None:
        """`wanted` gives the objects in version v1, all of a type by their label; `converge` applies what `servable`
        gives. `beside` tells what else is wrong: what it is about, and in which words; ClusterUnavailableError. Each is
        an issue of `cause`.
        """
        self._cluster = cluster
        self._type = workload_type
        self._cause = cause
        self._wanted = wanted
        self._converge = converge
        self._beside = beside
        self._faults = faults
        self._patience = patience
        self._again = again
        self._looked = asyncio.Event()
        self._told: frozenset[Fault] = frozenset()

    def servable(self) -> tuple[Manifest, ...]:
        """Those wanted objects whose kinds the cluster serves, in the version that it serves. Where it ceases to for a
        while, nothing is taken away.
        """
        found = ((manifest, self._cluster.serving(manifest["kind"]).api) for manifest in self._wanted())
        return tuple({**manifest, "apiVersion": api} for manifest, api in found if api is not None)

    def look(self) -> None:
        """Something may have changed."""
        self._looked.set()

    def on_change(self, kind: str, old: Live | None, new: Live | None) -> None:
        """Listener of the watch cache: what controllers say."""
        live = new or old
        ours = kind in KINDS and live is not None and labels(live).get(naming.LABEL_TYPE) == self._type
        if ours and (old is None or new is None or complaint(old) != complaint(new)):
            self.look()

    async def run(self) -> None:
        """Tell of what does not work, for as long as we run: what works again at once, what is new when it stays."""
        backoff = Backoff()
        self.look()
        while True:
            await hears(self._looked, within=self._again)
            self._looked.clear()
            try:
                await self._judge()
            except ClusterUnavailableError as error:
                _LOGGER.debug("Routes are looked at a little later: %s", error)
                self.look()
                await backoff.wait()
                continue
            backoff.reset()

    # -----------------------------------------------------------------------------------------------------------

    async def _judge(self) -> None:
        found = await self._found()
        faulty = {fault.reference for fault in found}
        self._tell(frozenset(fault for fault in self._told if fault.reference in faulty))
        if found - self._told and not await hears(self._looked, within=self._patience):
            self._tell(await self._found())

    def _tell(self, faults: frozenset[Fault]) -> None:
        for fault in self._told - faults:
            self._faults().settle(fault)
        for fault in faults - self._told:
            self._faults().report(fault)
        self._told = faults

    async def _found(self) -> frozenset[Fault]:
        wrong = {**await self._beside(), **self._not_served(), **await self._not_working()}
        return frozenset(
            Fault(self._cause, Context.SYSTEM, about, (("message", words),)) for about, words in wrong.items()
        )

    def _not_served(self) -> Mapping[str, str]:
        kinds = dict.fromkeys(manifest["kind"] for manifest in self._wanted())
        reasons = dict.fromkeys(why for kind in kinds if (why := self._cluster.serving(kind).why_not))
        return {NOT_SERVED: "; ".join(reasons)} if reasons else {}

    async def _not_working(self) -> Mapping[str, str]:
        """Of a route that hangs on a Gateway that does not work, nothing is said."""
        objects = [(item["kind"], item["metadata"]["name"]) for item in self.servable()]
        missing = [one for one in objects if self._cluster.get(*one) is None]
        if missing and (words := await self._why_missing()):
            return {" ".join(missing[0]): words}
        gateways = self._complaints(one for one in objects if one[0] == GATEWAY)
        return gateways or self._complaints(one for one in objects if one[0] != GATEWAY)

    def _complaints(self, objects: Iterable[tuple[str, str]]) -> Mapping[str, str]:
        lives = ((" ".join(one), self._cluster.get(*one)) for one in objects)
        return {about: words for about, live in lives if live is not None and (words := complaint(live))}

    async def _why_missing(self) -> str | None:
        """What the cluster says to it; None when it takes it now. ClusterUnavailableError."""
        try:
            await self._converge()
        except ClusterUnavailableError:
            raise
        except SupervisorError as error:
            return str(error)
        return None


async def take_back(cluster: LeftOver) -> None:
    """Remove what was made when the settings still asked for it; what we may not remove, an administrator has to.
    ClusterUnavailableError, ClusterConflictError.
    """
    for live in await cluster.left_over():
        _LOGGER.info("%s %s is taken back: the settings do not ask for it", live["kind"], live["metadata"]["name"])
        try:
            await cluster.delete(live)
        except ClusterRefusedError as error:
            _LOGGER.warning("%s stays: %s", live["metadata"]["name"], error)
