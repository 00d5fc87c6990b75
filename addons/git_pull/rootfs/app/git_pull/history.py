"""What became of the last runs: for the log, the page and the figures. Waits for the disk."""

import asyncio
import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

from git_pull import files

HISTORY = "history.json"
"""Its name below `/data`."""
LONGEST = 50
"""Runs that are known."""
SAID = 4000
"""Characters of a checker's output that are kept."""
SHORT = 10
"""Digits of a commit that are shown."""


class Outcome(StrEnum):
    UNCHANGED = "unchanged"
    LIVE = "live"
    WAITS = "waits"
    """The user went back to another commit."""
    INVALID = "invalid"
    """Home Assistant does not take the commit, or did not come up with it before."""
    UNTRUSTED = "untrusted"
    """Nobody whom the user trusts has signed the commit."""
    CLASH = "clash"
    """The disk and the repository both changed."""
    RETURNED = "returned"
    """Home Assistant did not come up with the commit: the one before is live again."""
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """`at` and `until` are seconds since the epoch: the first and the last of so many `times` in a row that nothing
    else happened. `before` was live, `commit` was wanted. `needs` says what Home Assistant did for it; `said` what the
    user has to know, with the checker's output.
    """

    at: float
    until: float
    trigger: str
    before: str | None = None
    commit: str | None = None
    outcome: Outcome
    needs: str = ""
    said: str = ""
    seconds: float = 0.0
    times: int = 1

    @property
    def good(self) -> bool:
        return self.outcome in {Outcome.UNCHANGED, Outcome.LIVE, Outcome.WAITS}

    @property
    def sentence(self) -> str:
        """For the log."""
        same = self.commit in {None, self.before}
        way = _short(self.before) if same else f"{_short(self.before)} -> {_short(self.commit)}"
        found = "; ".join(part for part in (self.needs, self.said) if part)
        return f"{self.outcome}: {way}, by {self.trigger}, {self.seconds:.1f} s" + (f": {found}" if found else "")


def _short(commit: str | None) -> str:
    return commit[:SHORT] if commit else "nothing"


def with_run(runs: tuple[Run, ...], run: Run) -> tuple[Run, ...]:
    """The newest is the last. The same again counts: else a quiet hour would push out what happened."""
    last = runs[-1] if runs else None
    if last is None or run.outcome is Outcome.LIVE or _matters(last) != _matters(run):
        return (*runs, run)[-LONGEST:]
    again = replace(run, at=last.at, times=last.times + 1)
    return (*runs[:-1], again)


def _matters(run: Run) -> tuple[object, ...]:
    return run.before, run.commit, run.outcome, run.needs, run.said


class History:
    """Kept at `path`. A file that is none, or is not there, is no history."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.runs = _load(path)

    async def add(self, run: Run) -> None:
        """The same again is not written: a quiet house leaves its disk alone. OSError: it is known all the same."""
        before, self.runs = self.runs, with_run(self.runs, run)
        if before and self.runs[-1].times > 1:
            return
        content = json.dumps([asdict(one) for one in self.runs]).encode()
        await asyncio.to_thread(files.write, self._path, content)


def _load(path: Path) -> tuple[Run, ...]:
    try:
        given = json.loads(path.read_bytes())
        return tuple(Run(**{**one, "outcome": Outcome(one["outcome"])}) for one in given)[-LONGEST:]
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return ()
