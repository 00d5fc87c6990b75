"""`/jobs/…` and the job events that Core gets."""

import asyncio
from uuid import UUID

import pytest
from aiohasupervisor import SupervisorBadRequestError, SupervisorNotFoundError
from aiohasupervisor.models import JobCondition, JobsOptions, StoreAddonInstall

from tests.contract.house import Home


async def test_a_running_job_can_be_watched(home: Home) -> None:
    """By list and by id, in the client's model; it cannot be deleted, and vanishes when it is done."""
    client = home.client()
    await home.install("core_mosquitto", start=True)
    home.cluster.slow_stop = True
    stopping = asyncio.ensure_future(home.raw("POST", "/addons/core_mosquitto/stop"))
    async with asyncio.timeout(5):
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


async def test_unknown_job(home: Home) -> None:
    """404."""
    for call in (home.client().jobs.get_job, home.client().jobs.delete_job):
        with pytest.raises(SupervisorNotFoundError):
            await call(UUID(int=1))


async def test_options(home: Home) -> None:
    """Conditions to ignore are kept until they are reset."""
    client = home.client()
    await client.jobs.set_options(JobsOptions(ignore_conditions=[JobCondition.FREE_SPACE]))
    assert (await client.jobs.info()).ignore_conditions == ["free_space"]
    await client.jobs.reset()
    assert (await client.jobs.info()).ignore_conditions == []


async def test_core_sees_every_change(home: Home) -> None:
    """An install tells begin, its stages and its end, in order, under the name upstream gives it."""
    await home.client().store.install_addon("core_mosquitto", StoreAddonInstall(background=True))
    async with asyncio.timeout(5):
        while not any(event.get("data", {}).get("done") for event in home.core.events):
            await asyncio.sleep(0.01)
    told = [event["data"] for event in home.core.events if event["event"] == "job"]
    assert {(job["name"], job["reference"], job["parent_id"]) for job in told} == {
        ("app_manager_install", "core_mosquitto", None)
    }
    assert (told[0]["done"], told[-1]["done"], told[-1]["progress"]) == (False, True, 100)
    assert "pulled" in [job["stage"] for job in told]
