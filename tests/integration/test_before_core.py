"""The init container of Core's pod: it waits for us, ends a switch of files that was cut, and never keeps Core from
starting.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.unit.git_pull_cuts import AFTER, BEFORE, found, make_house, prepared, write

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "rootfs" / "usr" / "bin" / "before-core"
PROGRAMS = ROOT / "addons" / "git_pull" / "rootfs" / "app"
NOBODY = "http://127.0.0.1:9/supervisor/ping"


class Before:
    """What it is started with; `report` has what it told."""

    def __init__(self, folder: Path) -> None:
        self.live = make_house(folder)
        self.report = folder / "termination-log"
        self.report.touch()

    async def runs(self, url: str = NOBODY, seconds: str = "0", programs: Path = PROGRAMS) -> tuple[int | None, str]:
        command = (sys.executable, "-I", str(SCRIPT), url, seconds, str(self.live), str(self.report))
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(programs)}
        )
        out, _ = await asyncio.wait_for(process.communicate(), 30)
        return process.returncode, out.decode()


@pytest.fixture
def before(tmp_path: Path) -> Before:
    return Before(tmp_path)


async def test_it_ends_when_the_supervisor_answers(before: Before) -> None:
    """Not before: a Supervisor that is still starting answers 400."""
    asked: list[int] = []

    async def ping(_: web.Request) -> web.Response:
        asked.append(400 if len(asked) < 2 else 200)
        return web.json_response({"result": "ok"}, status=asked[-1])

    app = web.Application()
    app.router.add_get("/supervisor/ping", ping)
    async with TestServer(app) as server:
        code, out = await before.runs(str(server.make_url("/supervisor/ping")), "30")
    assert (code, asked) == (0, [400, 400, 200])
    assert "answers 200" in out


async def test_core_starts_without_a_supervisor_too(before: Before) -> None:
    """After the limit it ends with 0 all the same."""
    began = time.monotonic()
    code, out = await before.runs(seconds="1")
    assert code == 0
    assert "going on without" in out
    assert time.monotonic() - began < 10
    assert (found(before.live), before.report.read_text()) == (BEFORE, "")


async def test_core_finds_one_commit_or_the_other(before: Before) -> None:
    """A switch that was cut is carried out, and the log says so; a trial is taken back."""
    prepared(before.live, sure=False).finish()
    assert (await before.runs())[0] == 0
    assert found(before.live) == BEFORE
    prepared(before.live)
    (before.live / "a" / "b").mkdir(parents=True)
    (before.live / ".git_pull" / "new" / "0").replace(before.live / "a" / "b" / "c.yaml")
    code, out = await before.runs()
    assert code == 0
    assert "A switch to c1 that was not ended is carried out: " in out
    assert (found(before.live), before.report.read_text()) == (AFTER, "")


async def test_what_cannot_be_ended_is_told(before: Before, tmp_path: Path) -> None:
    """And changes nothing: neither a plan that is damaged, nor an image that lacks the program."""
    prepared(before.live)
    code, _ = await before.runs(programs=tmp_path)
    assert (code, found(before.live)) == (0, BEFORE)
    assert "No module named" in before.report.read_text()
    write(before.live, {".git_pull/plan.json": "{"})
    code, out = await before.runs()
    assert (code, found(before.live)) == (0, BEFORE)
    assert "plan.json is damaged" in before.report.read_text()
    assert before.report.read_text() in out
    assert (before.live / ".git_pull" / "new" / "0").exists()
