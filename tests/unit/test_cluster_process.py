"""The local cluster's own tools: daemons known by more than a number, and images with the same bytes each time."""

import asyncio
import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import process, scratch
from tests.cluster.process import Daemon
from tests.cluster.steps import Failed, until


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    config = tmp_path / "config"
    config.write_text("one")
    script = "import time; print('up', flush=True); time.sleep(60)"
    daemon = Daemon(
        name="sleeper",
        command=[sys.executable, "-c", script],
        pids=tmp_path / "pids",
        logs=tmp_path / "logs",
        reads=[config],
    )
    yield daemon
    daemon.stop()


def pid(daemon: Daemon) -> int:
    record = process.read_record(daemon.record)
    assert record is not None
    return record.pid


def test_a_running_daemon_is_left_alone(daemon: Daemon) -> None:
    assert daemon.ensure()
    first = pid(daemon)
    assert not daemon.ensure()
    assert pid(daemon) == first


def test_a_changed_file_needs_a_new_process(daemon: Daemon) -> None:
    daemon.ensure()
    first = pid(daemon)
    daemon.reads[0].write_text("two")
    assert daemon.ensure()
    assert pid(daemon) != first


def test_a_number_with_a_new_owner_is_not_ours(daemon: Daemon) -> None:
    daemon.ensure()
    record = process.read_record(daemon.record)
    assert record is not None
    assert process.alive(record)
    assert not process.alive(dataclasses.replace(record, started=record.started + 1))
    assert not process.alive(dataclasses.replace(record, boot="another"))


def test_stop_ends_and_forgets(daemon: Daemon) -> None:
    daemon.ensure()
    ended = pid(daemon)
    daemon.stop()
    assert not daemon.running()
    assert not daemon.record.exists()
    with pytest.raises(ProcessLookupError):
        os.kill(ended, 0)
    with pytest.raises(Failed, match="sleeper ended"):
        daemon.check()


def test_same_files_give_the_same_archive(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_bytes(b"\x7fELF")
    first, second = tmp_path / "first.tar", tmp_path / "second.tar"
    for target in (first, second):
        scratch.image(target, name="localhost/x:1", files={"bin/x": program}, entrypoint=["/bin/x"])
    assert first.read_bytes() == second.read_bytes()


def test_a_daemon_keeps_no_file_of_its_caller(daemon: Daemon, tmp_path: Path) -> None:
    """`flock FILE make up` ends with make: a daemon with the open file would hold the lock for as long as it lives."""
    lock = tmp_path / "lock"
    with lock.open("w") as file:
        os.set_inheritable(file.fileno(), True)
        daemon.ensure()
    until(lambda: "up" in daemon.log.read_text(), within=30, what="its first word")  # it opens nothing any more
    opened = {entry.readlink() for entry in Path(f"/proc/{pid(daemon)}/fd").iterdir()}
    assert lock not in opened
    assert daemon.log in opened


def test_a_tied_daemon_ends_with_who_started_it(tmp_path: Path) -> None:
    """Also when that is killed and can stop nothing any more: a run of tests leaves no API server behind."""
    start = f"""
import signal, sys
from pathlib import Path
from tests.cluster.process import Daemon
folder = Path({str(tmp_path)!r})
Daemon(name="sleeper", command=["sleep", "60"], pids=folder, logs=folder, tied=True).ensure()
signal.raise_signal(signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", start], check=False)
    record = process.read_record(tmp_path / "sleeper.json")
    assert record is not None
    until(lambda: not process.alive(record), within=30, what="its end")


async def test_a_tied_daemon_is_started_by_the_main_thread(daemon: Daemon) -> None:
    """With another one it would end before its time."""
    tied = dataclasses.replace(daemon, tied=True)
    with pytest.raises(Failed, match="main"):
        await asyncio.to_thread(tied.ensure)
    assert not tied.running()
