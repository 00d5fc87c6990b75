"""`/store…`: what can be installed, from where, and installing it."""

import asyncio

import orjson
import pytest
from aiohasupervisor import SupervisorBadRequestError, SupervisorError, SupervisorNotFoundError
from aiohasupervisor.exceptions import (
    AddonNotSupportedArchitectureError,
    DockerHubRateLimitExceededError,
    DockerRegistryRateLimitExceededError,
)
from aiohasupervisor.models import StoreAddonInstall, StoreAddonUpdate, StoreAddRepository

from tests.contract.house import PNG, Home
from tests.fakes import Behaviour

IMAGE = "example.test/amd64-app-mosquitto:7.1.0"


async def test_list(home: Home) -> None:
    """Every add-on with whether it is installed and could be."""
    await home.install("core_mosquitto")
    addons = {addon.slug: addon for addon in await home.client().store.addons_list()}
    mosquitto, elsewhere = addons["core_mosquitto"], addons["core_elsewhere"]
    assert (mosquitto.installed, mosquitto.version, mosquitto.version_latest) == (True, "7.1.0", "7.1.0")
    assert (mosquitto.icon, mosquitto.logo, mosquitto.documentation, mosquitto.available) == (True, False, True, True)
    assert (elsewhere.installed, elsewhere.version, elsewhere.available) == (False, None, False)


async def test_addon(shared: Home) -> None:
    """One of them in full; a version in the path changes nothing."""
    info = await shared.client().store.addon_info("core_mosquitto")
    assert (info.name, info.installed, info.long_description, info.detached) == (
        "Mosquitto broker",
        False,
        "A broker\n",
        False,
    )
    assert (info.auth_api, info.rating, info.apparmor) == (True, 6, "default")
    with_version = await shared.raw("GET", "/store/addons/core_mosquitto/7.1.0")
    assert with_version.data == (await shared.raw("GET", "/store/addons/core_mosquitto")).data


async def test_unknown_addon(shared: Home) -> None:
    """404 with the store's own text and key, on every route; `self` is no add-on here."""
    for method, path in (
        ("GET", "/store/addons/none_such"),
        ("GET", "/store/addons/none_such/availability"),
        ("GET", "/store/addons/none_such/compatibility"),
        ("POST", "/store/addons/none_such/install"),
        ("POST", "/addons/none_such/install"),
        ("POST", "/store/addons/none_such/update"),
    ):
        answer = await shared.raw(method, path)
        assert (answer.status, answer.message) == (404, "App none_such does not exist in the store"), path
        assert answer.json["error_key"] == "store_app_not_found_error"
        assert answer.json["extra_fields"] == {"app": "none_such"}
    assert (await shared.raw("POST", "/addons/self/install")).status == 404


async def test_compatibility(shared: Home) -> None:
    """What becomes of an add-on here can be read before it is installed; its page in the store begins with it where
    there is something to say.
    """
    runs = (await shared.raw("GET", "/store/addons/core_mosquitto/compatibility")).data
    assert (runs["verdict"], runs["summary"]) == ("runs", "It runs on this cluster.")
    cannot = (await shared.raw("GET", "/store/addons/core_elsewhere/compatibility")).data
    assert cannot["verdict"] == "cannot_run"
    assert "armv7" in cannot["denied"][0]
    page = (await shared.raw("GET", "/store/addons/core_elsewhere")).data["long_description"]
    assert page.startswith("> It cannot run on this cluster. ")
    assert cannot["summary"] in page


async def test_texts_and_pictures(shared: Home) -> None:
    """Texts are always 200, also where there is none; a missing picture is 400 and no JSON."""
    store = shared.client().store
    assert await store.addon_changelog("core_mosquitto") == "# 7.1.0\n"
    assert await store.addon_documentation("core_mosquitto") == "How to use it\n"
    assert "No changelog found" in await store.addon_changelog("core_panel")
    assert "does not exist" in await store.addon_changelog("none_such")
    for path in ("/addons/core_mosquitto/changelog", "/addons/core_mosquitto/documentation"):
        answer = await shared.raw("GET", path)
        assert (answer.status, answer.content_type) == (200, "text/plain; charset=utf-8")
    icon = await shared.raw("GET", "/store/addons/core_mosquitto/icon", token=None)
    assert (icon.status, icon.content_type, icon.text) == (200, "image/png", PNG.decode(errors="replace"))
    logo = await shared.raw("GET", "/addons/core_mosquitto/logo", token=None)
    assert (logo.status, logo.content_type) == (400, "application/octet-stream")


async def test_availability(shared: Home) -> None:
    """The client's own class for an add-on of another architecture, before and at an install."""
    store = shared.client().store
    await store.addon_availability("core_mosquitto")
    for call in (store.addon_availability, store.install_addon):
        with pytest.raises(AddonNotSupportedArchitectureError):
            await call("core_elsewhere")
    assert await shared.client().addons.list() == []


