"""State files: what is on the disk after a write, after a crash and after damage."""

import asyncio
import errno
import os
import resource
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest

from supervisor_k8s.errors import StateFileDamagedError, StateFileError
from supervisor_k8s.state.files import StateFile


def nothing() -> None:
    """For writes whose effect on the memory is not the point."""


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


NOTHING: dict[str, Any] = {}


def mapping(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise TypeError("no mapping")
    return data


async def test_what_was_written_is_read_and_only_root_may_see_it(tmp_path: Path) -> None:
    """A document survives, under version 1, readable by its owner alone, with nothing else left in the folder."""
    file = StateFile(tmp_path / "core.json")
    await file.write({"a": [1, None]}, then=nothing)
    assert StateFile(tmp_path / "core.json").read(mapping, absent=NOTHING) == {"a": [1, None]}
    assert orjson.loads((tmp_path / "core.json").read_bytes()) == {"version": 1, "data": {"a": [1, None]}}
    assert (tmp_path / "core.json").stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["core.json"]


async def test_the_memory_changes_after_the_disk(tmp_path: Path) -> None:
    """`then` runs when the content is on the disk already, before the writer goes on."""
    seen: list[bytes] = []
    path = tmp_path / "x.json"
    await StateFile(path).write({"a": 1}, then=lambda: seen.append(path.read_bytes()))
    assert [path.read_bytes()] == seen


async def test_the_last_of_many_writers_wins(tmp_path: Path) -> None:
    """Of writes asked for at once, the one asked for last is what the disk holds, and the memory agrees."""
    memory: list[int] = []
    file = StateFile(tmp_path / "x.json")
    await asyncio.gather(*(file.write({"n": n}, then=partial(memory.append, n)) for n in range(50)))
    assert file.read(mapping, absent=NOTHING) == {"n": 49}
    assert memory[-1] == 49
    assert sorted(memory) == memory


async def test_a_cancelled_write_leaves_memory_and_disk_agreeing(tmp_path: Path) -> None:
    """Whoever is cancelled during a write has changed both or neither."""
    file, memory = StateFile(tmp_path / "x.json"), [0]
    await file.write(0, then=nothing)
    for n in range(1, 30):
        task = asyncio.create_task(file.write(n, then=partial(memory.append, n)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await file.write(100, then=lambda: memory.append(100))
    assert memory[-1] == file.read(int, absent=-1) == 100


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty document"),
        (b'{"version": 1, "data": {"a"', "unexpected end"),
        (b"\x00" * 4096, "unexpected character"),
        (b"[]", "list indices"),
        (b'{"data": {}}', "'version' is missing"),
        (b'{"version": "1", "data": {}}', "its version is '1'"),
        (b'{"version": 1, "data": []}', "no mapping"),
    ],
)
def test_damage_is_set_aside_and_told(tmp_path: Path, content: bytes, reason: str) -> None:
    """A damaged file is moved aside with its content, and the error says what is wrong and where it went."""
    path = tmp_path / "core.json"
    for number in (1, 2):
        path.write_bytes(content)
        with pytest.raises(StateFileDamagedError) as caught:
            StateFile(path).read(mapping, absent=NOTHING)
        assert f"moved aside to core.json.damaged-{number}" in str(caught.value)
        assert reason in str(caught.value)
        assert content == (tmp_path / f"core.json.damaged-{number}").read_bytes()
        assert not path.exists()


def test_an_old_document_is_brought_up_to_date(tmp_path: Path) -> None:
    """Migrations run from the file's version on, each once."""
    (tmp_path / "a.json").write_bytes(b'{"version": 2, "data": {"name": "x"}}')
    steps = [lambda data: data / 0, lambda data: {**data, "second": True}, lambda data: {**data, "third": True}]
    file = StateFile(tmp_path / "a.json", migrations=steps)
    assert file.read(mapping, absent=NOTHING) == {"name": "x", "second": True, "third": True}


def test_a_newer_document_stops_the_start_and_stays(tmp_path: Path) -> None:
    """What a newer Supervisor wrote is neither read nor moved: the user is told to use the newer one."""
    (tmp_path / "a.json").write_bytes(b'{"version": 2, "data": {}}')
    with pytest.raises(StateFileError, match="has version 2 and this Supervisor knows 1") as caught:
        StateFile(tmp_path / "a.json").read(mapping, absent=NOTHING)
    assert not isinstance(caught.value, StateFileDamagedError)
    assert names(tmp_path) == ["a.json"]


def test_an_unreadable_file_is_no_damage(tmp_path: Path) -> None:
    """A file that the disk does not give stays where it is; the error stops the start."""
    (tmp_path / "a.json").mkdir()
    with pytest.raises(StateFileError, match="cannot be read") as caught:
        StateFile(tmp_path / "a.json").read(mapping, absent=NOTHING)
    assert not isinstance(caught.value, StateFileDamagedError)


@pytest.fixture
def one_megabyte() -> Iterator[None]:
    """No file may become larger: the disk then refuses in the middle of a write, as a full one does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("one_megabyte")
async def test_a_write_that_breaks_off_keeps_the_old_content(tmp_path: Path) -> None:
    """When the disk refuses half-way, the old document is whole, memory is unchanged and nothing is left behind."""
    file, memory = StateFile(tmp_path / "a.json"), []
    await file.write({"small": True}, then=nothing)
    with pytest.raises(StateFileError, match=r"a\.json was not written"):
        await file.write({"big": "x" * 4_000_000}, then=lambda: memory.append("big"))
    assert file.read(mapping, absent=NOTHING) == {"small": True}
    assert memory == []
    assert names(tmp_path) == ["a.json"]


async def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    """A write that cannot be done says which file and why."""
    with pytest.raises(StateFileError, match=f"gone/a.json was not written: {os.strerror(errno.ENOENT)}"):
        await StateFile(tmp_path / "gone" / "a.json").write({}, then=nothing)


async def test_a_value_that_is_no_json_is_refused(tmp_path: Path) -> None:
    """A value that could not be read back is not written."""
    with pytest.raises(StateFileError, match="cannot be written"):
        await StateFile(tmp_path / "a.json").write({"a": object()}, then=nothing)
    assert names(tmp_path) == []
