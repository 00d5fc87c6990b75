"""What is known from one pass to the next, and from one start to the next. Waits for the disk."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from git_pull import files


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """`live` is the commit of `repository` that is live. `owed` are the changed files for which Home Assistant has not
    been restarted yet. `refused` is what was tried last and not taken, with Core's `sentences`: to be tried again when
    anything of it is another one. `good` is the commit that was live when nothing was owed, the one to return to.
    `version` is the Core that took the live one; `bad` is what Home Assistant did not come up with, and `trouble` how
    that was seen. `held` waits, because the user went back to another commit when the repository had this one.
    """

    repository: str = ""
    live: str | None = None
    owed: tuple[str, ...] = ()
    refused: str | None = None
    sentences: tuple[str, ...] = ()
    good: str | None = None
    version: str = ""
    bad: str | None = None
    trouble: str = ""
    held: str | None = None


def load(path: Path) -> Memory:
    """A file that is none, or is not there, is no memory: then nothing is replaced unasked."""
    try:
        given = json.loads(path.read_bytes())
        lists = {key: tuple(given[key]) for key in ("owed", "sentences")}
        return Memory(**{**given, **lists})
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return Memory()


def save(path: Path, memory: Memory) -> None:
    files.write(path, json.dumps(asdict(memory)).encode())
