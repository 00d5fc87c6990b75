"""`/jobs/…` and the job events that Core gets."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from aiohasupervisor import SupervisorBadRequestError, SupervisorNotFoundError
from aiohasupervisor.models import JobCondition, JobsOptions, StoreAddonInstall

from supervisor_k8s.model.issue import Unhealthy
from tests.contract.house import Home
from tests.fakes import Behaviour

SLUG, IMAGE = "core_mosquitto", "example.test/amd64-app-mosquitto:7.1.0"
OF_A_JOB = {"name", "reference", "uuid", "progress", "stage", "done", "errors", "created", "extra"}


def told(home: Home, name: str) -> list[dict[str, Any]]:
    """What Core heard of jobs of this name, in order."""
    jobs = [event["data"] for event in home.core.events if event["event"] == "job"]
    return [job for job in jobs if job["name"] == name]


async def heard_the_end(home: Home, name: str) -> list[dict[str, Any]]:
    async with asyncio.timeout(30):
        while not any(job["done"] for job in told(home, name)):
            await asyncio.sleep(0.01)
    return told(home, name)


async def job_of(home: Home, stage: str) -> dict[str, Any]:
    """The only job, once it is at this stage."""
    jobs: list[dict[str, Any]] = []
    async with asyncio.timeout(30):
        while [job["stage"] for job in jobs] != [stage]:
            await asyncio.sleep(0.01)
            jobs = (await home.raw("GET", "/jobs/info")).data["jobs"]
    return jobs[0]


def pull_comes(home: Home, **behaviour: Any) -> None:
    """The image that was on its way has come, or never will."""
    home.cluster.behaviours[IMAGE] = Behaviour(**behaviour)
    (pod,) = home.cluster.pods(io__hass__type="image-pull")
    home.cluster.run_pod(pod["metadata"]["name"])


async def test_a_running_job_can_be_watched(home: Home) -> None:
    """By list and by id, in the client's model; it cannot be deleted, and vanishes when it is done."""
    client = home.client()
    await home.install("core_mosquitto", start=True)
    home.cluster.slow_stop = True
    stopping = asyncio.ensure_future(home.raw("POST", "/addons/core_mosquitto/stop"))
    async with asyncio.timeout(30):
        while not (jobs := (await client.jobs.info()).jobs):
            await asyncio.sleep(0.01)
    (job,) = jobs
    assert (job.name, job.reference, job.done, job.errors) == ("app_stop", "core_mosquitto", False, [])
    assert (await client.jobs.get_job(job.uuid)).uuid == job.uuid
    with pytest.raises(SupervisorBadRequestError, match=f"Job {job.uuid.hex} is not done!"):
        await client.jobs.delete_job(job.uuid)
    (pod,) = home.cluster.pods(io__hass__addon="core_mosquitto")
    await home.cluster.stopping(pod["metadata"]["name"])
    home.cluster.end(pod["metadata"]["name"])
    assert (await stopping).status == 200
    assert (await client.jobs.info()).jobs == []


async def test_unknown_job(shared: Home) -> None:
    """404."""
    for call in (shared.client().jobs.get_job, shared.client().jobs.delete_job):
        with pytest.raises(SupervisorNotFoundError):
            await call(UUID(int=1))


async def test_options(home: Home) -> None:
    """Conditions to ignore are kept until they are reset, over our restart, too; the system is not supported then."""
    client = home.client()
    await client.jobs.set_options(JobsOptions(ignore_conditions=[JobCondition.FREE_SPACE]))
    await home.stop()
    await home.start()
    client = home.client()
    assert (await client.jobs.info()).ignore_conditions == ["free_space"]
    assert (await client.resolution.info()).unsupported == ["job_conditions"]
    await client.jobs.reset()
    assert (await client.jobs.info()).ignore_conditions == []
    assert (await client.supervisor.info()).supported is True


async def test_conditions_hold_work_back(home: Home) -> None:
    """In upstream's words, without a key and before there is a job; who has the condition ignored goes on."""
    home.house.services.resolution.set_unhealthy(Unhealthy.SETUP, present=True)
    path = f"/store/addons/{SLUG}/install"
    for body in ({}, {"background": True}):
        answer = await home.raw("POST", path, json=body)
        said = "'AppManager.install' blocked from execution, system is not healthy - setup"
        assert (answer.status, answer.json) == (400, {"result": "error", "message": said})
    assert told(home, "app_manager_install") == []
    assert (await home.raw("POST", "/core/update", json={"version": "2026.11.1"})).status == 400
    await home.client().jobs.set_options(JobsOptions(ignore_conditions=[JobCondition.HEALTHY]))
    assert (await home.raw("POST", path)).status == 200
    await home.client().jobs.reset()
    assert (await home.raw("POST", f"/addons/{SLUG}/rebuild", json={"force": True})).status == 400


