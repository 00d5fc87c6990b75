"""One at a time: the threads of this program, and programs beside it. Waits for the disk, and for them."""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from git_pull.errors import HeldError

WAIT = 60.0
"""Seconds that another program may take for what it does in its turn."""
_PAUSE = 0.02
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
"""What a volume says that knows no locks. Then nothing but a thread of ours is kept away."""


class Turn:
    """Whoever has locked `file` has it, until its process ends. Where the file is not there is nothing to take turns
    for; it may be deleted by who has the turn.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._threads = threading.Lock()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """HeldError when it does not come within WAIT seconds."""
        if not self._threads.acquire(timeout=WAIT):
            raise self._held()
        try:
            descriptor = self._locked(time.monotonic() + WAIT)
            try:
                yield
            finally:
                if descriptor is not None:
                    os.close(descriptor)
        finally:
            self._threads.release()

    def _locked(self, until: float) -> int | None:
        while (descriptor := self._opened()) is not None:
            try:
                self._lock(descriptor, until)
                if self._is_there(descriptor):
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
        return None

    def _opened(self) -> int | None:
        try:
            # For writing, or a volume that is on another machine gives no lock.
            return os.open(self._file, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None

    def _lock(self, descriptor: int, until: float) -> None:
        """The system's own wait has no end, so it is asked again and again."""
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > until:
                    raise self._held() from None
                time.sleep(_PAUSE)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                return
            else:
                return

    def _is_there(self, descriptor: int) -> bool:
        """Whether who had the turn before has left the file."""
        try:
            return os.path.samestat(os.fstat(descriptor), self._file.lstat())
        except FileNotFoundError:
            return False

    def _held(self) -> HeldError:
        return HeldError(f"{self._file} has been locked by another program for {WAIT:.0f} s; nothing was changed")
