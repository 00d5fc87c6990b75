"""Add-ons without an image, through the API: refused where nothing is built; else built, pulled, run and built anew."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohasupervisor import AppBuildFailedUnknownError, AppRebuildVersionChangedError

from tests import builders
from tests.contract.house import Home
from tests.fakes import Behaviour

SLUG = "local_mine"
JOB = "build-addon-local-mine"


@pytest.fixture
async def builder(home: Home) -> AsyncIterator[Home]:
    """The same house after its administrator has set a registry."""
    await home.stop()
    home.build_registry = "registry.test/home"
    await home.start()
    yield home
    home.build_registry = ""


async def offer(home: Home, **manifest: Any) -> Path:
    """The store has the add-on; its folder."""
    folder = home.share / "addons" / "local" / "mine"
    folder.mkdir(parents=True, exist_ok=True)
    described = builders.manifest(slug="mine", **manifest)
    del described["image"]
    (folder / "config.json").write_text(json.dumps(described))
    (folder / "Dockerfile").write_text("FROM scratch\n")
    assert (await home.raw("POST", "/store/reload")).status == 200
    return folder


def builds(home: Home, number: int) -> None:
    """From now on the builder makes an image whose digest ends with this number."""
    home.cluster.programs[JOB] = lambda _: Behaviour(before=0, exit_code=0, message=f"sha256:{number:064x}")


def fails(home: Home) -> None:
    """From now on the Dockerfile cannot be built."""
    home.cluster.programs[JOB] = lambda _: Behaviour(before=1, says=("STEP 1/1: RUN false", "exit status 1"))


def image(home: Home) -> str:
    """Of the add-on's pod."""
    (pod,) = home.cluster.select("Pod", {"io.hass.addon": SLUG})
    return str(pod["spec"]["containers"][0]["image"])


async def test_without_a_registry(home: Home) -> None:
    """Everybody is told before the installation, with the setting; a client knows the error."""
    await offer(home)
    assert (await home.raw("GET", f"/store/addons/{SLUG}")).data["available"] is False
    report = (await home.raw("GET", f"/store/addons/{SLUG}/compatibility")).data
    assert report["needs"][0]["how"] == "set SUPERVISOR_K8S_BUILD_REGISTRY to a registry"
    answer = await home.raw("POST", f"/store/addons/{SLUG}/install")
    assert (answer.status, answer.json["error_key"]) == (400, "app_build_failed_unknown_error")
    assert "SUPERVISOR_K8S_BUILD_REGISTRY" in answer.message
    assert answer.json["extra_fields"] == {"app": SLUG}


async def test_steps_are_told(builder: Home) -> None:
    """The job's stage says where the build is, while it goes on; then it is the pull's."""
    await offer(builder)
    builder.cluster.programs[JOB] = lambda _: Behaviour()
    started = await builder.raw("POST", f"/store/addons/{SLUG}/install", json={"background": True})
    job = f"/jobs/{started.data['job_id']}"

    async def comes_to(stage: str) -> None:
        async with asyncio.timeout(10):
            while (await builder.raw("GET", job)).data["stage"] != stage:
                await asyncio.sleep(0.01)

    await comes_to("preparing the build")
    labels = {"app.kubernetes.io/name": JOB}
    (pod,) = await builder.cluster.until(lambda: builder.cluster.select("Pod", labels) or None, within=10)
    name = pod["metadata"]["name"]
    builder.cluster.say(name, "push", "Getting image source signatures")
    await comes_to("pushing the image")
    builder.cluster.exit(name, "push", 0, f"sha256:{1:064x}")
    async with asyncio.timeout(10):
        while SLUG not in builder.house.services.addons.installed():
            await asyncio.sleep(0.01)


async def test_life(builder: Home) -> None:
    """Built at the installation, pulled and run by its digest; a rebuild is another image, and a running add-on goes
    over to it.
    """
    await offer(builder)
    builds(builder, 1)
    assert (await builder.raw("GET", f"/store/addons/{SLUG}")).data["available"] is True
    await builder.install(SLUG, start=True)
    name = "registry.test/home/amd64-addon-local-mine:1.0.0"
    assert image(builder) == f"{name}@sha256:{1:064x}"
    builds(builder, 2)
    await builder.client().addons.rebuild_addon(SLUG)
    assert image(builder) == f"{name}@sha256:{2:064x}"
    assert (await builder.raw("GET", f"/addons/{SLUG}/info")).data["state"] == "started"
    assert builder.cluster.get("Job", JOB) is None


async def test_a_rebuild_of_another_version(builder: Home) -> None:
    """Is an update."""
    await offer(builder)
    builds(builder, 1)
    await builder.install(SLUG, start=True)
    await offer(builder, version="2.0.0")
    with pytest.raises(AppRebuildVersionChangedError):
        await builder.client().addons.rebuild_addon(SLUG)
    builds(builder, 2)
    assert (await builder.raw("POST", f"/store/addons/{SLUG}/update")).status == 200
    assert image(builder) == f"registry.test/home/amd64-addon-local-mine:2.0.0@sha256:{2:064x}"


async def test_a_build_that_fails(builder: Home) -> None:
    """The installation fails with what the builder said. A rebuild that fails leaves the add-on running, and its log
    has all that the builder said.
    """
    await offer(builder)
    fails(builder)
    with pytest.raises(AppBuildFailedUnknownError, match="exit status 1"):
        await builder.client().store.install_addon(SLUG)
    builds(builder, 1)
    await builder.install(SLUG, start=True)
    before = image(builder)
    fails(builder)
    answer = await builder.raw("POST", f"/addons/{SLUG}/rebuild")
    assert (answer.status, answer.json["error_key"]) == (500, "app_build_failed_unknown_error")
    assert image(builder) == before
    assert (await builder.raw("GET", f"/addons/{SLUG}/info")).data["state"] == "started"
    log = await builder.raw("GET", f"/addons/{SLUG}/logs/boots/-1")
    assert (log.status, log.text) == (200, "STEP 1/1: RUN false\nexit status 1\n")
