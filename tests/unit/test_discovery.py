"""Discovery messages and the two services, by upstream's rules."""

from pathlib import Path
from typing import Any

import pytest
import voluptuous as vol

from supervisor_k8s.errors import (
    CoreUnreachableError,
    DiscoveryNotFoundError,
    RefusedError,
    ServiceAlreadyProvidedError,
    ServiceNotFoundError,
    ServiceNotProvidedError,
)
from supervisor_k8s.model.discovery import DiscoveryMessage
from supervisor_k8s.services.discovery import Discovery
from supervisor_k8s.services.service_registry import ServiceRegistry
from supervisor_k8s.state.records import Records
from tests import builders

MQTT = {"host": "core-mosquitto", "port": 1883}


class Core:
    """Home Assistant Core at the other end: it answers each push by asking for the message, as the real one does."""

    def __init__(self, records: Records) -> None:
        self.heard: list[tuple[str, str, str, Any]] = []
        self.down = False
        self._records = records

    def found(self, uuid: str) -> Any:
        return next((message.config for message in self._records.discovery if message.uuid == uuid), None)

    async def push(self, uuid: str, addon: str, service: str) -> None:
        if self.down:
            raise CoreUnreachableError("Home Assistant Core does not answer")
        self.heard.append(("push", addon, service, self.found(uuid)))

    async def withdraw(self, uuid: str, addon: str, service: str) -> None:
        self.heard.append(("withdraw", addon, service, self.found(uuid)))


class House:
    def __init__(self, records: Records) -> None:
        self.records = records
        self.core = Core(records)
        self.started = {"core_mosquitto"}
        self.discovery = Discovery(
            records=records,
            push=self.core.push,
            withdraw=self.core.withdraw,
            started=self.started.__contains__,
            known=lambda: [
                builders.addon("core", slug="mosquitto", discovery=["mqtt"]),
                builders.addon("local", slug="other", discovery=["mqtt", "adguard"]),
            ],
        )
        self.registry = ServiceRegistry(records=records)


@pytest.fixture
async def house(tmp_path: Path) -> House:
    return House(await Records.load(tmp_path))


async def test_a_message_is_kept_before_it_is_pushed(house: House) -> None:
    """When Core asks back during the push, the message is there; the push itself carries no content."""
    message = await house.discovery.send("core_mosquitto", "mqtt", MQTT)
    assert house.core.heard == [("push", "core_mosquitto", "mqtt", MQTT)]
    assert house.discovery.get(message.uuid) == DiscoveryMessage("core_mosquitto", "mqtt", message.uuid, MQTT)
    assert len(message.uuid) == 32
    assert int(message.uuid, 16)


async def test_the_same_again_changes_nothing(house: House) -> None:
    """An add-on that announces itself at each start is pushed once."""
    first = await house.discovery.send("core_mosquitto", "mqtt", MQTT)
    second = await house.discovery.send("core_mosquitto", "mqtt", dict(MQTT))
    assert first.uuid == second.uuid
    assert len(house.core.heard) == 1


async def test_another_content_keeps_the_uuid(house: House) -> None:
    """A changed password reaches Core as a change of the same thing."""
    first = await house.discovery.send("core_mosquitto", "mqtt", MQTT)
    second = await house.discovery.send("core_mosquitto", "mqtt", MQTT | {"password": "new"})
    assert first.uuid == second.uuid
    assert house.core.heard[1:] == [("push", "core_mosquitto", "mqtt", MQTT | {"password": "new"})]
    assert len(house.records.discovery) == 1


async def test_a_removed_message_is_gone_before_core_hears(house: House, tmp_path: Path) -> None:
    """Core looks whether it is really gone; after a restart it is too, and removing twice is not found."""
    message = await house.discovery.send("core_mosquitto", "mqtt", MQTT)
    await house.discovery.remove(message.uuid)
    assert house.core.heard[1:] == [("withdraw", "core_mosquitto", "mqtt", None)]
    assert (await Records.load(tmp_path)).discovery == ()
    with pytest.raises(DiscoveryNotFoundError):
        await house.discovery.remove(message.uuid)
    with pytest.raises(DiscoveryNotFoundError):
        house.discovery.get(message.uuid)


async def test_core_may_be_away(house: House, tmp_path: Path) -> None:
    """A message that could not be pushed is kept: Core reads the list when it comes."""
    house.core.down = True
    message = await house.discovery.send("core_mosquitto", "mqtt", MQTT)
    assert (await Records.load(tmp_path)).discovery == (message,)


async def test_core_sees_what_is_started(house: House) -> None:
    """The listing has messages of started add-ons only, and every add-on that could announce a service."""
    message = await house.discovery.send("core_mosquitto", "mqtt", MQTT)
    await house.discovery.send("local_other", "adguard", {})
    messages, services = house.discovery.listing()
    assert messages == [message]
    assert services == {"mqtt": ["core_mosquitto", "local_other"], "adguard": ["local_other"]}
    house.started.clear()
    assert house.discovery.listing()[0] == []


