"""Logs of launches that are over: the last five of each workload, packed, on our private volume.

A file's name is the time of its end in hexadecimal digits, so names sort as launches do. Logs are a convenience: one
that cannot be written or read is left out, and nothing else suffers.
"""

import asyncio
import gzip
import logging
import shutil
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

from supervisor_k8s.errors import SupervisorError

_LOGGER = logging.getLogger(__name__)
KEPT = 5
"""Launches of each workload."""
_MODE = 0o700


class LogFiles:
    """A folder for each workload below `directory`."""

    def __init__(self, directory: Path, *, may_write: Callable[[], None] = lambda: None) -> None:
        """`may_write` is asked before each write, and raises when the files are not ours to change."""
        self._directory = directory
        self._may_write = may_write

    async def save(self, key: str, content: bytes) -> None:
        """Keep the log of a launch that is over, and only the newest ones."""
        try:
            self._may_write()
            await asyncio.to_thread(self._save, self._folder(key), content)
        except (OSError, SupervisorError) as error:
            _LOGGER.warning("The last log of %s could not be kept: %s", key, error)

    async def names(self, key: str) -> Sequence[str]:
        """Of the kept logs, the newest first."""
        return await asyncio.to_thread(self._names, self._folder(key))

    async def read(self, key: str, name: str) -> bytes:
        """Empty when it is gone by now, or damaged."""
        return await asyncio.to_thread(_read, self._folder(key) / name)

    async def remove(self, key: str) -> None:
        """Forget all of a workload's; unknown ones are fine."""
        await asyncio.to_thread(shutil.rmtree, self._folder(key), ignore_errors=True)

    def _folder(self, key: str) -> Path:
        return self._directory / key.replace("/", "_")

    def _save(self, folder: Path, content: bytes) -> None:
        folder.mkdir(_MODE, parents=True, exist_ok=True)
        draft = folder / "draft"
        draft.write_bytes(gzip.compress(content, compresslevel=5))
        draft.rename(folder / f"{time.time_ns():016x}.gz")
        for name in self._names(folder)[KEPT:]:
            (folder / name).unlink(missing_ok=True)

    @staticmethod
    def _names(folder: Path) -> list[str]:
        return sorted((path.name for path in folder.glob("*.gz")), reverse=True)


def _read(path: Path) -> bytes:
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        _LOGGER.warning("A kept log cannot be read: %s", error)
        return b""
