"""Reading files of strangers: nothing outside their folder, nothing but plain files, never more than so much.

We are root, and the `local` folder can be changed by add-ons while we read: every step of a path is opened by
descriptor without following links. A symbolic link is resolved by us, and only while it stays inside the folder.
"""

import errno
import io
import os
import stat
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from supervisor_k8s.errors import RefusedError

_STEP = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MOST_LINKS = 8
_NOT_PACKED = ".git"
"""It may hold the login of a repository, and nobody builds with it."""


class Folder:
    """The folder at `root`, which itself is ours to name."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: PurePosixPath, *, limit: int) -> bytes | None:
        """At most `limit` bytes of the file at the relative `path`; None when there is no such plain file inside.

        A result of `limit` bytes may be cut off; ask for one more than is acceptable to tell.
        """
        parts: Sequence[str] | None = path.parts
        for _ in range(_MOST_LINKS):
            if not parts:
                return None
            try:
                content, parts = self._try(parts, limit)
            except OSError:
                return None
            if content is not None:
                return content
        return None

    def pack(self, path: PurePosixPath, *, limit: int) -> bytes:
        """The folder at the relative `path` as a tar archive: plain files, folders, and links as what they say, which
        lead nowhere here. RefusedError when it is none, or more than `limit` bytes.
        """
        packed = io.BytesIO()
        try:
            with self._directory(path) as descriptor, tarfile.open(fileobj=packed, mode="w") as tar:
                for folder, folders, names, at in os.fwalk(".", dir_fd=descriptor):
                    folders[:] = sorted(name for name in folders if name != _NOT_PACKED)
                    for name in sorted((*folders, *names)):
                        _pack(tar, str(PurePosixPath(folder, name)), name, at, limit - packed.tell())
        except OSError as error:
            raise RefusedError(f"The app's folder cannot be read: {error.strerror}") from error
        return packed.getvalue()

    @contextmanager
    def _directory(self, path: PurePosixPath) -> Iterator[int]:
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in path.parts:
                inner = os.open(part, _STEP | os.O_DIRECTORY, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)

    def _try(self, parts: Sequence[str], limit: int) -> tuple[bytes | None, Sequence[str] | None]:
        """The content, or else the path to try instead when one of the parts is a link."""
        descriptor = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for index, part in enumerate(parts):
                try:
                    inner = os.open(part, _STEP, dir_fd=descriptor)
                except OSError as error:
                    if error.errno != errno.ELOOP:
                        raise
                    return None, _redirect(descriptor, parts, index)
                os.close(descriptor)
                descriptor = inner
            return _content(descriptor, limit), None
        finally:
            os.close(descriptor)


def _redirect(directory: int, parts: Sequence[str], index: int) -> Sequence[str] | None:
    """The path with the link at `index` replaced by its target; None when that leads outside."""
    target = PurePosixPath(os.readlink(parts[index], dir_fd=directory))
    if target.is_absolute():
        return None
    resolved = list(parts[:index])
    for part in (*target.parts, *parts[index + 1 :]):
        if part != "..":
            resolved.append(part)
        elif not resolved:
            return None
        else:
            resolved.pop()
    return resolved


def _content(descriptor: int, limit: int) -> bytes | None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        return None
    kept = bytearray()
    while len(kept) < limit and (chunk := os.read(descriptor, limit - len(kept))):
        kept += chunk
    return bytes(kept)


def _pack(tar: tarfile.TarFile, path: str, name: str, directory: int, limit: int) -> None:
    """One entry, without its owner; of anything else (devices, pipes) none."""
    found = os.lstat(name, dir_fd=directory)
    entry = tarfile.TarInfo(path)
    entry.mode, entry.mtime = stat.S_IMODE(found.st_mode) & 0o777, int(found.st_mtime)
    content = b""
    if stat.S_ISDIR(found.st_mode):
        entry.type = tarfile.DIRTYPE
    elif stat.S_ISLNK(found.st_mode):
        entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink(name, dir_fd=directory)
    elif stat.S_ISREG(found.st_mode):
        inner = os.open(name, _STEP, dir_fd=directory)
        try:
            content = _content(inner, limit + 1) or b""
        finally:
            os.close(inner)
        entry.size = len(content)
    else:
        return
    if entry.size + tarfile.BLOCKSIZE > limit:
        raise RefusedError("The app's folder is too large to be built")
    tar.addfile(entry, io.BytesIO(content))
