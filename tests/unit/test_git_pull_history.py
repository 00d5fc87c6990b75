"""The Git pull add-on remembers what became of its runs."""

from dataclasses import replace
from pathlib import Path

import pytest

from git_pull.history import LONGEST, History, Outcome, Run

LIVE = Run(at=1, until=1, trigger="start", before=None, commit="a" * 40, outcome=Outcome.LIVE, seconds=2.04)
SAME = Run(at=2, until=2, trigger="interval", before="a" * 40, commit="a" * 40, outcome=Outcome.UNCHANGED)


async def test_it_outlives_the_program(tmp_path: Path) -> None:
    """With everything that was known."""
    history = History(tmp_path / "history.json")
    for run in (LIVE, SAME):
        await history.add(run)
    assert History(tmp_path / "history.json").runs == (LIVE, SAME)


async def test_the_same_again_is_counted_and_not_written(tmp_path: Path) -> None:
    """From when on, until when, how often; whatever happened in between begins anew."""
    path = tmp_path / "history.json"
    history = History(path)
    await history.add(SAME)
    before = path.stat().st_mtime_ns
    await history.add(replace(SAME, at=9, until=9, trigger="webhook"))
    assert history.runs == (replace(SAME, at=2, until=9, trigger="webhook", times=2),)
    assert path.stat().st_mtime_ns == before
    for run in (LIVE, SAME):
        await history.add(run)
    assert [run.times for run in history.runs] == [2, 1, 1]


async def test_it_ends_somewhere(tmp_path: Path) -> None:
    """The oldest run is forgotten."""
    history = History(tmp_path / "history.json")
    for number in range(LONGEST + 2):
        await history.add(replace(SAME, at=number, said=str(number)))
    assert [run.said for run in history.runs] == [str(number) for number in range(2, LONGEST + 2)]


@pytest.mark.parametrize(
    "content", ["", "{", "null", "5", "[5]", '[{"at": 1}]', '[{"at": 1, "outcome": "odd"}]', "[[]]"]
)
async def test_a_damaged_file_is_none(tmp_path: Path, content: str) -> None:
    """And is replaced by the next run."""
    path = tmp_path / "history.json"
    path.write_text(content)
    history = History(path)
    assert history.runs == ()
    await history.add(LIVE)
    assert History(path).runs == (LIVE,)


@pytest.mark.parametrize(
    ("run", "line"),
    [
        (LIVE, "live: nothing -> aaaaaaaaaa, by start, 2.0 s"),
        (SAME, "unchanged: aaaaaaaaaa, by interval, 0.0 s"),
        (replace(SAME, commit=None, outcome=Outcome.FAILED, said="git fetch failed"),
         "failed: aaaaaaaaaa, by interval, 0.0 s: git fetch failed"),
        (replace(LIVE, needs="Home Assistant has read automations.yaml"),
         "live: nothing -> aaaaaaaaaa, by start, 2.0 s: Home Assistant has read automations.yaml"),
    ],
)  # fmt: skip
def test_a_line_of_the_log(run: Run, line: str) -> None:
    """What it was, from where to where, why, how long, and what the user has to know."""
    assert run.sentence == line
