"""How reserved ports are published: by the proxy, by Services, by a Gateway; and its address."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from supervisor_k8s.errors import ClusterRefusedError
from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.balanced import Mode, Provider
from supervisor_k8s.model.desired.core import core_services
from supervisor_k8s.model.desired.link import CorePort
from supervisor_k8s.model.intent import Wanted
from supervisor_k8s.model.issue import Cause
from supervisor_k8s.model.status import is_ready
from tests import builders
from tests.unit.ports_house import NAME, SITE, House, addon, refused


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with House().living() as house:
        yield house


async def test_an_address_that_does_not_come_is_told(house: House) -> None:
    """In the provider's words, until it is there; an installation that publishes nothing hears nothing. The store says
    meanwhile what add-ons will do without.
    """
    assert house.told.faults == []
    assert house.publishing.hindrance == ""
    house.put(addon("one", tcp1883=1883))
    await house.becomes(lambda: house.published)
    uid = house.cluster.get("Service", NAME)["metadata"]["uid"]  # type: ignore[index]
    house.cluster.events[uid] = [{"message": "no pool has this address", "lastTimestamp": "2026-11-22T02:00:00Z"}]
    await house.tells(Cause.ADDRESS_PENDING)
    assert house.publishing.address("local_one") is None
    assert house.publishing.hindrance == "nobody gives an address to Services of type LoadBalancer"
    house.cluster.set_status("Service", NAME, loadBalancer={"ingress": [{"ip": "192.168.100.9"}]})
    await house.tells()
    assert house.publishing.hindrance == ""
    assert house.publishing.address("local_one") == "192.168.100.9"


async def test_an_installation_that_publishes_nothing() -> None:
    """The store says so of what would."""
    assert House(mode=Mode.OFF).publishing.hindrance == "SUPERVISOR_K8S_INTERNAL_L4_MODE is off"


async def test_another_address_than_asked_for_is_told() -> None:
    """With both, until it is the right one or nothing is published any more."""
    async with House(address="192.168.100.130").living() as house:
        house.put(addon("one", tcp1883=1883))
        await house.becomes(lambda: house.published)
        house.cluster.set_status("Service", NAME, loadBalancer={"ingress": [{"ip": "10.0.0.7"}]})
        await house.tells(Cause.ADDRESS_DIFFERENT)
        (fault,) = house.told.faults
        assert dict(fault.extra) == {"wanted": "192.168.100.130", "address": "10.0.0.7", "message": ""}
        house.put(addon("one", Wanted.STOPPED, tcp1883=1883))
        await house.tells()


async def test_a_service_for_each_addon() -> None:
    """Each has its ports and its address, and goes with its add-on; there is no proxy. What one of them lacks is
    told.
    """
    async with House(mode=Mode.DIRECT).living() as house:
        house.put(addon("one", tcp53=53, udp53=53))
        house.put(addon("two", tcp1883=1883))

        def services() -> list[str]:
            found = house.cluster.select("Service", {naming.LABEL_TYPE: naming.TYPE_PORTS})
            return [live["metadata"]["name"] for live in found]

        await house.becomes(lambda: services() == ["lan-addon-local-one", "lan-addon-local-two"])
        house.cluster.set_status("Service", services()[1], loadBalancer={"ingress": [{"ip": "192.168.100.9"}]})
        await house.tells(Cause.ADDRESS_PENDING)
        assert [fault.reference for fault in house.told.faults] == ["lan-addon-local-one"]
        addresses = [house.publishing.address(slug) for slug in ("local_one", "local_two")]
        assert addresses == [None, "192.168.100.9"]
        house.put(addon("one", Wanted.STOPPED, tcp53=53, udp53=53))
        await house.becomes(lambda: services() == ["lan-addon-local-two"])
        await house.tells()
        assert house.cluster.select("Deployment", {naming.LABEL_TYPE: naming.TYPE_PORTS}) == []


async def test_ports_of_core(caplog: pytest.LogCaptureFixture) -> None:
    """They are published with those of add-ons as soon as Core has its Service, stand in the registry, and no add-on
    gets one; what the node needs itself stays its own.
    """
    house = House(core_ports=("1400/tcp", "22/tcp"), provider=Provider.SERVICELB)
    async with house.living():
        house.ports.prepare()
        assert "22/tcp" in caplog.text
        assert house.published == []
        service, _ = core_services(CorePort(80, tls=False), builders.site(core_ports=("1400/tcp",)))
        house.cluster.put({**service, "spec": {**service["spec"], "clusterIP": "10.96.1.99"}})
        await house.becomes(lambda: house.published == [(1400, "TCP")])
        config = house.cluster.get("ConfigMap", f"{NAME}-config")
        assert config is not None
        assert "proxy_pass 10.96.1.99:1400;" in config["data"]["nginx.conf"]
        await house.becomes(lambda: set(house.registry) == {"1400/tcp"})
        assert house.registry["1400/tcp"]["service"] == "homeassistant"
        with refused(1400, "homeassistant", 1401):
            house.ports.check(addon("two", tcp1400=1400))


GATEWAY_MODE: dict[str, Any] = {"mode": Mode.GATEWAY, "gateway_class": "eg", "address": "192.168.100.130"}
CONTENT = [{"type": name, "status": "True", "reason": "Yes", "message": ""} for name in ("Accepted", "Programmed")]


async def test_by_a_gateway() -> None:
    """Each port has its route while its add-on is to run; nothing is left when the last one stops. An address other
    than the wanted one, and a route that nobody takes up, are issues until they are right.
    """
    async with House(**GATEWAY_MODE).living() as house:
        house.put(addon("one", tcp53=53, udp53=53))
        house.put(addon("two", tcp1883=1883))

        def routes() -> list[str]:
            found = (live for kind in ("TCPRoute", "UDPRoute") for live in house.cluster.select(kind, {}))
            return [live["metadata"]["name"] for live in found]

        def listeners() -> list[str]:
            live = house.cluster.get("Gateway", NAME)
            return [item["name"] for item in live["spec"]["listeners"]] if live else []

        await house.becomes(lambda: routes() == ["ha-internal-tcp-1883", "ha-internal-tcp-53", "ha-internal-udp-53"])
        assert listeners() == ["tcp-53", "udp-53", "tcp-1883"]
        assert house.cluster.select("Service", {naming.LABEL_TYPE: naming.TYPE_PORTS}) == []
        await house.told.becomes({"Gateway ha-internal": "nobody"})
        addresses = [{"value": "192.168.100.9"}]
        house.cluster.set_status("Gateway", NAME, conditions=CONTENT, addresses=addresses)
        for name in routes()[:2]:
            house.cluster.set_status("TCPRoute", name, parents=[{"conditions": CONTENT[:1]}])
        await house.told.becomes({"UDPRoute ha-internal-udp-53": "nobody", NAME: ""})
        assert house.publishing.address("local_one") == "192.168.100.9"
        house.cluster.set_status("Gateway", NAME, conditions=CONTENT, addresses=[{"value": "192.168.100.130"}])
        house.cluster.set_status("UDPRoute", "ha-internal-udp-53", parents=[{"conditions": CONTENT[:1]}])
        await house.tells()
        house.put(addon("one", Wanted.STOPPED, tcp53=53, udp53=53))
        await house.becomes(lambda: listeners() == ["tcp-1883"] and routes() == ["ha-internal-tcp-1883"])
        house.put(addon("two", Wanted.STOPPED, tcp1883=1883))
        await house.becomes(lambda: not routes() and not listeners())


async def test_a_gateway_where_the_cluster_has_no_routes_for_ports() -> None:
    """What it has is made; that the rest is missing is said, and made good when it comes."""
    house = House(**GATEWAY_MODE)
    house.cluster.not_served = {"UDPRoute": "the cluster does not serve UDPRoute"}
    async with house.living():
        house.put(addon("one", tcp53=53, udp53=53))
        await house.becomes(lambda: house.cluster.get("TCPRoute", "ha-internal-tcp-53"))
        house.cluster.set_status("Gateway", NAME, conditions=CONTENT)
        house.cluster.set_status("TCPRoute", "ha-internal-tcp-53", parents=[{"conditions": CONTENT[:1]}])
        await house.told.becomes({"Gateway API": "does not serve UDPRoute"})
        house.cluster.serve("UDPRoute")
        await house.becomes(lambda: house.cluster.get("UDPRoute", "ha-internal-udp-53"))
        await house.told.becomes({"UDPRoute ha-internal-udp-53": "nobody"})


async def test_a_gateway_without_a_class_or_with_too_many_ports() -> None:
    """Which setting is missing, or which ports have no way out."""
    async with House(mode=Mode.GATEWAY).living() as house:
        house.put(addon("one", tcp53=53))
        await house.told.becomes({"SUPERVISOR_K8S_INTERNAL_L4_MODE": "SUPERVISOR_K8S_GATEWAY_CLASS"})
    async with House(mode=Mode.GATEWAY, gateway_class="eg").living() as house:
        many: dict[str, Any] = {f"tcp{number}": number for number in range(2000, 2066)}
        house.put(addon("one", **many))
        await house.becomes(lambda: house.cluster.get("Gateway", NAME))
        house.cluster.set_status("Gateway", NAME, conditions=CONTENT)
        for live in house.cluster.select("TCPRoute", {}):
            house.cluster.set_status("TCPRoute", live["metadata"]["name"], parents=[{"conditions": CONTENT[:1]}])
        await house.told.becomes({"Gateway ha-internal": "no listener left for 2064/tcp, 2065/tcp"})


async def test_where_nothing_is_published_nothing_is_reserved() -> None:
    """Two add-ons with one port run beside each other, and nobody hears of an address that does not come."""
    async with House(mode=Mode.OFF).living() as house:
        for slug in ("one", "two"):
            async with house.ports.reserved(addon(slug, tcp1883=1883)):
                house.put(addon(slug, tcp1883=1883))
        house.ports.prepare()
        assert (house.ports.held(), house.told.faults, house.published) == ([], [], [])


async def test_a_cluster_that_keeps_its_apis_to_itself() -> None:
    """The address is asked for in the way that most heed."""
    house = House(provider=None, address="192.168.100.130")
    house.cluster.fail("api_groups", ClusterRefusedError("forbidden"))
    async with house.living():
        house.put(addon("one", tcp1883=1883))
        await house.becomes(lambda: house.published)
        assert house.cluster.get("Service", NAME)["spec"]["loadBalancerIP"] == "192.168.100.130"  # type: ignore[index]


async def test_a_new_version_of_ours_cuts_no_session(house: House) -> None:
    """The proxy that serves goes on as it is."""
    house.put(addon("one", tcp1883=1883))
    await house.becomes(lambda: any(map(is_ready, house.cluster.pods(io__hass__type=naming.TYPE_PORTS))))
    *_, deployment = house.made_by(builders.site(supervisor_image="localhost/newer")).workload().objects
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == SITE.supervisor_image


async def test_the_proxy_has_the_image_that_the_administrator_names() -> None:
    """Also while one with another image serves."""
    house = House(image="registry.test/proxy:1")
    house.put(addon("one", tcp1883=1883))
    *_, deployment = house.made_by(SITE).workload().objects
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.test/proxy:1"


async def test_ports_of_kubernetes_cannot_be_had_where_the_address_is_a_nodes() -> None:
    """With k3s' own load balancer an add-on would take the API server's port from it; elsewhere nobody minds."""
    house = House(provider=None)
    house.cluster.groups = ["metallb.io"]
    async with house.living():
        house.ports.check(addon("two", Wanted.STOPPED, tcp6443=6443))
    async with House(provider=Provider.SERVICELB).living() as house:
        with refused(6443, "the node", 6444):
            house.ports.check(addon("two", Wanted.STOPPED, tcp6443=6443))
