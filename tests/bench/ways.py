"""The same thing reached in several ways, measured one way after the other."""

import asyncio
import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.figure import Figure, Pairs, progress
from tests.bench.wire import Wire, latency

SMALL, LARGE = 1024, 100 * 1000 * 1000
"""Bytes of an answer."""
REQUESTS = 300
"""For one run of the small answer."""


@dataclass(frozen=True, slots=True)
class Way:
    """How it is reached."""

    host: str
    port: int
    prefix: str = "/"
    cookie: str = ""

    @property
    def headers(self) -> Mapping[str, str]:
        return {"Cookie": self.cookie} if self.cookie else {}

    def wire(self, size: int) -> Wire:
        """A connection whose requests are for that many bytes of the tests' page."""
        return Wire(self.port, f"{self.prefix}sized?bytes={size}", host=self.host, headers=self.headers)


type Ways = Sequence[Way]
"""Direct, by what ours is held against, through us."""
type Measure = Callable[[Way], Awaitable[float]]
"""Seconds that one run took."""


async def each_in_turn(ways: Ways, measure: Measure, *, rounds: int, say: str) -> list[list[float]]:
    """For each way what it took; a first round does not count."""
    taken: list[list[float]] = [[] for _ in ways]
    for number in range(rounds + 1):
        progress(f"{say}: {f'round {number} of {rounds}' if number else 'warm-up'}")
        for values, way in zip(taken, ways, strict=True):
            seconds = await measure(way)
            if number:
                values.append(seconds)
    return taken


async def answering(way: Way) -> float:
    """The median of small answers, one after the other on one connection."""
    with way.wire(SMALL) as wire:
        return await asyncio.to_thread(latency, wire, REQUESTS, [])


async def sending(way: Way) -> float:
    """One large answer."""
    with way.wire(LARGE) as wire:
        return await asyncio.to_thread(latency, wire, 1, [])


def times(
    name: str, taken: Sequence[Sequence[float]], *, unit: str, scale: float = 1.0, aim: float | None = None
) -> Figure:
    """Ours by the other, and what it took direct; `taken` in the order of Ways."""
    direct, other, ours = taken
    alone = f"{statistics.median(direct) * scale:.3g} {unit}"
    return Pairs(other, ours).ratio(name, aim=aim, unit=unit, scale=scale, direct=alone)
