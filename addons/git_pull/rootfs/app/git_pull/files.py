"""Writing files so that a power cut leaves the old or the new one, and git's id of a file. Waits for the disk."""

import hashlib
import os
from pathlib import Path

_CHUNK = 2**20
_SHA1 = 40


def blob_id(path: Path | str, *, like: str) -> str:
    """The id that git gives to this content; `like` is any id of the repository, whose length says which hash it is."""
    digest = hashlib.sha1(usedforsecurity=False) if len(like) == _SHA1 else hashlib.sha256()
    descriptor = os.open(path, os.O_RDONLY)  # of ten thousand files: to open one as a Path takes three times as long
    try:
        size = os.fstat(descriptor).st_size
        digest.update(b"blob %d\0" % size)
        while chunk := os.read(descriptor, min(size + 1, _CHUNK)):
            digest.update(chunk)
    finally:
        os.close(descriptor)
    return digest.hexdigest()


def copy(source: Path, target: Path, *, mode: int, keep_time: bool = False) -> None:
    """Made new, and on the disk when this returns. `mode` are the permission bits; `keep_time`: it is as old as the
    source, so that it can take its place again and nobody sees a change.
    """
    with source.open("rb") as given, target.open("xb") as made:
        about = os.fstat(given.fileno())
        while chunk := given.read(_CHUNK):
            made.write(chunk)
        made.flush()
        os.fchmod(made.fileno(), mode)
        if keep_time:
            os.utime(made.fileno(), ns=(about.st_atime_ns, about.st_mtime_ns))
        os.fsync(made.fileno())


def write(path: Path, content: bytes) -> None:
    """Replace it in one step."""
    beside = path.with_name(f"{path.name}.new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Names that were made, moved or taken away in it are on the disk when this returns."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
