"""A switch of files that Git pull left half done, and Home Assistant starts: it finds one commit, or is told."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from .git_house import CONFIGURATION, LIVE, STATES, House
from .house import Core, Kubectl, Supervisor, becomes

SAVED = f"{LIVE}/{CONFIGURATION}.before-cut"
ADDED = "e2e_cut.yaml"
LEFT = f"""
import sys
from pathlib import Path
from git_pull.changes import Changes
from git_pull.disk import read_disk
from git_pull.files import blob_id
from git_pull.switch import Switch, Target
from git_pull.tree import Entry

live, candidate, like = Path("{LIVE}"), Path("/tmp/cut"), "0" * 40
candidate.mkdir(exist_ok=True)
(candidate / "{ADDED}").write_text("from_cut: {{}}\\n")
text = (live / "{CONFIGURATION}").read_text()
(candidate / "{CONFIGURATION}").write_text(f"{{text}}\\ninput_boolean: !include {ADDED}\\n")
changes = Changes(write={{path.name: Entry(blob_id(path, like=like)) for path in candidate.iterdir()}})
target = Target(commit="c" * 40, repository="r", kept=candidate / "kept", restore=candidate / "restore")
Switch(live).prepare(changes, read_disk(live, changes.paths, like=like).ids, candidate, target)
(live / ".git_pull" / "new" / "0").replace(live / "{CONFIGURATION}")
"""
"""The add-on's own program, as far as the first of two files: Home Assistant would go into recovery mode with it."""

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
async def house(kubectl: Kubectl, supervisor: Supervisor) -> AsyncIterator[House]:
    """Afterwards the configuration and Core are as before."""
    house = House(kubectl)
    await house.live(f"cp -p {LIVE}/{CONFIGURATION} {SAVED}")
    yield house
    await house.live(
        f"[ ! -e {SAVED} ] || mv {SAVED} {LIVE}/{CONFIGURATION}; rm -rf {LIVE}/{ADDED} {LIVE}/.git_pull /tmp/cut"
    )
    assert (await supervisor.post("/core/restart")).status == 200


async def told(supervisor: Supervisor) -> list[Any]:
    """What issues say that the last start of Core left behind."""
    found = [issue["reference_extra"] or {} for issue in (await supervisor.get("/resolution/info")).data["issues"]]
    return [extra["message"] for extra in found if extra.get("reason") == "switch_left_open"]


async def test_core_starts_with_the_whole(house: House, kubectl: Kubectl, supervisor: Supervisor, core: Core) -> None:
    """It has read what the commit brings, and nobody was told anything. A plan that cannot be read is told, Core starts
    all the same, and what was laid aside is still there.
    """
    programs = "PYTHONPATH=/usr/share/supervisor-k8s/programs"
    script = ("exec", "-i", "deployment/supervisor", "--", "env", programs, "python3", "-")
    await kubectl.run(*script, stdin=LEFT)
    assert await house.file(ADDED) == ""
    assert (await supervisor.post("/core/restart")).status == 200

    async def entity() -> bool:
        try:
            return bool((await core.get(f"{STATES}.from_cut"))["state"] == "off")
        except (AssertionError, aiohttp.ClientError, ValueError):
            return False

    await becomes(entity, what="the entity of the commit that was cut", within=180)
    assert await house.file(ADDED) == "from_cut: {}\n"
    assert await told(supervisor) == []

    await house.live(f"echo damaged > {LIVE}/.git_pull/plan.json")
    assert (await supervisor.post("/core/restart")).status == 200

    async def one() -> bool:
        return len(await told(supervisor)) == 1

    await becomes(one, what="an issue about the damaged plan")
    (message,) = await told(supervisor)
    assert "/config/.git_pull/plan.json is damaged" in message
    assert await house.live(f"ls {LIVE}/.git_pull/old") == "0\n"
