"""`/resolution/…`: what is wrong, and what can be done."""

from collections.abc import Iterable
from typing import cast

import voluptuous as vol

from supervisor_k8s.api import answers as shapes
from supervisor_k8s.api.routes import Call, Route, delete, get, post
from supervisor_k8s.model.issue import Suggestion, show_issue, show_suggestion


async def info(call: Call) -> shapes.ResolutionInfo:
    resolution = call.services.resolution
    return {
        "unsupported": resolution.unsupported,
        "unhealthy": resolution.unhealthy,
        "suggestions": _suggestions(resolution.suggestions),
        "issues": cast("list[shapes.Issue]", [show_issue(issue) for issue in resolution.issues]),
        "checks": [{"slug": slug, "enabled": enabled} for slug, enabled in resolution.checks.items()],
    }


async def check_options(call: Call) -> None:
    if "enabled" in call.body:
        await call.services.resolution.set_check(call.part("check"), call.body["enabled"])


async def run_check(call: Call) -> None:
    await call.services.resolution.run_check(call.part("check"))


async def suggestions(call: Call) -> shapes.Suggestions:
    found = call.services.resolution.suggestions_for(call.part("issue"))
    return {"suggestions": _suggestions(found)}


def _suggestions(found: Iterable[Suggestion]) -> list[shapes.Suggestion]:
    return cast("list[shapes.Suggestion]", [show_suggestion(suggestion) for suggestion in found])


async def apply(call: Call) -> None:
    await call.services.resolution.apply(call.part("suggestion"))


async def dismiss_suggestion(call: Call) -> None:
    call.services.resolution.dismiss_suggestion(call.part("suggestion"))


async def dismiss_issue(call: Call) -> None:
    call.services.resolution.dismiss_issue(call.part("issue"))


async def healthcheck(call: Call) -> None:
    await call.services.resolution.healthcheck()


ROUTES: tuple[Route, ...] = (
    get("/resolution/info", info),
    post("/resolution/check/{check}/options", check_options, {vol.Optional("enabled"): bool}),
    post("/resolution/check/{check}/run", run_check),
    get("/resolution/issue/{issue}/suggestions", suggestions),
    post("/resolution/suggestion/{suggestion}", apply, fails=(429,)),
    delete("/resolution/suggestion/{suggestion}", dismiss_suggestion),
    delete("/resolution/issue/{issue}", dismiss_issue),
    post("/resolution/healthcheck", healthcheck),
)
