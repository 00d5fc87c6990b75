"""What the kubelets measured of their pods, asked of them themselves: their summary API.

That needs the right `get nodes/stats`, which an administrator may grant (`manifests/components/stats`). By way of the
API server it would need `nodes/proxy`, and whoever has that can run what he likes in every pod of a node. A kubelet is
only asked if the cluster's authority has signed its certificate: else anybody at its address would be shown our token.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.model.status import Live

PORT = 10250
FRESH = 10.0
"""Seconds for which one answer serves all questions about the node's pods: a kubelet measures about as often."""


class Kubelets:
    """By the address of their node."""

    def __init__(self, *, client: Client, may_ask: Callable[[], Awaitable[bool]], port: int = PORT) -> None:
        self._client = client
        self._port = port
        self._may_ask = may_ask
        self._known: dict[str, tuple[float, Mapping[str, Live]]] = {}
        self._asking = asyncio.Lock()

    async def measured(self, pod: Live) -> Live | None:
        """PodStats of the pod; None when nobody measured it, or we may not ask. ClusterError."""
        address = pod.get("status", {}).get("hostIP")
        if not address:
            return None
        async with self._asking:
            now = time.monotonic()
            if address not in self._known or now - self._known[address][0] > FRESH:
                self._known[address] = now, {}  # one that does not answer is left alone for as long
                self._known[address] = now, await self._ask(address)
        return self._known[address][1].get(pod["metadata"]["uid"])

    async def _ask(self, address: str) -> Mapping[str, Live]:
        """By the pods' UIDs."""
        if not await self._may_ask():
            return {}
        host = f"[{address}]" if ":" in address else address
        summary = await self._client.request("GET", "/stats/summary", host=f"https://{host}:{self._port}")
        return {pod["podRef"]["uid"]: pod for pod in summary.get("pods") or ()}
