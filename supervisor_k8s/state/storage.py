"""The shared volume, touched as if add-ons were hostile: they can write most of it and may be doing so right now.

Every path is walked component by component with directory descriptors that follow no symbolic link, so neither a link
that lies there nor one that is put there meanwhile leads us (we are root) anywhere else. All paths are relative to the
volume's root. Everything that blocks runs in a thread.
"""

import asyncio
import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from supervisor_k8s.errors import StorageError

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Non-blocking, because an add-on may have put a pipe there."""
READ_LIMIT = 1_048_576
_FOLDER_MODE = 0o755
_PROBE_OWNER = 4711
"""An owner that is not ours; any number but 0 and nobody's would do."""
_PROBE_MODE = 0o751
_REASONS = {
    errno.ELOOP: "a part of it is a symbolic link",
    errno.ENOTDIR: "a part of it is no directory",
    errno.ENOSPC: "the shared volume is full: free space or enlarge its claim",
    errno.EDQUOT: "the quota of the shared volume is used up: free space or enlarge it",
    errno.EROFS: "the shared volume is read-only: look at the node's and the storage's log",
}
SQUASHED = (
    "The shared volume does not keep owners and modes for root ({detail}), and Home Assistant and its add-ons run as "
    "root. For NFS, export it with no_root_squash (and without all_squash); for other storage, turn off its mapping "
    "of users"
)


class _MissingError(StorageError):
    """A part of the path does not exist."""


