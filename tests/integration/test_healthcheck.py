"""The image's HEALTHCHECK: healthy is a Supervisor that answers its ping with 200."""

import asyncio
import sys
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

PROGRAM = Path(__file__).parents[2] / "rootfs" / "usr" / "bin" / "healthcheck"


async def check(port: int) -> tuple[int | None, str]:
    """Exit code and all it says, as the container with this SUPERVISOR_PORT would see it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        PROGRAM,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "SUPERVISOR_PORT": str(port)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (400, 1)])
async def test_it_goes_by_the_ping(status: int, code: int) -> None:
    """A Supervisor that waits for its Lease answers 400: not healthy yet."""

    async def ping(_: web.Request) -> web.Response:
        return web.json_response({"result": "ok" if status == 200 else "error"}, status=status)

    app = web.Application()
    app.router.add_get("/supervisor/ping", ping)
    async with TestServer(app) as server:
        assert server.port
        assert (await check(server.port))[0] == code


async def test_nobody_answers() -> None:
    """One sentence says why, without a traceback."""
    code, out = await check(9)
    assert code == 1
    assert out.startswith("not healthy: ")
    assert "Traceback" not in out
