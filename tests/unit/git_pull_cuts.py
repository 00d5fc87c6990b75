"""Houses with a switch of the Git pull add-on, and a program that ends such a switch after each of its steps.

`python -m tests.unit.git_pull_cuts <folder>` leaves one house for each moment. It is a program of its own because it
forks, and its processes end as by kill -9.
"""

import hashlib
import itertools
import os
import sys
from pathlib import Path

from git_pull.changes import Changes
from git_pull.disk import read_disk
from git_pull.switch import Switch, Target
from git_pull.tree import Entry

type Files = dict[str, str]
BEFORE: Files = {
    "configuration.yaml": "old",
    "packages/gone.yaml": "gone",
    "deep/er/gone.yaml": "gone",
    "same.yaml": "same",
    "secrets.yaml": "mine",
    ".storage/auth": "{}",
}
NEW: Files = {"configuration.yaml": "new", "packages/new.yaml": "new", "a/b/c.yaml": "new"}
GONE = ("deep/er/gone.yaml", "packages/gone.yaml")
AFTER: Files = {**{path: text for path, text in BEFORE.items() if path not in GONE}, **NEW}


def blob(text: str) -> str:
    content = text.encode()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def write(folder: Path, files: Files) -> None:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


def found(folder: Path) -> Files:
    """What Home Assistant sees; `.git_pull` it does not read."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_text() for name, path in files.items() if not name.startswith(".git_pull/")}


def make_house(folder: Path) -> Path:
    """The configuration; its candidate lies beside it."""
    write(folder / "config", BEFORE)
    write(folder / "candidate", NEW)
    return folder / "config"


def prepared(live: Path, taken: tuple[str, ...] = (), *, sure: bool = True, first: bool = False) -> Switch:
    """All of `taken` that is not new goes."""
    gone = tuple({*GONE, *taken} - {*NEW})
    changes = Changes(write={path: Entry(blob(text)) for path, text in NEW.items()}, remove=gone, taken=taken)
    ids = read_disk(live, changes.paths, like="0" * 40).ids
    switch = Switch(live)
    kept, restore = live.parent / "kept" / "c1", live.parent / "restore" / "c1.sh"
    target = Target(commit="c1", repository="r", kept=kept, restore=restore, first=first, sure=sure)
    switch.prepare(changes, ids, live.parent / "candidate", target)
    return switch


def switched_until(live: Path, step: int) -> bool:
    """Switch in a process of its own that ends before this step; whether it came to the end."""
    child = os.fork()
    if child == 0:
        _end_before(step)
        switch = prepared(live)
        switch.finish()
        switch.close()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _end_before(step: int) -> None:
    steps = itertools.count()

    def watch(event: str, _arguments: tuple[object, ...]) -> None:
        if event in {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"} and next(steps) == step:
            os._exit(9)

    sys.addaudithook(watch)


def main() -> None:
    folder = Path(sys.argv[1])
    for step in itertools.count():
        if switched_until(make_house(folder / str(step)), step):
            break


if __name__ == "__main__":
    main()
