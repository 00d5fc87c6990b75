"""Images stay in the cache between clusters, but only a store that was left in order is used again."""

import shutil
from pathlib import Path

from tests.cluster import imagestore
from tests.cluster.paths import Paths
from tests.cluster.steps import Console, Context


def paths_at(folder: Path) -> Paths:
    return Paths(cache=folder / "cache", state=folder / "state")


def begun(paths: Paths) -> Path:
    """A cluster that has come up and has an image."""
    imagestore.take(paths)
    image = paths.image_store / "image"
    image.write_text("layers")
    return image


def end(paths: Paths) -> None:
    """As `make down` does it."""
    console = Console()
    with Context(paths, console).step("stop containerd") as step:
        imagestore.give_back(paths, step)
    console.close()
    shutil.rmtree(paths.state)


def test_the_next_cluster_has_the_images(tmp_path: Path) -> None:
    """After an orderly end images are there, and nothing of pods."""
    paths = paths_at(tmp_path)
    image = begun(paths)
    (paths.image_store / imagestore.PODS[0]).mkdir()
    end(paths)
    imagestore.take(paths)
    assert image.exists()
    assert not (paths.image_store / imagestore.PODS[0]).exists()


def test_a_cluster_that_was_switched_off_has_its_images(tmp_path: Path) -> None:
    """A stop and a start, or a power cut, change nothing."""
    paths = paths_at(tmp_path)
    image = begun(paths)
    imagestore.take(paths)
    assert image.exists()


def test_a_cluster_that_runs_keeps_its_store(tmp_path: Path) -> None:
    """Another version of containerd, or another cache, is for the next cluster: this one's containers live here."""
    before = paths_at(tmp_path)
    image = begun(before)
    later = Paths(cache=tmp_path / "elsewhere", state=before.state)
    imagestore.take(later)
    assert later.image_store == image.parent
    assert image.exists()


def test_a_store_that_nobody_gave_back_is_made_anew(tmp_path: Path) -> None:
    """Its cluster is gone, nobody knows how: what containerd remembers of pods would be another cluster's."""
    paths = paths_at(tmp_path)
    image = begun(paths)
    shutil.rmtree(paths.state)
    imagestore.take(paths)
    assert not image.exists()


def test_a_store_is_used_once(tmp_path: Path) -> None:
    """Given back once and lost the second time: not used a third time."""
    paths = paths_at(tmp_path)
    image = begun(paths)
    end(paths)
    imagestore.take(paths)
    shutil.rmtree(paths.state)
    imagestore.take(paths)
    assert not image.exists()
