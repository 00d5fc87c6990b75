"""The one connection to the Kubernetes API server: JSON in, JSON out, by path.

kubernetes_asyncio gives transport and credentials; its typed models are not used, because objects stay the plain dicts
that `model/` renders. Every foreign exception ends here and becomes one of the ClusterError family.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
import orjson

from supervisor_k8s import metrics
from supervisor_k8s.cluster.credentials import Credentials
from supervisor_k8s.cluster.library import ApiClient, ConfigException
from supervisor_k8s.errors import (
    ClusterConflictError,
    ClusterError,
    ClusterExpiredError,
    ClusterInterruptedError,
    ClusterNotFoundError,
    ClusterRefusedError,
    ClusterUnavailableError,
)

REQUEST_WAIT = 20.0
"""Seconds until a request must have been answered."""
CONNECT_WAIT = 10.0
"""Seconds until the connection of a stream must stand."""
CLOSE_WAIT = 1.0
"""Seconds for the farewell of a websocket, which may be one that nobody listens to any more."""
KEEPALIVE = {socket.TCP_KEEPIDLE: 15, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3}
"""A stream's peer is gone when it has not answered for 30 seconds."""
PARALLEL = 16
"""Requests at the same time, streams not counted: after our start, hundreds of workloads converge at once."""
LONGEST_MESSAGE = 500
"""Characters of an error; longer ones quote whole objects."""
LONGEST_LINE = 8 * 2**20
"""Bytes after which a line of a stream is cut: several times the largest object, and a bound for a log without line
ends."""

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
JSON = "application/json"


