"""Waiting longer and longer between tries, without end, and never in step with others."""

import asyncio
import random

FIRST = 0.2
"""Seconds before the second try."""
LONGEST = 30.0
"""Seconds between tries once many have failed: an outage is over soon after its end."""


class Backoff:
    """Delays that double from `first` to `longest` seconds; each is shortened by up to half at random."""

    def __init__(self, *, first: float = FIRST, longest: float = LONGEST) -> None:
        self._first = first
        self._longest = longest
        self._next = first

    def reset(self) -> None:
        """It worked."""
        self._next = self._first

    async def wait(self) -> None:
        """It did not work: pause before the next try."""
        delay = self._next
        self._next = min(self._longest, 2 * delay)
        await asyncio.sleep(delay * random.uniform(0.5, 1))  # noqa: S311 - spreads load, keeps no secret
