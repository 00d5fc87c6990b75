"""Reservations follow what add-ons do: the services against a cluster that is a double."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from supervisor_k8s.errors import ClusterConflictError, ClusterUnavailableError
from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.l4_proxy import registry_config
from supervisor_k8s.model.intent import Wanted
from supervisor_k8s.model.issue import Cause
from tests.unit.ports_house import NAME, SITE, House, addon, refused


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with House().living() as house:
        yield house


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
