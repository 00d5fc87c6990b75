"""Updates of Home Assistant Core: what is offered, and the way back from a version that does not work."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from supervisor_k8s.errors import VersionsUnavailableError
from supervisor_k8s.remote.version_file import VersionFile
from tests.contract.house import CLI_TOKEN, Home
from tests.fakes import Behaviour

IMAGE = "ghcr.io/home-assistant/generic-x86-64-homeassistant"
NEW = "2026.11.1"


class Channel:
    """Serves a version file."""

    def __init__(self) -> None:
        self.body: Any = {"channel": "stable", "homeassistant": {"default": NEW}}
        self.asked: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        return web.json_response(self.body)


@pytest.fixture
async def channel(home: Home) -> AsyncIterator[Channel]:
    """A version file that our Supervisor reads from its next start on."""
    channel, app = Channel(), web.Application()
    app.router.add_get("/{name}.json", channel.answer)
    async with TestServer(app) as server:
        home.versions_url = str(server.make_url("/{channel}.json")).replace("%7B", "{").replace("%7D", "}")
        await home.stop()
        await home.start()
        assert (await home.raw("POST", "/reload_updates")).status == 200
        yield channel


async def test_an_update_is_offered(home: Home, channel: Channel) -> None:
    """Wherever clients look for it, and the frontend is told to look."""
    info = await home.client().homeassistant.info()
    assert (info.version, info.version_latest, info.update_available) == ("2026.11.0", NEW, True)
    (update,) = await home.client().available_updates()
    assert (update.update_type, update.version_latest) == ("core", NEW)
    told = [event["update_key"] for event in home.core.events if event["event"] == "supervisor_update"]
    assert told.count("core") >= 1


async def test_what_was_known_is_known_offline(home: Home, channel: Channel) -> None:
    """The last file that could be read counts, also after our restart, for its own channel only."""
    home.versions_url = "http://127.0.0.1:9/{channel}.json"
    await home.stop()
    await home.start()
    assert (await home.raw("POST", "/refresh_updates")).status == 200
    assert (await home.client().homeassistant.info()).version_latest == NEW
    await home.raw("POST", "/supervisor/options", json={"channel": "beta"})
    assert (await home.client().homeassistant.info()).update_available is False


async def test_another_channel(home: Home, channel: Channel) -> None:
    """Its own file is asked for."""
    channel.body = {"channel": "beta", "homeassistant": {"generic-x86-64": "2026.12.0b1", "default": NEW}}
    await home.raw("POST", "/supervisor/options", json={"channel": "beta"})
    await home.raw("POST", "/reload_updates")
    assert channel.asked[-1] == "/beta.json"
    assert (await home.client().homeassistant.info()).version_latest == "2026.12.0b1"


@pytest.mark.parametrize("body", [{"channel": "dev"}, [], {"channel": "stable", "homeassistant": []}, "x" * 300_000])
async def test_a_file_that_makes_no_sense(home: Home, channel: Channel, body: Any) -> None:
    """Offers nothing, and breaks nothing."""
    channel.body = body
    assert (await home.raw("POST", "/reload_updates")).status == 200
    assert (await home.client().homeassistant.info()).version == "2026.11.0"


async def test_a_file_that_is_away() -> None:
    with pytest.raises(VersionsUnavailableError, match="cannot be read"):
        await VersionFile(url="http://127.0.0.1:9/{channel}.json").fetch("stable")


async def test_the_newest_version_is_meant_when_none_is_named(home: Home, channel: Channel) -> None:
    await home.client(CLI_TOKEN).homeassistant.update()
    info = await home.client().homeassistant.info()
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


async def test_a_version_that_does_not_start(home: Home, channel: Channel) -> None:
    """The one before runs again; who asked hears why, and so do the repairs."""
    home.cluster.behaviours[f"{IMAGE}:{NEW}"] = Behaviour(crash_loop=1)
    answer = await home.raw("POST", "/core/update", token=CLI_TOKEN)
    assert (answer.status, answer.json["error_key"]) == (400, "homeassistant_update_error")
    assert "keeps ending with exit code 1" in answer.message
    assert "2026.11.0 again" in answer.message
    info = await home.client().homeassistant.info()
    assert (info.version, info.update_available) == ("2026.11.0", True)
    (pod,) = [pod for pod in home.cluster.pods() if pod["metadata"]["name"] == "homeassistant-0"]
    assert f"{IMAGE}:2026.11.0" in [container["image"] for container in pod["spec"]["containers"]]
    (issue,) = (await home.client().resolution.info()).issues
    assert (issue.type, issue.context) == ("update_rollback", "core")


async def test_a_version_without_its_frontend(home: Home, channel: Channel) -> None:
    """Runs, and is of no use to anybody: the one before runs again."""
    home.core.documents["/api/config"] = {"components": ["default_config"]}
    answer = await home.raw("POST", "/core/update", token=CLI_TOKEN)
    assert answer.status == 400
    assert "without its frontend" in answer.message
    assert (await home.client().homeassistant.info()).version == "2026.11.0"
    home.core.documents["/api/config"] = {"components": ["frontend"]}
    assert (await home.raw("POST", "/core/update", token=CLI_TOKEN)).status == 200
    assert (await home.client().homeassistant.info()).version == NEW
    assert (await home.client().resolution.info()).issues == []


async def test_an_update_in_the_background(home: Home, channel: Channel) -> None:
    """Answered with its job as soon as the checks are passed, or with the refusal that they end in."""
    answer = await home.raw("POST", "/core/update", token=CLI_TOKEN, json={"background": True, "version": "2026.11.0"})
    assert answer.json["error_key"] == "homeassistant_update_already_installed_error"
    answer = await home.raw("POST", "/core/update", token=CLI_TOKEN, json={"background": True})
    assert set(answer.data) <= {"job_id"}
