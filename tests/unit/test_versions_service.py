"""What is known of versions when it cannot be kept."""

import asyncio
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from supervisor_k8s.errors import NotInChargeError, VersionsUnavailableError
from supervisor_k8s.model.versions import offered
from supervisor_k8s.services.versions import KnownFile, Versions
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
    file = KnownFile(fetch=fetch, kept=lambda: records.versions, save=records.save_versions)
    versions = Versions(core=file, own=None, channel=lambda: "stable", machine="generic-x86-64")
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


@pytest.mark.parametrize(
    ("said", "offered"),
    [
        ({"channel": "stable", "supervisor": "2026.12.0"}, "2026.12.0"),
        ({"channel": "stable"}, None),
        ({"channel": "stable", "supervisor": "2026.12.0@sha256:00"}, None),
        ({"channel": "stable", "supervisor": ["2026.12.0"]}, None),
    ],
)
async def test_our_own_version(said: Mapping[str, Any], offered: str | None) -> None:
    """It comes from our own file alone, and only where it can be an image's tag."""

    async def core_file(channel: str) -> Mapping[str, Any]:
        return {"channel": channel, "homeassistant": {"default": "2026.11.1"}, "supervisor": "2026.10.0"}

    async def own_file(_channel: str) -> Mapping[str, Any]:
        return said

    async def save(_value: Mapping[str, Any]) -> None:
        """Nothing outlives this test."""

    versions = Versions(
        core=KnownFile(fetch=core_file, kept=dict, save=save),
        own=KnownFile(fetch=own_file, kept=dict, save=save),
        channel=lambda: "stable",
        machine="generic-x86-64",
    )
    assert versions.own is None
    assert await versions.reload()
    assert (versions.core, versions.own) == ("2026.11.1", offered)


async def test_one_file_that_is_away_does_not_hide_the_other() -> None:
    """Our own channel is down: what Home Assistant offers is known all the same, and we look again soon."""

    async def core_file(channel: str) -> Mapping[str, Any]:
        return {"channel": channel, "homeassistant": {"default": "2026.11.1"}}

    async def own_file(_channel: str) -> Mapping[str, Any]:
        raise VersionsUnavailableError(url="http://example.test", reason="a test says so")

    async def save(_value: Mapping[str, Any]) -> None:
        """Nothing outlives this test."""

    last = {"channel": "stable", "supervisor": "2026.11.5"}
    versions = Versions(
        core=KnownFile(fetch=core_file, kept=dict, save=save),
        own=KnownFile(fetch=own_file, kept=lambda: last, save=save),
        channel=lambda: "stable",
        machine="generic-x86-64",
    )
    told: list[None] = []
    versions.fetched.connect(told.append)
    assert not await versions.reload()
    assert (versions.core, versions.own, len(told)) == ("2026.11.1", "2026.11.5", 1)


@pytest.mark.parametrize(
    ("known", "installed", "expected"),
    [
        ("2026.11.1", "2026.11.0", "2026.11.1"),
        ("2026.10.0", "2026.11.0", "2026.10.0"),
        (None, "2026.2.3", "2026.11.0"),
        (None, "2026.12.0", None),
        (None, None, "2026.11.0"),
    ],
)
def test_what_is_offered_offline(known: str | None, installed: str | None, expected: str | None) -> None:
    """What the channel said counts; without it the version that we were made with, but never as a step back."""
    assert expected == offered(known, "2026.11.0", installed)
