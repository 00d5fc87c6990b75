"""Whether the cluster lets add-ons have what the administrator allows (`SUPERVISOR_K8S_ALLOW`), as one more fact of
where we run: the namespace's Pod Security level, or a policy, may forbid it, and a device may be at no node. Looked at
when we start and every hour.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from supervisor_k8s.model.allowance import class_of
from supervisor_k8s.model.desired.security import trial_pods
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.issue import Cause, Context, Fault
from supervisor_k8s.model.nodes import NodeFacts, node_facts
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import Live
from supervisor_k8s.waits import unsaid

_LOGGER = logging.getLogger(__name__)
START_WAIT = 10.0
"""Seconds that our start waits for what the cluster says."""


class Cluster(Protocol):
    """What is needed of the cluster (cluster.cluster.Cluster)."""

    async def refusal(self, manifest: Manifest) -> str | None:
        """Why the cluster would not take this new object. ClusterError."""

    async def nodes(self) -> Sequence[Live] | None:
        """All nodes; None where we may not ask for them. ClusterError."""


class Allowances:
    """One for all add-ons."""

    def __init__(
        self, *, cluster: Cluster, allowed: frozenset[str], site: Callable[[], Site], wait: float = START_WAIT
    ) -> None:
        """`allowed` are the administrator's words, `site` is where pods are made for. `wait`: see `prepare`."""
        self._cluster = cluster
        self._words = allowed
        self._site = site
        self._wait = wait
        self._refused: Mapping[str, str] = {}
        self.nodes = NodeFacts()
        """What the nodes offer: another object after each change."""
        self.allowed = allowed
        """What add-ons can have: another object after each change."""

    @property
    def site(self) -> Site:
        """Where add-ons' pods are made for."""
        return replace(self._site(), allowed=self.allowed, refused=self._refused, nodes=self.nodes)

    async def prepare(self) -> None:
        """To be called before the first add-on starts. A cluster that does not say keeps nobody from starting, and
        holds us up for `wait` seconds at most: what is allowed is then taken for possible, until the next look.
        """
        why = await unsaid(self._ask(), within=self._wait)
        if why is not None:
            _LOGGER.warning("Whether the cluster lets add-ons have what is allowed is not known yet: %s", why)

    async def check(self) -> Sequence[Fault]:
        """Look, at the nodes too, and tell what is allowed in vain, for the check `allowances`. What was known
        stays with a ClusterError.
        """
        found = await self._ask()
        nodes = node_facts(await self._cluster.nodes())
        if nodes != self.nodes:
            self.nodes = nodes
        return [
            Fault(Cause.ALLOWED_IN_VAIN, Context.SYSTEM, what, extra=(("message", reason),))
            for what, reason in found.items()
        ]

    async def _ask(self) -> Mapping[str, str]:
        """What the cluster refuses, with its reasons. ClusterError."""
        found: dict[str, str] = {}
        for name, pod in trial_pods(self._site()).items():
            why = await self._cluster.refusal(pod)
            if why is not None:
                found[name] = why
        if found != self._refused:
            self._refused = found
            self.allowed = frozenset(word for word in self._words if class_of(word) not in found)
            for what, reason in found.items():
                _LOGGER.warning(
                    "SUPERVISOR_K8S_ALLOW gives no add-on %s, the cluster refuses such pods: %s", what, reason
                )
        return found