async def test_core_sees_every_change(home: Home) -> None:
    """An install tells begin, its stages and its end, in order, under the name upstream gives it."""
    await home.client().store.install_addon("core_mosquitto", StoreAddonInstall(background=True))
    async with asyncio.timeout(30):
        while not any(job["done"] for job in told(home, "app_manager_install")):
            await asyncio.sleep(0.01)
    heard = [event["data"] for event in home.core.events if event["event"] == "job"]
    whole = heard[0]["uuid"]
    assert {(job["name"], job["reference"], job["parent_id"]) for job in heard} == {
        ("app_manager_install", "core_mosquitto", None),
        ("app_install", "core_mosquitto", whole),
    }
    for of_one in ([job for job in heard if job["parent_id"] == above] for above in (None, whole)):
        assert (of_one[0]["done"], of_one[-1]["done"], of_one[-1]["progress"]) == (False, True, 100)
        assert "pulled" in [job["stage"] for job in of_one]
    assert heard[-1]["uuid"] == whole


async def test_install_in_the_background(home: Home) -> None:
    """Answered with the job's id once it is under way; its stage is the cluster's; when it is done it is gone."""
    home.cluster.behaviours[IMAGE] = Behaviour(pulling=True)
    uuid = (await home.raw("POST", f"/store/addons/{SLUG}/install", json={"background": True})).data["job_id"]
    job = await job_of(home, "pulling")
    assert set(job) == OF_A_JOB | {"child_jobs"}
    assert (job["uuid"], job["name"], job["reference"]) == (uuid, "app_manager_install", SLUG)
    assert (job["done"], job["progress"], job["errors"]) == (False, 0, [])
    (part,) = job["child_jobs"]
    assert set(part) == set(job)
    assert (part["name"], part["reference"], part["stage"], part["done"]) == ("app_install", SLUG, "pulling", False)
    assert (await home.raw("GET", f"/jobs/{part['uuid']}")).data == part
    assert datetime.fromisoformat(job["created"]) <= datetime.now(UTC)
    assert (await home.raw("GET", f"/jobs/{uuid}")).data == job
    pull_comes(home)
    heard = await heard_the_end(home, "app_manager_install")
    assert {frozenset(event) for event in heard} == {frozenset(OF_A_JOB | {"parent_id"})}
    assert {event["uuid"] for event in heard} == {uuid}
    stages = [event["stage"] for event in heard]
    assert (stages[0], stages[-1]) == (None, "pulled")
    assert "pulling" in stages
    assert (heard[-1]["done"], heard[-1]["progress"], heard[-1]["errors"]) == (True, 100, [])
    gone = await home.raw("GET", f"/jobs/{uuid}")
    assert (gone.status, gone.message) == (404, "Job does not exist")


async def test_background_that_fails_later(home: Home) -> None:
    """Who asked has the id; what went wrong is in the last events, with the stage it came to."""
    home.cluster.behaviours[IMAGE] = Behaviour(pulling=True)
    uuid = (await home.raw("POST", f"/store/addons/{SLUG}/install", json={"background": True})).data["job_id"]
    await job_of(home, "pulling")
    pull_comes(home, pull_error="no such host")
    last = (await heard_the_end(home, "app_manager_install"))[-1]
    (error,) = last["errors"]
    assert set(error) == {"type", "message", "stage", "error_key", "extra_fields"}
    assert error["message"] == f"Image {IMAGE} cannot be pulled: no such host"
    assert last["uuid"] == uuid
    assert (await home.raw("GET", "/jobs/info")).data["jobs"] == []


async def test_background_fails_fast(home: Home) -> None:
    """What the checks refuse is answered as without a background: no job was begun."""
    answer = await home.raw("POST", "/store/addons/core_elsewhere/install", json={"background": True})
    assert (answer.status, answer.json["error_key"]) == (400, "addon_not_supported_architecture_error")
    assert "job_id" not in answer.json
    await home.install(SLUG)
    for verb in ("install", "update"):
        answer = await home.raw("POST", f"/store/addons/{SLUG}/{verb}", json={"background": True})
        assert (answer.status, "job_id" in answer.json) == (400, False)


