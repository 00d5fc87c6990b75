"""The nginx before our API as a process."""

import asyncio
import contextlib
import os
import shutil
import signal

import pytest

from supervisor_k8s.api.front import Front
from supervisor_k8s.errors import FrontError
from tests.cluster.packages import nginx_program
from tests.cluster.steps import Context
from tests.contract.house import listens
from tests.free_ports import free_port


async def test_it_is_killed(context: Context) -> None:
    """We hear of it at once, and none of its workers listens any more when we have ended."""
    port = free_port()
    async with Front(str(nginx_program(context.paths)), port) as front:
        assert listens(port)
        running = asyncio.create_task(front.run())
        os.kill(front._process.pid, signal.SIGKILL)
        with pytest.raises(FrontError):
            async with asyncio.timeout(10):
                await running
    async with asyncio.timeout(5):
        while listens(port):
            await asyncio.sleep(0.01)


async def test_what_a_killed_one_left_goes(context: Context) -> None:
    """Nobody takes it away when we are killed, and there are keys in it: the next start at the same port does."""
    port = free_port()
    with contextlib.ExitStack() as stack:
        front = Front(str(nginx_program(context.paths)), port)
        async with front:
            left = front.own.with_name(f"front-{port}-left")
            stack.callback(shutil.rmtree, left, ignore_errors=True)
            left.mkdir()
            (left / "door-1.pem").write_text("a key")
        assert left.exists()
        assert not front.own.exists()
        async with Front(str(nginx_program(context.paths)), port):
            assert not left.exists()
