"""Updates of Home Assistant Core: what is offered, and the way back from a version that does not work."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from supervisor_k8s.errors import VersionsUnavailableError
from supervisor_k8s.remote.version_file import VersionFile
from tests import builders
from tests.contract.house import CLI_TOKEN, Home
from tests.fakes import Behaviour

IMAGE = "ghcr.io/home-assistant/generic-x86-64-homeassistant"
NEW = "2026.11.1"


class Channel:
    """Serves a version file."""

    def __init__(self) -> None:
        self.body: Any = None
        self.say("2026.11.0")
        self.asked: list[str] = []

    def say(self, version: str) -> None:
        self.body = {"channel": "stable", "homeassistant": {"default": version}}

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        return web.json_response(self.body)


@pytest.fixture
async def channel(around: dict[str, Any]) -> AsyncIterator[Channel]:
    """A version file, for a Supervisor that comes up."""
    channel, app = Channel(), web.Application()
    app.router.add_get("/{name}.json", channel.answer)
    async with TestServer(app) as server:
        around["versions_url"] = str(server.make_url("/{channel}.json")).replace("%7B", "{").replace("%7D", "}")
        yield channel


@pytest.fixture
async def offered(channel: Channel, home: Home) -> Home:
    """Core runs in the version that was the newest when we came up, and there is another one now."""
    channel.say(NEW)
    assert (await home.raw("POST", "/reload_updates")).status == 200
    return home


async def test_an_update_is_offered(offered: Home) -> None:
    """Wherever clients look for it, and the frontend is told to look."""
    info = await offered.client().homeassistant.info()
    assert (info.version, info.version_latest, info.update_available) == ("2026.11.0", NEW, True)
    (update,) = await offered.client().available_updates()
    assert (update.update_type, update.version_latest) == ("core", NEW)
    told = [event["update_key"] for event in offered.core.events if event["event"] == "supervisor_update"]
    assert told.count("core") >= 1


async def test_what_was_known_is_known_offline(offered: Home) -> None:
    """The last file that could be read counts, also after our restart, for its own channel only."""
    offered.versions_url = "http://127.0.0.1:9/{channel}.json"
    await offered.stop()
    await offered.start()
    assert (await offered.raw("POST", "/refresh_updates")).status == 200
    assert (await offered.client().homeassistant.info()).version_latest == NEW
    await offered.raw("POST", "/supervisor/options", json={"channel": "beta"})
    assert (await offered.client().homeassistant.info()).update_available is False


async def test_another_channel(offered: Home, channel: Channel) -> None:
    """Its own file is asked for."""
    channel.body = {"channel": "beta", "homeassistant": {"generic-x86-64": "2026.12.0b1", "default": NEW}}
    await offered.raw("POST", "/supervisor/options", json={"channel": "beta"})
    await offered.raw("POST", "/reload_updates")
    assert channel.asked[-1] == "/beta.json"
    assert (await offered.client().homeassistant.info()).version_latest == "2026.12.0b1"


@pytest.mark.parametrize("body", [{"channel": "dev"}, [], {"channel": "stable", "homeassistant": []}, "x" * 300_000])
async def test_a_file_that_makes_no_sense(offered: Home, channel: Channel, body: Any) -> None:
    """Offers nothing, and breaks nothing."""
    channel.body = body
    assert (await offered.raw("POST", "/reload_updates")).status == 200
    assert (await offered.client().homeassistant.info()).version == "2026.11.0"


async def test_a_file_that_is_away() -> None:
    with pytest.raises(VersionsUnavailableError, match="cannot be read"):
        await VersionFile(url="http://127.0.0.1:9/{channel}.json").fetch("stable")


async def test_the_newest_version_is_meant_when_none_is_named(offered: Home) -> None:
    await offered.client(CLI_TOKEN).homeassistant.update()
    info = await offered.client().homeassistant.info()
    assert (info.version, info.update_available) == (NEW, False)


async def test_no_version_named_and_none_known(home: Home) -> None:
    """400 by its key."""
    answer = await home.raw("POST", "/core/update")
    assert (answer.status, answer.json["error_key"]) == (400, "homeassistant_update_error")
    assert answer.message == "Cannot determine latest version of Home Assistant for update"


async def test_a_version_that_no_image_can_have(home: Home) -> None:
    """It is refused before anything happens, and Home Assistant can be restarted."""
    for version in ("9¤", "", "a:b", "2026.12.0\n", "-", "x" * 129, 5):
        answer = await home.raw("POST", "/core/update", json={"version": version})
        assert answer.status == 400
        assert answer.message.startswith("expected a version that can be the tag of an image")
    assert (await home.raw("POST", "/core/restart")).status == 200


async def test_a_version_that_cannot_be_compared(home: Home) -> None:
    """Somebody's own image may have any tag: Core starts with it, whether it ran before or not."""
    await home.raw("POST", "/core/stop")
    assert (await home.raw("POST", "/core/update", json={"version": "own-build"})).status == 200
    assert (await home.raw("POST", "/core/start")).status == 200
    assert (await home.client().homeassistant.info()).version == "own-build"
    assert (await home.raw("GET", "/store")).status == 200