async def test_an_uninstalled_addon_leaves_nothing(house: House) -> None:
    """All its messages and services go, those of others stay, and Core hears of each."""
    await house.discovery.send("core_mosquitto", "mqtt", MQTT)
    other = await house.discovery.send("local_other", "adguard", {})
    await house.registry.publish("mqtt", "core_mosquitto", MQTT)
    await house.registry.publish("mysql", "local_other", MQTT)
    await house.discovery.remove_addon("core_mosquitto")
    await house.registry.remove_addon("core_mosquitto")
    assert house.records.discovery == (other,)
    assert list(house.records.services) == ["mysql"]
    assert house.core.heard[2:] == [("withdraw", "core_mosquitto", "mqtt", None)]


def test_a_message_shows_no_credentials() -> None:
    """A message in a log line has no content."""
    assert "s3cret" not in repr(DiscoveryMessage("a", "b", "c", {"password": "s3cret"}))


async def test_a_service_is_published_once(house: House, tmp_path: Path) -> None:
    """Consumers get the data with its provider, also after our restart; publishing again is a conflict, for its own
    provider too.
    """
    await house.registry.publish("mqtt", "core_mosquitto", MQTT)
    again = ServiceRegistry(records=await Records.load(tmp_path))
    assert again.get("mqtt") == MQTT | {"addon": "core_mosquitto"}
    with pytest.raises(ServiceAlreadyProvidedError) as caught:
        await again.publish("mqtt", "core_mosquitto", MQTT)
    assert caught.value.extra_fields == {"service": "mqtt", "app": "core_mosquitto"}


async def test_a_service_is_withdrawn(house: House) -> None:
    """Afterwards it is not enabled; withdrawing twice is not found."""
    await house.registry.publish("mqtt", "core_mosquitto", MQTT)
    await house.registry.withdraw("mqtt")
    with pytest.raises(RefusedError, match="Service not enabled"):
        house.registry.get("mqtt")
    with pytest.raises(ServiceNotProvidedError) as caught:
        await house.registry.withdraw("mqtt")
    assert caught.value.extra_fields == {"service": "mqtt"}


async def test_the_listing_names_who_could_provide(house: House) -> None:
    """Both services are always listed, with the installed add-ons that declare to provide them."""
    provider = builders.addon("core", slug="mosquitto", services=["mqtt:provide"])
    consumer = builders.addon("core", slug="zigbee", services=["mqtt:want", "mysql:need"])
    for config in (provider, consumer):
        await house.records.save_addon(builders.installed(config))
    await house.registry.publish("mysql", "core_zigbee", MQTT)
    assert house.registry.listing() == [
        {"slug": "mqtt", "available": False, "providers": ["core_mosquitto"]},
        {"slug": "mysql", "available": True, "providers": []},
    ]


def test_there_are_two_services(tmp_path: Path) -> None:
    """Any other is not found."""
    registry = ServiceRegistry(records=Records(tmp_path))
    with pytest.raises(ServiceNotFoundError, match="Service does not exist"):
        registry.schema("redis")


@pytest.mark.parametrize(
    ("service", "given", "stored"),
    [
        ("mqtt", {"host": "h", "port": "1883"}, {"host": "h", "port": 1883, "ssl": False, "protocol": "3.1.1"}),
        (
            "mqtt",
            {"host": "h", "port": 1, "ssl": "yes", "protocol": "3.1", "username": "u", "password": "p"},
            {"host": "h", "port": 1, "ssl": True, "protocol": "3.1", "username": "u", "password": "p"},
        ),
        ("mysql", {"host": "h", "port": 3306}, {"host": "h", "port": 3306}),
    ],
)
def test_what_is_published_is_completed(tmp_path: Path, service: str, given: Any, stored: Any) -> None:
    """Defaults are filled in and numbers read from texts, as consumers expect."""
    assert ServiceRegistry(records=Records(tmp_path)).schema(service)(given) == stored


@pytest.mark.parametrize(
    ("service", "given"),
    [
        ("mqtt", {"host": "h"}),
        ("mqtt", {"host": "h", "port": 0}),
        ("mqtt", {"host": "h", "port": 65536}),
        ("mqtt", {"host": "h", "port": 1, "protocol": "5"}),
        ("mqtt", {"host": 1, "port": 1}),
        ("mqtt", {"host": "h", "port": 1, "other": 1}),
        ("mysql", {"host": "h", "port": 1, "ssl": True}),
    ],
)
def test_what_is_wrong_is_refused(tmp_path: Path, service: str, given: Any) -> None:
    """A missing, unknown or malformed key is an error of validation."""
    with pytest.raises(vol.Invalid):
        ServiceRegistry(records=Records(tmp_path)).schema(service)(given)
