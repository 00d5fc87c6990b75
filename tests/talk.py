"""Programs of a test that are told lines and answer with lines."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PIPE = asyncio.subprocess.PIPE


@asynccontextmanager
async def talking(*command: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """One that runs; it is killed in the end."""
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()  # not `wait`: the pipes, too, are to be closed before the loop is
