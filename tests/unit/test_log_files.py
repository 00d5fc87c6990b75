"""Kept logs: how many, how large, and what becomes of damaged ones."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from supervisor_k8s.errors import NotInChargeError
from supervisor_k8s.model.program import Run
from supervisor_k8s.services.log_keeper import LARGEST, LogKeeper
from supervisor_k8s.state.log_files import KEPT, LogFiles

KEY, RUN = "addon/core_mosquitto", "5" * 32


async def test_the_newest_are_kept(tmp_path: Path) -> None:
    files = LogFiles(tmp_path / "logs")
    for number in range(KEPT + 2):
        await files.save(KEY, f"{number:032x}", f"run {number}".encode())
    runs = await files.kept(KEY)
    assert list(runs) == [f"{number:032x}" for number in range(KEPT + 1, 1, -1)]
    assert [await files.read(KEY, run) for run in runs] == [
        f"run {number}".encode() for number in range(KEPT + 1, 1, -1)
    ]
    assert list(runs.values()) == sorted(runs.values(), reverse=True)
    await files.remove(KEY)
    assert await files.kept(KEY) == {}


async def test_pods_that_end_together(tmp_path: Path) -> None:
    """Each log of them is kept whole."""
    files = LogFiles(tmp_path)
    contents = {f"{number:032x}": bytes([number]) * 2**21 for number in range(KEPT)}
    await asyncio.gather(*(files.save(KEY, run, content) for run, content in contents.items()))
    assert {run: await files.read(KEY, run) for run in await files.kept(KEY)} == contents
    assert [path.suffix for path in (tmp_path / "addon_core_mosquitto").iterdir()] == [".gz"] * KEPT


async def test_what_cannot_be_read_is_empty(tmp_path: Path) -> None:
    """A file that is gone, or damaged."""
    files = LogFiles(tmp_path)
    await files.save(KEY, RUN, b"hello")
    (path,) = (tmp_path / "addon_core_mosquitto").iterdir()
    path.write_bytes(b"\x1f\x8bnonsense")
    assert await files.read(KEY, RUN) == b""
    assert await files.read(KEY, "0" * 32) == b""


async def test_what_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    """Whoever stops an add-on does not hear of it; nor does anything reach a disk that is not ours."""

    def refuse() -> None:
        raise NotInChargeError(why="a test says so")

    (tmp_path / "file").write_text("")
    await LogFiles(tmp_path / "file").save(KEY, RUN, b"hello")
    await LogFiles(tmp_path, may_write=refuse).save(KEY, RUN, b"hello")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


class Chatty:
    """A cluster with a pod that said much."""

    async def logs(self, *_: Any, **__: Any) -> AsyncGenerator[bytes]:
        for number in range(8):
            yield f"{number}".encode() * 2**20


@pytest.mark.parametrize("wanted", [True, False])
async def test_the_end_of_a_large_log_is_kept(wanted: bool) -> None:
    """The last 5 MiB, in whole lines; nothing of an add-on that is being uninstalled."""
    kept: list[bytes] = []

    async def save(_: str, __: str, content: bytes) -> None:
        kept.append(content)

    keeper = LogKeeper(cluster=Chatty(), save=save, wanted=lambda _: wanted)
    await keeper._keep(KEY, Run("pod", "addon", "uid"), 10)
    if not wanted:
        assert kept == []
        return
    assert len(kept[0]) <= LARGEST
    assert [line[:1] for line in kept[0].split(b"\n")] == [b"4", b"5", b"6", b"7"]
