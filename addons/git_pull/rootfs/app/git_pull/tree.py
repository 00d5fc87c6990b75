"""The files of a commit: which of them may become configuration. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from git_pull.errors import TreeError

OWN_FOLDER = ".git_pull"
"""Our folder in the configuration, for the time of a switch."""
PRIVATE = (".storage", ".cloud", "home-assistant_v2.db")
"""What begins like this is Home Assistant's own and in use while it runs: it is never taken from a repository."""
_EXECUTABLE, _LINK, _SUBMODULE = "100755", "120000", "160000"
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a commit: git's id of its content."""

    id: str
    executable: bool = False


type Tree = Mapping[str, Entry]
"""By path below the configuration, with slashes."""


@dataclass(frozen=True, slots=True)
class Commit:
    """`files` is what becomes configuration, `skipped` what is left out of it because it is PRIVATE."""

    files: Tree
    skipped: tuple[str, ...] = ()


def read_tree(listing: bytes) -> Commit:
    """From `git ls-tree -r -z`: `<mode> <type> <id><TAB><path>`, each ended by a zero byte. TreeError."""
    files: dict[str, Entry] = {}
    skipped = []
    for record in listing.split(b"\0")[:-1]:
        about, _, raw = record.partition(b"\t")
        mode, _, identity = about.decode().split(" ")
        path = _checked(raw)
        if path.lower().startswith(PRIVATE):
            skipped.append(path)
            continue
        if mode == _LINK:
            raise TreeError(f"{path} is a symbolic link; only files can become configuration")
        if mode == _SUBMODULE:
            raise TreeError(f"{path} is a submodule; submodules are not supported")
        files[path] = Entry(identity, executable=mode == _EXECUTABLE)
    _refuse_twins(files)
    return Commit(files, tuple(skipped))


def named(paths: tuple[str, ...]) -> str:
    """A few of them, for a sentence."""
    more = len(paths) - _NAMED
    return ", ".join(paths[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def parents(path: str) -> Iterator[str]:
    """The folders above it, the nearest first."""
    for parent in PurePosixPath(path).parents:
        if parent.name:
            yield str(parent)


def _checked(raw: bytes) -> str:
    try:
        path = raw.decode()
    except UnicodeDecodeError:
        raise TreeError(f"The name {raw!r} is not UTF-8") from None
    parts = path.split("/")
    if not path.isprintable() or any(part in {"", ".", ".."} or part.lower() == ".git" for part in parts):
        raise TreeError(f"{path!r} is no name that a file of the configuration can have")
    if parts[0].lower() == OWN_FOLDER:
        raise TreeError(f"{path} lies in a folder that this add-on needs for itself")
    return path


def _refuse_twins(files: Tree) -> None:
    """Names that differ in case only are one file on some volumes."""
    seen: dict[str, str] = {}
    for path in files:
        for name in (path, *parents(path)):
            twin = seen.setdefault(name.casefold(), name)
            if twin != name:
                raise TreeError(f"{twin} and {name} differ in upper and lower case only")
