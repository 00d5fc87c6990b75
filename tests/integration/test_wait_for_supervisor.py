"""The init container of Core's pod: it waits for us, and never keeps Core from starting."""

import asyncio
import sys
import time
from pathlib import Path

from aiohttp import web
from aiohttp.test_utils import TestServer

SCRIPT = Path(__file__).parents[2] / "rootfs" / "usr" / "bin" / "wait-for-supervisor"


async def wait_for(url: str, seconds: str) -> tuple[int | None, str]:
    command = (sys.executable, "-I", str(SCRIPT), url, seconds)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), 20)
    return process.returncode, out.decode()


async def test_it_ends_when_the_supervisor_answers() -> None:
    """Not before: a Supervisor that is still starting answers 400."""
    asked: list[int] = []

    async def ping(_: web.Request) -> web.Response:
        asked.append(400 if len(asked) < 2 else 200)
        return web.json_response({"result": "ok"}, status=asked[-1])

    app = web.Application()
    app.router.add_get("/supervisor/ping", ping)
    async with TestServer(app) as server:
        code, out = await wait_for(str(server.make_url("/supervisor/ping")), "30")
    assert (code, asked) == (0, [400, 400, 200])
    assert "answers 200" in out


async def test_core_starts_without_a_supervisor_too() -> None:
    """After the limit it ends with 0 all the same."""
    began = time.monotonic()
    code, out = await wait_for("http://127.0.0.1:9/supervisor/ping", "1")
    assert code == 0
    assert "going on without" in out
    assert time.monotonic() - began < 10
