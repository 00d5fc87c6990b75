"""What the house says is wrong, its suggestions applied, and an add-on of the user's own folder to be wrong."""

import asyncio
from typing import Any

import yaml

from tests.contract.house import STORE, Home

BROKER = "core_mosquitto"


async def issues(home: Home) -> dict[tuple[str, str, str | None], dict[str, Any]]:
    """By type, context and reference."""
    found = (await home.raw("GET", "/resolution/info")).data["issues"]
    return {(issue["type"], issue["context"], issue["reference"]): issue for issue in found}


async def appears(home: Home, *key: str | None) -> dict[str, Any]:
    """The issue, once it is there."""
    async with asyncio.timeout(20):
        while key not in (found := await issues(home)):
            await asyncio.sleep(0.02)
    return found[key]


async def vanish(home: Home) -> None:
    async with asyncio.timeout(20):
        while await issues(home):
            await asyncio.sleep(0.02)


async def apply(home: Home, issue: dict[str, Any], kind: str) -> int:
    """Apply one of the issue's suggestions; the status of the answer."""
    found = (await home.raw("GET", f"/resolution/issue/{issue['uuid']}/suggestions")).data["suggestions"]
    (uuid,) = [suggestion["uuid"] for suggestion in found if suggestion["type"] == kind]
    return (await home.raw("POST", f"/resolution/suggestion/{uuid}")).status


async def state(home: Home) -> str:
    return str((await home.raw("GET", f"/addons/{BROKER}/info")).data["state"])


def write(home: Home, folder: str, **manifest: Any) -> None:
    """An add-on in the user's own folder."""
    path = home.share / "addons" / "local" / folder / "config.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({**STORE["panel"], "slug": folder, **manifest}))


async def reload(home: Home) -> None:
    assert (await home.raw("POST", "/store/reload")).status == 200
