"""Where on the network an add-on is, for the add-on itself.

Its program asks at once and writes what it hears into its configuration (`listen <address>:<port>`, binds). The kubelet
tells the API server where a pod is only after its program began, up to seconds later: an answer that is asked for
before waits for that, as nothing else is right behind every kind of network.
"""

from collections.abc import Callable, Sequence

from supervisor_k8s.errors import TookTooLongError
from supervisor_k8s.model.status import NO_ADDRESS, is_terminating, pod_address
from supervisor_k8s.reconcile import Cluster, Live

TOLD_WAIT = 8.0
"""Seconds for the kubelet to say where a program is that runs already; clients hang up after 10."""


class AddonPlace:
    """Answers add-ons that ask about themselves. `pods` are an add-on's by slug."""

    def __init__(self, *, cluster: Cluster, pods: Callable[[str], Sequence[Live]]) -> None:
        self._cluster = cluster
        self._pods = pods

    async def told(self, slug: str) -> str:
        """Its IPv4 address, waited for; `0.0.0.0` when it is on its way out, or nobody says within TOLD_WAIT."""

        def known() -> str | None:
            pods = self._pods(slug)
            address = pod_address(pods)
            return address if address != NO_ADDRESS or all(map(is_terminating, pods)) else None

        try:
            return await self._cluster.until(known, within=TOLD_WAIT)
        except TookTooLongError:
            return NO_ADDRESS
