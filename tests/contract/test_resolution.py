"""`/resolution/…` and the events that make repairs in Core."""

import errno
import os
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from aiohasupervisor import SupervisorBadRequestError, SupervisorNotFoundError
from aiohasupervisor.models import CheckOptions

from supervisor_k8s.model.desired.link import LinkKeys
from supervisor_k8s.model.issue import Cause, Context, Fault, Unhealthy
from supervisor_k8s.state.storage import SharedVolume
from tests.contract.house import Home

FAULT = Fault(Cause.BOOT_FAIL, Context.ADDON, "core_mosquitto", (("port", 1883),))


async def test_an_issue_appears_and_is_dismissed(home: Home) -> None:
    """In the client's model, with its suggestions; Core is told of both."""
    client = home.client().resolution
    home.house.services.resolution.report(FAULT)
    info = await client.info()
    (issue,) = info.issues
    assert (issue.type, issue.context, issue.reference) == ("boot_fail", "addon", "core_mosquitto")
    assert issue.reference_extra == {"port": 1883}
    suggestions = await client.suggestions_for_issue(issue.uuid)
    assert [suggestion.type for suggestion in suggestions] == ["execute_start", "disable_boot"]
    await client.dismiss_suggestion(suggestions[0].uuid)
    assert len(await client.suggestions_for_issue(issue.uuid)) == 1
    await client.dismiss_issue(issue.uuid)
    assert ((await client.info()).issues, (await client.info()).suggestions) == ([], [])
    told = (await home.core.heard(4))[1:]
    assert [event["event"] for event in told] == ["issue_changed", "issue_changed", "issue_removed"]
    assert told[0]["data"]["uuid"] == issue.uuid.hex
    assert [suggestion["type"] for suggestion in told[0]["data"]["suggestions"]] == ["execute_start", "disable_boot"]


async def test_the_same_fault_is_one_issue(home: Home) -> None:
    """Said twice it keeps its identity and is told once; settled by who raised it, it is gone."""
    resolution = home.house.services.resolution
    resolution.report(FAULT)
    (issue,) = resolution.issues
    resolution.report(FAULT)
    assert resolution.issues == (issue,)
    resolution.settle(FAULT)
    assert [event["event"] for event in (await home.core.heard(3))[1:]] == ["issue_changed", "issue_removed"]


async def test_unhealthy_and_unsupported(home: Home) -> None:
    """Shown sorted, told at each change, and part of the other answers."""
    resolution = home.house.services.resolution
    resolution.set_unhealthy(Unhealthy.SETUP, present=True)
    resolution.set_unsupported("software", present=True)
    info = await home.client().resolution.info()
    assert (info.unhealthy, info.unsupported) == (["setup"], ["software"])
    supervisor = await home.client().supervisor.info()
    assert (supervisor.healthy, supervisor.supported) == (False, False)
    health, support = (await home.core.heard(3))[1:]
    assert health == {"event": "health_changed", "data": {"healthy": False, "unhealthy_reasons": ["setup"]}}
    assert support["data"] == {"supported": False, "unsupported_reasons": ["software"]}


class Broken(SharedVolume):
    """The filesystem says this number whenever a file is to be written."""

    def __init__(self, root: Path, *, number: int) -> None:
        super().__init__(root)
        self._number = number

    def _write(self, path: str, _content: bytes, _mode: int) -> None:
        with self._directory(path, ()):
            raise OSError(self._number, os.strerror(self._number))


@pytest.mark.parametrize(("number", "reasons"), [(errno.EBADMSG, ["oserror_bad_message"]), (errno.ENOSPC, [])])
async def test_a_broken_volume(
    tmp_path: Path, store: str, link_keys: LinkKeys, number: int, reasons: list[str]
) -> None:
    """Until our restart this system is not well, and nothing new is installed; a full volume is another matter."""
    async with Home(tmp_path, store, link_keys, volume_kind=partial(Broken, number=number)).living() as home:
        assert (await home.raw("POST", "/store/reload")).status == 200
        await home.install("core_mosquitto")
        assert (await home.raw("POST", "/addons/core_mosquitto/start")).status == 400
        assert (await home.client().resolution.info()).unhealthy == reasons
        answer = await home.raw("POST", "/store/addons/core_panel/install")
        assert answer.status == (400 if reasons else 200)
        assert ("system is not healthy - oserror_bad_message" in answer.text) == bool(reasons)
        await home.stop()
        await home.start()
        assert (await home.client().resolution.info()).unhealthy == []


async def test_unknown_things(shared: Home) -> None:
    """404 for issues, suggestions and checks that do not exist, with the keys that clients know."""
    client = shared.client().resolution
    nothing = UUID(int=1)
    for call in (
        client.dismiss_issue,
        client.suggestions_for_issue,
        client.dismiss_suggestion,
        client.apply_suggestion,
    ):
        with pytest.raises(SupervisorNotFoundError):
            await call(nothing)
    with pytest.raises(SupervisorNotFoundError):
        await client.run_check("wings")
    answer = await shared.raw("DELETE", f"/resolution/issue/{nothing.hex}")
    assert answer.json["error_key"] == "resolution_issue_not_found_error"
    assert answer.json["extra_fields"] == {"uuid": nothing.hex}


async def test_checks(home: Home) -> None:
    """Those that are really done; switched off they stay off after our restart."""
    client = home.client().resolution
    await client.run_check("free_space")
    await client.healthcheck()
    await client.check_options("free_space", CheckOptions(enabled=False))
    await home.stop()
    await home.start()
    checks = {check.slug: check.enabled for check in (await home.client().resolution.info()).checks}
    others = (
        "detached_addon_missing",
        "detached_addon_removed",
        "deprecated_addon",
        "deprecated_arch_addon",
        "addon_pwned",
        "rights",
        "allowances",
        "docker_network",
    )
    assert checks == {"free_space": False, **dict.fromkeys(others, True)}


async def test_a_suggestion_that_cannot_be_done(home: Home) -> None:
    """400, and the issue stays."""
    home.house.services.resolution.report(FAULT)
    suggestion, _ = (await home.client().resolution.info()).suggestions
    with pytest.raises(SupervisorBadRequestError, match="not installed"):
        await home.client().resolution.apply_suggestion(suggestion.uuid)
    assert len((await home.client().resolution.info()).issues) == 1
