"""Nothing outside a repository's folder can be read through it."""

import os
from pathlib import Path, PurePosixPath

import pytest

from supervisor_k8s.store.folder import Folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("secret")
    root = tmp_path / "repository"
    (root / "app").mkdir(parents=True)
    (root / "README.md").write_text("readme")
    return root


def read(root: Path, path: str, limit: int = 100) -> bytes | None:
    return Folder(root).read(PurePosixPath(path), limit=limit)


def test_a_plain_file_is_read_up_to_the_limit(root: Path) -> None:
    """The content comes back, cut off at the limit."""
    assert read(root, "README.md") == b"readme"
    assert read(root, "README.md", limit=3) == b"rea"


@pytest.mark.parametrize(
    ("target", "content"),
    [
        ("../README.md", b"readme"),
        ("../app/../README.md", b"readme"),
        ("../../secret", None),
        ("../../repository/README.md", None),
        ("/etc/passwd", None),
        ("../../../../../../../../etc/passwd", None),
        ("link", None),
        ("gone", None),
        (".", None),
        ("..", None),
    ],
)
def test_a_link_is_followed_inside_only(root: Path, target: str, content: bytes | None) -> None:
    """A link to a file of the same repository works; one that leads out, in a circle or nowhere reads as absent."""
    (root / "app" / "link").symlink_to(target)
    assert read(root, "app/link") == content


def test_a_linked_folder_is_followed_inside_only(root: Path) -> None:
    """The same holds for a folder on the way."""
    (root / "inner").symlink_to("app")
    (root / "outer").symlink_to("..")
    (root / "app" / "x").write_text("x")
    assert read(root, "inner/x") == b"x"
    assert read(root, "outer/secret") is None


def test_what_is_no_plain_file_is_absent(root: Path) -> None:
    """Folders, pipes and missing files are absent; a pipe does not block us."""
    os.mkfifo(root / "pipe")
    for path in ("app", "pipe", "none", "README.md/x", "x" * 300):
        assert read(root, path) is None
    assert read(root.parent / "gone", "x") is None
