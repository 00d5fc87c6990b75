"""The files of a commit: which of them may become configuration. Pure."""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from git_pull.errors import TreeError

OWN_FOLDER = ".git_pull"
"""Our folder in the configuration, for the time of a switch."""
PRIVATE = (".storage", ".cloud", "home-assistant_v2.db")
"""What begins like this is Home Assistant's own and in use while it runs: it is never taken from a repository."""
_EXECUTABLE, _LINK, _SUBMODULE = "100755", "120000", "160000"
_BLOB = "blob"
_NAMED = 5


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a commit: git's id of its content. `foreign`: that is not in the commit itself, but in a submodule or
    in LFS.
    """

    id: str
    executable: bool = False
    foreign: bool = False


type Tree = Mapping[str, Entry]
"""By path below the configuration, with slashes."""


@dataclass(frozen=True, slots=True)
class Commit:
    """`files` is what becomes configuration, `skipped` what is left out of it because it is PRIVATE, `modules` are the
    folders of submodules that nobody wants.
    """

    files: Tree
    skipped: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()


def read_tree(listing: bytes) -> Commit:
    """From `git ls-tree -r -z`: `<mode> <type> <id><TAB><path>`, each ended by a zero byte; the type is `blob` for what
    the commit itself has. TreeError.
    """
    files: dict[str, Entry] = {}
    skipped, modules = [], []
    for record in listing.split(b"\0")[:-1]:
        about, _, raw = record.partition(b"\t")
        mode, kind, identity = about.decode().split(" ")
        path = _checked(raw)
        if path.lower().startswith(PRIVATE):
            skipped.append(path)
            continue
        if mode == _LINK:
            raise TreeError(f"{path} is a symbolic link; only files can become configuration")
        if mode == _SUBMODULE:
            modules.append(path)
            continue
        if path in files:
            raise TreeError(f"{path} is there twice")
        files[path] = Entry(identity, executable=mode == _EXECUTABLE, foreign=kind != _BLOB)
    _refuse_twins(files)
    return Commit(files, tuple(skipped), tuple(modules))


def named(paths: tuple[str, ...]) -> str:
    """A few of them, for a sentence."""
    more = len(paths) - _NAMED
    return ", ".join(paths[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def parents(path: str) -> Iterator[str]:
    """The folders above it, the nearest first."""
    while path := path.rpartition("/")[0]:
        yield path


def check_path(path: str) -> None:
    """TreeError unless a file of the configuration can have it, below the configuration."""
    parts = path.split("/")
    if not path.isprintable() or "\\" in path or any(part in {"", ".", ".."} or _is_gits(part) for part in parts):
        raise TreeError(f"{path!r} is no name that a file of the configuration can have")
    if parts[0].lower() == OWN_FOLDER:
        raise TreeError(f"{path} lies in a folder that this add-on needs for itself")


def _checked(raw: bytes) -> str:
    try:
        path = raw.decode()
    except UnicodeDecodeError:
        raise TreeError(f"The name {raw!r} is not UTF-8") from None
    check_path(path)
    return path


def _is_gits(part: str) -> bool:
    """Also as it is written for volumes of Windows, which may lie on a server: blanks and dots at its end are nothing
    there, what follows a colon is a part of the file, and `git~1` is its short name.
    """
    return part.lower().partition(":")[0].rstrip(". ") in {".git", "git~1"}


def _refuse_twins(files: Tree) -> None:
    """Names that differ in case only, or in how their letters are composed, are one file on some volumes."""
    seen: dict[str, str] = {}
    folders = {above for path in files for above in parents(path)}
    for name in (*files, *sorted(folders)):
        twin = seen.setdefault(essence(name), name)
        if twin != name:
            raise TreeError(f"{twin} and {name} differ in upper and lower case, or in the code of a letter, only")
        if name in files and name in folders:
            raise TreeError(f"{name} is a file and a folder")


def essence(name: str) -> str:
    """The same for names that are one file on some volumes."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())
