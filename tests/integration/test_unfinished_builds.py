"""An image build that was killed leaves a container and its mounts behind; `make down` takes them away."""

from pathlib import Path

from tests.cluster import buildah, mounts
from tests.cluster.paths import Paths
from tests.cluster.steps import Console, Context


def test_killed_build(tmp_path: Path) -> None:
    """What a killed build has mounted is unmounted, its container is gone, and images that were built stay."""
    paths = Paths(cache=tmp_path / "cache", state=tmp_path / "state")
    ctx = Context(paths, Console())
    with ctx.step("a build that is killed") as step:
        container = step.run(buildah._buildah(paths, "from", "scratch"), env=buildah.STORAGE).strip()
        step.run(buildah._buildah(paths, "commit", "--quiet", container, "example.test/kept:1"), env=buildah.STORAGE)
        step.run(buildah._buildah(paths, "mount", container), env=buildah.STORAGE)
    assert mounts.mount_points(paths.cache)
    with ctx.step("down") as step:
        assert buildah.discard_unfinished(paths, step) >= 1
        left = step.run(buildah._buildah(paths, "containers", "--quiet"), env=buildah.STORAGE)
        images = step.run(buildah._buildah(paths, "images", "--quiet"), env=buildah.STORAGE)
    assert (mounts.mount_points(paths.cache), left.split(), len(images.split())) == ([], [], 1)
    with ctx.step("down again") as step:
        assert buildah.discard_unfinished(paths, step) == 0
