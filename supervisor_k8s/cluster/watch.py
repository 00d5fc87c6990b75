"""Keeps the cache true: list once, then watch, for each kind, for as long as the process lives.

A watch ends for many reasons and none of them is an error of ours: its time is over (go on from the last version), the
version is too old (410: list anew), the connection broke or fell silent (pause, go on). It never gives up.
A kind that the cluster need not serve is asked for from time to time while it does not: to be told when that changes
would take a right to look at the whole cluster's definitions.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from supervisor_k8s import metrics
from supervisor_k8s.cluster.backoff import FIRST, Backoff
from supervisor_k8s.cluster.cache import Cache, stripped
from supervisor_k8s.cluster.client import Client, error_for
from supervisor_k8s.cluster.kinds import CACHED, OPTIONAL, Kind
from supervisor_k8s.errors import (
    ClusterError,
    ClusterExpiredError,
    ClusterNotFoundError,
    ClusterRefusedError,
    ClusterUnavailableError,
)
from supervisor_k8s.model.serving import UNWATCHED, Serving

_LOGGER = logging.getLogger(__name__)


SHORTEST = 0.5
"""Seconds: a watch that ends regularly before this, without a word, is not repeated at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How patient the watches are; all but `chunk` in seconds."""

    session: float = 150.0
    """The API server ends a watch after this long (up to a tenth less, so that they do not all end together). On a kind
    that has not changed since the API server's start this end is the only sign of life: bookmarks do not come there.
    """
    silence: float = 170.0
    """A watch that said nothing for this long, not even its end, is dead. (A peer that is gone is found out earlier, by
    TCP keepalives; this is for one that is stuck.)
    """
    chunk: int = 500
    """Objects per page of a list."""
    first_pause: float = FIRST
    longest_pause: float = 10.0
    """Short, because everything waits for it when the API server is back."""
    longest_absence: float = 60.0
    """Between two questions for a kind that the cluster does not serve."""


class Watches:
    """One task per cached kind. `connected` tells whether all of them hear the API server now."""

    def __init__(  # noqa: PLR0913 - what a watch consists of, keyword-only
        self,
        *,
        client: Client,
        cache: Cache,
        namespace: str,
        selector: Mapping[str, str],
        optional: Collection[str] = (),
        pace: Pace | None = None,
    ) -> None:
        """`optional` names the optional kinds that are watched, too."""
        wanted = ",".join(f"{key}={value}" for key, value in selector.items())
        self._watches = [
            _Watch(
                kind=kind,
                client=client,
                cache=cache,
                namespace=namespace,
                selector=wanted,
                pace=pace or Pace(),
                told=self._told,
                served=self._served,
            )
            for kind in (*CACHED, *(kind for kind in OPTIONAL if kind.name in optional))
        ]
        self.connected = False
        self.on_connected: list[Callable[[], None]] = []
        self.serving = {kind.name: Serving(None, UNWATCHED) for kind in OPTIONAL}
        self.on_serving: list[Callable[[], None]] = []

    async def run(self) -> None:
        """Watch everything; ends only by being cancelled."""
        async with asyncio.TaskGroup() as group:
            for watch in self._watches:
                group.create_task(watch.run(), name=f"watch {watch.kind.plural}")

    def _served(self, kind: Kind, serving: Serving) -> None:
        if serving == self.serving[kind.name]:
            return
        self.serving[kind.name] = serving
        _LOGGER.info("%s: %s", kind.name, serving.why_not or f"the cluster serves {serving.api}")
        for listener in self.on_serving:
            listener()

    def _told(self, kind: Kind, why: str) -> None:
        connected = all(watch.hears for watch in self._watches)
        if connected == self.connected:
            return
        self.connected = connected
        metrics.CLUSTER_CONNECTED.set(connected)
        if connected:
            _LOGGER.info("Connected to the Kubernetes API server")
            for listener in self.on_connected:
                listener()
        else:
            _LOGGER.warning("The watch on %s is interrupted: %s", kind.plural, why)


@dataclass(slots=True, kw_only=True)
class _Watch:
    """One kind."""

    kind: Kind
    client: Client
    cache: Cache
    namespace: str
    selector: str
    pace: Pace
    told: Callable[[Kind, str], None]
    """Called with the reason whenever `hears` was set."""
    served: Callable[[Kind, Serving], None]
    """Called with what is found out of an optional kind."""
    hears: bool = False
    _path: str = ""
    """Where it was listed."""
    _version: str | None = None
    """Where to go on; None: list anew."""
    _progress: bool = False
    """Whether the API server said anything since the last try."""

    async def run(self) -> None:
        backoff = Backoff(first=self.pace.first_pause, longest=self.pace.longest_pause)
        absence = Backoff(first=self.pace.first_pause, longest=self.pace.longest_absence)
        clock = asyncio.get_running_loop().time
        while True:
            self._progress = False
            began = clock()
            reason = await self._try()
            metrics.WATCH_RESTARTS.labels(kind=self.kind.name, reason=reason).inc()
            if reason == "absent":
                await absence.wait()
                continue
            absence.reset()
            healthy = self._progress or (reason == "regular" and clock() - began > SHORTEST)
            if healthy:
                backoff.reset()
            if reason != "regular" or not healthy:
                await backoff.wait()

    async def _try(self) -> str:
        """List if needed, and watch until it ends. Why it ended, as the metric names it."""
        try:
            if self._version is None:
                self._version = await self._list()
            await self._watch(self._version)
        except ClusterExpiredError:
            self._version = None
            return "expired"
        except ClusterError as error:
            if self.kind.optional and isinstance(error, ClusterRefusedError):
                return self._lacking(error)
            self._hear(hears=False, why=str(error))
            return "broken"
        return "regular"

    def _lacking(self, error: ClusterRefusedError) -> str:
        """Nobody else waits for a kind that is not there, or that we may not look at. One that was listed may only have
        got another version: it is listed anew before it counts as absent.
        """
        if self._version is not None:
            self._version = None
            self._hear(hears=True)
            return "expired"
        self.cache.clear(self.kind)
        unknown = isinstance(error, ClusterNotFoundError)
        why_not = f"the cluster does not know {self.kind.name} of {self.kind.api}" if unknown else str(error)
        self.served(self.kind, Serving(None, why_not))
        self._hear(hears=True)
        return "absent"

    async def _list(self) -> str:
        """Fill the cache; the version to watch from. By the best version of the API that the cluster serves."""
        *better, oldest = self.kind, *(self.kind.at(api) for api in self.kind.older)
        for kind in better:
            with contextlib.suppress(ClusterNotFoundError):
                return await self._list_by(kind)
        return await self._list_by(oldest)

    async def _list_by(self, kind: Kind) -> str:
        """All pages are of one version."""
        query = {"labelSelector": self.selector, "limit": str(self.pace.chunk)}
        path, head = kind.path(self.namespace), {"apiVersion": kind.api, "kind": kind.name}
        objects: list[Any] = []
        while True:
            page = await self.client.request("GET", path, query=query)
            # Items of a list do not say what they are; objects of a watch and of answers do.
            objects += [{**head, **stripped(item)} for item in page["items"]]
            more = page["metadata"].get("continue")
            if not more:
                break
            query = {**query, "continue": more}
        version: str = page["metadata"]["resourceVersion"]
        if self._path and path != self._path:
            # Objects are as old as before, and reached elsewhere: the cache takes only what is new to it.
            self.cache.clear(kind)
        self.cache.replace(kind, objects, version)
        self._path = path
        if kind.optional:
            self.served(kind, Serving(kind.api))
        return version

    async def _watch(self, version: str) -> None:
        """Take over events until the API server ends the watch."""
        seconds = self.pace.session * random.uniform(0.9, 1)  # noqa: S311 - spreads load, keeps no secret
        query = {
            "labelSelector": self.selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(max(1, round(seconds))),
        }
        async with self.client.stream(self._path, query=query, silence=self.pace.silence) as lines:
            self._hear(hears=True)
            async for event, live in events(lines):
                if event == "BOOKMARK":
                    self.cache.bookmark(self.kind, live["metadata"]["resourceVersion"])
                else:
                    self.cache.observe(self.kind, event, live)
                self._version = live["metadata"]["resourceVersion"]
                self._progress = True

    def _hear(self, *, hears: bool, why: str = "") -> None:
        self.hears = hears
        self.told(self.kind, why)


async def events(lines: AsyncGenerator[bytes]) -> AsyncIterator[tuple[str, Any]]:
    """Type and object of each event. An ERROR event is raised as the error it stands for."""
    async for line in lines:
        if not line:
            continue
        try:
            event = orjson.loads(line)
            kind, live = event["type"], event["object"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise ClusterUnavailableError("A watch event was cut off") from error
        if kind == "ERROR":
            raise error_for(live.get("code", 500), live.get("message", "the watch failed"))
        yield kind, stripped(live)
