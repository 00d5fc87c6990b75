"""Kept logs: how many, how large, and what becomes of damaged ones."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from supervisor_k8s.errors import NotInChargeError
from supervisor_k8s.services.log_keeper import LARGEST, LogKeeper
from supervisor_k8s.state.log_files import KEPT, LogFiles

KEY = "addon/core_mosquitto"


async def test_the_newest_are_kept(tmp_path: Path) -> None:
    files = LogFiles(tmp_path / "logs")
    for number in range(KEPT + 2):
        await files.save(KEY, f"launch {number}".encode())
    names = await files.names(KEY)
    assert [await files.read(KEY, name) for name in names] == [
        f"launch {number}".encode() for number in range(KEPT + 1, 1, -1)
    ]
    await files.remove(KEY)
    assert await files.names(KEY) == []


async def test_what_cannot_be_read_is_empty(tmp_path: Path) -> None:
    """A file that is gone, or damaged."""
    files = LogFiles(tmp_path)
    await files.save(KEY, b"hello")
    (name,) = await files.names(KEY)
    (tmp_path / "addon_core_mosquitto" / name).write_bytes(b"\x1f\x8bnonsense")
    assert await files.read(KEY, name) == b""
    assert await files.read(KEY, "0.gz") == b""


async def test_what_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    """Whoever stops an add-on does not hear of it; nor does anything reach a disk that is not ours."""

    def refuse() -> None:
        raise NotInChargeError(why="a test says so")

    (tmp_path / "file").write_text("")
    await LogFiles(tmp_path / "file").save(KEY, b"hello")
    await LogFiles(tmp_path, may_write=refuse).save(KEY, b"hello")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


class Chatty:
    """A cluster with a pod that said much."""

    async def logs(self, *_: Any, **__: Any) -> AsyncGenerator[bytes]:
        for number in range(8):
            yield f"{number}".encode() * 2**20


async def test_the_end_of_a_large_log_is_kept() -> None:
    """The last 5 MiB, in whole lines."""
    kept: list[bytes] = []

    async def save(_: str, content: bytes) -> None:
        kept.append(content)

    keeper = LogKeeper(cluster=Chatty(), save=save)
    await keeper._keep(KEY, "addon", {"metadata": {"name": "pod"}, "spec": {}})
    assert len(kept[0]) <= LARGEST
    assert [line[:1] for line in kept[0].split(b"\n")] == [b"4", b"5", b"6", b"7"]
