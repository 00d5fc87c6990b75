"""Published ports through the API: whose one is, what is said to the second, and what helps."""

from typing import Any

from tests.contract.house import Home
from tests.contract.issues import BROKER, appears, apply, issues, reload, state, vanish, write

SECOND = "local_second"
CONFLICT = ("app_port_conflict", "addon", SECOND)
EXTRA = {"name": SECOND, "port": 1883, "owner": BROKER, "free": 1884}


async def two(home: Home) -> None:
    """A broker that runs, and another add-on that wants its port."""
    await home.install(BROKER, start=True)
    write(home, "second", ports={"1883/tcp": 1883, "5000/udp": 5000})
    await reload(home)
    await home.install(SECOND)


async def network(home: Home, slug: str) -> Any:
    return (await home.raw("GET", f"/addons/{slug}/info")).data["network"]


async def test_a_port_that_is_taken_starts_nothing(home: Home) -> None:
    """The answer has upstream's key, whose the port is and one that is free; the issue's suggestion unpublishes it, and
    then the add-on starts.
    """
    await two(home)
    home.cluster.calls.clear()
    answer = await home.raw("POST", f"/addons/{SECOND}/start")
    assert (answer.status, answer.json["error_key"], answer.json["extra_fields"]) == (400, "app_port_conflict", EXTRA)
    assert home.cluster.calls == []
    issue = await appears(home, *CONFLICT)
    assert issue["reference_extra"] == {"port": 1883, "owner": BROKER}
    assert await apply(home, issue, "clear_port_config") == 200
    await vanish(home)
    assert await network(home, SECOND) == {"1883/tcp": None, "5000/udp": 5000}
    assert (await home.raw("POST", f"/addons/{SECOND}/start")).status == 200


async def test_open_web_ui(home: Home) -> None:
    """It leads to where the port is reached, as soon as that is known."""
    write(home, "second", ports={"80/tcp": 8085}, webui="http://[HOST]:[PORT:80]/")
    await reload(home)
    await home.install(SECOND, start=True)

    async def webui() -> Any:
        return (await home.raw("GET", f"/addons/{SECOND}/info")).data["webui"]

    assert await webui() == "http://[HOST]:8085/"
    await home.cluster.until(lambda: home.cluster.get("Service", "ha-internal"), within=20)
    home.cluster.set_status("Service", "ha-internal", loadBalancer={"ingress": [{"ip": "192.168.100.130"}]})
    assert await webui() == "http://192.168.100.130:8085/"


async def test_the_issue_goes_with_the_owner(home: Home) -> None:
    """Once the other add-on is stopped, nothing is in the way."""
    await two(home)
    assert (await home.raw("POST", f"/addons/{SECOND}/start")).status == 400
    await appears(home, *CONFLICT)
    assert (await home.raw("POST", f"/addons/{BROKER}/stop")).status == 200
    await vanish(home)
    assert (await home.raw("POST", f"/addons/{SECOND}/start")).status == 200
    refused = await home.raw("POST", f"/addons/{BROKER}/start")
    assert refused.json["extra_fields"] == {"name": BROKER, "port": 1883, "owner": SECOND, "free": 1884}


async def test_a_restart_for_another_port_that_is_taken_ends_nothing(home: Home) -> None:
    """What runs goes on with the port it has."""
    await two(home)
    assert (await home.raw("POST", f"/addons/{SECOND}/options", json={"network": {"1883/tcp": 2883}})).status == 200
    assert (await home.raw("POST", f"/addons/{SECOND}/start")).status == 200
    await home.house.services.addon_settings.set_user(SECOND, network={"1883/tcp": 1883})
    assert (await home.raw("POST", f"/addons/{SECOND}/restart")).json["extra_fields"] == EXTRA
    assert (await home.raw("GET", f"/addons/{SECOND}/info")).data["state"] == "started"


async def test_a_port_that_cannot_be_had_is_not_saved(home: Home) -> None:
    """Neither another add-on's, nor one number twice, nor one that is no port; nothing is an issue, for nobody wanted
    to start anything.
    """
    await two(home)
    before = await network(home, SECOND)
    refused = await home.raw("POST", f"/addons/{SECOND}/options", json={"network": {"1883/tcp": 1883}})
    assert refused.json["extra_fields"] == EXTRA
    twice = {"network": {"1883/tcp": 1900, "5000/udp": 5000, "8883/tcp": 1900}}
    assert (await home.raw("POST", f"/addons/{SECOND}/options", json=twice)).status == 200, "it has no such port"
    broker = {"network": {"1883/tcp": 1901, "8883/tcp": 1901}}
    answer = await home.raw("POST", f"/addons/{BROKER}/options", json=broker)
    assert (answer.status, answer.json["error_key"]) == (400, "app_port_conflict")
    assert answer.json["extra_fields"]["owner"] == BROKER
    for number in (0, 65536, -1, "none"):
        answer = await home.raw("POST", f"/addons/{SECOND}/options", json={"network": {"1883/tcp": number}})
        assert answer.status == 400, number
    assert await network(home, SECOND) == {**before, "1883/tcp": 1900}
    assert await state(home) == "started"
    assert await issues(home) == {}
