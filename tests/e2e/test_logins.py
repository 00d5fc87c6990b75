"""Home Assistant's users at an add-on: the add-on asks us, we ask real Core."""

import json
from collections.abc import AsyncIterator
from urllib.parse import urlencode

import aiohttp
import pytest

from .house import USER, Core, Kubectl, Supervisor, becomes

GUEST = {"username": "guest", "password": "a-guest-of-tests"}
LOG_IN = """
import json, os, sys, urllib.request as u, urllib.error as e
headers, body = json.loads(sys.argv[1])
headers['X-Supervisor-Token'] = os.environ['SUPERVISOR_TOKEN']
try:
    print(u.urlopen(u.Request('http://supervisor/auth', body.encode(), headers), timeout=30).status)
except e.HTTPError as error:
    print(error.code)
"""
"""What an add-on does, with its own token."""
HOW = ("json", "form", "basic")
"""Ways to hand on what somebody gave as name and password."""
PUBLISH = 'mosquitto_pub -h core-mosquitto -u "$1" -P "$2" -t house -m hello -q 1 >/dev/null 2>&1; echo $?'
REFUSED = 5
"""Exit code of a client whom the broker does not authorise."""


class Door:
    """An add-on that lets people in by their Home Assistant password."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl

    async def asks(self, username: str, password: str, how: str = "json") -> int:
        """Status of `/auth`, asked from the add-on's pod."""
        command = ("exec", "deployment/addon-core-mosquitto", "-c", "addon", "--", "python3", "-c", LOG_IN)
        return int(await self._kubectl.run(*command, json.dumps(handed_on(username, password, how))))

    async def publishes(self, username: str, password: str) -> int:
        """Exit code of an MQTT client that sends one message to the broker and waits until it has it."""
        command = ("exec", "deployment/addon-core-mosquitto", "-c", "addon", "--", "sh", "-c", PUBLISH, "sh")
        return int(await self._kubectl.run(*command, username, password))


def handed_on(username: str, password: str, how: str) -> tuple[dict[str, str], str]:
    """Headers and body; without another type it is a form."""
    fields = {"username": username, "password": password}
    if how == "basic":
        return {"Authorization": aiohttp.encode_basic_auth(username, password)}, ""
    return ({"Content-Type": "application/json"}, json.dumps(fields)) if how == "json" else ({}, urlencode(fields))


@pytest.fixture
async def door(core: Core, kubectl: Kubectl, supervisor: Supervisor, mosquitto: str) -> Door:
    """Started, in a house whose Core has let us in."""
    await becomes(supervisor.users, what="the websocket to Core is up")
    assert (await supervisor.post(f"/addons/{mosquitto}/start")).status == 200
    return Door(kubectl)


@pytest.fixture
async def guest(core: Core) -> AsyncIterator[str]:
    """Id of a second user, with a password; gone afterwards."""
    async with core.socket() as socket:
        made = await socket.command("config/auth/create", name="Guest", group_ids=["system-users"])
        user: str = made["result"]["user"]["id"]
        done = await socket.command("config/auth_provider/homeassistant/create", user_id=user, **GUEST)
        assert done["success"], done
        yield user
        await socket.command("config/auth/delete", user_id=user)


async def test_core_judges_the_password(door: Door) -> None:
    """The right one is let in, a wrong one and an unknown user are not, and Core bans nobody for it."""
    for how in HOW * 2:
        assert await door.asks(USER["username"], "not this one", how) == 401
    assert await door.asks("nobody", USER["password"]) == 401
    for how in HOW:
        assert await door.asks(**USER, how=how) == 200


async def test_who_is_switched_off_is_out(door: Door, core: Core, guest: str) -> None:
    """A user that Core does not let in any more is refused at once, although the password is right."""
    assert await door.asks(**GUEST) == 200
    async with core.socket() as socket:
        assert (await socket.command("config/auth/update", user_id=guest, is_active=False))["success"]
    assert await door.asks(**GUEST) == 401


async def test_a_broker_lets_home_assistants_users_in(door: Door, core: Core, guest: str) -> None:
    """By the password they have there: not with another one, and not once they are switched off. Whoever nobody knows
    stays out.
    """
    assert await door.publishes(**USER) == 0
    assert await door.publishes(**GUEST) == 0
    assert await door.publishes(USER["username"], "not this one") == REFUSED
    assert await door.publishes("nobody", USER["password"]) == REFUSED
    async with core.socket() as socket:
        assert (await socket.command("config/auth/update", user_id=guest, is_active=False))["success"]
    assert await door.publishes(**GUEST) == REFUSED


async def test_a_new_password(door: Door, supervisor: Supervisor, guest: str) -> None:
    """`ha auth reset` gives a user a new one, and `ha auth list` names the user."""
    assert (await supervisor.post("/auth/reset", username=GUEST["username"], password="another-one")).status == 200
    assert await door.asks(GUEST["username"], "another-one") == 200
    assert await door.asks(**GUEST) == 401
    assert {USER["username"], GUEST["username"]} <= {user["username"] for user in await supervisor.users() or ()}


async def test_while_core_is_away(door: Door, supervisor: Supervisor) -> None:
    """Whom Core let in before gets in, and nobody else."""
    assert await door.asks(**USER) == 200
    assert (await supervisor.post("/core/stop")).status == 200
    try:
        assert await door.asks(**USER) == 200
        assert await door.asks(USER["username"], "not this one") == 500
    finally:
        assert (await supervisor.post("/core/start")).status == 200
