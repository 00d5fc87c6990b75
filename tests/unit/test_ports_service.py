"""Reservations follow what add-ons do: the services against a cluster that is a double."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from supervisor_k8s.errors import (
    AddonPortConflictError,
    ClusterConflictError,
    ClusterRefusedError,
    ClusterUnavailableError,
)
from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.balanced import L4Choice, Mode, Provider
from supervisor_k8s.model.desired.core import core_services
from supervisor_k8s.model.desired.l4_proxy import registry_config
from supervisor_k8s.model.desired.link import CorePort
from supervisor_k8s.model.intent import InstalledAddon, Wanted
from supervisor_k8s.model.issue import Cause
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import is_ready
from supervisor_k8s.reconcile import Reconciler
from supervisor_k8s.services.ports import Ports
from supervisor_k8s.services.publishing import Publishing
from tests import builders
from tests.fakes import FakeCluster
from tests.told import Told

PATIENCE = 20.0
SITE = builders.site()
NAME = "ha-internal"


def addon(slug: str, wanted: Wanted = Wanted.RUNNING, **ports: int | None) -> InstalledAddon:
    """Its ports as `tcp1883=1883`."""
    config = builders.addon(slug=slug, ports={f"{key[3:]}/{key[:3]}": number for key, number in ports.items()})
    return builders.installed(config, wanted=builders.intent(wanted, config))


class House:
    """Both services with a reconciler of their own."""

    def __init__(
        self, *, provider: Provider | None = Provider.GENERIC, core_ports: tuple[str, ...] = (), **choice: Any
    ) -> None:
        self.cluster = FakeCluster()
        self.told = Told()
        self.records: dict[str, InstalledAddon] = {}
        self.lost: list[str] = []
        self.reconciler = Reconciler(
            cluster=self.cluster, render=lambda _: self.publishing.workload(), key_of=lambda _: None
        )
        self.ports = Ports(
            cluster=self.cluster,
            records=lambda: self.records,
            lost=lambda: self.lost,
            site=lambda: builders.site(core_ports=core_ports),
            refused=lambda: self.publishing.refused,
            publishes=choice.get("mode") is not Mode.OFF,
        )
        self._choice, self._provider = L4Choice(**choice), provider
        self.publishing = self.made_by(SITE)
        self.cluster.subscribe(self.ports.on_change)
        self.cluster.subscribe(self.publishing.on_change)
        self.cluster.on_serving(self.publishing.on_serving)
        self.ports.changed.connect(self.publishing.look)
        self.ports.conflicted.connect(self.told.report)
        self.ports.settled.connect(self.told.settle)

    def made_by(self, site: Site) -> Publishing:
        """The service of a Supervisor in the same cluster."""
        return Publishing(
            cluster=self.cluster,
            converge=self.reconciler.converge,
            poke=self.reconciler.poke,
            held=self.ports.held,
            choice=self._choice,
            provider=self._provider,
            site=site,
            kubernetes="v1.36.3",
            faults=lambda: self.told,
            again=0.2,
            patience=0.05,
        )

    @asynccontextmanager
    async def living(self) -> AsyncIterator["House"]:
        await self.publishing.prepare()
        async with asyncio.TaskGroup() as group:
            publishing = (self.publishing.run, self.publishing.watch_address, self.publishing.watch_routes)
            tasks = [group.create_task(run()) for run in (self.reconciler.run, self.ports.run, *publishing)]
            yield self
            for task in tasks:
                task.cancel()

    def put(self, record: InstalledAddon) -> None:
        """A record as it is now, with the Service of the add-on."""
        self.records[record.slug] = record
        launch = record.intent.launch
        assert launch is not None
        for item in launch.objects:
            if item["kind"] == "Service":
                name = item["metadata"]["name"]
                address = f"10.96.1.{len(self.records)}"
                self.cluster.put({**item, "spec": {"clusterIP": address, **item["spec"]}})
                assert self.cluster.get("Service", name)
        self.ports.look(record.slug)

    @property
    def registry(self) -> dict[str, Any]:
        config = self.cluster.get("ConfigMap", naming.PORT_REGISTRY)
        found: dict[str, Any] = json.loads(config["data"]["registry.json"]) if config else {}
        return found

    @property
    def published(self) -> list[tuple[int, str]]:
        live = self.cluster.get("Service", NAME)
        return [(port["port"], port["protocol"]) for port in live["spec"]["ports"]] if live else []

    async def becomes(self, condition: Callable[[], Any]) -> None:
        await self.cluster.until(lambda: condition() or None, within=PATIENCE)

    async def tells(self, *causes: Cause) -> None:
        async with asyncio.timeout(PATIENCE):
            while tuple(fault.cause for fault in self.told.faults) != causes:
                await asyncio.sleep(0.01)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with House().living() as house:
        yield house


@contextmanager
def refused(port: int, owner: str, free: int) -> Iterator[None]:
    with pytest.raises(AddonPortConflictError) as caught:
        yield
    assert caught.value.fields == {"name": "local_two", "port": port, "owner": owner, "free": free}


async def test_a_port_is_published_while_its_addon_is_to_run(house: House) -> None:
    """TCP and UDP on one number; through a restart; and nothing is left of the proxy when the last one stops."""
    house.put(addon("one", tcp53=53, udp53=53, tcp80=None))
    await house.becomes(lambda: house.published == [(53, "TCP"), (53, "UDP")])
    config = house.cluster.get("ConfigMap", f"{NAME}-config")
    assert config is not None
    assert config["data"]["nginx.conf"].count("proxy_pass 10.96.1.1:53;") == 2
    await house.becomes(lambda: set(house.registry) == {"53/tcp", "53/udp"})
    uid = house.cluster.get("Service", NAME)["metadata"]["uid"]  # type: ignore[index]
    house.put(addon("one", Wanted.RELAUNCH, tcp53=53, udp53=53))
    house.put(addon("two", tcp1883=1883))
    await house.becomes(lambda: house.published == [(53, "TCP"), (53, "UDP"), (1883, "TCP")])
    assert house.cluster.get("Service", NAME)["metadata"]["uid"] == uid  # type: ignore[index]
    house.put(addon("one", Wanted.STOPPED, tcp53=53, udp53=53))
    await house.becomes(lambda: house.published == [(1883, "TCP")])
    del house.records["local_two"]
    house.ports.look("local_two")
    await house.becomes(lambda: not house.cluster.select("Deployment", {naming.LABEL_TYPE: naming.TYPE_PORTS}))
    assert house.published == []
    await house.becomes(lambda: house.registry == {})


async def test_a_port_belongs_to_one_addon(house: House) -> None:
    """Who comes second is refused before anything starts, and told whose it is and what is free; an issue says it until
    the port is free.
    """
    house.put(addon("one", tcp1883=1883))
    second = addon("two", Wanted.STOPPED, tcp1883=1883)
    house.records["local_two"] = second
    with refused(1883, "local_one", 1884):
        house.ports.check(second)
    assert house.told.faults == []
    with refused(1883, "local_one", 1884):
        async with house.ports.reserved(second):
            pass
    (fault,) = house.told.faults
    assert (fault.cause, fault.reference) == (Cause.APP_PORT_CONFLICT, "local_two")
    assert dict(fault.extra) == {"port": 1883, "owner": "local_one"}
    house.put(addon("one", Wanted.STOPPED, tcp1883=1883))
    assert house.told.faults == []
    house.ports.check(second)


async def test_two_that_have_had_the_same_port_since_ever(house: House) -> None:
    """They ran before ports were published: one of them has it, and the other is told of."""
    first, second = addon("one", tcp1883=1883), addon("two", tcp1883=1883, tcp1884=1884)
    house.records |= {first.slug: first, second.slug: second}
    house.ports.prepare()
    house.put(second)
    house.put(first)
    await house.becomes(lambda: house.published == [(1883, "TCP"), (1884, "TCP")])
    await house.becomes(lambda: house.registry.get("1883/tcp", {}).get("addon") == "local_one")
    assert house.registry["1884/tcp"]["addon"] == "local_two"
    told = [(fault.reference, dict(fault.extra)) for fault in house.told.faults if fault.reference != NAME]
    assert told == [("local_two", {"port": 1883, "owner": "local_one"})]


async def test_two_that_start_at_the_same_time_do_not_get_the_same_port(house: House) -> None:
    """The second is refused while nothing of the first is recorded yet; a start that is given up takes nothing."""
    first, second = (addon(slug, Wanted.STOPPED, tcp1883=1883) for slug in ("one", "two"))
    async with house.ports.reserved(first):
        assert set(house.registry) == {"1883/tcp"}
        with refused(1883, "local_one", 1884):
            async with house.ports.reserved(second):
                pass
        house.records[second.slug] = second
        assert [fault.reference for fault in house.told.faults] == [second.slug]
    assert house.told.faults == []
    async with house.ports.reserved(second):
        assert house.registry["1883/tcp"]["addon"] == "local_two"


async def test_a_damaged_registry_is_set_aside(house: House) -> None:
    """And made anew from what runs, by hand or not."""
    house.put(addon("one", tcp1883=1883))
    await house.becomes(lambda: set(house.registry) == {"1883/tcp"})
    house.cluster.put(registry_config("{broken", None, None, SITE))

    def mended() -> bool:
        config = house.cluster.get("ConfigMap", naming.PORT_REGISTRY)
        return config is not None and config["data"].get("registry.json.damaged") == "{broken"

    await house.becomes(mended)
    assert set(house.registry) == {"1883/tcp"}
    house.cluster.remove("ConfigMap", naming.PORT_REGISTRY)
    await house.becomes(lambda: house.registry)


async def test_the_registry_is_not_overwritten_blindly(house: House) -> None:
    """Somebody wrote it between our look and our write: it is read again."""
    house.cluster.fail("apply", ClusterConflictError("another one by now"))
    house.put(addon("one", tcp1883=1883))
    async with house.ports.reserved(addon("two", Wanted.STOPPED, tcp1884=1884)):
        assert set(house.registry) == {"1883/tcp", "1884/tcp"}


async def test_a_lost_record_cuts_nobody_off(house: House) -> None:
    """The registry still knows what the add-on publishes, and nobody else gets it."""
    house.put(addon("one", tcp1883=1883))
    await house.becomes(lambda: house.published and house.registry)
    del house.records["local_one"]
    house.lost.append("local_one")
    house.ports.look("local_one")
    house.put(addon("three", udp53=53))
    await house.becomes(lambda: (53, "UDP") in house.published and "53/udp" in house.registry)
    assert (1883, "TCP") in house.published
    assert house.registry["1883/tcp"]["addon"] == "local_one"
    with refused(1883, "local_one", 1884):
        house.ports.check(addon("two", Wanted.STOPPED, tcp1883=1883))


async def test_somebody_elses_registry_hinders_nobody() -> None:
    """An object of the name that is not ours is left alone; reservations hold all the same."""
    house = House()
    theirs = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": naming.PORT_REGISTRY}, "data": {"a": "b"}}
    house.cluster.put(theirs)
    async with house.living():
        second = addon("two", Wanted.STOPPED, tcp1883=1883)
        async with house.ports.reserved(addon("one", tcp1883=1883)):
            with refused(1883, "local_one", 1884):
                house.ports.check(second)
    assert (await house.cluster.read("ConfigMap", naming.PORT_REGISTRY) or {})["data"] == {"a": "b"}


async def test_an_api_server_that_is_away_hinders_no_start(house: House) -> None:
    """The reservation holds, and is written down as soon as that can be."""
    house.cluster.fail("apply", ClusterUnavailableError("away"))
    first = addon("one", tcp1883=1883)
    async with house.ports.reserved(first):
        with refused(1883, "local_one", 1884):
            house.ports.check(addon("two", Wanted.STOPPED, tcp1883=1883))
        house.put(first)
    await house.becomes(lambda: set(house.registry) == {"1883/tcp"})


async def test_without_ports_nothing_is_asked(house: House) -> None:
    """A start of an add-on that publishes nothing costs no request."""
    await asyncio.sleep(0)
    async with house.ports.reserved(addon("one", tcp1883=None)):
        pass
    assert house.registry == {}
    assert house.cluster.calls == []


async def test_a_change_is_shown_by_the_proxies_at_once(house: House) -> None:
    """Their pods are touched when the configuration changes."""
    house.put(addon("one", tcp1883=1883))
    await house.becomes(lambda: house.cluster.pods(io__hass__type=naming.TYPE_PORTS))
    touches = lambda: [call for call in house.cluster.calls if call[0] == "touch"]  # noqa: E731
    await house.becomes(touches)
    house.cluster.calls.clear()
    house.put(addon("two", tcp1884=1884))
    await house.becomes(touches)


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
