"""A figure, how two things are measured in turn, and how figures are shown."""

import json
import statistics
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

type Measure = Callable[[], Awaitable[float]]
"""One run; how much it took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The median of some runs. All aims are upper limits."""

    name: str
    value: float
    unit: str
    low: float
    high: float
    runs: int
    aim: float | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)
    """What it consists of, or was compared with, in words and numbers."""

    @property
    def met(self) -> bool | None:
        return None if self.aim is None else self.value <= self.aim


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRun:
    """Figures that could not be had here, and why."""

    names: Sequence[str]
    why: str


@dataclass(frozen=True, slots=True)
class Pairs:
    """What two things took, run in turn."""

    baseline: Sequence[float]
    ours: Sequence[float]

    def ratio(self, name: str, *, aim: float | None, unit: str, scale: float = 1.0, **parts: Any) -> Figure:
        """Ours by the baseline, pair by pair: a machine that slows down slows both. `unit` is that of the two after
        multiplication with `scale`.
        """
        ratios = [mine / theirs for theirs, mine in zip(self.baseline, self.ours, strict=True)]
        sides = {
            side: f"{statistics.median(values) * scale:.3g} {unit} (from {min(values) * scale:.3g})"
            for side, values in (("baseline", self.baseline), ("ours", self.ours))
        }
        return spread(name, ratios, unit="x", aim=aim, **sides, **parts)


def spread(name: str, values: Sequence[float], *, unit: str, aim: float | None = None, **parts: Any) -> Figure:
    """The figure of some runs of one thing."""
    return Figure(
        name=name, value=statistics.median(values), unit=unit, low=min(values), high=max(values), runs=len(values),
        aim=aim, parts=parts,
    )  # fmt: skip


async def in_turn(baseline: Measure, ours: Measure, *, rounds: int, say: str) -> Pairs:
    """Baseline, ours, baseline, ours …, after one round that does not count."""
    first: list[float] = []
    second: list[float] = []
    for number in range(rounds + 1):
        progress(f"{say}: {f'round {number} of {rounds}' if number else 'warm-up'}")
        pair = await baseline(), await ours()
        if number:
            first.append(pair[0])
            second.append(pair[1])
    return Pairs(first, second)


def progress(text: str) -> None:
    """Tell a person what goes on; the results alone go to standard output."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    else:
        print(text, file=sys.stderr, flush=True)


def table(results: Iterable[Figure | NotRun]) -> str:
    """For people: one line for each figure, and its parts below it."""
    lines = [f"{'figure':<58}{'median':>11}{'lowest':>10}{'highest':>10}{'runs':>6}{'aim':>8}", ""]
    for result in results:
        if isinstance(result, NotRun):
            lines += [f"{name:<58}    not run: {result.why}" for name in result.names]
            continue
        aim = "" if result.aim is None else f"≤ {result.aim:g}"
        missed = "  MISSED" if result.met is False else ""
        numbers = f"{result.value:>8.2f} {result.unit:<4}{result.low:>8.2f}{result.high:>10.2f}{result.runs:>6}"
        lines.append(f"{result.name:<58}{numbers}{aim:>8}{missed}")
        lines += [f"    {key.replace('_', ' ')}: {value}" for key, value in result.parts.items()]
    return "\n".join(lines)


def as_json(results: Iterable[Figure | NotRun], machine: Mapping[str, Any]) -> str:
    """For programs."""
    known = list(results)
    figures = [{**asdict(one), "met": one.met} for one in known if isinstance(one, Figure)]
    absent = [asdict(one) for one in known if isinstance(one, NotRun)]
    return json.dumps({"machine": machine, "figures": figures, "not_run": absent}, indent=2, ensure_ascii=False)