async def test_a_second_operation_is_refused(home: Home) -> None:
    """While one is under way on the same add-on; in upstream's words, without a key. Others are free."""
    await home.install(SLUG, start=True)
    home.cluster.slow_stop = True
    stopping = asyncio.ensure_future(home.raw("POST", f"/addons/{SLUG}/stop"))
    (pod,) = home.cluster.pods(io__hass__addon=SLUG)
    await home.cluster.stopping(pod["metadata"]["name"])
    for verb in ("start", "restart", "stop", "uninstall"):
        refused = await home.raw("POST", f"/addons/{SLUG}/{verb}")
        assert refused.status == 400
        assert refused.json == {"result": "error", "message": f"Another job is running for job group app_{SLUG}"}
    await home.install("core_panel", start=True)
    home.cluster.end(pod["metadata"]["name"])
    assert (await stopping).status == 200


async def test_installs_queue(home: Home) -> None:
    """The second one of an add-on waits for the first, as upstream's do, and then finds it installed."""
    home.cluster.behaviours[IMAGE] = Behaviour(pulling=True)
    path = f"/store/addons/{SLUG}/install"
    first, second = (asyncio.ensure_future(home.raw("POST", path)) for _ in range(2))
    async with asyncio.timeout(30):
        while len(jobs := (await home.raw("GET", "/jobs/info")).data["jobs"]) < 2 or not home.cluster.pods(
            io__hass__type="image-pull"
        ):
            await asyncio.sleep(0.01)
    assert sorted(str(job["done"]) for job in jobs) == ["False", "None"]
    pull_comes(home)
    answers = await asyncio.gather(first, second)
    assert sorted(answer.status for answer in answers) == [200, 400]
    keys = [answer.json.get("error_key") for answer in answers if answer.status == 400]
    assert keys == ["app_already_installed_error"]


async def test_reloads_refuse_nobody(shared: Home) -> None:
    """Two people may look for updates at once."""
    answers = await asyncio.gather(*(shared.raw("POST", "/store/reload") for _ in range(3)))
    assert [answer.status for answer in answers] == [200, 200, 200]


async def test_options_are_checked(shared: Home) -> None:
    """Only conditions that there are."""
    answer = await shared.raw("POST", "/jobs/options", json={"ignore_conditions": ["weather"]})
    assert answer.status == 400
    assert "data['ignore_conditions'][0]" in answer.message


async def test_an_update_tells_that_it_started(home: Home) -> None:
    """Under the name that Core matches; after the pull the add-on runs again."""
    await home.install(SLUG, start=True)
    record = home.house.records.addons[SLUG]
    await home.house.records.save_addon(replace(record, user={**record.user, "version": "7.0.0"}))
    assert (await home.raw("POST", f"/store/addons/{SLUG}/update")).data == {}
    heard = await heard_the_end(home, "addon_manager_update")
    assert {event["reference"] for event in heard} == {SLUG}
    stages = list(dict.fromkeys(event["stage"] for event in heard))
    assert stages[-2:] == ["pulled", "started"]
    part = told(home, "app_update")[-1]
    assert (part["parent_id"], part["reference"], part["done"]) == (heard[-1]["uuid"], SLUG, True)


@pytest.mark.parametrize(("verb", "body"), [("rebuild", {"force": True}), ("uninstall", {})])
async def test_what_the_manager_does_has_a_part(home: Home, verb: str, body: dict[str, Any]) -> None:
    """As upstream: below the job of the manager of add-ons there is the one of the add-on."""
    await home.install(SLUG, start=True)
    assert (await home.raw("POST", f"/addons/{SLUG}/{verb}", json=body)).status == 200
    whole = (await heard_the_end(home, f"app_manager_{verb}"))[-1]
    parts = told(home, f"app_{verb}")
    assert {(part["reference"], part["parent_id"]) for part in parts} == {(SLUG, whole["uuid"])}
    assert [part["done"] for part in parts] == [False, True]


CORE_START = "home_assistant_core_start"


