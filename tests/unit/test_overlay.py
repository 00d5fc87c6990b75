"""A candidate laid out with the live configuration: what Core's checker sees, and what nobody can make it see."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from supervisor_k8s.state import overlay
from supervisor_k8s.state.overlay import Bounds, Layout, RefusedError

CANDIDATE = "addons/data/k8s_git_pull/candidate"


class Volume:
    """A shared volume with a live configuration and a candidate. Links into `/live` are followed to the former."""

    def __init__(self, folder: Path) -> None:
        self.root, self.tree = folder / "volume", folder / "tree"
        self.live, self.candidate = self.root / "homeassistant", self.root / CANDIDATE
        for path in (self.tree, self.live, self.candidate):
            path.mkdir(parents=True)

    def fill(self, where: Path, **files: str) -> None:
        """Files by name; `__` for a slash, and `_D_` for the dot before an ending."""
        for name, content in files.items():
            path = where / name.replace("__", "/").replace("_D_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def lay_out(self, *without: str, candidate: str = CANDIDATE) -> None:
        Layout(self.root, self.tree, candidate, without, live=str(self.live)).make()

    def seen(self) -> dict[str, str]:
        """What a program that opens files reads in the tree."""
        found = {}
        for folder, _, files in os.walk(self.tree, followlinks=True):
            for name in files:
                path = Path(folder) / name
                found[path.relative_to(self.tree).as_posix()] = path.read_text()
        return found


@pytest.fixture
def volume(tmp_path: Path) -> Volume:
    return Volume(tmp_path)


def test_the_candidate_goes_before_the_live_tree(volume: Volume) -> None:
    """Of both, the candidate's file; of one, that one; in folders that both have, too."""
    volume.fill(volume.live, configuration_D_yaml="old", secrets_D_yaml="code: 1", packages__own_D_yaml="own")
    volume.fill(volume.candidate, configuration_D_yaml="new", packages__new_D_yaml="new")
    volume.lay_out()
    assert volume.seen() == {
        "configuration.yaml": "new",
        "secrets.yaml": "code: 1",
        "packages/own.yaml": "own",
        "packages/new.yaml": "new",
    }
    assert not (volume.tree / "packages").is_symlink()


def test_what_the_candidate_removes_is_gone(volume: Volume) -> None:
    """Files and whole folders, inside of folders that would be one link otherwise, too."""
    volume.fill(volume.live, a_D_yaml="a", packages__b_D_yaml="b", packages__c_D_yaml="c", themes__d_D_yaml="d")
    volume.fill(volume.live, custom_components__one__x_D_py="x", custom_components__one__y_D_py="y")
    volume.lay_out("packages/b.yaml", "themes", "custom_components/one/x.py", "never/was.yaml")
    assert set(volume.seen()) == {"a.yaml", "packages/c.yaml", "custom_components/one/y.py"}


def test_what_is_large_or_private_is_not_copied(volume: Volume) -> None:
    """One link for all of a folder in which nobody looks for configuration; no database, no log, no repository."""
    volume.fill(volume.live, _D_storage__auth="token", www__picture="p", custom_components__one__x_D_py="x")
    volume.fill(volume.live, home_D_yaml="h")
    for name in ("home-assistant_v2.db", "home-assistant_v2.db-wal", "home-assistant.log.1"):
        (volume.live / name).write_text("large")
    (volume.live / ".git").mkdir()
    (volume.candidate / ".git").mkdir()
    volume.fill(volume.candidate, custom_components__two__x_D_py="2")
    volume.lay_out()
    assert {path.name: path.is_symlink() for path in volume.tree.iterdir()} == {
        ".storage": True,
        "www": True,
        "home.yaml": True,
        "custom_components": False,
    }
    assert (volume.tree / "custom_components" / "one").is_symlink()
    assert volume.seen()["custom_components/two/x.py"] == "2"


def test_links_of_the_live_tree_mean_what_they_meant(volume: Volume) -> None:
    """A link to a file that the candidate changes shows the changed one."""
    volume.fill(volume.live, a_D_yaml="old")
    (volume.live / "b.yaml").symlink_to("a.yaml")
    volume.fill(volume.candidate, a_D_yaml="new")
    volume.lay_out()
    assert volume.seen() == {"a.yaml": "new", "b.yaml": "new"}


@pytest.mark.parametrize("target", ["../../../other/secret", "/etc/passwd", "packages/../../x", ".."])
def test_links_that_lead_out_are_refused(volume: Volume, target: str) -> None:
    """By whatever way."""
    (volume.candidate / "a.yaml").symlink_to(target)
    with pytest.raises(RefusedError, match=r"a\.yaml is a link that leads out of the candidate"):
        volume.lay_out()


def test_links_inside_of_the_candidate_stay(volume: Volume) -> None:
    """A tidy repository may have them."""
    volume.fill(volume.candidate, packages__a_D_yaml="a")
    (volume.candidate / "packages" / "b.yaml").symlink_to("../packages/a.yaml")
    volume.lay_out()
    assert volume.seen()["packages/b.yaml"] == "a"


@pytest.mark.parametrize("part", ["candidate", "k8s_git_pull"])
def test_a_candidate_by_a_link_is_refused(volume: Volume, part: str, tmp_path: Path) -> None:
    """Somebody puts a link in the place of the folder, or of one above it, after the request was looked at."""
    secret = tmp_path / "volume" / "elsewhere"
    secret.mkdir()
    (secret / "candidate").mkdir()
    place = volume.candidate if part == "candidate" else volume.candidate.parent
    place.rename(tmp_path / "away")
    place.symlink_to(secret)
    with pytest.raises(RefusedError, match=r"no folder of the shared volume|cannot be used"):
        volume.lay_out()


def test_a_folder_that_is_not_there(volume: Volume) -> None:
    with pytest.raises(RefusedError, match="addons/data/x/y is no folder of the shared volume"):
        volume.lay_out(candidate="addons/data/x/y")


def test_a_pipe_is_refused(volume: Volume) -> None:
    """Nobody waits for somebody who may write into it."""
    os.mkfifo(volume.candidate / "a.yaml")
    with pytest.raises(RefusedError, match="neither a file nor a folder"):
        volume.lay_out()


@pytest.mark.parametrize(
    ("bounds", "words"), [(Bounds(size=5), "MiB of files"), (Bounds(entries=2), "more than 2 files")]
)
def test_bounds(volume: Volume, bounds: Bounds, words: str) -> None:
    """A candidate that is too large is refused."""
    volume.fill(volume.candidate, a_D_yaml="three", b_D_yaml="words", c_D_yaml="more")
    with pytest.raises(RefusedError, match=words):
        Layout(volume.root, volume.tree, CANDIDATE, bounds=bounds).make()


@pytest.mark.parametrize(("files", "code"), [((), 0), (("link",), 3)])
def test_the_program(volume: Volume, files: Sequence[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Its exit code says who is at fault, its output why."""
    for name in files:
        (volume.candidate / name).symlink_to("/etc")
    layout = Layout(volume.root, volume.tree, CANDIDATE, ())
    assert overlay.exit_code(layout) == code
    assert bool(capsys.readouterr().out) is bool(code)
