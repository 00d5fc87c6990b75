"""The figures can be trusted to move: what makes us slower is seen."""

import json

import pytest

from tests.bench import info
from tests.bench.figure import Figure, NotRun, Pairs, as_json, in_turn, table
from tests.bench.house import ENOUGH, fresh

DELAY = 0.005
"""Seconds, added to each request from outside of the product."""


@pytest.mark.timeout(180)
async def test_a_delay_moves_the_ratios() -> None:
    """Five milliseconds more for each request: an answer to one client takes five milliseconds longer and its ratio to
    the bare handler is several times as high; with many clients at once it is higher, too.
    """
    before = await info.answering(rounds=3, requests=40, addons=3)
    after = await info.answering(rounds=3, requests=40, addons=3, delay=DELAY)
    assert [figure.name for figure in after] == [figure.name for figure in before]
    assert after[0].value > 2 * before[0].value
    assert after[1].value > before[1].value


async def test_both_are_measured_in_turn() -> None:
    """Baseline and ours alternate after a round that does not count, and are compared pair by pair: that the machine
    becomes ten times slower on the way does not change the ratio.
    """
    order, speed = [], [1.0]

    async def one(name: str, seconds: float) -> float:
        order.append(name)
        speed[0] *= 1.5 if name == "baseline" else 1
        return seconds * speed[0]

    pairs = await in_turn(lambda: one("baseline", 1), lambda: one("ours", 2), rounds=4, say="test")
    assert order == ["baseline", "ours"] * 5
    figure = pairs.ratio("twice", aim=1.5, unit="s")
    assert (figure.low, figure.value, figure.high, figure.runs, figure.met) == (2, 2, 2, 4, False)


def test_what_was_not_run_is_said() -> None:
    """The table and the JSON name the figures that are missing, and why."""
    results: list[Figure | NotRun] = [
        Pairs([1.0], [1.2]).ratio("ours by theirs", aim=1.5, unit="s"),
        NotRun(names=("start", "stop"), why="no cluster"),
    ]
    shown = table(results)
    assert "not run: no cluster" in shown
    assert "MISSED" not in shown
    written = json.loads(as_json(results, {"cpus": 2}))
    assert written["figures"][0]["met"] is True
    assert written["not_run"] == [{"names": ["start", "stop"], "why": "no cluster"}]


def test_which_pods_a_clock_waits_for() -> None:
    """A start and a restart end with a pod that was not there before and is ready, a stop with none at all."""
    ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    first, late = {"old": ready}, {"old": ready, "new": {"status": {}}}
    assert [ENOUGH[what](first, {"old"}) for what in ("start", "restart", "stop")] == [False] * 3
    assert not ENOUGH["restart"](late, {"old"})
    assert ENOUGH["restart"]({"new": ready}, {"old"})
    assert ENOUGH["start"]({"new": ready}, ())
    assert ENOUGH["stop"]({}, {"old"})
    assert fresh({"old": ready, "new": ready, "newer": ready, "newest": {}}, {"old"}) == 2