async def test_a_version_that_does_not_start(offered: Home) -> None:
    """The one before runs again; who asked hears why, and so do the repairs."""
    offered.cluster.behaviours[f"{IMAGE}:{NEW}"] = Behaviour(crash_loop=1)
    answer = await offered.raw("POST", "/core/update", token=CLI_TOKEN)
    assert (answer.status, answer.json["error_key"]) == (400, "homeassistant_update_error")
    assert "keeps ending with exit code 1" in answer.message
    assert "2026.11.0 again" in answer.message
    info = await offered.client().homeassistant.info()
    assert (info.version, info.update_available) == ("2026.11.0", True)
    (pod,) = [pod for pod in offered.cluster.pods() if pod["metadata"]["name"] == "homeassistant-0"]
    assert f"{IMAGE}:2026.11.0" in [container["image"] for container in pod["spec"]["containers"]]
    (issue,) = (await offered.client().resolution.info()).issues
    assert (issue.type, issue.context) == ("update_rollback", "core")


async def test_a_version_without_its_frontend(offered: Home) -> None:
    """Runs, and is of no use to anybody: the one before runs again."""
    offered.core.documents["/api/config"] = {"components": ["default_config"]}
    answer = await offered.raw("POST", "/core/update", token=CLI_TOKEN)
    assert answer.status == 400
    assert "without its frontend" in answer.message
    assert (await offered.client().homeassistant.info()).version == "2026.11.0"
    offered.core.documents["/api/config"] = {"components": ["frontend"]}
    assert (await offered.raw("POST", "/core/update", token=CLI_TOKEN)).status == 200
    assert (await offered.client().homeassistant.info()).version == NEW
    assert (await offered.client().resolution.info()).issues == []


async def test_an_update_in_the_background(offered: Home) -> None:
    """Answered with its job as soon as the checks are passed, or with the refusal that they end in."""
    answer = await offered.raw(
        "POST", "/core/update", token=CLI_TOKEN, json={"background": True, "version": "2026.11.0"}
    )
    assert answer.json["error_key"] == "homeassistant_update_already_installed_error"
    answer = await offered.raw("POST", "/core/update", token=CLI_TOKEN, json={"background": True})
    assert set(answer.data) <= {"job_id"}


async def test_an_addon_by_itself(home: Home) -> None:
    """Once the store has had a version for a day it is installed, as the user wants it. Core follows the job."""
    manifest = home.share / "addons" / "local" / "example" / "config.yaml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(yaml.safe_dump(builders.manifest()))
    await home.raw("POST", "/store/reload")
    await home.install("local_example", start=True)
    await home.raw("POST", "/addons/local_example/options", json={"auto_update": True})

    manifest.write_text(yaml.safe_dump(builders.manifest(version="2.0.0")))
    await home.raw("POST", "/store/reload")
    info = await home.client().addons.addon_info("local_example")
    assert (info.version, info.version_latest, info.auto_update) == ("1.0.0", "2.0.0", True)
    assert jobs(home, "addon_manager_update") == set()

    yesterday = time.time() - 25 * 3600
    os.utime(manifest, (yesterday, yesterday))
    await home.raw("POST", "/store/reload")
    async with asyncio.timeout(30):
        while True not in jobs(home, "addon_manager_update"):
            await asyncio.sleep(0.01)
    info = await home.client().addons.addon_info("local_example")
    assert (info.version, info.state) == ("2.0.0", "started")


def jobs(home: Home, name: str) -> set[bool]:
    """Whether a job of this name was begun, and whether it was done, as Core was told."""
    told = [event["data"] for event in home.core.events if event["event"] == "job"]
    return {job["done"] for job in told if job["name"] == name and job["reference"] == "local_example"}
