"""`/supervisor/…` through Core's client."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohasupervisor import SupervisorBadRequestError
from aiohasupervisor.models import (
    DetectBlockingIO,
    FeatureFlag,
    LogLevel,
    SupervisorOptions,
    SupervisorUpdateOptions,
    UpdateChannel,
)
from aiohttp import web
from aiohttp.test_utils import TestServer

from supervisor_k8s.errors import ClusterUnavailableError
from supervisor_k8s.model.desired.self_check import NAME as CHECK
from tests.contract.house import Home
from tests.fakes import Behaviour


async def test_info(shared: Home) -> None:
    """What Core shows of us; the newest version is our own."""
    info = await shared.client().supervisor.info()
    assert (info.version, info.version_latest, info.update_available) == ("2026.11.0", "2026.11.0", False)
    assert (str(info.ip_address), info.arch, info.channel) == ("10.96.0.20", "amd64", "stable")
    assert (info.healthy, info.supported, info.auto_update, info.diagnostics) == (True, True, True, None)
    assert info.feature_flags["supervisor_v2_api"] is False


async def test_options_are_kept(home: Home) -> None:
    """What was chosen is shown, and still there after our restart."""
    chosen = SupervisorOptions(
        channel=UpdateChannel.BETA,
        timezone="Europe/Amsterdam",
        logging=LogLevel.DEBUG,
        diagnostics=False,
        auto_update=False,
        country="NL",
        detect_blocking_io=DetectBlockingIO.ON,
        feature_flags={FeatureFlag.SUPERVISOR_V2_API: True},
    )
    await home.client().supervisor.set_options(chosen)
    await home.stop()
    await home.start()
    info = await home.client().supervisor.info()
    assert (info.channel, info.timezone, info.logging) == ("beta", "Europe/Amsterdam", "debug")
    assert (info.diagnostics, info.auto_update, info.country, info.detect_blocking_io) == (False, False, "NL", True)
    assert info.feature_flags["supervisor_v2_api"] is True


async def test_update_says_there_is_none(shared: Home) -> None:
    """400 and never 200: Core would wait for our new version for ever."""
    supervisor = shared.client().supervisor
    for options in (None, SupervisorUpdateOptions(version="2030.1.0")):
        with pytest.raises(SupervisorBadRequestError, match=r"^No supervisor update available - 2026\.11\.0$"):
            await supervisor.update(options)


async def test_stats_are_numbers(shared: Home) -> None:
    """Zeros where nobody measures, never null."""
    stats = await shared.client().supervisor.stats()
    assert (stats.cpu_percent, stats.memory_usage) == (0.0, 0)


async def test_reload(shared: Home) -> None:
    """Answered; there is nothing else to see of it."""
    await shared.client().supervisor.reload()


async def test_repair_puts_right_what_nobody_told_of(home: Home) -> None:
    """Everything in the cluster is compared with what it is to be."""
    home.cluster.calls.clear()
    service = home.cluster.get("Service", "homeassistant")
    assert service is not None
    home.cluster.change_unheard({**service, "spec": {**service["spec"], "ports": []}})
    await home.client().supervisor.repair()

    def right() -> bool | None:
        found = home.cluster.get("Service", "homeassistant")
        return bool(found and found["spec"]["ports"]) or None

    await home.cluster.until(right, within=20)


async def test_restart(home: Home) -> None:
    """A rollout of our Deployment, answered first; then we go."""
    put_deployment(home)
    await home.client().supervisor.restart()
    assert ("roll_out", "Deployment", "supervisor") in home.cluster.calls
    async with asyncio.timeout(5):
        await home.house.stage.stopping.wait()
    assert home.house.stage.name == "stopping"


async def test_restart_without_a_deployment(home: Home) -> None:
    """Or without an API server: the process ends, and whoever runs it starts it anew."""
    assert (await home.raw("POST", "/supervisor/restart")).status == 200
    async with asyncio.timeout(5):
        await home.house.stage.stopping.wait()


async def test_no_restart_before_we_run(home: Home) -> None:
    """In upstream's words."""
    home.house.stage.name = "startup"
    answer = await home.raw("POST", "/supervisor/restart")
    assert answer.status == 400
    assert answer.message == "'Supervisor.restart' blocked from execution, system is not running - startup"


