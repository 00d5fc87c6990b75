"""Whether add-ons find the addresses of Docker's network here (`model/desired/docker_network.py`), as one more fact of
where we run. Looked at when we start and every hour: a new start of an add-on goes by it, what runs stays as it is.
What was found is remembered, for a start of ours at which the cluster does not say: after a power cut, when everything
starts at once, add-ons are to be as they were.
"""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from supervisor_k8s.errors import StateFileError
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.desired.docker_network import DATABASE, could_use, merged, trial_pod
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.issue import Cause, Context, Fault
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import Live
from supervisor_k8s.waits import unsaid

_LOGGER = logging.getLogger(__name__)
START_WAIT = 3.0
"""Seconds that our start waits for what the cluster says."""


class Cluster(Protocol):
    """What is needed of the cluster (cluster.cluster.Cluster)."""

    async def refusal(self, manifest: Manifest) -> str | None:
        """Why the cluster would not take this new object. ClusterError."""

    async def nodes(self) -> Sequence[Live] | None:
        """All nodes; None where we may not ask for them. ClusterError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """What is needed of others here, and what outlives our process."""

    site: Callable[[], Site]
    """Where pods are made for, but for this."""
    installed: Callable[[], Iterable[AddonConfig]]
    """All add-ons that are."""
    former: Callable[[], Sequence[str] | None]
    """Networks of pods, as they were known when add-ons could last have these addresses; None where they could not."""
    remember: Callable[[Sequence[str] | None], Awaitable[None]]
    """StateFileError, of which people are told elsewhere."""


class DockerNetwork:
    """One for all add-ons."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        choice: str,
        pod_cidrs: Sequence[str] | None,
        neighbours: Neighbours,
        wait: float = START_WAIT,
    ) -> None:
        """`choice` is `auto`, `on` or `off`; without `pod_cidrs` nodes are asked for theirs. `wait`: see `prepare`."""
        self._cluster = cluster
        self._choice = choice
        self._given = pod_cidrs
        self._to = neighbours
        self._wait = wait
        self._on = choice == "on"
        self._pod_cidrs: tuple[str, ...] = ()
        self._said = ""

    @property
    def site(self) -> Site:
        """Where add-ons' pods are made for."""
        return replace(self._to.site(), docker_network=self._on, pod_cidrs=self._pod_cidrs)

    async def prepare(self) -> None:
        """To be called before the first add-on starts. A cluster that does not say keeps nobody from starting, and
        holds us up for `wait` seconds at most: then it is as it was at the last look, also of a former process, until
        the next one.
        """
        former = self._to.former()
        if former is not None and self._choice != "off":
            self._on, self._pod_cidrs = True, merged(former if self._given is None else self._given)
        why = await unsaid(self.check(), within=self._wait)
        if why is not None:
            now = "on" if self._on else "off"
            _LOGGER.warning("Docker's network for add-ons stays %s until the cluster is asked again: %s", now, why)

    async def check(self) -> Sequence[Fault]:
        """Look, and tell what keeps installed add-ons from these addresses, for the check `docker_network`.
        ClusterError changes nothing.
        """
        if self._choice == "off":
            return []
        refused = await self._cluster.refusal(trial_pod(self._to.site())) if self._choice == "auto" else None
        if refused is not None:
            self._on = False
            self._say(f"off, because the cluster refuses pods with it: {refused}")
            await self._note(None)
            fault = Fault(Cause.DOCKER_NETWORK_OFF, Context.SYSTEM, extra=(("message", refused),))
            site = self._to.site()
            return [fault] if any(could_use(config, site) for config in self._to.installed()) else []
        cidrs = self._of_nodes(await self._cluster.nodes()) if self._given is None else self._given
        self._on, self._pod_cidrs = True, merged(cidrs)
        known = ", ".join(self._pod_cidrs) or "unknown, so add-ons see other pods as who they are"
        self._say(f"on; networks of pods: {known}")
        await self._note(self._pod_cidrs)
        return [Fault(Cause.POD_CIDRS_UNKNOWN, Context.SYSTEM)] if self._lacks_networks() else []

    def _lacks_networks(self) -> bool:
        """Whether nobody says which networks are the pods', and somebody relies on it."""
        if self._pod_cidrs:
            return False
        return self._choice == "on" or any(DATABASE in config.services for config in self._to.installed())

    async def _note(self, found: Sequence[str] | None) -> None:
        """For the next process."""
        former = self._to.former()
        if found != (former if former is None else tuple(former)):
            with contextlib.suppress(StateFileError):
                await self._to.remember(found)

    def _say(self, how: str) -> None:
        """Once after each change."""
        if how != self._said:
            _LOGGER.info("Docker's network for add-ons is %s", how)
        self._said = how

    @staticmethod
    def _of_nodes(nodes: Sequence[Live] | None) -> Sequence[str]:
        specs = [node["spec"] for node in nodes or ()]
        return [cidr for spec in specs for cidr in spec.get("podCIDRs") or [spec.get("podCIDR")] if cidr]
