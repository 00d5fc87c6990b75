"""`/services…` and `/discovery…`: what add-ons tell one another and Core."""

from typing import Any
from uuid import UUID

import pytest
from aiohasupervisor import SupervisorForbiddenError, SupervisorNotFoundError
from aiohasupervisor.models import DiscoveryConfig

from tests.contract.house import Home

MQTT = {"host": "core-mosquitto", "port": 1883, "username": "me", "password": "hunter2"}
BROKER, READER = "core_mosquitto", "core_panel"


@pytest.fixture
async def both(home: Home) -> Home:
    """A broker and an add-on that wants it, both running."""
    await home.install(BROKER, start=True)
    await home.install(READER, start=True)
    return home


async def by(home: Home, slug: str, method: str, path: str, body: Any = None) -> Any:
    """As bashio asks: always with a JSON body."""
    return await home.raw(method, path, token=home.addon_token(slug), json=body if body is not None else {})


async def test_service_is_published_read_and_withdrawn(both: Home) -> None:
    """Defaults are filled in, the provider is named; a second time is a conflict, even by the same add-on."""
    assert (await by(both, READER, "GET", "/services/mqtt")).message == "Service not enabled"
    assert (await by(both, BROKER, "POST", "/services/mqtt", MQTT)).data == {}
    read = (await by(both, READER, "GET", "/services/mqtt")).data
    assert read == {**MQTT, "ssl": False, "protocol": "3.1.1", "addon": BROKER}
    again = await by(both, BROKER, "POST", "/services/mqtt", MQTT)
    assert (again.status, again.json["error_key"]) == (409, "service_already_provided_error")
    listed = {entry["slug"]: entry for entry in (await by(both, READER, "GET", "/services")).data["services"]}
    assert listed["mqtt"] == {"slug": "mqtt", "available": True, "providers": [BROKER]}
    assert listed["mysql"]["available"] is False
    assert (await by(both, READER, "DELETE", "/services/mqtt")).status == 403
    assert (await by(both, BROKER, "DELETE", "/services/mqtt")).data == {}
    assert (await by(both, BROKER, "DELETE", "/services/mqtt")).json["error_key"] == "service_not_provided_error"


async def test_service_refusals(both: Home) -> None:
    """Unknown service, bad data, no declaration, and Core, which is no add-on."""
    assert (await by(both, BROKER, "GET", "/services/wings")).message == "Service does not exist"
    bad = await by(both, BROKER, "POST", "/services/mqtt", {"host": "x"})
    assert bad.message == "required key not provided @ data['port']. Got None"
    assert (await by(both, BROKER, "GET", "/services/mysql")).message == "No access to mysql service!"
    assert (await both.raw("GET", "/services/mqtt")).status == 403


async def test_service_goes_with_its_provider(both: Home) -> None:
    """After an uninstall nobody finds it any more."""
    await by(both, BROKER, "POST", "/services/mqtt", MQTT)
    await both.client().addons.uninstall_addon(BROKER)
    assert (await by(both, READER, "GET", "/services/mqtt")).status == 400


async def test_discovery_reaches_core(both: Home) -> None:
    """Kept, then pushed without its content; Core reads it; the same again is the same message and no push."""
    sender = both.client(both.addon_token(BROKER)).discovery
    uuid = await sender.set(DiscoveryConfig(service="mqtt", config=MQTT))
    assert await sender.set(DiscoveryConfig(service="mqtt", config=MQTT)) == uuid
    pushes = [request for request in both.core.requests if "/discovery/" in request[1]]
    message = {"addon": BROKER, "service": "mqtt", "uuid": uuid.hex}
    assert pushes == [("POST", f"/api/hassio_push/discovery/{uuid.hex}", message)]
    found = await both.client().discovery.get(uuid)
    assert (found.addon, found.service, found.config) == (BROKER, "mqtt", MQTT)
    assert [entry.uuid for entry in await both.client().discovery.list()] == [uuid]
    assert (await both.raw("GET", "/discovery")).data["services"] == {"mqtt": [BROKER]}
    await sender.delete(uuid)
    assert both.core.requests[-1] == ("DELETE", f"/api/hassio_push/discovery/{uuid.hex}", message)
    with pytest.raises(SupervisorNotFoundError):
        await both.client().discovery.get(uuid)


async def test_discovery_of_a_stopped_addon_is_not_listed(both: Home) -> None:
    """Core would try to reach it; the message is there again when it runs."""
    await by(both, BROKER, "POST", "/discovery", {"service": "mqtt", "config": MQTT})
    await both.client().addons.stop_addon(BROKER)
    assert await both.client().discovery.list() == []
    await both.client().addons.start_addon(BROKER)
    assert len(await both.client().discovery.list()) == 1


async def test_discovery_refusals(both: Home) -> None:
    """A service the manifest does not list, another's message, and readers that are not Core."""
    uuid = (await by(both, BROKER, "POST", "/discovery", {"service": "mqtt", "config": MQTT})).data["uuid"]
    refused = await by(both, READER, "POST", "/discovery", {"service": "mqtt", "config": {}})
    assert refused.message == "Apps must list services they provide via discovery in their config!"
    with pytest.raises(SupervisorForbiddenError):
        await both.client(both.addon_token(READER)).discovery.delete(UUID(uuid))
    assert (await by(both, BROKER, "GET", "/discovery")).text == "401: Unauthorized"
    assert (await by(both, BROKER, "GET", f"/discovery/{uuid}")).status == 401


async def test_core_that_is_away_is_no_error_of_the_addon(both: Home) -> None:
    """Core reads the list when it comes back."""
    both.core.refusals = {"/api/hassio_push/discovery": 500}
    await both.client().homeassistant.stop()
    answer = await by(both, BROKER, "POST", "/discovery", {"service": "mqtt", "config": MQTT})
    assert answer.status == 200
