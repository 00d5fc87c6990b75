"""The Git pull add-on is killed at fifty moments, on a real configuration that real Core checks: what is left becomes
one commit or the other.
"""

import hashlib
import json
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from . import killer
from .git_house import LIVE, SLUG, House
from .house import Kubectl, Supervisor, becomes

POD = f"io.hass.addon={SLUG}"
ONE = {f"{number:03}.txt": f"one {number}\n".encode() for number in range(350)}
OTHER = ONE | {f"{number:03}.txt": f"other {number}\n".encode() for number in range(50, 400)}
TREES = dict(zip(killer.BRANCHES, (killer.digest(ONE), killer.digest(OTHER)), strict=True))
PROGRAM = Path(killer.__file__).read_text()

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
async def house(kubectl: Kubectl, supervisor: Supervisor) -> AsyncIterator[House]:
    """The add-on, which follows a branch and does nothing unless it is asked; afterwards nothing of it is left."""
    house = House(kubectl)
    await house.repository.make()
    for branch, files in zip(killer.BRANCHES, (ONE, OTHER), strict=True):
        await house.repository.push({f"{killer.FOLDER}/{name}": text for name, text in files.items()}, branch)
    mine = " ".join(f"{LIVE}/{killer.FOLDER}/{name}" for name in killer.MINE)
    await house.live(f"mkdir -p {LIVE}/{killer.FOLDER}/sub; for f in {mine}; do head -c 4000 /dev/urandom > $f; done")
    assert (await supervisor.post(f"/store/addons/{SLUG}/install")).status == 200
    options = (await supervisor.get(f"/addons/{SLUG}/info")).data["options"]
    options |= {"repository": house.repository.address, "git_branch": killer.BRANCHES[0]}
    options |= {"restart_ignore": [killer.FOLDER], "webhook_secret": secrets.token_hex(8)}
    assert (await supervisor.post(f"/addons/{SLUG}/options", options=options)).status == 200
    yield house
    await supervisor.post(f"/addons/{SLUG}/uninstall")
    await house.live(f"rm -rf {LIVE}/{killer.FOLDER} {LIVE}/.git_pull")
    await house.repository.remove()


async def test_killed_anywhere(house: House, kubectl: Kubectl, supervisor: Supervisor) -> None:
    """Whenever no switch is open all files are of one commit, and what no commit has is byte for byte as it was. The
    add-on's next start ends what is open.
    """
    seed = os.environ.get("KILL_SEED") or secrets.token_hex(4)
    assert (await supervisor.post(f"/addons/{SLUG}/start")).status == 200
    await it_is_live(house, supervisor)
    (pod,) = await kubectl.pods(POD)
    name, given = pod["metadata"]["name"], json.dumps({"seed": seed, "trees": TREES})
    said = await kubectl.run("exec", "-i", name, "-c", "addon", "--", "python3", "-", given, stdin=PROGRAM, within=480)
    found = json.loads(said.splitlines()[-1])
    print(f"KILL_SEED={seed}: {found}")
    assert sum(found["kills"].values()) >= killer.KILLS
    assert (await supervisor.post(f"/addons/{SLUG}/restart")).status == 200
    await it_is_live(house, supervisor)
    assert await house.live(f"ls -A {LIVE}/.git_pull 2>/dev/null || true") == ""


async def it_is_live(house: House, supervisor: Supervisor) -> None:
    """The first branch is, when the add-on's pass is over."""

    async def over() -> bool:
        log = (await supervisor.get(f"/addons/{SLUG}/logs")).body["message"]
        return any(word in log for word in ("live:", "unchanged:"))

    await becomes(over, what="the end of the add-on's pass", within=120)
    sums = await house.live(f"cd {LIVE}/{killer.FOLDER}; sha256sum ???.txt")
    found = {name: digest for digest, name in (line.split() for line in sums.splitlines())}
    assert found == {name: hashlib.sha256(content).hexdigest() for name, content in ONE.items()}