class Client:
    """Requests to one API server."""

    def __init__(self, credentials: Credentials, *, may_write: Callable[[], None] | None = None) -> None:
        """An event loop must be running. `may_write` is asked right before a request that changes something is sent,
        and raises when it must not be.
        """
        self._may_write = may_write
        self._credentials = credentials
        try:
            self._api = ApiClient(credentials.configuration)
        except OSError as error:  # an SSLError among them
            raise ClusterError(f"The cluster's certificate authority cannot be used: {error}") from error
        self._api.user_agent = "supervisor-k8s"
        self._turn = asyncio.Semaphore(PARALLEL)

    async def close(self) -> None:
        await self._api.close()

    async def request(  # noqa: PLR0913 - what a request consists of
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = JSON,
        host: str | None = None,
    ) -> dict[str, Any]:
        """The answer's JSON object, within REQUEST_WAIT from when it is our turn. `host` is another server of the
        cluster's than the API server, `https://…`; the cluster's authority must have signed its certificate.

        ClusterRefusedError, ClusterNotFoundError, ClusterConflictError, ClusterExpiredError, ClusterUnavailableError.
        """
        async with self._turn:
            if method != "GET" and self._may_write is not None:
                self._may_write()
            with _translated(method):
                limit = aiohttp.ClientTimeout(total=REQUEST_WAIT)
                response = await self._call(method, path, query, limit, body, content_type, host)
                async with response:
                    content = await response.read()
        metrics.CLUSTER_REQUESTS.labels(verb=method, code=str(response.status)).inc()
        _raise_for(response.status, content)
        return _parsed(content)

    @asynccontextmanager
    async def stream(
        self, path: str, *, query: Mapping[str, str], silence: float | None
    ) -> AsyncIterator[AsyncGenerator[bytes]]:
        """GET whose answer does not end: the body of the `async with` iterates over its lines, without line ends.

        A connection that is silent for longer than `silence` seconds is given up with ClusterInterruptedError; None
        never gives up.
        """
        with _translated("GET"):
            limit = aiohttp.ClientTimeout(total=None, connect=CONNECT_WAIT, sock_read=silence)
            response = await self._call("GET", path, query, limit)
        metrics.CLUSTER_REQUESTS.labels(verb="GET", code=str(response.status)).inc()
        async with response:
            _keep_alive(response)
            if response.status != HTTPStatus.OK:
                with _translated("GET"):
                    content = await response.read()
                _raise_for(response.status, content)
            try:
                yield _lines(response.content)
            finally:
                # Left before the end: a farewell by TLS would wait for a peer that may be dead.
                if response.connection is not None and response.connection.transport is not None:
                    response.connection.transport.abort()

    @asynccontextmanager
    async def websocket(
        self, path: str, *, query: Mapping[str, str], protocol: str
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A websocket that changes something, such as what a program reads; the body sends, and iterates over what
        comes back. ClusterError when it cannot be had, and when it breaks.
        """
        if self._may_write is not None:
            self._may_write()
        headers = dict(self._api.default_headers)
        with _translated("GET"):
            await self._api.update_params_for_auth(headers, [], ["BearerToken"])
            try:
                socket = await self._api.rest_client.pool_manager.ws_connect(
                    f"{self._api.configuration.host}{path}",
                    params=query,
                    headers=headers,
                    protocols=(protocol,),
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_WAIT),
                )
            except aiohttp.WSServerHandshakeError as error:
                metrics.CLUSTER_REQUESTS.labels(verb="GET", code=str(error.status)).inc()
                if error.status == HTTPStatus.UNAUTHORIZED:
                    self._credentials.renew()
                raise error_for(error.status, f"The Kubernetes API server answered {error.status}") from error
            metrics.CLUSTER_REQUESTS.labels(verb="GET", code="101").inc()
            async with socket:
                if socket.protocol != protocol:
                    raise ClusterRefusedError(f"The Kubernetes API server does not speak {protocol}")
                yield socket

    async def _call(  # noqa: PLR0913, PLR0917 - what a request consists of
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        limit: aiohttp.ClientTimeout,
        body: Any = None,
        content_type: str = JSON,
        host: str | None = None,
    ) -> aiohttp.ClientResponse:
        """The open response."""
        response: aiohttp.ClientResponse = await self._api.call_api(
            path,
            method,
            query_params=list((query or {}).items()),
            header_params={"Accept": JSON, "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
            _preload_content=False,
            _request_timeout=limit,
            _host=host,
        )
        if response.status == HTTPStatus.UNAUTHORIZED:
            self._credentials.renew()
        return response


def _keep_alive(response: aiohttp.ClientResponse) -> None:
    """Let the kernel find out when the peer of a quiet stream is gone; its own default is two hours."""
    found = response.connection and response.connection.transport
    connected = found.get_extra_info("socket") if found else None
    if connected is None:
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in KEEPALIVE.items():
        connected.setsockopt(socket.IPPROTO_TCP, option, value)


async def _lines(content: aiohttp.StreamReader) -> AsyncGenerator[bytes]:
    rest = b""
    with _translated("GET", ClusterInterruptedError):
        async for chunk in content.iter_any():
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line
            if len(rest) > LONGEST_LINE:
                yield rest
                rest = b""
    if rest:
        yield rest


@contextmanager
def _translated(verb: str, kind: type[ClusterUnavailableError] = ClusterUnavailableError) -> Iterator[None]:
    try:
        yield
    except (aiohttp.ClientError, OSError, ConfigException) as error:  # TimeoutError is an OSError
        metrics.CLUSTER_REQUESTS.labels(verb=verb, code="error").inc()
        said = str(error) or "no answer in time"
        raise kind(f"The Kubernetes API server cannot be reached: {said}") from error


def _parsed(content: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ClusterUnavailableError("The Kubernetes API server answered with something that is no JSON") from error
    if not isinstance(answer, dict):
        raise ClusterUnavailableError("The Kubernetes API server answered with JSON that is no object")
    return answer


RETRIED = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
"""Client errors that pass by themselves: a token is just being rotated, or the server is busy."""


def _raise_for(status: int, content: bytes) -> None:
    if status < HTTPStatus.BAD_REQUEST:
        return
    message = _message(status, content)
    raise error_for(status, message)


def error_for(status: int, message: str) -> ClusterError:
    """The error for an HTTP status, or for the status of an ERROR event inside a watch."""
    if status == HTTPStatus.NOT_FOUND:
        return ClusterNotFoundError(message)
    if status == HTTPStatus.CONFLICT:
        return ClusterConflictError(message)
    if status == HTTPStatus.GONE:
        return ClusterExpiredError(message)
    if status in RETRIED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ClusterUnavailableError(message)
    return ClusterRefusedError(message)


def _message(status: int, content: bytes) -> str:
    """The API server's own sentence: the message of its Status object, or the text a proxy in between gave.

    Where it quotes whole pod templates (which nobody reads, and which may hold what is private), only the fields and
    what is wrong with them are left.
    """
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        answer = None
    if isinstance(answer, dict) and answer.get("message"):
        causes = answer.get("details", {}).get("causes") or ()
        if len(answer["message"]) > LONGEST_MESSAGE and causes:
            found = (f"{cause.get('field')}: {cause.get('message', '').rpartition(': ')[2]}" for cause in causes)
            return f"{answer['details'].get('name')} is invalid: {', '.join(found)}"[:LONGEST_MESSAGE]
        return str(answer["message"])[:LONGEST_MESSAGE]
    text = content[:LONGEST_MESSAGE].decode(errors="replace").strip()
    return text or f"The Kubernetes API server answered {status}"
