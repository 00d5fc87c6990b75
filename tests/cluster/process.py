"""Daemons that outlive the command that started them, unless they are tied to it.

A daemon is known by its process id, its start time and the machine's boot: a
number alone may belong to somebody else by now. It is started again only when
it is gone or when its command line or a file it reads at start has changed.
"""

import hashlib
import json
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from .steps import Failed

MARK = "SUPERVISOR_K8S_DAEMON"
"""Environment variable that names a daemon's record: who was started but, by
bad luck, not recorded can be found by it."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
POLL = 0.05
KILL_WAIT = 10.0
"""Seconds a killed process may take to be gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """A program to keep running: what to start, and where its record and log are."""

    name: str
    command: Sequence[str]
    pids: Path
    logs: Path
    reads: Sequence[Path] = ()
    """Files read at start only: a change of them needs a new process."""
    env: Mapping[str, str] = field(default_factory=dict)
    tied: bool = False
    """Whether it does not outlive the command that started it, not even one that was killed."""

    @property
    def log(self) -> Path:
        return self.logs / f"{self.name}.log"

    @property
    def record(self) -> Path:
        return self.pids / f"{self.name}.json"

    def ensure(self) -> bool:
        """Start it unless it runs as described. True when it was started."""
        described = self._description()
        known = read_record(self.record)
        if known is not None and alive(known):
            if known.description == described:
                return False
            self.stop()
        self.pids.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        pid = self._spawn()
        record = Record(pid=pid, started=_start_time(pid) or 0, boot=_boot(), description=described)
        write_record(self.record, record)
        return True

    def running(self) -> bool:
        """Whether the recorded process is there."""
        known = read_record(self.record)
        return known is not None and alive(known)

    def check(self) -> None:
        """Failed when the process has ended."""
        if not self.running():
            raise Failed(f"{self.name} ended", log=self.log)

    def stop(self, *, grace: float = 20.0) -> None:
        """End the recorded process, by force after `grace` seconds, and forget it."""
        stop_recorded(self.record, grace=grace)

    def _spawn(self) -> int:
        if self.tied and threading.current_thread() is not threading.main_thread():
            raise Failed(f"{self.name} would end with a thread: start it in the main one")
        command = tied(self.command) if self.tied else tuple(self.command)
        # Not subprocess: its objects warn when they are dropped while the process lives, and ours shall live on.
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.posix_spawnp(
            command[0],
            command,
            {**os.environ, **self.env, MARK: str(self.record)},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.log), append, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                # A lock of the shell that called us would be held for as long as the daemon lives.
                *((os.POSIX_SPAWN_CLOSE, number) for number in _inheritable()),
            ],
            setsid=True,
        )

    def _description(self) -> str:
        digest = hashlib.sha256(json.dumps([list(self.command), sorted(self.env.items())]).encode())
        for path in self.reads:
            digest.update(path.read_bytes())
        return digest.hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What identifies one process on one boot of the machine."""

    pid: int
    started: int
    """Start time in clock ticks since boot, as /proc/<pid>/stat has it."""
    boot: str
    description: str


def read_record(path: Path) -> Record | None:
    """The record in this file; None without one."""
    if not path.exists():
        return None
    return Record(**json.loads(path.read_text()))


def write_record(path: Path, record: Record) -> None:
    """Store a record, whole or not at all."""
    new = path.with_suffix(".new")
    new.write_text(
        json.dumps(
            {"pid": record.pid, "started": record.started, "boot": record.boot, "description": record.description}
        )
    )
    new.rename(path)


def alive(record: Record) -> bool:
    """Whether exactly this process still runs (a zombie does not)."""
    return record.boot == _boot() and _start_time(record.pid) == record.started


def stop_recorded(path: Path, *, grace: float) -> None:
    """End the process of a record file, wait until it is gone, and remove the file."""
    record = read_record(path)
    if record is not None:
        stop(record, grace=grace)
        path.unlink()


def stop(record: Record, *, grace: float) -> None:
    """End a process: SIGTERM, then SIGKILL after `grace` seconds."""
    for number, wait in ((signal.SIGTERM, grace), (signal.SIGKILL, KILL_WAIT)):
        if not alive(record):
            break
        os.kill(record.pid, number)
        deadline = time.monotonic() + wait
        while alive(record) and time.monotonic() < deadline:
            time.sleep(POLL)
    if alive(record):
        raise Failed(f"process {record.pid} could not be ended")
    _reap(record.pid)


def tied(command: Sequence[str | Path]) -> tuple[str, ...]:
    """The command, for a process that is killed when the thread that starts it ends, however that comes."""
    alone = 'test "$PPID" = "$0" && exec "$@"'  # it may have ended before the kernel was told
    return "setpriv", "--pdeathsig", "KILL", "sh", "-c", alone, str(os.getpid()), *map(str, command)


def identify(pid: int) -> Record | None:
    """A record of a process that was found, not started, by us; None when it is gone."""
    started = _start_time(pid)
    return None if started is None else Record(pid=pid, started=started, boot=_boot(), description="")


def _start_time(pid: int) -> int | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else int(fields[19])


def _boot() -> str:
    return BOOT_ID.read_text().strip()


def _reap(pid: int) -> None:
    # Only a process that this very command started is our child and leaves a zombie.
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return


def _inheritable() -> list[int]:
    """Open files beyond the standard ones that a child would get."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        number = int(entry.name)
        with suppress(OSError):  # the listing's own is closed again
            if number > 2 and os.get_inheritable(number):
                found.append(number)
    return found