async def parts_of(home: Home, name: str) -> list[tuple[str, str | None, bool]]:
    """What Core heard of the parts of the job of this name, by when it is at its end: name, reference, done."""
    whole = (await heard_the_end(home, name))[-1]
    jobs = [event["data"] for event in home.core.events if event["event"] == "job"]
    return [(job["name"], job["reference"], job["done"]) for job in jobs if job["parent_id"] == whole["uuid"]]


def one_after_the_other(*names: str, reference: str | None = SLUG) -> list[tuple[str, str | None, bool]]:
    return [(name, reference, done) for name in names for done in (False, True)]


async def test_a_restart_has_its_stop_and_its_start(home: Home) -> None:
    """As upstream: as parts, one after the other; who reads the running job finds them, too."""
    await home.install(SLUG, start=True)
    home.cluster.slow_stop = True
    restarting = asyncio.ensure_future(home.raw("POST", f"/addons/{SLUG}/restart"))
    (pod,) = home.cluster.pods(io__hass__addon=SLUG)
    await home.cluster.stopping(pod["metadata"]["name"])
    (job,) = (await home.raw("GET", "/jobs/info")).data["jobs"]
    (part,) = job["child_jobs"]
    assert (part["name"], part["reference"], part["done"], part["stage"]) == ("app_stop", SLUG, False, None)
    home.cluster.end(pod["metadata"]["name"])
    assert (await restarting).status == 200
    assert await parts_of(home, "app_restart") == one_after_the_other("app_stop", "app_start")


async def test_a_restart_of_what_is_stopped_has_its_start(home: Home) -> None:
    """There is nothing to stop."""
    await home.install(SLUG)
    assert (await home.raw("POST", f"/addons/{SLUG}/restart")).status == 200
    assert await parts_of(home, "app_restart") == one_after_the_other("app_start")


@pytest.mark.parametrize(("runs", "parts"), [(True, ("app_stop", "app_start")), (False, ())])
async def test_an_update_stops_and_starts_what_runs(home: Home, runs: bool, parts: tuple[str, ...]) -> None:
    """As parts of it; what is stopped stays so."""
    await home.install(SLUG, start=runs)
    record = home.house.records.addons[SLUG]
    await home.house.records.save_addon(replace(record, user={**record.user, "version": "7.0.0"}))
    assert (await home.raw("POST", f"/store/addons/{SLUG}/update")).status == 200
    assert await parts_of(home, "app_update") == one_after_the_other(*parts)


async def test_a_rebuild_stops_and_starts(home: Home) -> None:
    """Below the part that is the add-on's own."""
    await home.install(SLUG, start=True)
    assert (await home.raw("POST", f"/addons/{SLUG}/rebuild", json={"force": True})).status == 200
    assert await parts_of(home, "app_rebuild") == one_after_the_other("app_stop", "app_start")


async def test_what_a_part_failed_of_is_told_by_all_above(home: Home) -> None:
    """The start of a restart: the part has its error, and so has the whole."""
    await home.install(SLUG, start=True)
    home.cluster.behaviours[IMAGE] = Behaviour(exit_code=1)
    assert (await home.raw("POST", f"/addons/{SLUG}/restart")).status == 400
    whole = (await heard_the_end(home, "app_restart"))[-1]
    stop, start = (told(home, name)[-1] for name in ("app_stop", "app_start"))
    assert (stop["errors"], stop["progress"], start["progress"]) == ([], 100, 0)
    assert start["errors"] == whole["errors"] != []


async def test_core_follows_its_own_update(home: Home) -> None:
    """By the job that its update entity listens to, up to the stage where the new version runs."""
    assert (await home.raw("POST", "/core/update", json={"version": "2026.11.1"})).status == 200
    heard = await heard_the_end(home, "home_assistant_core_update")
    assert {(event["reference"], event["parent_id"]) for event in heard} == {(None, None)}
    stages = list(dict.fromkeys(event["stage"] for event in heard))
    assert stages[-2:] == ["pulled", "started"]
    assert await parts_of(home, "home_assistant_core_update") == one_after_the_other(CORE_START, reference=None)
    assert (heard[-1]["progress"], heard[-1]["errors"]) == (100, [])


async def test_the_start_of_a_core_made_anew_is_a_part(home: Home) -> None:
    """As upstream has it; a restart has none."""
    for verb, parts in (("rebuild", (CORE_START,)), ("restart", ())):
        assert (await home.raw("POST", f"/core/{verb}")).status == 200
        assert await parts_of(home, f"home_assistant_core_{verb}") == one_after_the_other(*parts, reference=None)
