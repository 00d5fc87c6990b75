"""Published ports, from a client on the LAN to the add-on, over the address of the LoadBalancer Service."""

import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator

import pytest

from .house import Kubectl, Supervisor, becomes
from .lan import ADDRESS, ALIVE, CLIENT, CONNECTED, Lan, give_address, lan, ports, start_broker
from .pages import GUARDED, PAGES, installed

DIRECT = {"SUPERVISOR_K8S_INTERNAL_L4_MODE": "direct", "SUPERVISOR_K8S_INTERNAL_L4_LOCAL": "true"}
WHO = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).headers['Peer'])"
CORE_PORTS = "SUPERVISOR_K8S_CORE_PORTS"
TITLE = """
import re, sys, urllib.request
print(*re.findall("<title>(.*?)</title>", urllib.request.urlopen(sys.argv[1], timeout=10).read().decode()))
"""

pytestmark = pytest.mark.skipif(os.environ.get("CLUSTER") == "external", reason="a LAN client here is behind this node")


@pytest.fixture
async def client() -> AsyncIterator[Lan]:
    async with lan() as client:
        yield client


async def publish(supervisor: Supervisor, *, tcp: int | None, udp: int | None) -> None:
    """Have the page's add-on start with these ports."""
    network = {"9000/tcp": tcp, "9002/udp": udp}
    assert (await supervisor.post(f"/addons/{PAGES}/options", network=network)).status == 200
    assert (await supervisor.post(f"/addons/{PAGES}/restart")).status == 200


async def test_a_client_on_the_lan_reaches_what_is_published(
    kubectl: Kubectl, supervisor: Supervisor, mosquitto: str, pages: str, client: Lan
) -> None:
    """A session with the broker and a flow of datagrams; the session lives on while other ports come and go; what is
    stopped is withdrawn, and with the last one everything.
    """
    await start_broker(supervisor, mosquitto)
    await give_address(kubectl)
    await becomes(lambda: client.connects(ADDRESS), what="the broker answers on the LAN")
    async with client.session(ADDRESS) as session:
        assert await session.hear() == CONNECTED
        for udp in (9002, 514):
            await publish(supervisor, tcp=None, udp=udp)
            await _echoed(client, udp)
            assert await session.say("are you there?") == ALIVE
        registry = (await kubectl.json("get", "configmap", "supervisor-port-registry"))["data"]["registry.json"]
        assert json.loads(registry)["514/udp"] == {
            "addon": PAGES,
            "service": "addon-local-pages",
            "targetPort": 9002,
            "protocol": "udp",
        }
        assert (await supervisor.post(f"/addons/{PAGES}/stop")).status == 200
        await becomes(lambda: _without(kubectl, "514/UDP"), what="the port of a stopped add-on is withdrawn")
        assert await session.say("still there?") == ALIVE
    assert (await supervisor.post(f"/addons/{mosquitto}/stop")).status == 200
    await becomes(lambda: _nothing_left(kubectl), what="nothing is left of the proxy")


async def test_a_conflict_is_answered_before_anything_starts(
    kubectl: Kubectl, supervisor: Supervisor, mosquitto: str, pages: str
) -> None:
    """The port is another add-on's: who has it and what is free stands in the answer."""
    assert (await supervisor.post(f"/addons/{mosquitto}/start")).status == 200
    refused = await supervisor.post(f"/addons/{pages}/options", network={"9000/tcp": 1883})
    assert refused.status == 400
    assert refused.body["error_key"] == "app_port_conflict"
    assert refused.body["extra_fields"] == {"name": pages, "port": 1883, "owner": mosquitto, "free": 1885}
    assert (await supervisor.get(f"/addons/{pages}/info")).data["network"]["9000/tcp"] == 9001


async def test_an_addon_with_a_service_of_its_own(kubectl: Kubectl, supervisor: Supervisor, client: Lan) -> None:
    """There is no proxy, and the add-on sees who asks; its Open web UI leads to the address."""
    await kubectl.switch(*(f"{name}={value}" for name, value in DIRECT.items()))
    try:
        await becomes(supervisor.is_up, what="the Supervisor is up")
        async with installed(supervisor, GUARDED, ports={"3306/tcp": 3306}, webui="http://[HOST]:[PORT:3306]/"):
            await give_address(kubectl, "lan-addon-local-guarded")

            async def seen() -> str:
                with contextlib.suppress(AssertionError):
                    return await client.run(sys.executable, "-c", WHO, f"http://{ADDRESS}:3306/")
                return ""

            assert await becomes(seen, what="the add-on answers on the LAN") == f"{CLIENT}\n"
            assert not await ports(kubectl)
            info = (await supervisor.get(f"/addons/{GUARDED}/info")).data
            assert info["webui"] == f"http://{ADDRESS}:3306/"
    finally:
        await kubectl.switch(*(f"{name}-" for name in DIRECT))
    await becomes(supervisor.is_up, what="the Supervisor is up")


async def test_a_port_of_home_assistant_itself(kubectl: Kubectl, supervisor: Supervisor, client: Lan) -> None:
    """Its UI is at the address on the LAN, for as long as the setting names its port."""
    await kubectl.switch(f"{CORE_PORTS}=8123")
    try:
        await give_address(kubectl)

        async def seen() -> str:
            with contextlib.suppress(AssertionError):
                return await client.run(sys.executable, "-c", TITLE, f"http://{ADDRESS}:8123/")
            return ""

        assert await becomes(seen, what="Home Assistant answers on the LAN") == "Home Assistant\n"
    finally:
        await kubectl.switch(f"{CORE_PORTS}-")
    await becomes(lambda: _without(kubectl, "8123/TCP"), what="the port is withdrawn")


async def _echoed(client: Lan, port: int) -> None:
    async with client.flow(ADDRESS, port) as flow:

        async def echoes() -> bool:
            return await flow.say("temperature=21") == "temperature=21"

        await becomes(echoes, what=f"datagrams to {port} come back")


async def _without(kubectl: Kubectl, port: str) -> bool:
    return port not in await ports(kubectl)


async def _nothing_left(kubectl: Kubectl) -> bool:
    left = await kubectl.json("get", "deployments,services,configmaps,pods", "-l", "io.hass.type=ports")
    return not left["items"]
