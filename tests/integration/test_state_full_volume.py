"""Volumes as root sees them: good, full and read-only. Needs root for mounts, as everything in this tier."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor_k8s.errors import StateFileError, StorageError
from supervisor_k8s.model.status import AddonState
from supervisor_k8s.services.storage import Storage
from supervisor_k8s.state.files import StateFile
from supervisor_k8s.state.storage import SharedVolume
from tests.addon_house import SLUG, House
from tests.fakes import FakeCluster

pytestmark = pytest.mark.integration


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A volume of one megabyte."""
    folder = tmp_path / "share"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


def nothing() -> None:
    """For writes whose effect on the memory is not the point."""


async def test_a_good_volume_passes_and_gets_its_folders(small: Path) -> None:
    """The probe leaves nothing behind, and the folders that pods mount exist afterwards."""
    storage = Storage(
        volume=SharedVolume(small), shared_claim="shared", shared_storage_class=None, shared_size=None, allow_rwo=False
    )
    await storage.prepare({"spec": {"accessModes": ["ReadWriteMany"]}, "status": {"phase": "Bound"}})
    assert sorted(path.name for path in small.iterdir()) == [
        "addon_configs", "addons", "backup", "homeassistant", "media", "share", "ssl",
    ]  # fmt: skip


async def test_a_full_volume_keeps_what_it_has(small: Path) -> None:
    """On a full volume both a state file and an options file stay as they were, and the error says it is full."""
    file, volume = StateFile(small / "a.json"), SharedVolume(small)
    await file.write({"old": 1}, then=nothing)
    await volume.write_private("options.json", b"old")
    with pytest.raises(StateFileError, match="the state volume is full"):
        await file.write({"new": "x" * 2_000_000}, then=nothing)
    with pytest.raises(StorageError, match="the shared volume is full"):
        await volume.write_private("options.json", b"x" * 2_000_000)
    assert file.read(dict, absent={}) == {"old": 1}
    assert (small / "options.json").read_bytes() == b"old"
    assert sorted(path.name for path in small.iterdir()) == ["a.json", "options.json"]


async def test_options_that_do_not_fit_start_nothing(small: Path, tmp_path: Path) -> None:
    """On a full volume a start is refused with that reason, and the add-on's options are what they were."""
    house = await House.build(tmp_path, FakeCluster())
    async with house.living():
        await house.install(options={"text": "old"}, schema={"text": "str"})
        await house.start()
        await house.stop()
        await house.settings.change(SLUG, {"options": {"text": "x" * 2_000_000}})
        with pytest.raises(StorageError, match="the shared volume is full"):
            await house.start()
        assert not house.pods()
        assert house.state() is AddonState.ERROR
    assert (small / "addons" / "data" / SLUG / "options.json").read_bytes() == b'{"text":"old"}'


async def test_a_read_only_volume_is_named(small: Path) -> None:
    """A volume that the node has made read-only is told as that."""
    subprocess.run(["mount", "-o", "remount,ro", small], check=True)
    with pytest.raises(StorageError, match="the shared volume is read-only"):
        await SharedVolume(small).probe()
    with pytest.raises(StateFileError, match="the state volume is read-only"):
        await StateFile(small / "a.json").write({}, then=nothing)
