"""The configuration from git, by our own add-on: from the store to an entity of real Core."""

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from .git_house import CONFIGURATION, LIVE, SLUG, STATES, House
from .house import Core, Kubectl, Supervisor, becomes

ADDED, REACTS, TEXT = "e2e_git.yaml", "e2e_git_automations.yaml", "E2E.md"
AUTOMATION = """
- alias: Reacts
  triggers: [{trigger: event, event_type: e2e_git}]
  actions: [{action: input_boolean.turn_on, target: {entity_id: input_boolean.from_git}}]
"""
SAVED = f"{LIVE}/{CONFIGURATION}.before-git"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture
async def house(kubectl: Kubectl, supervisor: Supervisor, core: Core) -> AsyncIterator[House]:
    """An empty repository; afterwards the configuration and Core are as before."""
    house = House(kubectl)
    await house.repository.make()
    await house.live(f"cp -p {LIVE}/{CONFIGURATION} {SAVED}")
    yield house
    await supervisor.post(f"/addons/{SLUG}/uninstall")
    added = " ".join(f"{LIVE}/{name}" for name in (ADDED, REACTS, TEXT, ".git_pull"))
    await house.live(f"mv {SAVED} {LIVE}/{CONFIGURATION}; rm -rf {added}")
    await house.repository.remove()
    assert (await supervisor.post("/core/restart")).status == 200


async def test_a_house_follows_its_repository(
    house: House, kubectl: Kubectl, supervisor: Supervisor, core: Core
) -> None:
    """A good commit is live, by a restart of Core where it needs one, else by a reload; a bad one is not, and Core runs
    on; the next good one is live, and its automation reacts.
    """
    configuration = await house.file(CONFIGURATION)
    own = set((await house.live(f"find {LIVE}/.storage -type f")).split())
    await house.repository.push({CONFIGURATION: configuration, TEXT: "of a house"})
    async with core.socket() as socket:
        await socket.supervisor("post", f"/store/addons/{SLUG}/install")
        options = (await socket.supervisor("get", f"/addons/{SLUG}/info"))["options"]
        options |= {"repository": house.repository.address, "git_branch": "main", "auto_restart": True}
        options |= {"repeat": {"active": True, "interval": 2}}
        await socket.supervisor("post", f"/addons/{SLUG}/options", {"options": options})
        await socket.supervisor("post", f"/addons/{SLUG}/start")

    async def there() -> bool:
        return await house.file(TEXT) == "of a house"

    await becomes(there, what="the new file is live", within=180)
    pod = await core_pod(kubectl)

    with_entity = f"{configuration}\ninput_boolean: !include {ADDED}\nautomation git: !include {REACTS}\n"
    await house.repository.push({CONFIGURATION: with_entity, ADDED: "from_git: {}\n", REACTS: "[]\n"})

    async def entity(name: str) -> bool:
        try:
            return bool((await core.get(f"{STATES}.{name}"))["state"] == "off")
        except (AssertionError, aiohttp.ClientError, ValueError):
            return False

    await becomes(lambda: entity("from_git"), what="the entity of the new configuration", within=300)
    assert await core_pod(kubectl) != pod
    pod = await core_pod(kubectl)

    await house.repository.push({CONFIGURATION: f"{with_entity}\nno_such_integration_git:\n"})

    async def told() -> bool:
        return "no_such_integration_git" in (await supervisor.get(f"/addons/{SLUG}/logs")).body["message"]

    await becomes(told, what="Core's complaint in the add-on's log", within=180)
    assert await house.file(CONFIGURATION) == with_entity
    await the_page_shows_it(supervisor, core)
    good = {CONFIGURATION: with_entity, ADDED: "from_git: {}\nlater: {}\n", REACTS: AUTOMATION}
    await house.repository.push(good)
    await becomes(lambda: entity("later"), what="an entity of the good commit after the bad one", within=180)
    await becomes(lambda: reacted(core), what="the automation of that commit reacts")
    await asked_by_an_automation(supervisor)
    assert await core_pod(kubectl) == pod
    assert await house.file(CONFIGURATION) == with_entity
    assert own <= set((await house.live(f"find {LIVE}/.storage -type f")).split())


async def reacted(core: Core) -> bool:
    """Whether the automation has done what it does at its event."""
    await core.post("/api/events/e2e_git")
    return bool((await core.get(f"{STATES}.from_git"))["state"] == "on")


async def asked_by_an_automation(supervisor: Supervisor) -> None:
    """What Home Assistant's action hands on starts a pass, which the log names."""
    assert (await supervisor.send(f"/addons/{SLUG}/stdin", b'"check"')).status == 200

    async def asked() -> bool:
        return "by Home Assistant" in (await supervisor.get(f"/addons/{SLUG}/logs")).body["message"]

    await becomes(asked, what="a pass that Home Assistant asked for", within=180)


async def the_page_shows_it(supervisor: Supervisor, core: Core) -> None:
    """Core's complaint, through ingress; a button of the page is taken, a forged one is not."""
    entry = (await supervisor.get(f"/addons/{SLUG}/info")).data["ingress_entry"]
    async with core.socket() as socket:
        session = (await socket.supervisor("post", "/ingress/session"))["session"]
    status, page = await core.pressed(f"{entry}/", session)
    assert status == 200
    assert "no_such_integration_git" in page
    ours = re.search('name="ours" value="([^"]+)"', page)
    assert ours is not None
    assert [(await core.pressed(f"{entry}/check", session, ours=one))[0] for one in ("forged", ours[1])] == [403, 303]


async def core_pod(kubectl: Kubectl) -> str:
    uid: str = (await kubectl.json("get", "pod", "homeassistant-0"))["metadata"]["uid"]
    return uid
