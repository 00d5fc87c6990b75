"""The shared volume: nothing that lies there leads us out of it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from supervisor_k8s.errors import StateFileError, StorageError
from supervisor_k8s.state.files import StateFile, is_damage
from supervisor_k8s.state.storage import SharedVolume

OPEN = Path("/proc/self/fd")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder beside the volume that must stay as it is."""
    folder = tmp_path / "outside"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "precious").write_text("mine")
    return folder


@pytest.fixture
def share(tmp_path: Path) -> Path:
    folder = tmp_path / "share"
    folder.mkdir()
    return folder


def untouched(outside: Path) -> bool:
    return (
        sorted(p.name for p in outside.rglob("*")) == ["precious", "sub"]
        and (outside / "sub" / "precious").read_text() == "mine"
    )


async def test_directories_are_made_with_their_parents(share: Path) -> None:
    """Missing folders appear, existing ones and what is in them stay."""
    (share / "ssl").mkdir()
    (share / "ssl" / "key.pem").write_text("k")
    await SharedVolume(share).make_directories(["addons/data/core_x", "ssl", "addon_configs/core_x"])
    assert (share / "addons" / "data" / "core_x").is_dir()
    assert (share / "addon_configs" / "core_x").is_dir()
    assert (share / "ssl" / "key.pem").read_text() == "k"


@pytest.mark.parametrize("link", ["addons", "addons/data", "addons/data/core_x"])
async def test_a_link_in_place_of_a_directory_is_refused(share: Path, outside: Path, link: str) -> None:
    """A symbolic link anywhere in the path is refused by name, for every operation, and nothing happens behind it."""
    (share / link).parent.mkdir(parents=True, exist_ok=True)
    (share / link).symlink_to(outside)
    volume = SharedVolume(share)
    with pytest.raises(
        StorageError, match=r"addons/data/core_x/sub .* cannot be used: .* (symbolic link|no directory)"
    ):
        await volume.make_directories(["addons/data/core_x/sub"])
    with pytest.raises(StorageError, match=r"addons/data/core_x/sub/options\.json"):
        await volume.write_private("addons/data/core_x/sub/options.json", b"{}")
    with pytest.raises(StorageError):
        await volume.remove_tree("addons/data/core_x/sub/precious")
    with pytest.raises(StorageError):
        await volume.touch("addons/data/core_x/sub/new")
    assert untouched(outside)


async def test_a_file_in_place_of_a_directory_is_refused(share: Path) -> None:
    """A plain file where a folder should be is named."""
    (share / "ssl").write_text("")
    with pytest.raises(StorageError, match="ssl on the shared volume cannot be used: a part of it is no directory"):
        await SharedVolume(share).make_directories(["ssl"])


@pytest.mark.parametrize("path", ["", "/etc", "../x", "a/../b", "a//b", "./a", "a/", "a\0b"])
async def test_a_path_that_leaves_the_volume_is_refused(share: Path, path: str) -> None:
    """Only plain relative paths are understood."""
    volume = SharedVolume(share)
    for act in (volume.make_directories([path]), volume.remove_tree(path), volume.write_private(path, b"")):
        with pytest.raises(StorageError, match="is no path inside the shared volume"):
            await act
    assert list(share.iterdir()) == []


async def test_options_are_written_privately_and_whole(share: Path) -> None:
    """A file is replaced at once, readable by its owner alone, and no half-written one is left."""
    (share / "d").mkdir()
    (share / "d" / "options.json").write_text("old")
    (share / "d" / "options.json").chmod(0o644)
    await SharedVolume(share).write_private("d/options.json", b"new")
    assert (share / "d" / "options.json").read_bytes() == b"new"
    assert (share / "d" / "options.json").stat().st_mode & 0o777 == 0o600
    assert [p.name for p in (share / "d").iterdir()] == ["options.json"]


async def test_a_link_under_the_file_name_is_replaced_not_written_through(share: Path, outside: Path) -> None:
    """An add-on that puts a link where its options go gets a file; the link's target is not written."""
    (share / "options.json").symlink_to(outside / "sub" / "precious")
    await SharedVolume(share).write_private("options.json", b"new")
    assert not (share / "options.json").is_symlink()
    assert untouched(outside)


async def test_a_write_into_a_missing_folder_is_an_error(share: Path) -> None:
    """The folder must have been made; the error names the path."""
    with pytest.raises(StorageError, match=r"a/options\.json does not exist"):
        await SharedVolume(share).write_private("a/options.json", b"")


async def test_a_directory_under_the_file_name_is_an_error(share: Path) -> None:
    """A folder where a file should go is left alone, and no temporary file stays behind."""
    (share / "options.json").mkdir()
    with pytest.raises(StorageError):
        await SharedVolume(share).write_private("options.json", b"")
    assert [p.name for p in share.iterdir()] == ["options.json"]


async def test_what_is_read_is_a_plain_file(share: Path) -> None:
    """A directory in its place is like nothing, however often it is asked for: no descriptor stays open."""
    (share / "folder").mkdir()
    before = len(list(OPEN.iterdir()))
    assert [await SharedVolume(share).read("folder") for _ in range(3)] == [None] * 3
    assert len(list(OPEN.iterdir())) <= before


async def test_a_tree_is_removed_without_following_links(share: Path, outside: Path) -> None:
    """Uninstalling deletes the add-on's folder; links in it are deleted, what they point at stays."""
    (share / "d" / "deep").mkdir(parents=True)
    (share / "d" / "deep" / "link").symlink_to(outside)
    (share / "d" / "file").write_text("x")
    (share / "link").symlink_to(outside)
    volume = SharedVolume(share)
    await volume.remove_tree("d")
    await volume.remove_tree("link")
    await volume.remove_tree("never/was")
    assert list(share.iterdir()) == []
    assert untouched(outside)


