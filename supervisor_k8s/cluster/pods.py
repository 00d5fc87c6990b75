"""What only a pod can tell: the log of its containers, what they use; and what their programs are told.

A program's standard input is reached by an *attach*, a websocket in the API server's protocol `v5.channel.k8s.io`: the
first byte of a message is the number of its channel. With version 5 a channel can be closed from our side, so that the
API server tells when all of it has been written.
"""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

import orjson

from supervisor_k8s.cluster.client import Client, error_for
from supervisor_k8s.cluster.kinds import KINDS
from supervisor_k8s.errors import ClusterNotFoundError, ClusterUnavailableError, TookTooLongError
from supervisor_k8s.model.status import Live

QUIET = 30.0
"""Seconds a log that is not followed may pause before the connection counts as dead."""
ATTACH = "v5.channel.k8s.io"
STDIN, OUTCOME, CLOSE = b"\x00", b"\x03", b"\xff"
PIECE = 32 * 1024
"""Bytes of input in one message."""
WRITE_WAIT = 20.0
"""Seconds a program may take to have its input; what it does not read at once waits in a pipe."""


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

    async def write(self, pod: str, container: str, content: bytes, *, within: float = WRITE_WAIT) -> None:
        """Write to the standard input of a container's program, which stays open, and see it written.

        ClusterError; TookTooLongError when it is not written `within` seconds, because the program does not read.
        """
        path = f"{KINDS['Pod'].path(self._namespace, pod)}/attach"
        query = {"container": container, "stdin": "true"}
        try:
            async with (
                asyncio.timeout(within),
                self._client.websocket(path, query=query, protocol=ATTACH) as socket,
            ):
                for start in range(0, len(content), PIECE):
                    await socket.send_bytes(STDIN + content[start : start + PIECE])
                await socket.send_bytes(CLOSE + STDIN)
                outcome = [message.data[1:] async for message in socket if message.data[:1] == OUTCOME]
        except TimeoutError:
            raise TookTooLongError(f"The program has not read its input within {within:.0f} seconds") from None
        _check(outcome)

    async def metrics(self, pod: str) -> Live | None:
        """PodMetrics of a pod; None when it was not measured, or the cluster has no metrics API. ClusterError."""
        try:
            return await self._client.request(
                "GET", f"/apis/metrics.k8s.io/v1beta1/namespaces/{self._namespace}/pods/{pod}"
            )
        except ClusterNotFoundError:
            return None


def _check(outcome: list[bytes]) -> None:
    """The API server's verdict on an attach is a Status object."""
    if not outcome:
        raise ClusterUnavailableError("The Kubernetes API server ended the connection before the input was written")
    status = orjson.loads(outcome[-1])
    if status.get("status") != "Success":
        raise error_for(status.get("code") or 0, str(status.get("message", "")))