async def test_install(home: Home) -> None:
    """The image is on a node, the add-on is installed and stopped, no pod is left of the pull."""
    await home.client().store.install_addon("core_mosquitto")
    (addon,) = await home.client().addons.list()
    assert (addon.slug, addon.state, addon.version) == ("core_mosquitto", "stopped", "7.1.0")
    assert {pod["metadata"]["labels"]["io.hass.type"] for pod in home.cluster.pods()} == {"homeassistant", "dns"}
    answer = await home.raw("POST", "/store/addons/core_mosquitto/install")
    assert (answer.status, answer.json["error_key"]) == (400, "app_already_installed_error")


async def test_install_by_the_old_path(home: Home) -> None:
    """The frontend still asks below `/addons`."""
    assert (await home.raw("POST", "/addons/core_mosquitto/install", json={})).data == {}
    assert len(await home.client().addons.list()) == 1


async def test_install_of_a_version_that_is_not_there(home: Home) -> None:
    """The store has one version of each add-on."""
    assert (await home.raw("POST", "/store/addons/core_mosquitto/install/6.0.0")).status == 400
    assert (await home.raw("POST", "/store/addons/core_mosquitto/install/7.1.0")).status == 200


async def test_image_that_cannot_be_pulled(home: Home) -> None:
    """The error names the image and the runtime's reason; nothing is installed and nothing left over."""
    home.cluster.behaviours[IMAGE] = Behaviour(pull_error="manifest unknown")
    with pytest.raises(SupervisorBadRequestError, match=f"{IMAGE} cannot be pulled: manifest unknown"):
        await home.client().store.install_addon("core_mosquitto")
    assert await home.client().addons.list() == []
    assert {pod["metadata"]["labels"]["io.hass.type"] for pod in home.cluster.pods()} == {"homeassistant", "dns"}
    assert (await home.client().jobs.info()).jobs == []


async def test_install_in_the_background(home: Home) -> None:
    """Refusals come at once; else the job's id, and the install goes on."""
    answer = await home.raw("POST", "/store/addons/none_such/install", json={"background": True})
    assert answer.status == 404
    home.cluster.behaviours[IMAGE] = Behaviour(ready=False)
    answer = await home.raw("POST", "/store/addons/core_mosquitto/install", json={"background": True})
    assert answer.status == 200
    assert set(answer.data) <= {"job_id"}
    async with asyncio.timeout(5):
        while not await home.client().addons.list():
            await asyncio.sleep(0.01)
    await home.client().store.install_addon("core_panel", StoreAddonInstall(background=True))


async def test_update(home: Home) -> None:
    """Nothing to update is refused by its key; so is an update that asks for a backup first."""
    store = home.client().store
    with pytest.raises(SupervisorBadRequestError, match="core_mosquitto is not installed"):
        await store.update_addon("core_mosquitto")
    await home.install("core_mosquitto")
    with pytest.raises(SupervisorBadRequestError, match="backup"):
        await store.update_addon("core_mosquitto", StoreAddonUpdate(backup=True))
    answer = await home.raw("POST", "/addons/core_mosquitto/update")
    assert (answer.status, answer.json["error_key"]) == (400, "app_no_update_available_error")


async def test_addon_cannot_update_itself(home: Home) -> None:
    """403 in the envelope, even for a manager."""
    await home.install("core_panel", start=True)
    answer = await home.raw("POST", "/store/addons/core_panel/update", token=home.addon_token("core_panel"))
    assert (answer.status, answer.message) == (403, "App core_panel can't update itself!")


async def test_repositories(home: Home) -> None:
    """A repository is added with its add-ons, shown, repaired and removed."""
    store, url = home.client().store, f"{home.store}/other"
    assert {found.slug for found in await store.repositories_list()} == {"local", "core"}
    await store.add_repository(StoreAddRepository(repository=url))
    (added,) = [found for found in await store.repositories_list() if found.source == url]
    assert (added.name, added.maintainer) == ("Other", "Somebody")
    assert (await store.repository_info(added.slug)).url == added.url
    assert f"{added.slug}_one" in [addon.slug for addon in (await store.info()).addons]
    answer = await home.raw("POST", "/store/repositories", json={"repository": url})
    assert (answer.status, answer.json["error_key"]) == (409, "store_repository_already_added_error")
    await store.repair_repository(added.slug)
    await store.remove_repository(added.slug)
    with pytest.raises(SupervisorNotFoundError):
        await store.repository_info(added.slug)


async def test_repository_that_is_in_use(home: Home) -> None:
    """Stays as long as one of its add-ons is installed."""
    store = home.client().store
    await store.add_repository(StoreAddRepository(repository=f"{home.store}/other"))
    (slug,) = {found.slug for found in await store.repositories_list()} - {"local", "core"}
    await home.install(f"{slug}_one")
    with pytest.raises(SupervisorBadRequestError, match="used by installed apps"):
        await store.remove_repository(slug)


