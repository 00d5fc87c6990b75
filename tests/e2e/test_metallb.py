"""An address on the LAN by MetalLB, which also answers for it there: nobody but the add-ons' user does anything."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from .house import Kubectl, Supervisor, becomes
from .lan import SERVICE, Lan, lan, start_broker
from .metallb import metallb
from .pages import PAGES

POOL, ASKED, OUTSIDE = "192.168.77.130-192.168.77.139", "192.168.77.135", "192.168.77.200"
"""On the network of the LAN's client, which therefore asks on the wire who has such an address."""
SETTING = "SUPERVISOR_K8S_INTERNAL_GATEWAY_ADDRESS"

pytestmark = pytest.mark.skipif(os.environ.get("CLUSTER") == "external", reason="a LAN client here is behind this node")


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Lan]:
    """The speaker finds its wire when it is there before."""
    async with lan() as client, metallb(POOL, tmp_path):
        yield client


async def test_metallb_gives_the_address_that_is_asked_for(
    kubectl: Kubectl, supervisor: Supervisor, mosquitto: str, pages: str, client: Lan
) -> None:
    """Where it cannot, there is an issue, until it can: then a broker answers there by TCP, and an add-on that takes
    datagrams by UDP.
    """
    network = {"9000/tcp": 9001, "9002/udp": 514}
    assert (await supervisor.post(f"/addons/{PAGES}/options", network=network)).status == 200
    assert (await supervisor.post(f"/addons/{PAGES}/restart")).status == 200
    await start_broker(supervisor, mosquitto)
    try:
        await _asks_for(OUTSIDE, kubectl, supervisor)
        await becomes(lambda: _pending(supervisor), what="an issue about the address")
        await _asks_for(ASKED, kubectl, supervisor)
        await becomes(lambda: _given(kubectl), what="MetalLB gives the address")
        await becomes(lambda: _nothing_pending(supervisor), what="the issue goes")
        await becomes(lambda: client.connects(ASKED), what="the broker answers on the LAN")
        async with client.flow(ASKED, 514) as flow:
            assert await flow.say("temperature=21") == "temperature=21"
    finally:
        await kubectl.switch(f"{SETTING}-")
    await becomes(supervisor.is_up, what="the Supervisor is up")


async def _asks_for(address: str, kubectl: Kubectl, supervisor: Supervisor) -> None:
    await kubectl.switch(f"{SETTING}={address}")
    await becomes(supervisor.is_up, what="the Supervisor is up")


async def _given(kubectl: Kubectl) -> bool:
    status = (await kubectl.json("get", "service", SERVICE))["status"]
    return ASKED in {given.get("ip") for given in status["loadBalancer"].get("ingress", ())}


async def _pending(supervisor: Supervisor) -> bool:
    issues = (await supervisor.get("/resolution/info")).data["issues"]
    return any(issue["reference"] == SERVICE for issue in issues)


async def _nothing_pending(supervisor: Supervisor) -> bool:
    return not await _pending(supervisor)
