"""The Lease by which two Supervisors never act at the same time.

Whoever holds the Lease `supervisor` of the namespace may change the cluster and our files; who does not, waits or only
answers. The record and its rules are those of Kubernetes' own leader election (client-go, `tools/leaderelection`): the
holder renews; whoever waits takes over when *it* has seen no change of the record for the Lease's duration, by its own
clock and never by comparing times of two machines; each takeover counts one transition; an empty holder means released.

Three things are different. The holder is the UID of a pod (its name is an annotation), so the Lease of a pod that is
gone from the API, or over, is taken at once. Losing it does not end the process: nothing is written until it is back.
And both sides watch instead of asking again and again, which also tells a holder at once that it was replaced.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Never

from supervisor_k8s import metrics
from supervisor_k8s.cluster.backoff import Backoff
from supervisor_k8s.cluster.cache import stripped
from supervisor_k8s.cluster.client import Client
from supervisor_k8s.cluster.kinds import KINDS
from supervisor_k8s.cluster.watch import events
from supervisor_k8s.errors import (
    ClusterConflictError,
    ClusterError,
    ClusterNotFoundError,
    ClusterUnavailableError,
    NotInChargeError,
)
from supervisor_k8s.model import lease as record
from supervisor_k8s.model.naming import supervisor_labels
from supervisor_k8s.model.status import Live
from supervisor_k8s.waits import hears

_LOGGER = logging.getLogger(__name__)
NAME = "supervisor"
"""One for the namespace, whatever our Deployment is called: two installations in it must not act both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """All in seconds.

    `renew_within` plus the longest a write may take (client.REQUEST_WAIT) is less than `duration`: our last write is
    over before anybody takes over. `renew_every` makes two requests a minute; the watches make another three, and a
    Supervisor with nothing to do shall not make more than six. The duration only matters when a holder's pod exists and
    does not answer, because a pod that is gone is noticed at once: it need not be short.
    """

    duration: float = 90.0
    renew_every: float = 30.0
    renew_within: float = 60.0
    answer: float = 10.0
    """For one request: a silent API server leaves time for another try."""
    session: float = 540.0
    """The API server ends a watch after this long. Our own renewals are its signs of life."""
    longest_pause: float = 5.0
    """Between tries while the API server does not answer."""


