"""The process of the front (`model/front.py`): nginx as our child, from before we answer until after we have."""

import asyncio
import ctypes
import logging
import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Self

from supervisor_k8s.errors import FrontError
from supervisor_k8s.model.front import Door, certificates, nginx_text

START_WAIT, TURN_WAIT, END_WAIT = 10.0, 10.0, 5.0
"""Seconds until it listens, until it works by a new configuration, until it has ended."""
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
_CONFIGURATION = "nginx.conf"
_SET_PARENT_DEATH_SIGNAL = 1
_LIBC = ctypes.CDLL(None)
"""Found here: between fork and exec there is no time for it."""
_LINE = re.compile(r"^\S+ \S+ \[(?P<level>\w+)\] \d+#\d+: (?:\*\d+ )?(?P<text>.*)$")
_UPSTREAM = re.compile(r'upstream: "(\w+://[^/"]+)')
_BAD = frozenset({"emerg", "alert", "crit", "error"})
_HARMLESS = "initgroups("
"""Root stays root here, and may not choose its groups; nginx goes on without."""
_LOGGER = logging.getLogger(__name__)


class Front:
    """One nginx. `async with` it, and `run` beside it: it ends with an error when nginx ends by itself."""

    def __init__(self, nginx: str, port: int) -> None:
        """`nginx` is the program; it listens at `port`."""
        self._nginx = nginx
        self._port = port
        self._prefix = f"front-{port}-"
        self._stack = AsyncExitStack()
        self._doors: frozenset[str] = frozenset()
        """Names of those that it leads to."""
        self._loading = asyncio.Lock()
        self._listens, self._turned = asyncio.Event(), asyncio.Event()
        self._refused = ""
        self._process: asyncio.subprocess.Process
        self.own: Path
        """Folder of the sockets, in memory: keys are in it, too."""
        self._disk: Path

    async def __aenter__(self) -> Self:
        """Listening. FrontError when it does not."""
        self._clear()
        self.own = self._folder(_memory())
        self._disk = self._folder(_disk())
        self._write(())
        self._process = await asyncio.create_subprocess_exec(
            self._nginx,
            *("-e", "stderr", "-p", str(self.own), "-c", str(self.own / _CONFIGURATION)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            # However we end, nobody else listens at our port after us.
            preexec_fn=_end_with_parent,
            start_new_session=True,
        )
        self._reader = asyncio.create_task(self._read())
        self._stack.push_async_callback(self._end)
        try:
            async with asyncio.timeout(START_WAIT):
                await self._listens.wait()
        except TimeoutError:
            self._refused = self._refused or f"it does not listen after {START_WAIT:.0f} seconds"
            self._reader.cancel()
        if self._reader.done() or self._reader.cancelling():
            await self._stack.aclose()
            raise FrontError(why=self._refused or "it ended at once")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def run(self) -> None:
        """Until it ends, which it should not. FrontError."""
        # Workers outlive a master that was killed, and while they have its stderr asyncio does not say that it ended.
        ended, process = asyncio.Event(), os.pidfd_open(self._process.pid)
        loop = asyncio.get_running_loop()
        loop.add_reader(process, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(process)
            os.close(process)
        raise FrontError(why=self._refused or "it ended by itself")

    def leads_to(self, door: str) -> bool:
        """Whether requests for pages find this door."""
        return door in self._doors

    async def load(self, doors: Iterable[Door]) -> None:
        """Lead to these doors and no others, from now on. FrontError when it cannot."""
        async with self._loading:
            wanted = tuple(doors)
            names = frozenset(door.name for door in wanted)
            if names <= self._doors:
                return
            self._write(wanted)
            self._refused = ""
            self._turned.clear()
            self._signal(signal.SIGHUP)
            try:
                async with asyncio.timeout(TURN_WAIT):
                    await self._turned.wait()
            except TimeoutError:
                raise FrontError(why="it does not take a new configuration") from None
            if self._refused:
                raise FrontError(why=self._refused)
            self._doors = names
            for file in self.own.glob("*.pem"):
                if file.name.partition(".")[0] not in names:
                    file.unlink()

    def take_no_more(self) -> None:
        """Finish what is open, take nothing new: we are about to end."""
        self._signal(signal.SIGQUIT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process.returncode is None:
            self._process.send_signal(number)

    def _clear(self) -> None:
        """What a front at this port has left when we were killed goes: it held keys."""
        for parent in (_memory(), _disk()):
            for left in parent.glob(f"{self._prefix}*"):
                shutil.rmtree(left, ignore_errors=True)

    def _folder(self, parent: Path) -> Path:
        folder = Path(tempfile.mkdtemp(prefix=self._prefix, dir=parent))
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _write(self, doors: tuple[Door, ...]) -> None:
        for door in doors:
            for name, text in certificates(door).items():
                (self.own / name).touch(mode=0o600)
                (self.own / name).write_text(text)
        listen = [str(self._port), *([f"[::]:{self._port}"] if Path("/proc/net/if_inet6").exists() else ())]
        text = nginx_text(doors, listen=listen, own=str(self.own), disk=str(self._disk))
        (self.own / _CONFIGURATION).write_text(text)

    async def _read(self) -> None:
        """What it says. There is no other way to know how far it is with a new configuration: while workers of the one
        before still take connections, a request may meet one that does not know a door.
        """
        assert self._process.stderr is not None  # noqa: S101 - it is a pipe
        async for raw in self._process.stderr:
            line = raw.decode(errors="replace").strip()
            found = _LINE.match(line)
            level, text = (found["level"], found["text"]) if found else ("notice", line)
            if text.startswith("start worker process "):
                self._listens.set()
            elif text == "gracefully shutting down":
                self._turned.set()
            elif text.startswith(_HARMLESS):
                continue
            elif level == "emerg":
                self._refused = text
                self._turned.set()
            if level in _BAD:
                _LOGGER.warning("The front says: %s", without_request(text))
        self._listens.set()
        self._turned.set()

    async def _end(self) -> None:
        """Everything that is still open is cut. Workers may be left when the master was killed."""
        self._signal(signal.SIGTERM)
        if self._process.returncode is not None or not await self._ends():
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            if not await self._ends():
                _LOGGER.warning("The front does not end, not even when it is killed")
                self._reader.cancel()

    async def _ends(self) -> bool:
        """Whether nobody has its log open any more, in time."""
        done, _ = await asyncio.wait({self._reader}, timeout=END_WAIT)
        if done:
            await self._process.wait()
        return bool(done)


def without_request(text: str) -> str:
    """A line of its log without what somebody asked for: there are tokens in paths."""
    said, _, rest = text.partition(", client: ")
    upstream = _UPSTREAM.search(rest)
    return f"{said}, at {upstream[1]}" if upstream else said


def _end_with_parent() -> None:
    _LIBC.prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def _memory() -> Path:
    """A folder that is never on a disk, if there is one."""
    return _MEMORY if _MEMORY.is_dir() else _disk()


def _disk() -> Path:
    return Path(tempfile.gettempdir())
