"""What is known of versions when it cannot be kept."""

import asyncio
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from supervisor_k8s.errors import NotInChargeError
from supervisor_k8s.services.versions import Versions
from supervisor_k8s.state.records import Records


@pytest.mark.parametrize("cause", ["volume", "lease"])
async def test_a_version_file_that_cannot_be_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture, cause: str) -> None:
    """It counts all the same, our work goes on, one warning says so; it is kept as soon as that works."""
    in_charge, newest = cause != "lease", "2026.11.1"
    state = tmp_path / "state"

    def may_write() -> None:
        if not in_charge:
            raise NotInChargeError(why="a test says so")

    async def fetch(channel: str) -> Mapping[str, Any]:
        return {"channel": channel, "homeassistant": {"default": newest}}

    records = await Records.load(state, may_write=may_write)
    versions = Versions(records=records, fetch=fetch, channel=lambda: "stable", machine="generic-x86-64")
    fetched: list[None] = []
    versions.fetched.connect(fetched.append)
    if cause == "volume":
        shutil.rmtree(state)
    with caplog.at_level(logging.WARNING):
        assert [await versions.reload() for _ in range(3)] == [True] * 3
    assert (versions.core, len(fetched), len(caplog.records)) == (newest, 3, 1)
    in_charge = True
    state.mkdir(exist_ok=True)
    assert await versions.reload()
    await asyncio.sleep(0)
    again = await Records.load(state)
    assert again.versions["homeassistant"] == {"default": newest}
