"""Issues that Core shows no repair for, as notifications; and what raises them."""

import asyncio
from typing import Any

import yaml

from supervisor_k8s.model.issue import Cause, Context, Fault
from tests.contract.house import STORE, Home

CREATE, DISMISS = (f"/api/services/persistent_notification/{word}" for word in ("create", "dismiss"))
FAULT = Fault(Cause.STATE_NOT_WRITTEN, Context.SUPERVISOR)


def told(home: Home, path: str) -> list[Any]:
    return [body for method, asked, body in home.core.requests if (method, asked) == ("POST", path)]


async def hears(home: Home, path: str, number: int) -> list[Any]:
    async with asyncio.timeout(10):
        while len(told(home, path)) < number:
            await asyncio.sleep(0.01)
    return told(home, path)


async def test_an_issue_is_a_notification(home: Home) -> None:
    """Under the issue's uuid, in words; it goes with the issue."""
    home.house.services.resolution.report(FAULT)
    (issue,) = home.house.services.resolution.issues
    (body,) = await hears(home, CREATE, 1)
    assert body["notification_id"] == issue.uuid
    assert "cannot write to its own volume" in body["message"]
    home.house.services.resolution.settle(FAULT)
    assert await hears(home, DISMISS, 1) == [{"notification_id": issue.uuid}]


async def test_repairs_are_no_notifications(home: Home) -> None:
    """What Core shows by itself is not said twice."""
    home.house.services.resolution.report(Fault(Cause.BOOT_FAIL, Context.ADDON, "core_panel"))
    home.house.services.resolution.report(Fault(Cause.DEPRECATED_ADDON, Context.ADDON, "core_panel"))
    (body,) = await hears(home, CREATE, 1)
    assert body["message"].startswith("Add-on core_panel is deprecated")


async def test_core_forgets(home: Home) -> None:
    """After its restart it is told again of what is still wrong."""
    home.house.services.resolution.report(FAULT)
    await hears(home, CREATE, 1)
    await home.core.hang_up()
    first, second = await hears(home, CREATE, 2)
    assert first == second


async def test_manifests_that_cannot_be_read(home: Home) -> None:
    """One issue for a store of the user's, until it can be read again."""
    folder = home.share / "addons" / "local" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("name: [")
    assert (await home.raw("POST", "/store/reload")).status == 200
    (issue,) = (await home.raw("GET", "/resolution/info")).data["issues"]
    assert (issue["type"], issue["context"], issue["reference"]) == ("corrupt_repository", "store", "local")
    assert issue["reference_extra"]["reason"] == "addon_manifest_invalid"
    assert "mine: " in issue["reference_extra"]["manifests"]
    (folder / "config.yaml").write_text(yaml.safe_dump({**STORE["panel"], "slug": "mine"}))
    assert (await home.raw("POST", "/store/reload")).status == 200
    assert (await home.raw("GET", "/resolution/info")).data["issues"] == []
