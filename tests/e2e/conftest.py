"""The house that all end-to-end tests share: made by `make up`, never by the tests themselves."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import aiohttp
import pytest

from tests.described import as_described

from .house import Core, Kubectl, Supervisor, becomes
from .pages import PAGES, installed
from .silence import silent

__all__ = ["silent"]

SLUG = "core_mosquitto"


@pytest.fixture(scope="session", autouse=True)
def began() -> datetime:
    """When the tests of this tier began."""
    return datetime.now(UTC)


@pytest.fixture(scope="session", autouse=True)
def begin_silence(request: pytest.FixtureRequest) -> None:
    """Eleven minutes are awaited while other tests run, when the test that needs them is among those asked for."""
    if any("silent" in getattr(item, "fixturenames", ()) for item in request.session.items):
        request.getfixturevalue("silent")


@pytest.fixture
def kubectl() -> Kubectl:
    return Kubectl()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """Every answer in JSON must be as `/openapi.json` describes it."""
    async with aiohttp.ClientSession(middlewares=[as_described]) as session:
        yield session


@pytest.fixture
async def supervisor(session: aiohttp.ClientSession, kubectl: Kubectl) -> Supervisor:
    """The Supervisor with the command line's token, as the README tells a person to call it.

    An earlier test may have restarted it: it is waited for.
    """
    url = f"http://{await kubectl.address('supervisor')}"
    house = Supervisor(session, url, await kubectl.secret("supervisor-cli", "token"))
    await becomes(house.answers, what="the Supervisor answers")
    return house


@pytest.fixture
async def core(session: aiohttp.ClientSession, kubectl: Kubectl) -> Core:
    """Home Assistant with its owner logged in."""
    house = Core(session, f"http://{await kubectl.address('homeassistant')}")
    await house.enter()
    return house


@pytest.fixture
async def mosquitto(supervisor: Supervisor) -> str:
    """Slug of the add-on, installed and stopped, whatever an earlier test left."""
    installed = {addon["slug"] for addon in (await supervisor.get("/addons")).data.get("addons", [])}
    if SLUG not in installed:
        assert (await supervisor.post(f"/store/addons/{SLUG}/install")).status == 200
    assert (await supervisor.post(f"/addons/{SLUG}/stop")).status == 200
    assert (await supervisor.post(f"/addons/{SLUG}/options", options=None)).status == 200

    async def stopped() -> bool:
        return await supervisor.state(SLUG) == "stopped"

    await becomes(stopped, what=f"{SLUG} stopped")
    return SLUG


@pytest.fixture
async def pages(supervisor: Supervisor) -> AsyncIterator[str]:
    """The add-on with a page, installed and started."""
    if os.environ.get("CLUSTER") == "external":
        pytest.skip("the program of this add-on is an image of this machine")
    async with installed(supervisor):
        yield PAGES
