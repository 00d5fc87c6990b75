"""Addresses of Docker's network, by an nginx with `allow 172.30.32.2; deny all;` as add-ons of the stores have it."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import aiohttp
import pytest

from tests.cluster import versions

from . import node
from .house import Core, Kubectl, Supervisor, becomes
from .lan import ADDRESS, CLIENT, give_address, lan, ports
from .pages import GUARDED, MARIADB, PAGES, installed

LABELS = f"io.hass.addon={GUARDED}"
ALLOW = "SUPERVISOR_K8S_ALLOW"
PAGE, DATABASE = 8099, 3306
SUPERVISOR, NEIGHBOUR = "172.30.32.2", "172.30.33.2"
NEIGHBOURS = "172.30.33.%"
LOG_IN = (
    *("mariadb", "--user=service", "--password=a-database-of-tests"),
    *("--batch", "--skip-column-names", "--execute=SELECT CURRENT_USER()"),
)
"""Says by whose grant it was let in."""
PUBLISHED = "guarded-published"
REST = 100.0
"""Seconds until an add-on is back, on a busy machine."""
ASK = """
import sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen(sys.argv[1], timeout=10)
except urllib.error.HTTPError as error:
    answer = error
print(answer.status, answer.headers["Peer"])
"""
"""Prints status, and who the add-on takes the caller for."""
GREETED = "import socket, sys; print(socket.create_connection((sys.argv[1], 3306), timeout=10).recv(300))"
"""Prints what a database says first."""
TURNED_AWAY = "is not allowed to connect to this MariaDB server"

pytestmark = pytest.mark.skipif(
    os.environ.get("CLUSTER") == "external", reason="the image of the add-on is of this machine"
)


@pytest.fixture(scope="module", autouse=True)
def allowed() -> Iterator[None]:
    """The administrator gives add-ons the node's own network while these tests run."""
    asyncio.run(Kubectl().switch(f"{ALLOW}=host_network"))
    yield
    asyncio.run(Kubectl().switch(f"{ALLOW}-"))


@dataclass(frozen=True)
class Guarded:
    """The add-on, running."""

    kubectl: Kubectl
    supervisor: Supervisor
    core: Core
    entry: str
    session: str
    """Of a browser, for ingress."""

    async def pod(self) -> dict[str, Any]:
        return await self.kubectl.pod(LABELS)

    async def url(self, port: int) -> str:
        return f"http://{(await self.pod())['status']['podIP']}:{port}/"

    async def told(self, selector: str, container: str, port: int) -> list[str]:
        """Address of a pod, then what a program there is told."""
        pod = await self.kubectl.pod(selector)
        where = ("exec", pod["metadata"]["name"], "-c", container)
        out = await self.kubectl.run(*where, "--", "python3", "-c", ASK, await self.url(port))
        return [pod["status"]["podIP"], *out.split()]

    async def serves(self) -> bool:
        """Whether a browser gets the page; it is a moment after a start. The add-on says who asked."""
        return await self.core.page(f"{self.entry}/", self.session) == (200, [SUPERVISOR])

    async def instance(self) -> set[tuple[str, int]]:
        """Which process of ours there is: pod and how often it was restarted there. Empty in between."""
        pods = await self.kubectl.pods("app.kubernetes.io/name=supervisor")
        return {
            (pod["metadata"]["uid"], status["restartCount"])
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
            for status in pod["status"].get("containerStatuses", ())
        }


@pytest.fixture
async def guarded(kubectl: Kubectl, supervisor: Supervisor, core: Core) -> AsyncIterator[Guarded]:
    """Its page is served."""
    async with installed(supervisor, GUARDED):
        entry = (await supervisor.get(f"/addons/{GUARDED}/info")).data["ingress_entry"]
        async with core.socket() as socket:
            session = (await socket.supervisor("post", "/ingress/session"))["session"]
        made = Guarded(kubectl, supervisor, core, entry, session)
        await becomes(made.serves, what="the page is served")
        yield made
        await becomes(supervisor.is_up, what="the Supervisor is up")


async def test_the_page_is_served_over_restarts(guarded: Guarded) -> None:
    """Through Home Assistant and us it is there, also after our restart, after the node has lost the add-on's sandbox,
    and after the add-on's restart.
    """
    supervisor, before, pod = guarded.supervisor, await guarded.instance(), await guarded.pod()
    assert (await supervisor.post("/supervisor/restart")).status == 200

    async def restarted() -> bool:
        now = await guarded.instance()
        return bool(now) and now.isdisjoint(before) and await supervisor.is_up()

    async def another_serves() -> bool:
        pods = {one["metadata"]["uid"] for one in await guarded.kubectl.pods(LABELS)}
        return pod["metadata"]["uid"] not in pods and await guarded.serves()

    await becomes(restarted, what="the Supervisor has restarted", within=REST)
    await becomes(guarded.serves, what="the page is served after our restart")
    assert (await guarded.pod())["metadata"]["uid"] == pod["metadata"]["uid"]
    await asyncio.to_thread(node.kill_sandbox, pod["metadata"]["name"])
    await becomes(another_serves, what="the page is served after the loss", within=REST)
    pod = await guarded.pod()

    async def restarts() -> bool:
        return (await supervisor.post(f"/addons/{GUARDED}/restart")).status == 200

    await becomes(restarts, what="the add-on restarts, once the job that brought it back has ended")
    await becomes(another_serves, what="the page is served after the add-on's restart", within=REST)


