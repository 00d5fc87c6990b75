"""Git pull's program is killed at random moments: what it leaves becomes one commit or the other, by its next start or
before Core's, and what is in no commit stays as it was.
"""

import asyncio
import os
import random
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.integration.git_pull_house import Houseful, around, house

__all__ = ["around", "house"]

pytestmark = pytest.mark.timeout(400)
KILLS = 50
FOLDER = "tree"
ONE = {f"{FOLDER}/{number:03}.txt": f"one {number}\n" for number in range(200)}
OTHER = {f"{FOLDER}/{number:03}.txt": f"other {number}\n" for number in range(50, 250)}
PROGRAM = """
import asyncio, sys
from pathlib import Path
from git_pull.__main__ import serve
from git_pull.web import Ports

live, data, address, token = sys.argv[1:]
sys.exit(asyncio.run(serve(live=Path(live), data=Path(data), address=address, token=token, ports=Ports(0, 0, 0))))
"""


class Desk:
    """The add-on's program as a process of its own, and the tree that it exchanges."""

    def __init__(self, house: Houseful) -> None:
        self.house = house
        self.own = house.live / ".git_pull"
        self.new, self.plan, self.done = (self.own / name for name in ("new", "plan.json", "done"))
        self.mine = {f"{FOLDER}/{name}": secrets.token_bytes(4000) for name in ("mine.bin", "sub/.hidden", "005.txt~")}
        for path, content in self.mine.items():
            (house.live / path).parent.mkdir(parents=True, exist_ok=True)
            (house.live / path).write_bytes(content)

    def has(self, commit: dict[str, str]) -> bool:
        """All of it, and nothing of another one."""
        live = self.house.live
        found = {str(path.relative_to(live)): path for path in (live / FOLDER).rglob("*") if path.is_file()}
        wanted = self.mine | {path: text.encode() for path, text in commit.items()}
        return {name: path.read_bytes() for name, path in found.items()} == wanted

    def push(self, commit: dict[str, str], before: dict[str, str]) -> None:
        self.house.repository.commit({**dict.fromkeys(before), **commit})

    @asynccontextmanager
    async def begun(self) -> AsyncIterator[asyncio.subprocess.Process]:
        """One start of it. It is killed at the end of the block, if it has not ended by itself."""
        home = self.house.home
        told = (str(self.house.live), str(self.house.data), home.url, home.addon_token("k8s_git_pull"))
        process = await self._run("-c", PROGRAM, *told)
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def finish(self) -> int:
        """What Core's pod does before Core."""
        return await (await self._run("-m", "git_pull.finish", str(self.house.live))).wait()

    async def _run(self, *arguments: str) -> asyncio.subprocess.Process:
        quiet = asyncio.subprocess.DEVNULL
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        return await asyncio.create_subprocess_exec(
            sys.executable, *arguments, stdout=quiet, stderr=quiet, env=environment
        )


async def soon(process: asyncio.subprocess.Process, look: Callable[[], bool]) -> float:
    """When it was seen, or that the program has ended before."""
    async with asyncio.timeout(60):
        while not look() and process.returncode is None:
            await asyncio.sleep(0.001)
    return time.monotonic()


async def first_pass(desk: Desk) -> tuple[float, float, float]:
    """Seconds that it takes, that it exchanges files, and that it does so by its plan."""
    began = time.monotonic()
    async with desk.begun() as process:
        laid_aside = await soon(process, desk.new.exists)
        planned = await soon(process, desk.plan.exists)
        over = await soon(process, lambda: not desk.own.exists())
        assert await process.wait() == 0
    assert desk.has(ONE)
    return time.monotonic() - began, over - laid_aside, over - planned


async def killed(desk: Desk, moment: float, after: Callable[[], bool]) -> None:
    """So many seconds after something was seen."""
    async with desk.begun() as process:
        await soon(process, after)
        await asyncio.sleep(moment)


async def test_killed_anywhere(house: Houseful) -> None:
    """Fifty times, two thirds of them around the exchange of files: whenever no plan is open all files are of one
    commit. In the end the newest one is live.
    """
    chance = random.Random(seed := os.environ.get("KILL_SEED") or secrets.token_hex(4))
    await house.set(restart_ignore=[FOLDER])
    desk, wanted, other, left_open = Desk(house), ONE, OTHER, 0
    desk.push(ONE, {})
    whole, exchange, planned = await first_pass(desk)
    ways = ((whole, lambda: True), (exchange, desk.new.exists), (planned, desk.plan.exists))
    for kill in range(KILLS):
        where = f"kill {kill} of KILL_SEED={seed}"
        if desk.has(wanted) and not desk.plan.exists():
            wanted, other = other, wanted
            desk.push(wanted, other)
        longest, after = ways[kill % 3]
        await killed(desk, chance.uniform(0, longest), after)
        is_open = desk.plan.exists() and not desk.done.exists()
        left_open += is_open
        if is_open and chance.random() < 0.5:
            assert await desk.finish() == 0, where
            is_open = False
        assert is_open or desk.has(ONE) or desk.has(OTHER), where
    async with desk.begun() as process:
        assert await process.wait() == 0
    assert desk.has(wanted)
    print(f"KILL_SEED={seed}: {left_open} of {KILLS} kills left a plan open")
