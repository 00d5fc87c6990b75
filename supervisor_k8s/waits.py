"""Waiting for somebody's word, but not for ever."""

import asyncio


async def hears(event: asyncio.Event, *, within: float | None) -> bool:
    """Whether the event is set before so many seconds are over; None waits until it is."""
    try:
        async with asyncio.timeout(within):
            await event.wait()
    except TimeoutError:
        return False
    return True
