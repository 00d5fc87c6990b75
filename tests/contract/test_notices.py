"""Issues that Core shows no repair for, as notifications; and what raises them."""

import asyncio
from typing import Any

import yaml

from supervisor_k8s.model.issue import Context, Fault
from tests.contract.house import STORE, Home

CREATE, DISMISS = (f"/api/services/persistent_notification/{word}" for word in ("create", "dismiss"))
FAULT = Fault("state_not_written", Context.SUPERVISOR)


def told(home: Home, path: str) -> list[Any]:
    return [body for method, asked, body in home.core.requests if (method, asked) == ("POST", path)]


async def hears(home: Home, path: str, number: int) -> list[Any]:
    async with asyncio.timeout(10):
        while len(told(home, path)) < number:
            await asyncio.sleep(0.01)
    return told(home, path)


async def test_an_issue_is_a_notification(home: Home) -> None:
    """Under the issue's uuid, in words; it goes with the issue."""
    issue = home.house.services.resolution.report(FAULT)
    (body,) = await hears(home, CREATE, 1)
    assert body["notification_id"] == issue.uuid
    assert "cannot write to its own volume" in body["message"]
    home.house.services.resolution.settle(FAULT)
    assert await hears(home, DISMISS, 1) == [{"notification_id": issue.uuid}]


async def test_repairs_are_no_notifications(home: Home) -> None:
    """What Core shows by itself is not said twice; what nobody has words for is said by its names."""
    home.house.services.resolution.report(Fault("boot_fail", Context.ADDON, "core_panel"))
    home.house.services.resolution.report(Fault("something_new", Context.SYSTEM, "thing"))
    (body,) = await hears(home, CREATE, 1)
    assert "something_new (system: thing)" in body["message"]


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
    assert (issue["type"], issue["context"], issue["reference"]) == ("addon_manifest_invalid", "store", "local")
    assert "mine: " in issue["reference_extra"]["manifests"]
    (folder / "config.yaml").write_text(yaml.safe_dump({**STORE["panel"], "slug": "mine"}))
    assert (await home.raw("POST", "/store/reload")).status == 200
    assert (await home.raw("GET", "/resolution/info")).data["issues"] == []
