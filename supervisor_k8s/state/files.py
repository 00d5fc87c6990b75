"""One JSON document in one file: read, checked, brought up to date, written so that a crash leaves the old or the new.

A document is `{"version": n, "data": …}`. A damaged one is moved aside and reported, never replaced by defaults behind
the user's back; one that a newer Supervisor wrote, or that cannot be read at all, stops the start, because going on
would lose it.
"""

import asyncio
import errno
import itertools
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson

from supervisor_k8s.errors import StateFileDamagedError, StateFileError, SupervisorError

_OPTIONS = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS | orjson.OPT_APPEND_NEWLINE
_PRIVATE = 0o600
_REASONS = {
    errno.ENOSPC: "the state volume is full: free space or enlarge its claim",
    errno.EDQUOT: "the quota of the state volume is used up: free space or enlarge it",
    errno.EROFS: "the state volume is read-only: look at the node's and the storage's log",
}

_DAMAGE = (errno.EBADMSG, errno.EUCLEAN, errno.EIO)
"""What Linux says of a filesystem with a wrong checksum, of one that is corrupt, of a disk that does not answer."""

type Migration = Callable[[Any], Any]
"""Turns the data of one version into the data of the next one."""


def is_damage(error: SupervisorError) -> bool:
    """Whether it comes of a broken volume, rather than of one that is full, gone or not ours."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _DAMAGE


class StateFile:
    """The file at `path`. Reads block (they happen at start, in a thread); writes are awaited.

    `migrations[n]` turns data of version n+1 into data of version n+2, so the current version is one more than there
    are migrations.
    """

    def __init__(self, path: Path, *, migrations: Sequence[Migration] = ()) -> None:
        self.path = path
        self._migrations = migrations
        self._writing = threading.Lock()
        self._tickets = itertools.count(1)
        self._newest = 0

    @property
    def version(self) -> int:
        return len(self._migrations) + 1

    def read[T](self, parse: Callable[[Any], T], *, absent: T) -> T:
        """The document's data as `parse` makes it; `absent` when there is no file.

        StateFileDamagedError when it is no such document (`parse` raises KeyError, TypeError or ValueError): it has
        been moved aside then. StateFileError when it cannot be read, or is of a newer version.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return absent
        except OSError as error:
            raise StateFileError(f"{self.path} cannot be read: {error.strerror}") from error
        try:
            document = orjson.loads(content)
            version, data = document["version"], document["data"]
            if not isinstance(version, int) or version < 1:
                raise ValueError(f"its version is {version!r}")  # noqa: TRY301 - one place turns all of them into damage
            if version <= self.version:
                for migrate in self._migrations[version - 1 :]:
                    data = migrate(data)
                return parse(data)
        except (KeyError, TypeError, ValueError) as error:
            raise self._set_aside(error) from error
        raise StateFileError(
            f"{self.path} has version {version} and this Supervisor knows {self.version}: start the newer one again"
        )

    async def write(self, data: Any, *, then: Callable[[], None]) -> None:
        """Put `data` on the disk, then call `then` in the event loop (it changes the memory).

        Both happen or neither, also when the caller is cancelled while the disk is at work. Of two writes under way,
        the one that was asked for last wins. StateFileError when it fails: the old content is intact then.
        """
        ticket = next(self._tickets)
        loop = asyncio.get_running_loop()
        try:
            content = orjson.dumps({"version": self.version, "data": data}, default=_plain, option=_OPTIONS)
        except TypeError as error:
            raise StateFileError(f"{self.path} cannot be written: {error}") from error

        def work() -> None:
            with self._writing:
                if ticket > self._newest:
                    _replace(self.path, content)
                    self._newest = ticket
                    loop.call_soon_threadsafe(then)

        await asyncio.to_thread(work)

    async def remove(self, *, then: Callable[[], None]) -> None:
        """Delete the file, with the same promise as `write`. An absent file is fine."""
        ticket = next(self._tickets)
        loop = asyncio.get_running_loop()

        def work() -> None:
            with self._writing:
                if ticket > self._newest:
                    _remove(self.path)
                    self._newest = ticket
                    loop.call_soon_threadsafe(then)

        await asyncio.to_thread(work)

    def _set_aside(self, reason: Exception) -> StateFileError:
        names = (self.path.with_name(f"{self.path.name}.damaged-{number}") for number in itertools.count(1))
        aside = next(name for name in names if not name.exists())
        try:
            self.path.rename(aside)
            _sync_directory(self.path.parent)
        except OSError as error:
            return StateFileError(f"{self.path} is damaged and cannot be moved aside: {error.strerror}")
        return StateFileDamagedError(path=str(self.path), aside=aside.name, reason=_describe(reason))


def _describe(reason: Exception) -> str:
    return f"{reason.args[0]!r} is missing" if isinstance(reason, KeyError) else str(reason)


def _plain(value: Any) -> Any:
    """What orjson does not know: read-only mappings and the like."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def _replace(path: Path, content: bytes) -> None:
    """Write aside, flush, rename, flush the directory: after a power cut the old or the new content is there, whole."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, _PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, _PRIVATE)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
        _sync_directory(path.parent)
    except OSError as error:
        with suppress(OSError):  # tidying up; the error of the write is the one to tell
            temporary.unlink()
        reason = _REASONS.get(error.errno or 0, error.strerror)
        raise StateFileError(f"{path} was not written: {reason}") from error


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
        _sync_directory(path.parent)
    except OSError as error:
        raise StateFileError(f"{path} was not removed: {_REASONS.get(error.errno or 0, error.strerror)}") from error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
