"""Gateways of the Supervisor's in a whole house: made when the cluster serves them, and nothing waits for that."""

from typing import Any

import pytest

from tests.contract.house import Home, HouseCluster
from tests.contract.issues import BROKER

WITHIN = 20.0
MADE = {"Gateway": {"home-assistant", "ha-internal"}, "HTTPRoute": {"home-assistant", "home-assistant-redirect"}}
MISSING = "the cluster does not serve it"


@pytest.fixture(scope="module")
def around() -> dict[str, Any]:
    exposure = {"public_gateway": True, "public_class": "eg", "public_secret": "tls", "l4_mode": "gateway"}
    return {"exposure": exposure, "cluster_kind": WithoutGateways}


class WithoutGateways(HouseCluster):
    """A cluster to which nobody has added the Gateway API yet."""

    def __init__(self, core_address: str) -> None:
        super().__init__(core_address)
        self.not_served = dict.fromkeys(("Gateway", "HTTPRoute", "TCPRoute", "UDPRoute"), MISSING)


async def test_a_house_comes_up_without_the_gateway_api_and_uses_it_when_it_comes(home: Home) -> None:
    """Add-ons start as ever; then both Gateways and their routes are there."""
    await home.install(BROKER, start=True)
    assert not any(kind in MADE for kind, _ in home.cluster.everything())
    for kind in list(home.cluster.not_served):
        home.cluster.serve(kind)

    def made() -> dict[str, set[str]]:
        found = [live for kind in MADE for live in home.cluster.select(kind, {})]
        return {kind: {live["metadata"]["name"] for live in found if live["kind"] == kind} for kind in MADE}

    await home.cluster.until(lambda: made() == MADE or None, within=WITHIN)
    await home.cluster.until(lambda: home.cluster.get("TCPRoute", "ha-internal-tcp-1883"), within=WITHIN)
    home.cluster.remove("HTTPRoute", "home-assistant")
    await home.cluster.until(lambda: made() == MADE or None, within=WITHIN)
