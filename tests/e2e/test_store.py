"""As a person: from the address of somebody's repository to an app that is gone again, by Home Assistant's frontend."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from tests.cluster import imports, paths
from tests.cluster.steps import Console, Context

from .browser import PATIENCE_MS, at_home
from .house import PAUSE, Core, Kubectl, Supervisor, becomes, is_ready
from .repository import Repository

NAME, IMAGE = "Weather page", "localhost/addon-pages"
MANIFEST: dict[str, Any] = {
    "name": NAME,
    "slug": "weather",
    "description": "The weather of a town",
    "arch": ["amd64", "aarch64"],
    "image": IMAGE,
    "init": False,
    "hassio_api": True,
    "ingress": True,
    "options": {"town": "Oslo", "refresh": 5},
    "schema": {"town": "str", "refresh": "int(1,60)"},
}
"""The program is that of the tests' page, under another name."""
OLD, NEW = "1.0", "1.1"
STORE_MENU = "hass-subpage ha-dropdown"
CORES_OWN = "update.home_assistant_core_update"
PICTURES = paths.REPOSITORY / "test-results" / "pictures"

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.environ.get("CLUSTER") == "external", reason="the program is an image of this machine"),
]


def files(version: str) -> dict[str, str | bytes]:
    """A repository of one add-on."""
    icon = (paths.REPOSITORY / "tests/images/addon-mosquitto/repository/mosquitto/icon.png").read_bytes()
    return {
        "repository.json": json.dumps({"name": "Apps of a friend"}),
        "weather/config.json": json.dumps({**MANIFEST, "version": version}),
        "weather/icon.png": icon,
        "weather/README.md": "# Weather\n\nA page with the weather.",
        "weather/DOCS.md": "# Weather\n\nChoose the town, and how often it is asked.",
        "weather/CHANGELOG.md": f"# {version}\n\n- Clouds\n",
    }


async def gone(supervisor: Supervisor, repository: Repository) -> None:
    """Neither the add-on nor its repository is there."""
    store = (await supervisor.get("/store")).data
    mine = {one["slug"] for one in store["repositories"] if one["source"].startswith(repository.address)}
    for addon in store["addons"]:
        if addon["repository"] in mine:
            await supervisor.post(f"/addons/{addon['slug']}/uninstall")
    for slug in mine:
        assert (await supervisor.delete(f"/store/repositories/{slug}")).status == 200


@pytest.fixture
def image() -> Iterator[None]:
    """One of the new version, which is the same program."""
    where, console = paths.from_environment(), Console()
    with Context(where, console).step(f"an image of version {NEW}") as step:
        imports.ctr(where, step, "image", "tag", "--force", f"{IMAGE}:{OLD}", f"{IMAGE}:{NEW}")
    yield
    with Context(where, console).step("the image goes") as step:
        imports.ctr(where, step, "image", "rm", f"{IMAGE}:{NEW}")
    console.close()


@pytest.fixture
async def friend(supervisor: Supervisor, image: None) -> AsyncIterator[Repository]:
    """Somebody's repository, which the store does not know; afterwards it does not, either."""
    repository = Repository("weather")
    await gone(supervisor, repository)
    await repository.make()
    await repository.push(files(OLD))
    yield repository
    await gone(supervisor, repository)
    await repository.remove()


class Frontend:
    """Home Assistant's pages about apps, by what a person sees on them."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self._taken = 0

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    async def open(self, name: str) -> None:
        """A tab of an app's page."""
        await self.page.get_by_text(name, exact=True).first.click()

    async def choose(self, *, where: str, entry: str) -> None:
        """An entry of the menu behind three dots."""
        await self.page.locator(where).click()
        await self.page.get_by_text(entry, exact=True).first.click()

    async def shows(self, text: str) -> None:
        await self.page.get_by_text(text).first.wait_for()

    async def picture(self, name: str) -> None:
        """For who looks at what a run has left."""
        self._taken += 1
        PICTURES.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=PICTURES / f"{self._taken:02}-{name}.png")


