"""What a commit only points to: submodules, and files that are kept in LFS. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from git_pull.errors import TreeError

_MODULE = b"160000"
_POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize ([0-9]{1,15})\n"
)
SMALLEST, LARGEST = 120, 1024
"""Bytes of a pointer, as git-lfs has them."""
_MOST = 2**20
"""Bytes of a file of attributes that is read."""
LFS = b"filter=lfs"
"""In a file of attributes: some files are pointers."""


@dataclass(frozen=True, slots=True)
class Record:
    """One of `git ls-tree -r -z`, with `-l` also its size. `kind` is git's, or one of ours that says where the content
    comes from.
    """

    mode: bytes
    kind: bytes
    id: str
    path: bytes
    size: int = 0

    @property
    def is_module(self) -> bool:
        return self.mode == _MODULE

    @property
    def line(self) -> bytes:
        """Without the size."""
        return b"%b %b %b\t%b\0" % (self.mode, self.kind, self.id.encode(), self.path)

    @property
    def may_be_attributes(self) -> bool:
        return self.kind == b"blob" and self.size < _MOST and self.path.rpartition(b"/")[2] == b".gitattributes"

    @property
    def may_be_pointer(self) -> bool:
        return self.kind == b"blob" and SMALLEST <= self.size < LARGEST


@dataclass(frozen=True, slots=True)
class Pointer:
    """To `size` bytes of this SHA-256."""

    oid: str
    size: int


def records(listing: bytes) -> Iterator[Record]:
    for line in listing.split(b"\0")[:-1]:
        about, _, path = line.partition(b"\t")
        mode, kind, identity, *size = about.split()
        yield Record(mode, kind, identity.decode(), path, int(size[0]) if size and size[0].isdigit() else 0)


def pointer(content: bytes) -> Pointer | None:
    found = _POINTER.fullmatch(content)
    return None if found is None else Pointer(found[1].decode(), int(found[2]))


def addresses(settings: bytes, base: str) -> Mapping[bytes, str]:
    """By path, from `git config --blob <commit>:.gitmodules -z --list`: `<key><LF><value>`, each ended by a zero byte.
    `base` is the address of the repository that has them.
    """
    paths: dict[bytes, bytes] = {}
    urls: dict[bytes, str] = {}
    for line in settings.split(b"\0")[:-1]:
        key, _, value = line.partition(b"\n")
        section, _, name = key.rpartition(b".")
        if section.startswith(b"submodule.") and name == b"path":
            paths[section] = value
        elif section.startswith(b"submodule.") and name == b"url":
            urls[section] = resolved(base, value.decode(errors="replace"))
    return {path: urls[section] for section, path in paths.items() if section in urls}


def resolved(base: str, url: str) -> str:
    """An address that may be relative to another one. TreeError for one that leads out of it."""
    if not url.startswith(("./", "../")):
        return url
    left, glue = base.rstrip("/"), "/"
    while url.startswith(("./", "../")):
        step, _, url = url.partition("/")
        if step == "..":
            cut = max(left.rfind("/"), left.rfind(":"))
            glue = left[cut : cut + 1]
            left = left[:cut]
            if cut < 0 or left.endswith(("/", ":")):
                raise TreeError("A submodule's address leads out of the server")
    return f"{left}{glue}{url}"
