"""The Git pull add-on says how far it is while a large repository comes in."""

import asyncio
import logging
from pathlib import Path

import pytest

from git_pull import progress
from git_pull.disk import read_disk
from git_pull.progress import EACH, Progress, heard
from tests.unit.git_pull_cuts import make_house, prepared


def test_now_and_then(caplog: pytest.LogCaptureFixture) -> None:
    """Short work is not told, long work in a few lines, however often it is asked to."""
    caplog.set_level(logging.INFO)
    seconds = [0.0, 1.0, EACH - 1, EACH, EACH + 1, 2 * EACH - 1, 2 * EACH]
    now_and_then = Progress(iter(seconds).__next__)
    for second in seconds[1:]:
        now_and_then(f"at {second:.0f} s")
    assert caplog.messages == [f"at {EACH:.0f} s", f"at {2 * EACH:.0f} s"]


async def test_gits_own_words() -> None:
    """How far it is comes at once; what is left are other sentences, such as why it failed."""
    stream, told = asyncio.StreamReader(), list[str]()
    for part in (
        b"remote: Counting objects:  50% (1/2)\rremote: Counting objects: 100% (2/2), done.\n",
        b"Receiving objects:   1% (1/100), 1.00 MiB | 500 KiB/s\rReceiving ob",
        b"jects:   2% (2/100), 2.00 MiB | 500 KiB/s\r",
        b"\nfatal: early EOF\nerror: 12% of nothing\n",
    ):
        stream.feed_data(part)
        if not part.endswith(b"\n"):
            await asyncio.sleep(0)
    stream.feed_eof()
    left = await heard(stream, told.append)
    assert left.decode().split("\n") == ["", "fatal: early EOF", "error: 12% of nothing"]
    assert told[-1] == "Receiving objects:   2% (2/100), 2.00 MiB | 500 KiB/s"


def test_files_on_a_slow_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever waits for one sees how many files were compared, laid aside, replaced or put back."""
    live = make_house(tmp_path)
    monkeypatch.setattr(progress, "EACH", 0.0)
    caplog.set_level(logging.INFO)
    read_disk(live, ["configuration.yaml", "same.yaml"], like="0" * 40)
    assert caplog.messages == ["Comparing files: 0 of 2", "Comparing files: 1 of 2"]
    switch = prepared(live, sure=False)
    switch.finish()
    switch.take_back()
    assert {"Laying files aside: 4 of 5", "Replacing files: 4 of 5", "Putting files back: 4 of 5"} <= {*caplog.messages}
