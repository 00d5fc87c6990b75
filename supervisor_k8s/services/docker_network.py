"""Whether add-ons find the addresses of Docker's network here (`model/desired/docker_network.py`), as one more fact of
where we run. Looked at when we start and every hour: a new start of an add-on goes by it, what runs stays as it is.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from supervisor_k8s.errors import ClusterError
from supervisor_k8s.model.desired.docker_network import merged, trial_pod
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.issue import Cause, Context, Fault
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import Live

_LOGGER = logging.getLogger(__name__)
START_WAIT = 10.0
"""Seconds that our start waits for what the cluster says."""


class Cluster(Protocol):
    """What is needed of the cluster (cluster.cluster.Cluster)."""

    async def refusal(self, manifest: Manifest) -> str | None:
        """Why the cluster would not take this new object. ClusterError."""

    async def nodes(self) -> Sequence[Live] | None:
        """All nodes; None where we may not ask for them. ClusterError."""


class DockerNetwork:
    """One for all add-ons."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        choice: str,
        pod_cidrs: Sequence[str] | None,
        site: Callable[[], Site],
        wait: float = START_WAIT,
    ) -> None:
        """`choice` is `auto`, `on` or `off`; without `pod_cidrs` the nodes are asked for theirs. `site` is where pods
        are made for, but for this. `wait`: see `prepare`.
        """
        self._cluster = cluster
        self._choice = choice
        self._given = pod_cidrs
        self._site = site
        self._wait = wait
        self._on = choice == "on"
        self._pod_cidrs: tuple[str, ...] = ()
        self._said = ""

    @property
    def site(self) -> Site:
        """Where add-ons' pods are made for."""
        return replace(self._site(), docker_network=self._on, pod_cidrs=self._pod_cidrs)

    async def prepare(self) -> None:
        """To be called before the first add-on starts. A cluster that does not say keeps nobody from starting, and
        holds us up for `wait` seconds at most: then it is as it was before the first look, until the next one.
        """
        try:
            async with asyncio.timeout(self._wait):
                await self.check()
        except (ClusterError, TimeoutError) as error:
            now = "on" if self._on else "off"
            why = str(error) or "the Kubernetes API server did not answer in time"
            _LOGGER.warning("Docker's network for add-ons stays %s until the cluster is asked again: %s", now, why)

    async def check(self) -> Sequence[Fault]:
        """Look, and tell what keeps add-ons from these addresses, for the check `docker_network`. ClusterError changes
        nothing.
        """
        if self._choice == "off":
            return []
        refused = await self._cluster.refusal(trial_pod(self._site())) if self._choice == "auto" else None
        if refused is not None:
            self._on = False
            self._say(logging.WARNING, f"off, because the cluster refuses pods with it: {refused}")
            return [Fault(Cause.DOCKER_NETWORK_OFF, Context.SYSTEM, extra=(("message", refused),))]
        cidrs = self._of_nodes(await self._cluster.nodes()) if self._given is None else self._given
        self._on, self._pod_cidrs = True, merged(cidrs)
        known = ", ".join(self._pod_cidrs) or "unknown, so add-ons see other pods as who they are"
        self._say(logging.INFO, f"on; networks of pods: {known}")
        return [Fault(Cause.POD_CIDRS_UNKNOWN, Context.SYSTEM)] if self._choice == "on" and not self._pod_cidrs else []

    def _say(self, level: int, how: str) -> None:
        """Once after each change."""
        if how != self._said:
            _LOGGER.log(level, "Docker's network for add-ons is %s", how)
        self._said = how

    @staticmethod
    def _of_nodes(nodes: Sequence[Live] | None) -> Sequence[str]:
        specs = [node["spec"] for node in nodes or ()]
        return [cidr for spec in specs for cidr in spec.get("podCIDRs") or [spec.get("podCIDR")] if cidr]
