"""Whether others reach us: our pod may serve for a second before its Service leads to it."""

import asyncio
import logging

import aiohttp

_LOGGER = logging.getLogger(__name__)
WAIT = 10.0
"""Seconds. Some networks lead no pod back to itself: it is not waited for longer."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0
"""Seconds between two tries."""
ANSWER = 2.0
"""Seconds for one try: a connection begun too early is answered by nobody."""


async def until_reached(url: str) -> None:
    """Return when somebody answers there, whatever it is, or after WAIT."""
    pause = FIRST_PAUSE
    try:
        async with asyncio.timeout(WAIT), aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ANSWER)) as session:
            while True:
                try:
                    async with session.get(url):
                        return
                except (aiohttp.ClientError, TimeoutError):
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE)
    except TimeoutError:
        _LOGGER.info("Nothing answers at %s, which leads to us; Home Assistant is told of us all the same", url)
