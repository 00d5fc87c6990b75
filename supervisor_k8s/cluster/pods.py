"""What only a pod can tell: the log of its containers, and what they use."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.cluster.kinds import KINDS
from supervisor_k8s.errors import ClusterNotFoundError
from supervisor_k8s.model.status import Live

QUIET = 30.0
"""Seconds a log that is not followed may pause before the connection counts as dead."""


class Pods:
    """Pods of one namespace."""

    def __init__(self, *, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    async def logs(  # noqa: PLR0913 - the log's own parameters
        self,
        pod: str,
        container: str,
        *,
        tail_lines: int | None = None,
        follow: bool = False,
        since: datetime | None = None,
        previous: bool = False,
        timestamps: bool = False,
    ) -> AsyncGenerator[bytes]:
        """Lines of a container's log without line ends, oldest first.

        `follow` goes on until the container ends; an add-on may be silent for days, so it never times out. `previous`
        is the container before its last restart. Whoever leaves the loop early closes the connection with
        `contextlib.aclosing`. ClusterNotFoundError: no such pod; ClusterRefusedError: the container has not started.
        """
        query = {"container": container}
        if tail_lines is not None:
            query["tailLines"] = str(tail_lines)
        if since is not None:
            query["sinceTime"] = since.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        for name, wanted in (("follow", follow), ("previous", previous), ("timestamps", timestamps)):
            if wanted:
                query[name] = "true"
        path = f"{KINDS['Pod'].path(self._namespace, pod)}/log"
        async with self._client.stream(path, query=query, silence=None if follow else QUIET) as lines:
            async for line in lines:
                yield line

    async def metrics(self, pod: str) -> Live | None:
        """PodMetrics of a pod; None when it was not measured, or the cluster has no metrics API. ClusterError."""
        try:
            return await self._client.request(
                "GET", f"/apis/metrics.k8s.io/v1beta1/namespaces/{self._namespace}/pods/{pod}"
            )
        except ClusterNotFoundError:
            return None