@pytest.fixture
async def frontend(core: Core) -> AsyncIterator[Frontend]:
    async with at_home(core) as page:
        await page.set_viewport_size({"width": 1280, "height": 900})
        frontend = Frontend(page)
        yield frontend
        await frontend.picture("at last")


async def test_from_a_repositorys_address_to_an_app_that_is_gone(
    frontend: Frontend, friend: Repository, supervisor: Supervisor, core: Core, kubectl: Kubectl
) -> None:
    """Found, read about, installed, configured, started, looked at, restarted, updated and uninstalled; a wrong value
    is refused in our words.
    """
    await find(frontend, friend)
    await read(frontend)
    await frontend.button("Install").click()
    await frontend.button("Start").wait_for()
    slug = frontend.page.url.partition("/app/")[2].partition("/")[0]
    await configure(frontend)
    await becomes(lambda: has(supervisor, slug, state="stopped", version=OLD), what="the options are saved")
    await run(frontend)
    await restart(frontend, kubectl, slug)
    await friend.push(files(NEW))
    await update(frontend, core, supervisor, slug)
    await becomes(lambda: has(supervisor, slug, state="started", version=NEW), what="it runs again, as it was set up")
    await switch_on(frontend, supervisor, slug)
    await uninstall(frontend)
    assert slug not in {one["slug"] for one in (await supervisor.get("/addons")).data["addons"]}


async def has(supervisor: Supervisor, slug: str, *, state: str, version: str) -> bool:
    """Whether the app is so, with the options that were chosen."""
    about = (await supervisor.get(f"/addons/{slug}/info")).data
    chosen = {"town": "Oslo", "refresh": 7}
    return (about["state"], about["version"], about["options"]) == (state, version, chosen)


async def find(frontend: Frontend, friend: Repository) -> None:
    """From the sidebar to the app's page."""
    page = frontend.page
    await page.locator("ha-sidebar").get_by_text("Settings").click()
    await page.get_by_text("Apps", exact=True).first.click()
    await page.get_by_text("Install app").click()
    await frontend.shows("Mosquitto broker")
    await frontend.choose(where=STORE_MENU, entry="Repositories")
    await page.get_by_text("Add", exact=True).click()
    dialog = page.locator("ha-dialog").last
    await dialog.locator("input").fill(f"{friend.address}#main")
    await dialog.get_by_text("Add", exact=True).click()
    await frontend.shows("Apps of a friend")
    await page.locator("ha-icon-button-arrow-prev").click()
    await frontend.shows("Mosquitto broker")
    await frontend.picture("store")
    await page.locator("ha-input-search input").fill("weath")
    await page.get_by_text("Mosquitto broker").wait_for(state="hidden")
    icon = page.locator("supervisor-apps-card-content img")
    assert await icon.evaluate("one => one.decode().then(() => one.naturalWidth)") > 0
    await page.get_by_text(NAME).click()


async def read(frontend: Frontend) -> None:
    await frontend.shows("A page with the weather")
    await frontend.open("Documentation")
    await frontend.shows("Choose the town")
    await frontend.open("Info")
    await frontend.picture("before the installation")


async def configure(frontend: Frontend) -> None:
    """A wrong value, then a right one."""
    await frontend.open("Configuration")
    refresh, save = frontend.page.locator("ha-form input").nth(1), frontend.button("Save").first
    await expect(refresh).to_have_value("5", timeout=PATIENCE_MS)
    for value, answer in (("99", "value must be at most 60"), ("7", "")):
        await refresh.fill(value)
        async with asyncio.timeout(60):
            while not await save.is_enabled():  # the form was drawn once more meanwhile
                await asyncio.sleep(PAUSE)
                await refresh.fill("")
                await refresh.fill(value)
        await save.click()
        if answer:
            await frontend.shows(answer)
            await frontend.picture("a wrong value")
    await expect(save).to_be_disabled(timeout=PATIENCE_MS)


