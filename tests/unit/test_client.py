"""cluster/client.py against a small HTTP server: every way in which an answer can fail has its own error."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.errors import (
    ClusterConflictError,
    ClusterError,
    ClusterExpiredError,
    ClusterNotFoundError,
    ClusterRefusedError,
    ClusterUnavailableError,
)
from tests.kubeconfig import client_of, kubeconfig

type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
type Serve = Callable[[Handler], Awaitable[Client]]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts a server with one handler for everything; gives a client of it."""
    started: list[Any] = []

    async def start(handler: Handler) -> Client:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", handler)
        server = TestServer(app)
        await server.start_server()
        client = client_of(kubeconfig(tmp_path, str(server.make_url("/"))))
        started.extend((client, server))
        return client

    yield start
    for part in started:
        await part.close()


def answering(status: int, body: Any) -> Handler:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body if isinstance(body, bytes) else json.dumps(body))

    return handle


async def test_request(serve: Serve) -> None:
    """Method, query, body, type of the body and the token arrive; the answer is the JSON object."""
    seen: dict[str, Any] = {}

    async def handle(request: web.Request) -> web.Response:
        seen.update(method=request.method, query=dict(request.query), type=request.content_type)
        seen.update(body=await request.json(), token=request.headers["Authorization"])
        return web.json_response({"kind": "Pod"})

    client = await serve(handle)
    answer = await client.request(
        "PATCH", "/api/v1/x", query={"force": "true"}, body={"a": 1}, content_type="application/apply-patch+yaml"
    )
    assert answer == {"kind": "Pod"}
    assert seen == {
        "method": "PATCH",
        "query": {"force": "true"},
        "type": "application/apply-patch+yaml",
        "body": {"a": 1},
        "token": "Bearer sesame",
    }


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, ClusterRefusedError),
        (401, ClusterUnavailableError),
        (403, ClusterRefusedError),
        (404, ClusterNotFoundError),
        (409, ClusterConflictError),
        (410, ClusterExpiredError),
        (422, ClusterRefusedError),
        (429, ClusterUnavailableError),
        (500, ClusterUnavailableError),
        (503, ClusterUnavailableError),
    ],
)
async def test_status(serve: Serve, status: int, error: type[ClusterError]) -> None:
    """Each status is the error that says what to do next, with the API server's own sentence."""
    client = await serve(answering(status, {"kind": "Status", "message": "because of this"}))
    with pytest.raises(error, match="because of this") as caught:
        await client.request("GET", "/x")
    assert type(caught.value) is error


async def test_answer_of_a_proxy(serve: Serve) -> None:
    """An error that is no Status object is quoted as it is."""
    client = await serve(answering(502, b"bad gateway\n"))
    with pytest.raises(ClusterUnavailableError, match=r"^bad gateway$"):
        await client.request("GET", "/x")


async def test_no_json(serve: Serve) -> None:
    """A good status with something that is no JSON object is an outage, not a crash."""
    for body in (b"<html>", b"[1]"):
        client = await serve(answering(200, body))
        with pytest.raises(ClusterUnavailableError, match="JSON"):
            await client.request("GET", "/x")


async def test_quoted_template(serve: Serve) -> None:
    """Where the API server quotes a whole template, only field and complaint are passed on."""
    value = 'Invalid value: {"env": [{"name": "PASSWORD", "value": "hunter2"}]' + "x" * 1000
    cause = {"field": "spec.template", "message": f"{value}: field is immutable"}
    status = {"message": f"Job a is invalid: {cause['message']}", "details": {"name": "a", "causes": [cause]}}
    client = await serve(answering(422, status))
    with pytest.raises(ClusterRefusedError) as caught:
        await client.request("PATCH", "/x", body={})
    assert str(caught.value) == "a is invalid: spec.template: field is immutable"


async def test_nobody_there(tmp_path: Path) -> None:
    """A refused connection is an outage."""
    client = client_of(kubeconfig(tmp_path, "http://127.0.0.1:9"))
    with pytest.raises(ClusterUnavailableError, match="cannot be reached"):
        await client.request("GET", "/x")
    await client.close()


async def test_stream(serve: Serve) -> None:
    """Lines come as they are sent, however they are cut into pieces; the last may lack its end."""
    pieces = [b"fir", b"st\nsec", b"ond\n\nth", b"ird"]

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(0.01)
        return response

    client = await serve(handle)
    async with client.stream("/log", query={}, silence=5) as lines:
        assert [line async for line in lines] == [b"first", b"second", b"", b"third"]


async def test_stream_refused(serve: Serve) -> None:
    """A stream that cannot begin fails before its first line."""
    client = await serve(answering(410, {"message": "too old"}))
    with pytest.raises(ClusterExpiredError, match="too old"):
        async with client.stream("/watch", query={}, silence=5):
            pytest.fail("there is no stream")


async def test_stream_falls_silent(serve: Serve) -> None:
    """A stream that says nothing for longer than the limit is given up."""
    ended = asyncio.Event()

    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"one\n")
        await ended.wait()
        return response

    client = await serve(handle)
    async with client.stream("/watch", query={}, silence=0.2) as lines:
        assert await anext(lines) == b"one"
        with pytest.raises(ClusterUnavailableError):
            await anext(lines)
    ended.set()