async def test_repositories_by_the_old_option(home: Home) -> None:
    """`addons_repositories` replaces the custom ones, as old clients do."""
    url = f"{home.store}/other"
    await home.raw("POST", "/supervisor/options", json={"addons_repositories": [url]})
    assert url in [found.source for found in await home.client().store.repositories_list()]
    await home.raw("POST", "/supervisor/options", json={"addons_repositories": []})
    assert url not in [found.source for found in await home.client().store.repositories_list()]


async def test_available_updates(shared: Home) -> None:
    """None as long as everything is the newest."""
    assert await shared.client().available_updates() == []
    assert (await shared.raw("GET", "/supervisor/available_updates")).data == {"available_updates": []}
    await shared.client().refresh_updates()
    await shared.client().reload_updates()


# --- updates of ourselves --------------------------------------------------------------------------------------------

OURS = "example.test/supervisor"
NEW = "2026.12.0"


def put_deployment(home: Home) -> None:
    """What `manifests/` made, as far as it matters here."""
    container = {
        "name": "supervisor",
        "image": f"{OURS}:2026.11.0",
        "env": [{"name": "SUPERVISOR_RUNTIME", "value": "kubernetes"}],
        "volumeMounts": [{"name": "state", "mountPath": "/state"}, {"name": "tmp", "mountPath": "/tmp"}],
        "readinessProbe": {"httpGet": {"path": "/supervisor/ping", "port": "api"}},
    }
    volumes = [{"name": "state", "persistentVolumeClaim": {"claimName": "state"}}, {"name": "tmp", "emptyDir": {}}]
    pod = {"serviceAccountName": "supervisor", "containers": [container], "volumes": volumes}
    template = {"metadata": {"labels": {"app.kubernetes.io/name": "supervisor"}}, "spec": pod}
    metadata = {"name": "supervisor", "labels": {"app.kubernetes.io/name": "supervisor"}}
    home.cluster.put(
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": template}}
    )


async def image(home: Home) -> str:
    """Of our Deployment."""
    found = await home.cluster.read("Deployment", "supervisor")
    assert found is not None
    return str(found["spec"]["template"]["spec"]["containers"][0]["image"])


@pytest.fixture
async def channel(around: dict[str, Any]) -> AsyncIterator[list[str]]:
    """A channel file of ours with a new version, for a Supervisor that comes up."""

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"channel": "stable", "supervisor": said[0]})

    said, app = [NEW], web.Application()
    app.router.add_get("/stable.json", answer)
    async with TestServer(app) as server:
        around["own_versions_url"] = str(server.make_url("/{channel}.json")).replace("%7B", "{").replace("%7D", "}")
        yield said


@pytest.fixture
async def offered(channel: list[str], home: Home) -> Home:
    """A Supervisor that has read it; our Deployment is there."""
    put_deployment(home)
    await home.raw("POST", "/reload_updates")
    return home


async def test_an_update_of_ours_is_offered(offered: Home) -> None:
    """Wherever clients look for it; the plugins, which are part of us, are what they are."""
    info = await offered.client().supervisor.info()
    assert (info.version, info.version_latest, info.update_available) == ("2026.11.0", NEW, True)
    (update,) = await offered.client().available_updates()
    assert (update.update_type, update.panel_path) == ("supervisor", "/update-available/supervisor")
    assert (await offered.raw("GET", "/dns/info")).data["update_available"] is False


async def test_an_update_of_ours(offered: Home) -> None:
    """The new version looks at this installation with everything that we have, and may change nothing; then the
    Deployment has its image.
    """
    seen: list[dict[str, Any]] = []

    def program(pod: dict[str, Any]) -> Behaviour:
        seen.append(pod["spec"])
        return Behaviour(exit_code=0)

    offered.cluster.programs[CHECK] = program
    await offered.client().supervisor.update()
    (spec,) = seen
    (container,) = spec["containers"]
    assert (container["image"], container["args"]) == (f"{OURS}:{NEW}", ["--check"])
    assert (spec["serviceAccountName"], spec["nodeName"]) == ("supervisor", "node")
    assert [mount.get("readOnly", False) for mount in container["volumeMounts"]] == [True, False]
    assert "readinessProbe" not in container
    assert await image(offered) == f"{OURS}:{NEW}"
    assert offered.cluster.select("Job", {}) == []


