"""The nginx before our API as a process."""

import asyncio
import os
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
