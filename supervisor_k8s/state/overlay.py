"""A candidate for Core's configuration, laid out with what only the live tree has: the program of a container of ours.

`python3 -m supervisor_k8s.state.overlay` with the whole shared volume at `/data` (read-only) and an empty directory at
`/tree`, which then becomes Core's `/config` in the container after it. The candidate's files are copied: whoever owns
them may be changing them right now, and no link of theirs is followed. What only the live tree has becomes a link into
`/live`, where that container sees it read-only; so nothing large and no secret is copied.

Exit code 0, or REFUSED with one sentence on the output: the candidate is not what can be checked.
"""

import json
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

REFUSED = 3
VOLUME, TREE, LIVE = Path("/data"), Path("/tree"), "/live"
LIVE_FOLDER = "homeassistant"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
WHOLE = frozenset({".storage", ".cloud", "www", "deps", "tts", "image", "media", "backups", "custom_components"})
"""Folders of the live tree in which Core's checker looks for no configuration files: where the candidate has none of
them, one link stands for all of it."""
LEFT_OUT = (".git", "home-assistant_v2.db", "home-assistant.log")
"""What begins like this is no configuration: the database and its companions, logs, a repository."""


class RefusedError(Exception):
    """The sentence for whoever asked."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Of a candidate: bytes of all its files, files and folders; and as many links into the live tree."""

    size: int = 256 * 2**20
    entries: int = 50_000


@dataclass(slots=True)
class Layout:
    """One candidate. `tree` is where it is laid out, `without` what the live tree would lose."""

    volume: Path
    tree: Path
    candidate: str
    without: Sequence[str] = ()
    live: str = LIVE
    bounds: Bounds = field(default_factory=Bounds)
    _bytes: int = field(default=0, init=False)
    _entries: int = field(default=0, init=False)

    def make(self) -> None:
        """RefusedError, OSError."""
        gone = {PurePosixPath(path) for path in self.without}
        with opened(self.volume, self.candidate) as candidate:
            self._copy(candidate, PurePosixPath())
        self._entries = 0
        with opened(self.volume, LIVE_FOLDER) as live:
            self._link(live, PurePosixPath(), gone)

    # --- the candidate ---------------------------------------------------------------------------------------

    def _copy(self, folder: int, at: PurePosixPath) -> None:
        for name, mode in entries(folder):
            if name == ".git":
                continue
            self._count(f"{self.candidate} has more than {self.bounds.entries} files and folders")
            path = at / name
            if stat.S_ISDIR(mode):
                (self.tree / path).mkdir()
                with inner(folder, name) as below:
                    self._copy(below, path)
            elif stat.S_ISLNK(mode):
                target = os.readlink(name, dir_fd=folder)
                check_link(path, target)
                (self.tree / path).symlink_to(target)
            elif stat.S_ISREG(mode):
                self._copy_file(folder, name, path)
            else:
                raise RefusedError(f"{path} is neither a file nor a folder")

    def _copy_file(self, folder: int, name: str, path: PurePosixPath) -> None:
        descriptor = os.open(name, _FILE, dir_fd=folder)
        with os.fdopen(descriptor, "rb") as source, (self.tree / path).open("xb") as copy:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise RefusedError(f"{path} was changed while it was read")
            while chunk := source.read(2**20):
                self._bytes += len(chunk)
                if self._bytes > self.bounds.size:
                    raise RefusedError(f"{self.candidate} has more than {self.bounds.size // 2**20} MiB of files")
                copy.write(chunk)

    # --- the live tree ---------------------------------------------------------------------------------------

    def _link(self, folder: int, at: PurePosixPath, gone: set[PurePosixPath]) -> None:
        for name, mode in entries(folder):
            path = at / name
            place = self.tree / path
            if path in gone or (at == PurePosixPath() and name.startswith(LEFT_OUT)):
                continue
            if stat.S_ISDIR(mode) and place.is_dir() and not place.is_symlink():
                with inner(folder, name) as below:
                    self._link(below, path, gone)
                continue
            if os.path.lexists(place):  # the candidate has it
                continue
            self._count(f"The live configuration has more than {self.bounds.entries} files")
            if stat.S_ISLNK(mode):
                place.symlink_to(os.readlink(name, dir_fd=folder))
            elif stat.S_ISREG(mode) or (
                stat.S_ISDIR(mode) and is_whole(path) and not any(path in p.parents for p in gone)
            ):
                place.symlink_to(f"{self.live}/{path}")
            elif stat.S_ISDIR(mode):
                place.mkdir()
                with inner(folder, name) as below:
                    self._link(below, path, gone)

    def _count(self, complaint: str) -> None:
        self._entries += 1
        if self._entries > self.bounds.entries:
            raise RefusedError(complaint)


def is_whole(path: PurePosixPath) -> bool:
    """Whether one link may stand for this folder of the live tree."""
    return path.parts[0] in WHOLE


def check_link(path: PurePosixPath, target: str) -> None:
    """RefusedError unless the link stays inside of its tree, whatever the parts on the way are."""
    depth = len(path.parts) - 1
    for part in PurePosixPath(target).parts:
        depth += {"..": -1, ".": 0}.get(part, 1)
        if depth < 0 or part == "/":
            raise RefusedError(f"{path} is a link that leads out of the candidate, to {target}")


def entries(folder: int) -> Iterator[tuple[str, int]]:
    """Names with their modes, in order; what vanishes meanwhile is left out."""
    for name in sorted(os.listdir(folder)):
        try:
            yield name, os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
        except FileNotFoundError:
            continue


@contextmanager
def opened(volume: Path, path: str) -> Iterator[int]:
    """A folder of the volume, reached without following any link."""
    descriptor = os.open(volume, _DIRECTORY)
    try:
        for part in PurePosixPath(path).parts:
            if part in {"..", "/"}:
                raise RefusedError(f"{path} is no folder of the shared volume")
            try:
                following = os.open(part, _DIRECTORY, dir_fd=descriptor)
            except (FileNotFoundError, NotADirectoryError):
                raise RefusedError(f"{path} is no folder of the shared volume") from None
            except OSError as error:
                raise RefusedError(f"{path} cannot be used: {error.strerror}") from None
            os.close(descriptor)
            descriptor = following
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def inner(folder: int, name: str) -> Iterator[int]:
    descriptor = os.open(name, _DIRECTORY, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def main() -> int:
    wanted = json.loads(os.environ["OVERLAY"])
    return exit_code(Layout(VOLUME, TREE, wanted["candidate"], wanted["without"]))


def exit_code(layout: Layout) -> int:
    """Make it, and say on the output why that is not possible."""
    try:
        layout.make()
    except RefusedError as error:
        sys.stdout.write(f"{error}\n")
        return REFUSED
    except OSError as error:
        # Its owner changed it under our hands, or the node's disk is full.
        sys.stdout.write(f"The candidate cannot be laid out: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
