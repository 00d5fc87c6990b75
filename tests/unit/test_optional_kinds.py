"""Kinds that a cluster need not serve: nobody else waits for them, and they are noticed when they come."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from supervisor_k8s.cluster.cluster import Cluster
from supervisor_k8s.cluster.watch import Pace
from supervisor_k8s.exposure import optional_kinds
from supervisor_k8s.model.naming import owner_selector
from supervisor_k8s.settings import Settings
from tests.kubeconfig import client_of, kubeconfig
from tests.unit.test_settings import REQUIRED

PACE = Pace(first_pause=0.01, longest_pause=0.05, longest_absence=0.05)
PATIENCE = 20.0
GATEWAYS = "/apis/gateway.networking.k8s.io/v1/namespaces/ha/gateways"
OLDER = "/apis/gateway.networking.k8s.io/v1alpha2/namespaces/ha/tcproutes"


class ApiServer:
    """Knows Kubernetes' own kinds, without any object, and what a test adds."""

    def __init__(self) -> None:
        self.served: dict[str, list[dict[str, Any]]] = {}
        """Objects by path."""
        self.forbidden: set[str] = set()
        self.asked: list[str] = []
        self.may_list = True
        self._ends = asyncio.Event()

    def end_watches(self) -> None:
        """As the API server does when a definition is taken away."""
        self._ends.set()
        self._ends = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(f"{request.method} {request.path}")
        if request.method == "POST":
            return web.json_response({"status": {"allowed": self.may_list}})
        if request.method == "DELETE":
            folder, _, name = request.path.rpartition("/")
            self.served[folder] = [item for item in self.served[folder] if item["metadata"]["name"] != name]
            return web.json_response({"kind": "Status"})
        if request.path in self.forbidden:
            return web.json_response({"message": "you may not"}, status=403)
        if "gateway.networking" in request.path and request.path not in self.served:
            return web.Response(status=404, text="404 page not found")
        if "watch" not in request.query:
            items = self.served.get(request.path, [])
            return web.json_response({"metadata": {"resourceVersion": "10"}, "items": items})
        response = web.StreamResponse()
        await response.prepare(request)
        event = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "10"}}}
        await response.write(json.dumps(event).encode() + b"\n")
        await self._ends.wait()
        return response


def ours(name: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": name, "resourceVersion": "5", "labels": owner_selector()}}


@asynccontextmanager
async def known(server: ApiServer, folder: Path, *optional: str) -> AsyncIterator[Cluster]:
    """Our view of it, alive."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    async with TestServer(app) as listening:
        client = client_of(kubeconfig(folder, str(listening.make_url("/"))))
        cluster = Cluster(client=client, namespace="ha", optional=optional, pace=PACE)
        running = asyncio.create_task(cluster.run())
        await cluster.listed(within=PATIENCE)
        yield cluster
        running.cancel()
        await asyncio.wait([running])
        await client.close()
        server.end_watches()


async def becomes(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_kind_that_nobody_serves_hinders_nobody(tmp_path: Path) -> None:
    """We are connected, know that there is nothing, and why."""
    server = ApiServer()
    async with known(server, tmp_path, "Gateway") as cluster:
        await becomes(lambda: cluster.connected)
        assert cluster.select("Gateway", {}) == []
        assert cluster.serving("Gateway").api is None
        assert "gateway.networking.k8s.io/v1" in cluster.serving("Gateway").why_not


async def test_it_is_noticed_when_it_comes_and_when_it_goes(tmp_path: Path) -> None:
    """What it has is known then, and unknown again; whoever listens is told both times."""
    server, told = ApiServer(), list[str | None]()
    async with known(server, tmp_path, "Gateway") as cluster:
        cluster.on_serving(lambda: told.append(cluster.serving("Gateway").api))
        server.served[GATEWAYS] = [ours("a")]
        await becomes(lambda: cluster.get("Gateway", "a") is not None)
        found = cluster.get("Gateway", "a")
        assert found is not None
        assert (found["kind"], found["apiVersion"]) == ("Gateway", "gateway.networking.k8s.io/v1")
        del server.served[GATEWAYS]
        server.end_watches()
        await becomes(lambda: cluster.get("Gateway", "a") is None)
        assert told == ["gateway.networking.k8s.io/v1", None]
        assert cluster.connected


async def test_an_older_version_is_used_where_there_is_no_newer_one(tmp_path: Path) -> None:
    """Its objects are read and deleted by it."""
    server = ApiServer()
    server.served[OLDER] = [ours("a")]
    async with known(server, tmp_path, "TCPRoute") as cluster:
        assert cluster.serving("TCPRoute").api == "gateway.networking.k8s.io/v1alpha2"
        found = cluster.get("TCPRoute", "a")
        assert found is not None
        await cluster.delete(found)
        assert server.served[OLDER] == []


async def test_another_version_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    """Nothing seems to be gone in between, and what is there is reached by the new one."""
    server, gone = ApiServer(), list[bool]()
    server.served[OLDER] = [ours("a")]
    async with known(server, tmp_path, "TCPRoute") as cluster:
        cluster.on_serving(lambda: gone.append(cluster.get("TCPRoute", "a") is None))
        newer = OLDER.replace("v1alpha2", "v1")
        server.served[newer] = server.served.pop(OLDER)
        server.end_watches()
        await becomes(lambda: cluster.serving("TCPRoute").api == "gateway.networking.k8s.io/v1")
        assert gone == [False]
        found = cluster.get("TCPRoute", "a")
        assert found is not None
        await cluster.delete(found)
        assert server.served[newer] == []


@pytest.mark.parametrize(
    ("environment", "kinds"),
    [
        ({}, set()),
        ({"MANAGE_PUBLIC_GATEWAY": "true"}, {"Gateway", "HTTPRoute"}),
        ({"INTERNAL_L4_MODE": "gateway"}, {"Gateway", "TCPRoute", "UDPRoute"}),
    ],
)
def test_what_the_settings_want(environment: dict[str, str], kinds: set[str]) -> None:
    """Nothing of an API that they do not need."""
    given = {f"SUPERVISOR_K8S_{name}": value for name, value in environment.items()}
    assert optional_kinds(Settings.from_environment(REQUIRED | given)) == kinds


async def test_a_right_that_is_missing_hinders_nobody(tmp_path: Path) -> None:
    """The API server's word for it is told."""
    server = ApiServer()
    server.forbidden.add(GATEWAYS)
    async with known(server, tmp_path, "Gateway") as cluster:
        await becomes(lambda: cluster.connected)
        assert cluster.serving("Gateway").why_not == "you may not"
        server.forbidden.clear()
        server.served[GATEWAYS] = []
        await becomes(lambda: cluster.serving("Gateway").api is not None)


async def test_what_nobody_wants_is_not_watched(tmp_path: Path) -> None:
    """Not even asked for; what was made when it was wanted is found once, if we may look."""
    server = ApiServer()
    server.served[GATEWAYS] = [ours("a")]
    server.served[OLDER] = [ours("b")]
    async with known(server, tmp_path) as cluster:
        await becomes(lambda: cluster.connected)
        assert not any("gateway" in asked for asked in server.asked)
        assert cluster.get("Gateway", "a") is None
        assert cluster.serving("Gateway").api is None
        server.may_list = False
        assert await cluster.left_over() == []
        assert not any("gateways" in asked for asked in server.asked)
        server.may_list = True
        left = await cluster.left_over()
        assert [(live["kind"], live["metadata"]["name"]) for live in left] == [("Gateway", "a"), ("TCPRoute", "b")]
        for live in left:
            await cluster.delete(live)
        assert await cluster.left_over() == []