async def run(frontend: Frontend) -> None:
    """Started, its page opened, its log followed."""
    page = frontend.page
    await frontend.open("Info")
    await frontend.button("Start").click()
    await frontend.shows("Running")
    await frontend.shows("RAM usage")
    await frontend.picture("running")
    await frontend.open("Log")
    await frontend.shows("WHO AM I")
    await frontend.shows("Live")
    await frontend.open("Info")
    await page.get_by_text("Open Web UI").click()
    await page.frame_locator("iframe").locator("h1").get_by_text("A page of an add-on").wait_for()
    await frontend.picture("its page")
    await page.go_back()


async def restart(frontend: Frontend, kubectl: Kubectl, slug: str) -> None:
    """Another pod, when the button can be pressed again."""
    label, again = f"io.hass.addon={slug}", frontend.button("Restart")
    before = (await kubectl.pod(label))["metadata"]["uid"]
    await again.click()

    async def is_another() -> bool:
        return any(is_ready(pod) and pod["metadata"]["uid"] != before for pod in await kubectl.pods(label))

    await becomes(is_another, what="another pod is ready")
    await expect(again).to_be_enabled(timeout=PATIENCE_MS)


async def switch_on(frontend: Frontend, supervisor: Supervisor, slug: str) -> None:
    for name, key in (("Watchdog", "watchdog"), ("Auto update", "auto_update")):
        await frontend.page.locator("ha-row-item").filter(has_text=name).locator("ha-switch").click()

        async def is_on(key: str = key) -> bool:
            return bool((await supervisor.get(f"/addons/{slug}/info")).data[key])

        await becomes(is_on, what=f"{name} is on")


async def update(frontend: Frontend, core: Core, supervisor: Supervisor, slug: str) -> None:
    """By the update that Home Assistant has of it."""
    page = frontend.page
    about = page.url
    await page.goto(f"{core.url}/config/apps/available")
    await frontend.shows("Mosquitto broker")
    await frontend.choose(where=STORE_MENU, entry="Check for updates")

    async def is_offered() -> bool:
        return bool((await supervisor.get(f"/addons/{slug}/info")).data["version_latest"] == NEW)

    await becomes(is_offered, what="the store has the new version")
    # Home Assistant looks for new apps every few minutes, and only if it knows one.
    await core.post("/api/services/homeassistant/reload_config_entry", entity_id=CORES_OWN)
    await becomes(lambda: says(core, "on", OLD), what="Home Assistant knows of the update")
    await page.goto(about)
    await frontend.shows("Update available")
    await frontend.button("Update").click()
    dialog = page.locator("more-info-update")
    await dialog.get_by_text("Clouds").wait_for()
    await frontend.picture("an update")
    await dialog.get_by_role("button", name="Update", exact=True).click()
    await becomes(lambda: says(core, "off", NEW), what="Home Assistant knows that it is installed", within=120)
    await page.goto(about)
    await frontend.shows(f"Current version: {NEW}")


async def says(core: Core, state: str, installed: str) -> bool:
    """Whether Home Assistant's entity of the update says so."""
    states = {one["entity_id"]: one for one in await core.get("/api/states")}
    if (found := states.get("update.weather_page_update")) is None:
        return False
    about = found["attributes"]
    return (found["state"], about["installed_version"], about["latest_version"]) == (state, installed, NEW)


async def uninstall(frontend: Frontend) -> None:
    page = frontend.page
    await page.locator("ha-card").filter(has_text="Controls").locator("ha-icon-button").first.click()
    await page.get_by_text("Uninstall", exact=True).first.click()
    await frontend.button("Uninstall").last.click()
    await page.wait_for_url("**/config/apps/*")
    await frontend.picture("without it")
