"""`/backups/…`: none yet, and said so. What would make or restore one stands in `absent`."""

import voluptuous as vol

from supervisor_k8s.api.answers import Backups, BackupsInfo
from supervisor_k8s.api.routes import Call, Route, get, post


async def backups(_call: Call) -> Backups:
    return {"backups": []}


async def info(call: Call) -> BackupsInfo:
    return {"backups": [], "days_until_stale": call.services.preferences.get("days_until_stale")}


async def options(call: Call) -> None:
    if call.body:
        await call.services.preferences.set(call.body)


ROUTES: tuple[Route, ...] = (
    get("/backups", backups),
    get("/backups/info", info),
    post(
        "/backups/options",
        options,
        {vol.Optional("days_until_stale"): vol.All(vol.Coerce(int), vol.Range(min=1))},
    ),
)
