"""The same thing reached in several ways, measured one way after the other."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from tests.bench.figure import progress
from tests.bench.wire import Wire


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


type Measure = Callable[[Way], Awaitable[float]]
"""Seconds that one run took."""


async def each_in_turn(ways: Sequence[Way], measure: Measure, *, rounds: int, say: str) -> list[list[float]]:
    """For each way what it took; a first round does not count."""
    taken: list[list[float]] = [[] for _ in ways]
    for number in range(rounds + 1):
        progress(f"{say}: {f'round {number} of {rounds}' if number else 'warm-up'}")
        for values, way in zip(taken, ways, strict=True):
            seconds = await measure(way)
            if number:
                values.append(seconds)
    return taken