async def test_who_comes_from_the_cluster(guarded: Guarded, mosquitto: str) -> None:
    """At the page another add-on, the Supervisor's own pod and the node are refused, and seen by their own addresses.
    What a database grants by is 172.30.33.2 for pods, and the node's own address for the node.
    """
    assert (await guarded.supervisor.post(f"/addons/{mosquitto}/start")).status == 200
    for caller in ((f"io.hass.addon={mosquitto}", "addon"), ("app.kubernetes.io/name=supervisor", "supervisor")):
        address, *told = await guarded.told(*caller, PAGE)
        assert told == ["403", address]
        assert (await guarded.told(*caller, DATABASE))[1:] == ["200", NEIGHBOUR]
    status, peer = await asked(await guarded.url(PAGE))
    assert status == 403
    assert peer not in (SUPERVISOR, NEIGHBOUR)
    assert await asked(await guarded.url(DATABASE)) == (200, peer)


async def test_a_database_lets_addons_in(kubectl: Kubectl, supervisor: Supervisor, pages: str) -> None:
    """MariaDB, which grants by address: another add-on logs in; the node is turned away, and so is a client of the LAN
    that comes by the published port.
    """
    async with installed(supervisor, MARIADB, ports={f"{DATABASE}/tcp": DATABASE}), lan() as client:
        address = (await supervisor.get(f"/addons/{MARIADB}/info")).data["ip_address"]
        where = ("exec", f"deployment/addon-{pages.replace('_', '-')}", "-c", "addon")
        assert await kubectl.run(*where, "--", *LOG_IN, f"--host={address}") == f"service@{NEIGHBOURS}\n"
        async with asyncio.timeout(30):
            reader, writer = await asyncio.open_connection(address, DATABASE)
            assert TURNED_AWAY.encode() in await reader.read()
            writer.close()
        await give_address(kubectl)

        async def turned_away() -> bool:
            with contextlib.suppress(AssertionError):
                return TURNED_AWAY in await client.run(sys.executable, "-c", GREETED, ADDRESS)
            return False

        await becomes(turned_away, what="a client of the LAN is turned away")

    async def unpublished() -> bool:
        return f"{DATABASE}/TCP" not in await ports(kubectl)

    await becomes(unpublished, what="the published port is withdrawn")


async def test_published_ports_are_no_way_around(guarded: Guarded) -> None:
    """A client of the LAN is refused at the page and is no neighbour at the database: where the administrator's own
    Service keeps its address, where the node speaks for it, and where our proxy does.
    """
    pod = (await guarded.pod())["status"]["podIP"]
    async with lan() as client:

        async def told(port: int, address: str = versions.NODE_ADDRESS) -> list[str]:
            with contextlib.suppress(AssertionError):
                return (await client.run(sys.executable, "-c", ASK, f"http://{address}:{port}/")).split()
            return []

        for policy in ("Local", "Cluster"):
            async with published(guarded.kubectl, policy) as ports:
                status, peer = await becomes(partial(told, ports[PAGE]), what="the published page answers")
                assert status == "403"
                assert peer not in (SUPERVISOR, NEIGHBOUR, pod)
                assert (peer == CLIENT) is (policy == "Local")
                answer = await becomes(partial(told, ports[DATABASE]), what="the published database answers")
                assert answer == ["200", peer]
        network = {f"{DATABASE}/tcp": DATABASE}
        assert (await guarded.supervisor.post(f"/addons/{GUARDED}/options", network=network)).status == 200
        assert (await guarded.supervisor.post(f"/addons/{GUARDED}/restart")).status == 200
        await give_address(guarded.kubectl)
        status, peer = await becomes(partial(told, DATABASE, ADDRESS), what="the proxy leads to the database")
        proxies = await guarded.kubectl.pods("io.hass.type=ports")
        assert (status, peer in {pod["status"].get("podIP") for pod in proxies}) == ("200", True)


async def test_an_addon_on_the_nodes_network(kubectl: Kubectl, supervisor: Supervisor, core: Core) -> None:
    """It has the node's address, and its page; nothing is set up there, for it would be set up for the node."""
    async with installed(supervisor, PAGES, host_network=True):
        info, pod = (await supervisor.get(f"/addons/{PAGES}/info")).data, await kubectl.pod(f"io.hass.addon={PAGES}")
        assert (pod["spec"].get("hostNetwork"), "initContainers" in pod["spec"]) == (True, False)
        assert info["ip_address"] == pod["status"]["hostIP"]
        async with core.socket() as socket:
            session = (await socket.supervisor("post", "/ingress/session"))["session"]

        async def serves() -> bool:
            return (await core.page(f"{info['ingress_entry']}/headers", session))[0] == 200

        await becomes(serves, what="the page is served")


@asynccontextmanager
async def published(kubectl: Kubectl, policy: str) -> AsyncIterator[dict[int, int]]:
    """Ports of the node that lead to the add-on's, the page's among them, by the add-on's."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": PUBLISHED},
        "spec": {
            "type": "NodePort",
            "externalTrafficPolicy": policy,
            "selector": {"io.hass.addon": GUARDED},
            "ports": [{"name": f"p{port}", "port": port, "targetPort": port} for port in (PAGE, DATABASE)],
        },
    }
    await kubectl.run("delete", "service", PUBLISHED, "--ignore-not-found")
    made = json.loads(await kubectl.run("create", "-f", "-", "-o", "json", stdin=json.dumps(service)))
    try:
        yield {port["port"]: port["nodePort"] for port in made["spec"]["ports"]}
    finally:
        await kubectl.run("delete", "service", PUBLISHED)


async def asked(url: str) -> tuple[int, str | None]:
    """What the node is told."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session, session.get(url) as answer:
        return answer.status, answer.headers.get("Peer")