async def test_repository_that_does_not_exist(shared: Home) -> None:
    """400 that says why; the list is as before. So for one that is no store, and for a text that is no address."""
    for url in (f"{shared.store}/none-such", f"{shared.store}/none", "no address", "https://127.0.0.1:1/x", "/etc"):
        answer = await shared.raw("POST", "/store/repositories", json={"repository": url})
        assert answer.status == 400, url
        assert answer.message
    assert {found.slug for found in await shared.client().store.repositories_list()} == {"local", "core"}


async def test_built_in_repositories_stay(shared: Home) -> None:
    """Neither `core` nor `local` can be removed; `local` is no git repository to repair."""
    for slug in ("core", "local"):
        with pytest.raises(SupervisorBadRequestError, match="Can't remove built-in repositories!"):
            await shared.client().store.remove_repository(slug)
    answer = await shared.raw("POST", "/store/repositories/local/repair")
    assert (answer.status, answer.json["error_key"]) == (400, "store_repository_local_cannot_reset")
    with pytest.raises(SupervisorError):
        await shared.client().store.remove_repository("none_such")


async def test_reload(home: Home) -> None:
    """Answered when all repositories were asked; an add-on put into the local folder is then there."""
    folder = home.share / "addons" / "local" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(
        "name: Mine\nversion: 1\nslug: mine\ndescription: My own\narch: [amd64]\nimage: example.test/mine\n"
    )
    await home.client().store.reload()
    assert (await home.client().store.addon_info("local_mine")).name == "Mine"
    assert (await home.raw("POST", "/addons/reload", json={})).data == {}


async def test_docker_hub_gives_no_more(home: Home) -> None:
    """Clients have words of their own for it, and there is an issue until an image comes from there again."""
    folder = home.share / "addons" / "local" / "hub"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(
        "name: Hub\nversion: 1\nslug: hub\ndescription: From Docker Hub\narch: [amd64]\nimage: somebody/hub\n"
    )
    await home.raw("POST", "/store/reload")
    for image in ("somebody/hub:1", "example.test/amd64-app-panel:1.0.0"):
        home.cluster.behaviours[image] = Behaviour(pull_error="429 Too Many Requests - toomanyrequests: slow down")
    with pytest.raises(DockerRegistryRateLimitExceededError):
        await home.client().store.install_addon("core_panel")
    assert (await home.client().resolution.info()).issues == []
    with pytest.raises(DockerHubRateLimitExceededError):
        await home.client().store.install_addon("local_hub")
    answer = await home.raw("POST", "/store/addons/local_hub/install")
    assert (answer.status, answer.json["error_key"]) == (429, "dockerhub_rate_limit_exceeded")
    assert answer.json["extra_fields"]["dockerhub_rate_limit_url"] in answer.message
    info = await home.client().resolution.info()
    assert [(issue.type, issue.context) for issue in info.issues] == [("docker_ratelimit", "system")]
    assert [suggestion.type for suggestion in info.suggestions] == ["registry_login"]
    home.cluster.behaviours.clear()
    await home.install("core_panel")
    assert len((await home.client().resolution.info()).issues) == 1
    await home.install("local_hub")
    assert (await home.client().resolution.info()).issues == []


async def test_values_that_only_yaml_has(home: Home) -> None:
    """A date in the options is its text everywhere; what JSON cannot hold leaves the add-on out, with a notice."""
    for slug, value in (("dated", "2026-11-21"), ("broken", "!!set {a}")):
        folder = home.share / "addons" / "local" / slug
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(
            f"name: N\nversion: 1\nslug: {slug}\ndescription: D\narch: [amd64]\nimage: example.test/n\n"
            f"options: {{since: {value}, 1: x}}\nschema: {{since: str}}\n"
        )
    await home.raw("POST", "/store/reload")
    slugs = {addon["slug"] for addon in (await home.raw("GET", "/store/addons")).data["addons"]}
    assert {"local_dated", "local_broken"} & slugs == {"local_dated"}
    await home.install("local_dated", start=True)
    shown = (await home.raw("GET", "/addons/local_dated/info")).data
    assert shown["options"] == {"since": "2026-11-21", "1": "x"}
    given = (home.share / "addons" / "data" / "local_dated" / "options.json").read_text()
    assert orjson.loads(given) == {"since": "2026-11-21"}
    (issue,) = (await home.raw("GET", "/resolution/info")).data["issues"]
    assert (issue["type"], issue["reference"]) == ("corrupt_repository", "local")
    assert "broken: Manifest key options.since is {'a'}" in issue["reference_extra"]["manifests"]
