"""Waiting for what nobody tells us."""

import asyncio
from collections.abc import Awaitable, Callable

PAUSE = 1.0
"""Seconds between two looks."""


async def until(look: Callable[[], Awaitable[bool]], *, within: float) -> None:
    """Looks until it is so. TimeoutError after as many seconds."""
    async with asyncio.timeout(within):
        while not await look():  # noqa: ASYNC110 - what is waited for happens elsewhere
            await asyncio.sleep(PAUSE)
