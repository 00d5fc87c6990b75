"""Core's own start, call by call in the order seen on the wire (Core 2026.11.0): every answer complete and right."""

import asyncio
from pathlib import Path

import pytest
from aiohasupervisor import SupervisorBadRequestError
from aiohasupervisor.models import HomeAssistantOptions, SupervisorOptions
from aiohttp import web
from aiohttp.test_utils import TestServer

from supervisor_k8s.errors import ClusterConflictError, ClusterRefusedError, ClusterUnavailableError
from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.link import LinkKeys
from tests.contract.house import CLI_TOKEN, Home


async def test_first_boot_loads(home: Home) -> None:
    """With one add-on installed, nothing of a first boot fails, and each model of Core's client parses."""
    await home.install("core_mosquitto")
    core = home.client()
    await core.supervisor.ping()
    with pytest.raises(SupervisorBadRequestError, match=r"^No supervisor update available - 2026\.11\.0$"):
        await core.supervisor.update()
    facts, _ = await asyncio.gather(
        asyncio.gather(
            core.info(), core.supervisor.info(), core.os.info(), core.store.info(), core.ingress.panels(),
            core.mounts.info(),
        ),
        asyncio.gather(core.homeassistant.info(), core.host.info(), core.network.info()),
    )  # fmt: skip
    info, supervisor, system, store, panels, mounts = facts
    assert info.state == "running"
    assert supervisor.healthy
    assert system.version is None
    assert {addon.slug for addon in store.addons} == {"core_mosquitto", "core_panel", "core_elsewhere"}
    assert (panels, mounts.mounts, mounts.default_backup_mount) == ({}, [], None)
    assert (await core.jobs.info()).jobs == []
    (addon,) = await core.addons.list()
    assert (await core.addons.addon_info(addon.slug)).name == "Mosquitto broker"
    await core.homeassistant.set_options(HomeAssistantOptions(ssl=False, port=80, refresh_token=None))
    await core.supervisor.set_options(SupervisorOptions(timezone="Europe/Amsterdam"))
    resolution = await core.resolution.info()
    assert (resolution.issues, resolution.unhealthy, resolution.unsupported) == ([], [], [])
    assert await core.discovery.list() == []


async def test_time_zone_and_port_are_kept(home: Home) -> None:
    """What Core tells at its start is there afterwards, and Core's pod is not touched by it."""
    pod = home.cluster.get("Pod", "homeassistant-0")
    core = home.client()
    await core.supervisor.set_options(SupervisorOptions(timezone="Europe/Amsterdam"))
    await core.homeassistant.set_options(HomeAssistantOptions(ssl=True, port=8443))
    info = await core.homeassistant.info()
    assert (info.ssl, info.port) == (True, 8443)
    assert (await core.info()).timezone == "Europe/Amsterdam"
    now = home.cluster.get("Pod", "homeassistant-0")
    assert pod is not None
    assert now is not None
    assert now["metadata"]["uid"] == pod["metadata"]["uid"]


async def test_core_hears_that_we_are_complete(home: Home) -> None:
    """After our start Core is told to read issues and jobs anew."""
    assert home.core.events[0] == {
        "event": "supervisor_update",
        "update_key": "supervisor",
        "data": {"startup": "complete"},
    }


async def test_raw_answers_have_what_older_core_reads(home: Home) -> None:
    """Core 2026.2 makes its entities of the deprecated list in `/supervisor/info`."""
    await home.install("core_mosquitto", start=True)
    info = (await home.raw("GET", "/supervisor/info")).data
    assert info["addons"] == [
        {
            "name": "Mosquitto broker",
            "slug": "core_mosquitto",
            "version": "7.1.0",
            "version_latest": "7.1.0",
            "update_available": False,
            "state": "started",
            "repository": "core",
            "icon": True,
        }
    ]
    assert {"auto_update", "diagnostics", "wait_boot", "addons_repositories", "feature_flags"} <= info.keys()
    host = (await home.raw("GET", "/host/info")).data
    assert host["hostname"] == "node"
    assert host["disk_total"] > 0
    assert not {"reboot", "shutdown"} & set(host["features"])


async def test_after_our_restart_everything_is_as_before(home: Home) -> None:
    """Add-ons, their states and Core are what they were; nobody's pod was replaced."""
    await home.install("core_mosquitto", start=True)
    uids = {pod["metadata"]["uid"] for pod in home.cluster.pods()}
    await home.stop()
    await home.start()
    (addon,) = await home.client().addons.list()
    assert (addon.slug, addon.state) == ("core_mosquitto", "started")
    assert {pod["metadata"]["uid"] for pod in home.cluster.pods()} == uids


async def test_a_core_that_the_cluster_does_not_take_yet(tmp_path: Path, store: str, link_keys: LinkKeys) -> None:
    """At the first start of all, say for a quota: our API answers meanwhile and says that this system is not well. Core
    comes up when it may, and then all is well.
    """
    home, up, over = Home(tmp_path, store, link_keys), asyncio.Event(), asyncio.Event()
    home.cluster.refused["StatefulSet"] = "exceeded quota"

    async def live() -> None:
        async with home.living():
            up.set()
            await over.wait()

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(live())
        while home.cluster.calls.count(("apply", "StatefulSet", "homeassistant")) < 3:
            await asyncio.sleep(0.02)
        assert (await home.raw("GET", "/info", token=CLI_TOKEN)).data["state"] == "startup"
        assert (await home.raw("GET", "/resolution/info", token=CLI_TOKEN)).data["unhealthy"] == ["setup"]
        home.cluster.refused.clear()
        await up.wait()
        assert (await home.raw("GET", "/info", token=CLI_TOKEN)).data["state"] == "running"
        assert (await home.raw("GET", "/resolution/info", token=CLI_TOKEN)).data["unhealthy"] == []
        over.set()


async def test_an_api_server_that_is_away_while_we_prepare(tmp_path: Path, store: str, link_keys: LinkKeys) -> None:
    """What is to be there before anything else is tried again until it is: we come up, and all is well."""
    home = Home(tmp_path, store, link_keys)
    home.cluster.fail("apply", ClusterUnavailableError("The Kubernetes API server cannot be reached"))
    home.cluster.fail("apply", ClusterConflictError("somebody else made it at the same time"))
    async with home.living():
        assert home.cluster.get("Service", naming.DNS) is not None
        assert (await home.client().resolution.info()).unhealthy == []


async def test_what_stays_refused_while_we_prepare_ends_us(tmp_path: Path, store: str, link_keys: LinkKeys) -> None:
    """A right that is missing: the pod's log and its restarts tell, and nobody takes us for one that comes up."""
    home = Home(tmp_path, store, link_keys)
    home.cluster.refused["Service"] = "you may not"
    with pytest.RaisesGroup(pytest.RaisesExc(ClusterRefusedError, match="you may not"), flatten_subgroups=True):
        async with home.living():
            pass


async def test_core_hears_of_us_when_it_can_ask_us(tmp_path: Path, link_keys: LinkKeys) -> None:
    """Core asks for everything at the word that we are up: that waits until the Service leads to us."""
    home = Home(tmp_path, "", link_keys)
    heard_before: list[int] = []

    async def answer(_: web.Request) -> web.Response:
        heard_before.append(len(home.core.events))
        return web.Response()

    service = web.Application()
    service.router.add_get("/supervisor/ping", answer)
    async with TestServer(service) as server:
        home.own_url = str(server.make_url("/supervisor/ping"))
        async with home.living():
            assert heard_before == [0]
            assert home.core.events
