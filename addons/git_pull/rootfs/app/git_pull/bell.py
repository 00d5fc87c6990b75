"""Who wants a run: each of them gets a full comparison, and what comes together gets one together."""

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wish:
    """`by` is for people. `to` is a commit to go to instead of the repository's."""

    by: str
    to: str | None = None


class Bell:
    def __init__(self) -> None:
        self._by: dict[str, None] = {}
        self._to: str | None = None
        self._rung = asyncio.Event()

    def ring(self, wish: Wish) -> None:
        """While a run is under way it is for the next one: what that run has fetched may be too old. The last one who
        wants a certain commit gets it.
        """
        self._by[wish.by] = None
        self._to = wish.to or self._to
        self._rung.set()

    async def wish(self, interval: float | None) -> Wish:
        """All that was wanted since the last time. Nobody for so many seconds is a wish, too."""
        try:
            async with asyncio.timeout(interval):
                await self._rung.wait()
        except TimeoutError:
            return Wish("interval")
        wish = Wish(" and ".join(self._by), self._to)
        self._by, self._to = {}, None
        self._rung.clear()
        return wish
