"""`/jobs/…`: tracked work."""

from typing import cast

import voluptuous as vol

from supervisor_k8s.api.answers import Job, JobsInfo
from supervisor_k8s.api.routes import Call, Route, delete, get, post

CONDITIONS = (
    "architecture_supported", "auto_update", "free_space", "frozen", "haos", "healthy",
    "home_assistant_core_supported", "host_network", "internet_host", "internet_system", "mount_available", "os_agent",
    "os_supported", "plugins_updated", "running", "supervisor_updated",
)  # fmt: skip
"""What clients may ask to be ignored (aiohasupervisor 0.8.1 `JobCondition`)."""

OPTIONS = {vol.Optional("ignore_conditions"): [vol.In(CONDITIONS)]}


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