class SharedVolume:
    """The volume at `root`, where our own pod mounts it whole."""

    def __init__(self, root: Path) -> None:
        self._tell: Callable[[StorageError], None] = lambda _: None
        self._root = root

    def on_failure(self, listener: Callable[[StorageError], None]) -> None:
        """Call with what could not be done, and why; whoever asked for it is told, too."""
        self._tell = listener

    async def probe(self) -> None:
        """Make a directory, give it away, change its mode, read both back, delete it. StorageError says what to
        change when the volume does not do that.
        """
        await asyncio.to_thread(_probe, self._root)

    async def make_directories(self, paths: Sequence[str]) -> None:
        """Make each path a directory with all its parents. StorageError when a part of one is anything else: the
        runtime would follow it when it mounts the path into a pod.
        """
        await self._do(self._make_directories, paths)

    async def write_private(self, path: str, content: bytes, mode: int = 0o600) -> None:
        """Replace the file at `path`, whose directory exists, whole and at once. What was there, a link too, is gone
        afterwards; nothing is written through it.
        """
        await self._do(self._write, path, content, mode)

    async def exchange(self, path: str, before: bytes, after: bytes, *, backup: str) -> None:
        """Put another content in the place of the file at `path`, whole and at once, with its owner and mode; the
        former one is then at `backup`, in the same directory. StorageError, too, when it is no plain file or does not
        hold `before`: somebody else has written meanwhile.
        """
        await self._do(self._exchange, path, before, after, backup)

    async def read(self, path: str) -> bytes | None:
        """The file at `path`, at most READ_LIMIT bytes of it; None when it is absent or no plain file. No link is
        followed.
        """
        return await self._do(self._read, path)

    async def remove_tree(self, path: str) -> None:
        """Delete `path` with all that is in it; a symbolic link is deleted, not followed. Absent is fine."""
        await self._do(self._remove_tree, path)

    async def touch(self, path: str) -> None:
        """Make an empty file; an existing one stays. Core starts in safe mode when it finds
        `homeassistant/safe-mode`.
        """
        await self._do(self._touch, path)

    async def _do[**P, T](self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await asyncio.to_thread(work, *args, **kwargs)
        except StorageError as error:
            self._tell(error)
            raise

    def _make_directories(self, paths: Sequence[str]) -> None:
        for path in paths:
            with self._directory(path, _parts(path), make=True):
                pass

    def _write(self, path: str, content: bytes, mode: int) -> None:
        *parents, name = _parts(path)
        with self._directory(path, parents) as parent:
            _put(name, parent, content, mode)

    def _exchange(self, path: str, before: bytes, after: bytes, backup: str) -> None:
        *parents, name = _parts(path)
        with self._directory(path, parents) as parent:
            descriptor = os.open(name, _OLD_FILE, dir_fd=parent)
            found = os.fstat(descriptor)
            content = _content(descriptor, len(before) + 1)
            if content != before:
                raise StorageError(f"{path} was changed by somebody else meanwhile")
            for target, text in ((_parts(backup)[-1], before), (name, after)):
                _put(target, parent, text, stat.S_IMODE(found.st_mode), owner=(found.st_uid, found.st_gid))

    def _read(self, path: str) -> bytes | None:
        *parents, name = _parts(path)
        try:
            with self._directory(path, parents) as parent:
                return _content(os.open(name, _OLD_FILE, dir_fd=parent), READ_LIMIT)
        except _MissingError:
            return None

    def _touch(self, path: str) -> None:
        *parents, name = _parts(path)
        with self._directory(path, parents) as parent:
            try:
                os.close(os.open(name, _NEW_FILE, 0o644, dir_fd=parent))
            except FileExistsError:
                return

    def _remove_tree(self, path: str) -> None:
        *parents, name = _parts(path)
        try:
            with self._directory(path, parents) as parent:
                if stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode):
                    shutil.rmtree(name, dir_fd=parent)
                else:
                    os.unlink(name, dir_fd=parent)
        except _MissingError:
            return

    @contextmanager
    def _directory(self, path: str, parts: Sequence[str], *, make: bool = False) -> Iterator[int]:
        """A descriptor of the directory that `parts` lead to; an OSError inside becomes a StorageError with `path`."""
        descriptor = -1
        try:
            descriptor = os.open(self._root, _DIRECTORY)
            for part in parts:
                if make:
                    _mkdir(part, descriptor)
                inner = os.open(part, _DIRECTORY, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        except FileNotFoundError as error:
            raise _MissingError(f"{path} does not exist on the shared volume") from error
        except OSError as error:
            reason = _REASONS.get(error.errno or 0, str(error))
            raise StorageError(f"{path} on the shared volume cannot be used: {reason}") from error
        finally:
            if descriptor >= 0:
                os.close(descriptor)


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    if any(part in {"", ".", ".."} or "\0" in part for part in parts):
        raise StorageError(f"{path!r} is no path inside the shared volume")
    return parts


def _mkdir(name: str, parent: int) -> None:
    try:
        os.mkdir(name, _FOLDER_MODE, dir_fd=parent)
    except FileExistsError:
        return


def _content(descriptor: int, limit: int) -> bytes | None:
    """Of a plain file, None of anything else; the descriptor is closed."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)  # `fdopen` refuses a directory and leaves it open
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(limit)


def _put(name: str, parent: int, content: bytes, mode: int, *, owner: tuple[int, int] | None = None) -> None:
    """Write aside, flush, rename."""
    temporary = f".{name[:200]}.{secrets.token_hex(8)}"
    try:
        descriptor = os.open(temporary, _NEW_FILE, mode, dir_fd=parent)
        with os.fdopen(descriptor, "wb") as file:
            if owner is not None:
                os.fchown(descriptor, *owner)
            os.fchmod(descriptor, mode)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.rename(temporary, name, src_dir_fd=parent, dst_dir_fd=parent)
        os.fsync(parent)
    except OSError:
        _unlink(temporary, parent)
        raise


def _unlink(name: str, parent: int) -> None:
    """Tidy up after a failed write, whose own error is the one to tell."""
    with suppress(OSError):
        os.unlink(name, dir_fd=parent)


def _probe(root: Path) -> None:
    probe = root / f".supervisor-probe-{secrets.token_hex(8)}"
    try:
        probe.mkdir(0o700)
    except PermissionError as error:
        raise StorageError(SQUASHED.format(detail=f"making a directory: {error.strerror}")) from error
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, error.strerror)
        raise StorageError(f"The shared volume at {root} cannot be written: {reason}") from error
    try:
        made_by = probe.lstat().st_uid
        if made_by != os.geteuid():
            raise StorageError(SQUASHED.format(detail=f"what user {os.geteuid()} makes belongs to {made_by}"))
        os.chown(probe, _PROBE_OWNER, _PROBE_OWNER)
        probe.chmod(_PROBE_MODE)
        found = probe.lstat()
        if (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) != (_PROBE_OWNER, _PROBE_OWNER, _PROBE_MODE):
            detail = f"a changed owner reads back as {found.st_uid}:{found.st_gid} {stat.S_IMODE(found.st_mode):o}"
            raise StorageError(SQUASHED.format(detail=detail))
    except PermissionError as error:
        raise StorageError(SQUASHED.format(detail=f"changing an owner: {error.strerror}")) from error
    except OSError as error:
        raise StorageError(f"The shared volume at {root} cannot be used: {error.strerror}") from error
    finally:
        probe.rmdir()