def boot_clock() -> float:
    """Seconds that pass while the machine sleeps, too: whoever wakes up must not believe that no time has passed."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Lease:
    """Our part in the election: `acquire`, then `keep` for as long as we live, then `release`."""

    def __init__(
        self,
        *,
        client: Client,
        namespace: str,
        pod: str,
        terms: Terms | None = None,
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        """`client` is used by nobody else, so that no renewal waits behind other requests. `pod` is our own."""
        self._client = client
        self._namespace = namespace
        self._pod = pod
        self._terms = terms or Terms()
        self._clock = clock
        self._seconds = round(self._terms.duration)
        self._uid: str | None = None
        self._live: Live | None = None
        self._changed_at = 0.0
        """When we saw the record change last, by our clock."""
        self._until = 0.0
        """Until then we may act, by our clock."""
        self._why = "it is not acquired yet"
        self._nudge = asyncio.Event()
        """Somebody else touched the Lease: look at once."""

    @property
    def held(self) -> bool:
        """Whether we may act now."""
        return self._clock() < self._until

    def check(self) -> None:
        """NotInChargeError unless we may act now."""
        if not self.held:
            raise NotInChargeError(why=self._why)

    async def acquire(self) -> None:
        """Return when the Lease is ours; waits for as long as it takes, also for an API server that is away."""
        backoff = Backoff(longest=self._terms.longest_pause)
        said = ""
        while True:
            try:
                other = await self._try()
                if other is None:
                    return
                if (text := record.waiting_in_words(other.lease)) != said:
                    said = self._why = text
                    _LOGGER.info("%s", text)
                await self._until_change(other, backoff)
            except ClusterConflictError:
                await backoff.wait()  # somebody was faster: who?
            except ClusterError as error:
                if str(error) != said:
                    said = self._why = str(error)
                    _LOGGER.warning("The Lease cannot be acquired yet: %s", error)
                await backoff.wait()

    async def keep(self, returned: Callable[[bool], None]) -> Never:
        """Renew until cancelled. After a loss, when it is ours again, `returned` is called with whether nobody else
        held it in between: otherwise what we remember of our files may be old.
        """
        while True:
            self._why = await _first(self._renewals(), self._overhear())
            metrics.LEASE_HELD.set(0)
            _LOGGER.warning("The Lease is lost: %s; nothing is changed until it is ours again", self._why)
            before = record.tenure(self._live)
            await self.acquire()
            _LOGGER.info("The Lease is ours again")
            returned(record.tenure(self._live) == before)

    async def release(self) -> None:
        """Let the next one take it at once. To be called when we no longer write; what fails is only logged."""
        live = self._live
        if live is None or not self._is_ours(live):
            return
        self._until, self._why = 0.0, "this Supervisor ends"
        metrics.LEASE_HELD.set(0)
        try:
            try:
                await self._put(live, record.released(live, now=_now()))
            except ClusterConflictError:
                # A renewal was under way when we were told to end: its answer was not waited for.
                now = await self._read("Lease", NAME)
                if now is not None and self._is_ours(now):
                    await self._put(now, record.released(now, now=_now()))
        except ClusterError as error:
            _LOGGER.info("The Lease was not released; the next Supervisor takes it once our pod is gone: %s", error)

    # --- taking it ---------------------------------------------------------------------------------------------------

    async def _try(self) -> "_Other | None":
        """Take it, or say who keeps us from it."""
        if self._uid is None:
            self._uid = await self._own_uid()
        asked = self._clock()
        live = await self._read("Lease", NAME)
        if live is None:
            self._won(await self._create(), asked)
            return None
        self._saw(live)
        other = await self._other(live)
        if other is None:
            asked = self._clock()
            spec = record.acquired(live, holder=self._uid, seconds=self._seconds, now=_now())
            self._won(await self._put(live, spec), asked)
        return other

    async def _own_uid(self) -> str:
        pod = await self._read("Pod", self._pod)
        if pod is None:
            raise ClusterError(f"Our own pod {self._pod} is not in namespace {self._namespace}")
        uid: str = pod["metadata"]["uid"]
        return uid

    async def _other(self, live: Live) -> "_Other | None":
        holder, name = record.holder(live), record.holder_pod(live)
        if holder in ("", self._uid) or self._left(live) <= 0:
            return None
        if name is None:
            return _Other(lease=live, pod=None)
        pod = await self._read("Pod", name)
        return None if record.is_over(pod, holder) else _Other(lease=live, pod=pod)

    def _left(self, live: Live) -> float:
        """Seconds until the Lease counts as abandoned."""
        return self._changed_at + record.seconds(live) - self._clock()

    def _saw(self, live: Live) -> None:
        if self._live is None or self._live["spec"] != live["spec"]:
            self._changed_at = self._clock()
        self._live = live

    def _won(self, live: Live, asked: float) -> None:
        """Ours, counted from when we asked: nobody else counts from an earlier moment."""
        self._live = stripped(live)
        self._changed_at = asked
        self._until = asked + self._terms.renew_within
        self._why = "it could not be renewed in time"
        metrics.LEASE_HELD.set(1)

    async def _until_change(self, other: "_Other", backoff: Backoff) -> None:
        """Return when it is worth another try: the Lease or its holder's pod changed, or its time is over."""
        objects = [live for live in (other.lease, other.pod) if live is not None]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._left(other.lease))):
                await _first(*(self._next_event(live, backoff) for live in objects))

    async def _next_event(self, live: Live, backoff: Backoff) -> None:
        try:
            await self._watch(live, lambda *_: True)
        except ClusterError:
            await backoff.wait()

    # --- keeping it --------------------------------------------------------------------------------------------------

    async def _renewals(self) -> str:
        """Renew in time, and at once when nudged. Why it is lost."""
        while True:
            await hears(self._nudge, within=self._terms.renew_every)
            self._nudge.clear()
            why = await self._renew()
            if why is not None:
                return why

    async def _renew(self) -> str | None:
        backoff = Backoff(longest=self._terms.longest_pause)
        while True:
            asked = self._clock()
            try:
                self._won(await self._renewed(), asked)
            except _ReplacedError as error:
                self._until = 0.0
                return str(error)
            except ClusterError as error:
                if not self.held:
                    return f"it was not renewed for {self._terms.renew_within:.0f} s ({error})"
                await backoff.wait()
            else:
                return None

    async def _renewed(self) -> Live:
        """The renewed Lease; a deleted one is made again, as long as nobody else did."""
        live = self._live
        if live is None:
            return await self._create()
        try:
            return await self._put(live, record.renewed(live, seconds=self._seconds, now=_now()))
        except ClusterConflictError:
            pass
        except ClusterNotFoundError:
            return await self._create()
        now = await self._read("Lease", NAME)
        if now is None:
            return await self._create()
        if not self._is_ours(now):
            self._live = now
            raise _ReplacedError(f"{record.holder_in_words(now)} holds it")
        return await self._put(now, record.renewed(now, seconds=self._seconds, now=_now()))

    async def _overhear(self) -> Never:
        """Look at once when somebody else takes, changes or deletes the Lease."""
        backoff = Backoff(longest=self._terms.longest_pause)

        def heard(event: str, live: Live) -> bool:
            if event == "DELETED":
                self._nudge.set()
            elif not self._is_ours(live):
                self._until = 0.0
                self._nudge.set()
            backoff.reset()
            return False

        while True:
            if self._live is not None:
                with contextlib.suppress(ClusterError):
                    await self._watch(self._live, heard)
            await backoff.wait()

    # --- requests ----------------------------------------------------------------------------------------------------

    def _is_ours(self, live: Live) -> bool:
        return record.holder(live) == self._uid

    async def _create(self) -> Live:
        spec = record.acquired(None, holder=self._uid or "", seconds=self._seconds, now=_now())
        return await self._request("POST", None, self._manifest({}, spec))

    async def _put(self, live: Live, spec: Mapping[str, Any]) -> Live:
        """ClusterConflictError when the Lease is not as `live` has it any more."""
        identity = {key: live["metadata"][key] for key in ("uid", "resourceVersion")}
        return await self._request("PUT", NAME, self._manifest(identity, spec))

    def _manifest(self, identity: Mapping[str, str], spec: Mapping[str, Any]) -> dict[str, Any]:
        annotations = {record.ANNOTATION_POD: self._pod}
        metadata = {"name": NAME, **identity, "labels": supervisor_labels(), "annotations": annotations}
        return {"apiVersion": KINDS["Lease"].api, "kind": "Lease", "metadata": metadata, "spec": dict(spec)}

    async def _read(self, kind: str, name: str) -> Live | None:
        try:
            return stripped(await self._within(self._client.request("GET", KINDS[kind].path(self._namespace, name))))
        except ClusterNotFoundError:
            return None

    async def _request(self, method: str, name: str | None, body: Mapping[str, Any]) -> Live:
        path = KINDS["Lease"].path(self._namespace, name)
        return await self._within(self._client.request(method, path, body=body))

    async def _within(self, request: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
        try:
            async with asyncio.timeout(self._terms.answer):
                return await request
        except TimeoutError as error:
            said = f"The Kubernetes API server did not answer within {self._terms.answer:.0f} s"
            raise ClusterUnavailableError(said) from error

    async def _watch(self, live: Live, heard: Callable[[str, Live], bool]) -> None:
        """Tell every change of this object since; return when `heard` says so or the API server ends the watch."""
        metadata = live["metadata"]
        query = {
            "fieldSelector": f"metadata.name={metadata['name']}",
            "watch": "true",
            "resourceVersion": metadata["resourceVersion"],
            "timeoutSeconds": str(round(self._terms.session)),
        }
        path = KINDS[live["kind"]].path(self._namespace)
        async with self._client.stream(path, query=query, silence=self._terms.session + self._terms.answer) as lines:
            async for event, now in events(lines):
                if heard(event, now):
                    return


@dataclass(frozen=True, slots=True, kw_only=True)
class _Other:
    """Who holds the Lease instead of us."""

    lease: Live
    pod: Live | None
    """None when the Lease does not say which pod it is."""


class _ReplacedError(Exception):
    """Another one holds the Lease."""


async def _first[T](*work: Coroutine[Any, Any, T]) -> T:
    """What the one gives that ends first; the others are cancelled."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(item) for item in work]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
    return done.pop().result()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
