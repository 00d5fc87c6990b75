"""What keeps an add-on from running, and what is wrong with one, as a person hears of it in Home Assistant; and repairs
that Home Assistant carries out.
"""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster import paths

from .house import Core, Kubectl, Socket, Supervisor, becomes

STORE = paths.REPOSITORY / "tests/images/addon-mosquitto/repository"
BROKER = yaml.safe_load((STORE / "mosquitto" / "config.yaml").read_text())
MANIFEST = {key: value for key, value in BROKER.items() if key not in {"ports", "services", "discovery", "auth_api"}}
LEAVING, STAYING = "leaving", "staying"


async def issues(supervisor: Supervisor, slug: str) -> list[dict[str, Any]]:
    """Those about one add-on."""
    found = (await supervisor.get("/resolution/info")).data["issues"]
    return [issue for issue in found if issue["reference"] == slug]


async def notifications(socket: Socket) -> dict[str, str]:
    """Message by id, as the frontend shows them."""
    found = (await socket.command("persistent_notification/get"))["result"]
    return {entry["notification_id"]: entry["message"] for entry in found}


async def repairs(socket: Socket) -> dict[str, dict[str, Any]]:
    """Home Assistant's own list of what can be repaired, by the issue's id."""
    found = (await socket.command("repairs/list_issues"))["result"]["issues"]
    return {entry["issue_id"]: entry for entry in found if entry["domain"] == "hassio"}


@pytest.fixture
async def cordoned(kubectl: Kubectl) -> AsyncIterator[list[str]]:
    """Nobody is let onto the nodes; a test that wants them sooner puts them right itself."""
    if os.environ.get("CLUSTER") == "external":
        pytest.skip("the nodes of a foreign cluster are not closed")
    nodes = [node["metadata"]["name"] for node in (await kubectl.json("get", "nodes"))["items"]]
    await kubectl.run("cordon", *nodes)
    yield nodes
    await kubectl.run("uncordon", *nodes)


async def test_no_node_can_take_it(
    core: Core, kubectl: Kubectl, supervisor: Supervisor, mosquitto: str, cordoned: list[str]
) -> None:
    """An issue and a notification in the scheduler's words, for as long as it lasts."""
    async with core.socket() as socket, asyncio.TaskGroup() as tasks:
        start = tasks.create_task(supervisor.post(f"/addons/{mosquitto}/start"))

        async def told() -> list[dict[str, Any]]:
            return await issues(supervisor, mosquitto)

        (issue,) = await becomes(told, what="an issue about the add-on")
        extra = issue["reference_extra"]
        assert (issue["type"], issue["context"], extra["reason"]) == ("fatal_error", "addon", "unschedulable")
        assert "nodes are available" in extra["message"]

        async def shown() -> str:
            return (await notifications(socket)).get(issue["uuid"], "")

        message = await becomes(shown, what="a notification with the issue's id")
        assert message == f"No node can take add-on {mosquitto}: {extra['message']}"
        await kubectl.run("uncordon", *cordoned)
        assert (await start).status == 200

        async def over() -> bool:
            return not await told() and not await shown()

        await becomes(over, what="issue and notification are gone")
        assert await supervisor.state(mosquitto) == "started"


@pytest.fixture
async def leaving(supervisor: Supervisor) -> AsyncIterator[str]:
    """Slug of an installed add-on that its store does not offer any more."""
    local = paths.from_environment().volumes / "shared" / "addons" / "local"
    for name in (LEAVING, STAYING):
        _offer(local / name)
    try:
        assert (await supervisor.post("/store/reload")).status == 200
        answer = await supervisor.post(f"/store/addons/local_{LEAVING}/install")
        assert answer.status == 200, answer
        shutil.rmtree(local / LEAVING)
        assert (await supervisor.post("/store/reload")).status == 200
        yield f"local_{LEAVING}"
    finally:
        await supervisor.post(f"/addons/local_{LEAVING}/uninstall")
        for name in (LEAVING, STAYING):
            shutil.rmtree(local / name, ignore_errors=True)
        await supervisor.post("/store/reload")


async def test_home_assistant_repairs_it(core: Core, supervisor: Supervisor, leaving: str) -> None:
    """An add-on that its store has given up is a repair; its one button, confirmed, uninstalls it."""

    async def told() -> list[dict[str, Any]]:
        return await issues(supervisor, leaving)

    (issue,) = await becomes(told, what="an issue about the add-on")
    assert (issue["type"], issue["context"]) == ("detached_addon_removed", "addon")
    async with core.socket() as socket:

        async def listed() -> dict[str, Any]:
            return (await repairs(socket)).get(issue["uuid"], {})

        repair = await becomes(listed, what="a repair in Home Assistant")
        assert (repair["translation_key"], repair["is_fixable"]) == ("issue_addon_detached_addon_removed", True)
        assert issue["uuid"] not in await notifications(socket)
        flow = await core.post("/api/repairs/issues/fix", handler="hassio", issue_id=issue["uuid"])
        assert (flow["type"], flow["step_id"]) == ("form", "addon_execute_remove")
        done = await core.post(f"/api/repairs/issues/fix/{flow['flow_id']}")
        assert done["type"] == "create_entry"

        async def gone() -> bool:
            return not await told() and not await listed()

        await becomes(gone, what="issue and repair are gone")
    assert leaving not in [addon["slug"] for addon in (await supervisor.get("/addons")).data.get("addons", [])]


def _offer(folder: Path) -> None:
    """The broker under another name."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**MANIFEST, "name": folder.name, "slug": folder.name}))
