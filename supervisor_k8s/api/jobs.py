"""`/jobs/…`: tracked work."""

from typing import cast

import voluptuous as vol

from supervisor_k8s.api.answers import Job, JobsInfo
from supervisor_k8s.api.routes import Call, Route, delete, get, post
from supervisor_k8s.model.condition import Condition

OPTIONS = {vol.Optional("ignore_conditions"): [vol.In([str(condition) for condition in Condition])]}


async def info(call: Call) -> JobsInfo:
    return {
        "ignore_conditions": call.services.preferences.get("ignore_conditions"),
        "jobs": cast("list[Job]", call.services.jobs.forest()),
    }


async def options(call: Call) -> None:
    if call.body:
        await call.services.preferences.set(call.body)


async def reset(call: Call) -> None:
    await call.services.preferences.reset("ignore_conditions")


async def job(call: Call) -> Job:
    return cast("Job", call.services.jobs.tree(call.part("uuid")))


async def remove(call: Call) -> None:
    call.services.jobs.remove(call.part("uuid"))


ROUTES: tuple[Route, ...] = (
    get("/jobs/info", info),
    post("/jobs/options", options, OPTIONS),
    post("/jobs/reset", reset),
    get("/jobs/{uuid}", job),
    delete("/jobs/{uuid}", remove),
)