async def test_an_update_of_ours_comes_first(offered: Home) -> None:
    """Nothing new is installed by a Supervisor that is not the newest; in upstream's words."""
    answer = await offered.raw("POST", "/store/addons/core_mosquitto/install")
    said = "'AppManager.install' blocked from execution, supervisor needs to be updated first"
    assert (answer.status, answer.message) == (400, said)


async def test_an_update_of_ours_by_itself(offered: Home) -> None:
    """As long as the user has not switched it off; Core follows it like one that was asked for."""
    offered.cluster.programs[CHECK] = lambda _: Behaviour(exit_code=0)
    await offered.raw("POST", "/supervisor/options", json={"auto_update": False})
    await offered.house.own_updates.look()
    assert await image(offered) == f"{OURS}:2026.11.0"
    await offered.raw("POST", "/supervisor/options", json={"auto_update": True})
    await offered.house.own_updates.look()
    assert await image(offered) == f"{OURS}:{NEW}"
    jobs: list[str] = []
    async with asyncio.timeout(30):
        while not jobs:
            await asyncio.sleep(0.01)
            jobs = [event["data"]["name"] for event in offered.core.events if event["event"] == "job"]
    assert set(jobs) == {"supervisor_update"}


async def test_an_update_of_ours_that_was_undone(offered: Home) -> None:
    """Whoever goes back (`kubectl rollout undo`) is not brought forward again, finds an issue that says so, and can
    work on; an update that is asked for is done.
    """
    offered.cluster.programs[CHECK] = lambda _: Behaviour(exit_code=0)
    await offered.client().supervisor.update()
    put_deployment(offered)
    await offered.stop()
    await offered.start()
    (issue,) = (await offered.client().resolution.info()).issues
    assert (issue.type, issue.context) == ("update_rollback", "supervisor")
    await offered.house.own_updates.look()
    assert await image(offered) == f"{OURS}:2026.11.0"
    await offered.install("core_mosquitto")
    await offered.client().supervisor.update()
    assert await image(offered) == f"{OURS}:{NEW}"
    assert (await offered.client().resolution.info()).issues == []


async def test_a_rollout_that_the_cluster_refuses(offered: Home) -> None:
    """Is a failed update, and none that was undone."""
    offered.cluster.programs[CHECK] = lambda _: Behaviour(exit_code=0)
    offered.cluster.fail("roll_out", ClusterUnavailableError("The API server does not answer"))
    assert (await offered.raw("POST", "/supervisor/update")).status == 400
    await offered.stop()
    await offered.start()
    assert (await offered.client().resolution.info()).issues == []


async def test_an_update_that_cannot_take_over(offered: Home) -> None:
    """Nothing is changed; who asked hears the new version's own words, and there is an issue until one succeeds."""
    says = ("The Supervisor's account may not: get nodes. Apply the manifests of this version",)
    offered.cluster.programs[CHECK] = lambda _: Behaviour(exit_code=1, says=says)
    answer = await offered.raw("POST", "/supervisor/update")
    assert answer.status == 400
    assert says[0] in answer.message
    assert await image(offered) == f"{OURS}:2026.11.0"
    (issue,) = (await offered.client().resolution.info()).issues
    assert (issue.type, issue.context) == ("update_failed", "supervisor")
    offered.cluster.programs[CHECK] = lambda _: Behaviour(exit_code=0)
    await offered.client().supervisor.update()
    assert (await offered.client().resolution.info()).issues == []


async def test_an_update_to_an_image_that_does_not_exist(offered: Home) -> None:
    """The runtime's own words; nothing is changed."""
    offered.cluster.programs[CHECK] = lambda _: Behaviour(pull_error="manifest unknown")
    answer = await offered.raw("POST", "/supervisor/update")
    assert answer.status == 400
    assert "manifest unknown" in answer.message
    assert await image(offered) == f"{OURS}:2026.11.0"


async def test_an_older_version_is_no_update(offered: Home, channel: list[str]) -> None:
    """A channel may go back; we do not."""
    channel[0] = "2026.10.0"
    await offered.raw("POST", "/reload_updates")
    answer = await offered.raw("POST", "/supervisor/update")
    assert (answer.status, answer.message) == (400, "No supervisor update available - 2026.11.0")
    assert (await offered.client().supervisor.info()).version_latest == "2026.10.0"
