"""Logs of runs that are over: the last five of each workload, packed, on our private volume.

A file's name is the time of its end in hexadecimal digits, so names sort as runs do, and the run's id. Logs are a
convenience: one that cannot be written or read is left out, and nothing else suffers.
"""

import asyncio
import gzip
import logging
import shutil
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from supervisor_k8s.errors import SupervisorError

_LOGGER = logging.getLogger(__name__)
KEPT = 5
"""Runs of each workload."""
_MODE = 0o700


class LogFiles:
    """A folder for each workload below `directory`."""

    def __init__(self, directory: Path, *, may_write: Callable[[], None] = lambda: None) -> None:
        """`may_write` is asked before each write, and raises when the files are not ours to change."""
        self._directory = directory
        self._may_write = may_write
        self._saving = threading.Lock()

    async def save(self, key: str, run: str, content: bytes) -> None:
        """Keep the log of a run that is over, by its id, and only the newest ones."""
        try:
            self._may_write()
            await asyncio.to_thread(self._save, self._folder(key), run, content)
        except (OSError, SupervisorError) as error:
            _LOGGER.warning("The last log of %s could not be kept: %s", key, error)

    async def kept(self, key: str) -> Mapping[str, int]:
        """Ids of the kept runs, the newest first, each with the time of its end in nanoseconds since the epoch."""
        found = await asyncio.to_thread(_newest, self._folder(key))
        return {_id(path): int(path.stem.partition("-")[0], 16) for path in found}

    async def read(self, key: str, run: str) -> bytes:
        """Empty when it is gone by now, or damaged."""
        return await asyncio.to_thread(_read, self._folder(key), run)

    async def remove(self, key: str) -> None:
        """Forget all of a workload's; unknown ones are fine."""
        await asyncio.to_thread(shutil.rmtree, self._folder(key), ignore_errors=True)

    def _folder(self, key: str) -> Path:
        return self._directory / key.replace("/", "_")

    def _save(self, folder: Path, run: str, content: bytes) -> None:
        """Two pods of one workload may end together: one is written after the other."""
        packed = gzip.compress(content, compresslevel=5)
        with self._saving:
            folder.mkdir(_MODE, parents=True, exist_ok=True)
            draft = folder / "draft"
            draft.write_bytes(packed)
            draft.rename(folder / f"{time.time_ns():016x}-{run}.gz")
            for path in _newest(folder)[KEPT:]:
                path.unlink(missing_ok=True)


def _newest(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.gz"), reverse=True)


def _id(path: Path) -> str:
    return path.stem.rpartition("-")[2]


def _read(folder: Path, run: str) -> bytes:
    path = next((path for path in _newest(folder) if _id(path) == run), None)
    try:
        return b"" if path is None else gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        _LOGGER.warning("A kept log cannot be read: %s", error)
        return b""