async def test_a_race_for_the_path_is_never_won(share: Path, outside: Path) -> None:
    """An add-on that keeps swapping its folder for a link never makes us write or delete behind the link."""
    racer = (
        "import os, sys\n"
        "a, b = sys.argv[1] + '/x', sys.argv[2]\n"
        "while True:\n"
        "    os.symlink(b, a + '.new')\n"
        "    try: os.rmdir(a)\n"
        "    except OSError: pass\n"
        "    try: os.rename(a + '.new', a)\n"
        "    except OSError: os.unlink(a + '.new')\n"
        "    try: os.unlink(a)\n"
        "    except OSError: pass\n"
    )
    volume = SharedVolume(share)
    with subprocess.Popen(
        [sys.executable, "-c", racer, str(share), str(outside)], stderr=subprocess.DEVNULL
    ) as process:
        try:
            for _ in range(100):
                for act in (
                    volume.make_directories(["x/sub"]),
                    volume.write_private("x/sub/f", b"evil"),
                    volume.remove_tree("x/sub"),
                ):
                    try:
                        await act
                    except StorageError:
                        await asyncio.sleep(0)
        finally:
            process.kill()
    assert untouched(outside)


async def test_the_safe_mode_file_appears_once(share: Path) -> None:
    """Touching makes an empty file and leaves an existing one alone."""
    (share / "homeassistant").mkdir()
    volume = SharedVolume(share)
    await volume.touch("homeassistant/safe-mode")
    assert (share / "homeassistant" / "safe-mode").read_bytes() == b""
    (share / "homeassistant" / "safe-mode").write_text("kept")
    await volume.touch("homeassistant/safe-mode")
    assert (share / "homeassistant" / "safe-mode").read_text() == "kept"


def test_a_volume_that_squashes_root_says_what_to_change(tmp_path: Path) -> None:
    """Where owners cannot be changed, as on an NFS export with root_squash, one sentence names the export option."""
    tmp_path.chmod(0o777)
    program = (
        "import asyncio, concurrent.futures.thread, os, sys, pathlib, supervisor_k8s.state.storage as s\n"
        "os.chdir(sys.argv[1])\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "try: asyncio.run(s.SharedVolume(pathlib.Path('.')).probe())\n"
        "except s.StorageError as error: print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "export it with no_root_squash" in result.stdout
    assert result.stderr == ""
    assert list(tmp_path.iterdir()) == []


async def test_a_volume_that_is_not_mounted_is_named(tmp_path: Path) -> None:
    """A missing mount is one clear line."""
    with pytest.raises(StorageError, match=r"The shared volume at .*/gone cannot be written: No such file"):
        await SharedVolume(tmp_path / "gone").probe()


async def test_a_disk_that_does_not_read_is_damage(share: Path) -> None:
    """Whoever asked is told, and so is everybody who listens; what an add-on can bring about is no damage."""
    kernels = Path(f"/proc/{os.getpid()}")  # reading the first byte of our memory is an I/O error
    volume, told = SharedVolume(kernels), list[StorageError]()
    volume.on_failure(told.append)
    with pytest.raises(StorageError, match="Input/output error"):
        await volume.read("mem")
    with pytest.raises(StateFileError, match="Input/output error") as state:
        StateFile(kernels / "mem").read(dict, absent={})
    (share / "link").symlink_to("/")
    hostile = SharedVolume(share)
    hostile.on_failure(told.append)
    with pytest.raises(StorageError):
        await hostile.make_directories(["link/x"])
    assert [is_damage(error) for error in (*told, state.value)] == [True, False, True]


async def test_an_exchange_that_fails_is_told_like_everything_else() -> None:
    """A disk that does not read is damage, whatever we wanted of it."""
    volume, told = SharedVolume(Path(f"/proc/{os.getpid()}")), list[StorageError]()
    volume.on_failure(told.append)
    with pytest.raises(StorageError, match="Input/output error"):
        await volume.exchange("mem", b"old", b"new", backup="kept")
    assert [is_damage(error) for error in told] == [True]


async def test_a_file_is_exchanged_for_what_was_read_only(share: Path, outside: Path) -> None:
    """Its mode and owner stay, and what it held lies beside it; neither a link nor what somebody wrote meanwhile is
    touched.
    """
    volume, file = SharedVolume(share), share / "homeassistant" / "configuration.yaml"
    file.parent.mkdir()
    file.write_bytes(b"old")
    file.chmod(0o604)
    owner = file.stat().st_uid, file.stat().st_gid
    await volume.exchange("homeassistant/configuration.yaml", b"old", b"new", backup="homeassistant/kept")
    assert (file.read_bytes(), (file.parent / "kept").read_bytes()) == (b"new", b"old")
    assert (file.stat().st_mode & 0o777, (file.stat().st_uid, file.stat().st_gid)) == (0o604, owner)
    for wrong in (b"old", b"ne", b"newer"):
        with pytest.raises(StorageError, match="changed by somebody else"):
            await volume.exchange("homeassistant/configuration.yaml", wrong, b"lost", backup="homeassistant/kept")
    file.unlink()
    file.symlink_to(outside / "sub" / "precious")
    with pytest.raises(StorageError, match="symbolic link"):
        await volume.exchange("homeassistant/configuration.yaml", b"mine", b"lost", backup="homeassistant/kept")
    assert untouched(outside)
    assert sorted(path.name for path in file.parent.iterdir()) == ["configuration.yaml", "kept"]
