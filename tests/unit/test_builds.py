"""Images that are built here: what the builder is told, what runs in the cluster, and what comes of it."""

import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from supervisor_k8s.errors import (
    AddonBuildArchitectureError,
    AddonBuildError,
    AddonDockerfileError,
    OneOffError,
    RefusedError,
    StorageError,
)
from supervisor_k8s.model.build import Recipe, built_name, recipe, step, tagged, untagged
from supervisor_k8s.model.desired.build import Builder, build_job
from supervisor_k8s.model.one_off import Ended
from supervisor_k8s.services.builds import Builds
from supervisor_k8s.services.one_offs import OneOffs
from supervisor_k8s.state.storage import SharedVolume
from supervisor_k8s.store.build_source import build_source
from supervisor_k8s.store.catalogue import AddonFiles
from tests import builders, golden
from tests.fakes import Behaviour, FakeCluster

SLUG = "local_example"
DIGEST = f"sha256:{'0f' * 32}"
BUILDER = Builder(image="example.test/buildah:1", push="registry.test/home", deadline=600)


def asked(build_file: str | None = None, *, suffix: str = ".yaml", arch: str = "amd64", folder: Path) -> Recipe:
    """What is asked of the builder, with this build file beside the manifest and a Dockerfile."""
    (folder / "Dockerfile").write_text("FROM scratch\n")
    if build_file is not None:
        (folder / f"build{suffix}").write_text(build_file)
    names = frozenset(path.name for path in folder.iterdir())
    return build_source(
        builders.unbuilt(url="https://example.test"), AddonFiles(folder, PurePosixPath(), names, 0), arch
    )[0]


# --- what the builder is told ----------------------------------------------------------------------------------------


def test_without_a_build_file(tmp_path: Path) -> None:
    """Version and architecture, and no base: the Dockerfile has its own. The labels are Home Assistant's."""
    found = asked(folder=tmp_path)
    assert found.args == {"BUILD_VERSION": "1.0.0", "BUILD_ARCH": "amd64"}
    assert found.labels == {
        "io.hass.version": "1.0.0",
        "io.hass.arch": "amd64",
        "io.hass.type": "addon",
        "io.hass.name": "Example",
        "io.hass.description": "An example.",
        "io.hass.url": "https://example.test",
    }


BASE = "ghcr.io/home-assistant/base:latest"
BASES = {
    "": BASE,
    "squash: true": BASE,
    "build_from: ghcr.io/home-assistant/base-debian:bookworm": "ghcr.io/home-assistant/base-debian:bookworm",
    "build_from: {amd64: ghcr.io/a/b:1, aarch64: ghcr.io/a/c:1}": "ghcr.io/a/b:1",
    "build_from: {}": BASE,
    "build_from: debian:13": BASE,
    "build_from: {sparc: ghcr.io/a/b:1}": BASE,
    "build_from: ghcr.io/a/b:1\nargs: {number: 1}": BASE,
    "build_from: [": BASE,
    "- a list": BASE,
}
"""Build file to base image. One that is not valid counts as empty, as upstream: it takes no image without a slash."""


@pytest.mark.parametrize("build_file", BASES)
def test_the_base_image(build_file: str, tmp_path: Path) -> None:
    assert asked(build_file or "{}", folder=tmp_path).args["BUILD_FROM"] == BASES[build_file]


def test_arguments_and_labels_of_the_build_file(tmp_path: Path) -> None:
    """They win over the version and the architecture, not over the base, the name and the description."""
    text = (
        '{"args": {"BUILD_ARCH": "mine", "BUILD_FROM": "x", "MORE": "a b"}, "labels": {"io.hass.name": "no", "a": "b"}}'
    )
    found = asked(text, suffix=".json", folder=tmp_path)
    assert found.args == {"BUILD_VERSION": "1.0.0", "BUILD_ARCH": "mine", "BUILD_FROM": BASE, "MORE": "a b"}
    assert (found.labels["a"], found.labels["io.hass.name"]) == ("b", "Example")


def test_an_architecture_that_the_build_file_lacks(tmp_path: Path) -> None:
    with pytest.raises(AddonBuildArchitectureError, match="is for amd64, this system is aarch64") as caught:
        asked("build_from: {amd64: ghcr.io/a/b:1}", arch="aarch64", folder=tmp_path)
    assert caught.value.error_key == "app_build_architecture_not_supported_error"


def test_the_dockerfile() -> None:
    """One of the architecture's own before the one of all; without either there is nothing to build."""
    both = ["Dockerfile", "Dockerfile.aarch64", "config.yaml"]
    assert recipe(builders.unbuilt(), "amd64", both, None).dockerfile == "Dockerfile"
    assert recipe(builders.unbuilt(), "aarch64", both, None).dockerfile == "Dockerfile.aarch64"
    with pytest.raises(AddonDockerfileError) as caught:
        recipe(builders.unbuilt(), "amd64", both[1:], None)
    assert caught.value.error_key == "app_build_dockerfile_missing_error"


def test_names() -> None:
    """Legal ones for all slugs; the tag goes before the digest, and comes off again."""
    assert built_name("local_Odd.One", "amd64") == "amd64-addon-local-odd-one-7439365a"
    for image in ("registry.test:5000/home/x", f"registry.test:5000/home/x@{DIGEST}"):
        assert untagged(tagged(image, "1.0"), "1.0") == image
    assert tagged(f"registry.test/x@{DIGEST}", "1.0") == f"registry.test/x:1.0@{DIGEST}"


@pytest.mark.parametrize(
    ("line", "stage"),
    [
        ("STEP 2/5: RUN apk add --no-cache git", "building, step 2 of 5: RUN apk add --no-cache git"),
        ("[1/2] STEP 1/7: FROM scratch AS one", "building, step 1 of 7: FROM scratch AS one"),
        ("a STEP 1/7: FROM", None),
        ("COMMIT localhost/x", None),
    ],
)
def test_steps(line: str, stage: str | None) -> None:
    assert step(line) == stage


# --- what runs -------------------------------------------------------------------------------------------------------

RECIPE = Recipe("Dockerfile", {"BUILD_VERSION": "1.0.0", "BUILD_FROM": "ghcr.io/a/b:1"}, {"io.hass.name": 'It\'s "$x"'})


@pytest.mark.parametrize("name", ["registry", "plain-http"])
def test_the_job_is_this(name: str) -> None:
    """Reviewed as text: no credentials where a stranger's commands run, no token anywhere, no shell for their words."""
    builder = BUILDER if name == "registry" else replace(BUILDER, push="http://10.0.0.1:5000")
    where = builders.site() if name == "registry" else builders.site(arch="aarch64", selinux_level="s0:c1,c2")
    job = build_job(SLUG, "amd64-addon-local-example:1.0.0", RECIPE, builder, where)
    golden.check(f"build/{name}.yaml", golden.manifests([job]))


# --- what comes of it ------------------------------------------------------------------------------------------------


@dataclass
class Workshop:
    """Builds with the real volume and the double of a cluster."""

    folder: Path
    cluster: FakeCluster = field(default_factory=FakeCluster)
    stages: list[str] = field(default_factory=list)
    kept: dict[str, bytes] = field(default_factory=dict)
    archives: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.cluster.programs["build-addon-local-example"] = self.program
        self.behaviour = Behaviour(before=0, exit_code=0, message=f"{DIGEST}\n", says=("Writing manifest",))

    def program(self, _pod: Mapping[str, Any]) -> Behaviour:
        """The builder: reads what it is given, and does as the test says."""
        path = self.folder / "addons" / "build" / "build-addon-local-example" / "context.tar"
        if not self.archives:
            self.archives.append(path.read_bytes())
        return self.behaviour

    async def source(self, slug: str, arch: str) -> tuple[Recipe, bytes]:
        assert (slug, arch) == (SLUG, "amd64")
        return RECIPE, b"archive"

    async def keep(self, slug: str, log: bytes) -> None:
        self.kept[slug] = log

    @property
    def builds(self) -> Builds:
        return Builds(
            builder=BUILDER,
            site=lambda: builders.site(build_registry="localhost:32000/home"),
            source=self.source,
            volume=SharedVolume(self.folder),
            refusal=self.cluster.refusal,
            run=OneOffs(cluster=self.cluster).run,
            keep=self.keep,
        )

    async def build(self) -> str:
        return await self.builds.build(builders.unbuilt(), self.stages.append)

    @property
    def clean(self) -> bool:
        """Nothing of a build is left."""
        left = list((self.folder / "addons" / "build").iterdir()) if (self.folder / "addons" / "build").exists() else []
        return not left and not self.cluster.select("Job", {}) and not self.cluster.pods()


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path)


async def test_an_image_is_built(workshop: Workshop) -> None:
    """Named as nodes know the registry, with the digest that the registry gave; nothing is left behind."""
    assert await workshop.build() == f"localhost:32000/home/amd64-addon-local-example@{DIGEST}"
    assert workshop.archives == [b"archive"]
    assert workshop.stages[0] == "preparing the build"
    assert workshop.clean
    assert workshop.kept == {}


async def test_steps_are_told(workshop: Workshop) -> None:
    """As the builder says them, while it goes on."""

    async def run(_job: Mapping[str, Any], *, hear: Callable[[str, str], None]) -> Ended:
        for line in ("Resolving", "STEP 1/2: FROM scratch", "STEP 2/2: COPY a b"):
            hear("build", line)
        hear("push", "Getting image source signatures")
        return Ended("push", 0, "", DIGEST)

    await replace(workshop.builds, run=run).build(builders.unbuilt(), workshop.stages.append)
    assert workshop.stages[1:] == [
        "building, step 1 of 2: FROM scratch",
        "building, step 2 of 2: COPY a b",
        "pushing the image",
    ]


async def test_a_dockerfile_that_fails(workshop: Workshop) -> None:
    """The error ends with what the builder said last; all of it is in the add-on's log, each line with its time."""
    lines = [f"line {number}" for number in range(30)]
    workshop.behaviour = Behaviour(before=2, says=tuple(lines))
    with pytest.raises(AddonBuildError) as caught:
        await workshop.build()
    assert str(caught.value).startswith("App local_example cannot be built: its image was not built (exit code 2):\n")
    assert str(caught.value).endswith("line 28\nline 29")
    assert "line 9\n" not in str(caught.value)
    assert caught.value.error_key == "app_build_failed_unknown_error"
    kept = workshop.kept[SLUG].decode().splitlines()
    assert [line.partition(" ")[2] for line in kept] == lines
    assert workshop.clean


@pytest.mark.parametrize("behaviour", [Behaviour(before=0, exit_code=125, says=("denied",)), Behaviour(exit_code=0)])
async def test_a_push_that_fails(workshop: Workshop, behaviour: Behaviour) -> None:
    """And one that says no digest."""
    workshop.behaviour = behaviour
    with pytest.raises(AddonBuildError, match="its image was not pushed"):
        await workshop.build()
    assert workshop.clean


async def test_a_builder_that_cannot_begin(workshop: Workshop) -> None:
    """Its image does not come, or the cluster does not let it in: the reason is said, and nothing is left."""
    workshop.behaviour = Behaviour(pull_error="manifest unknown")
    with pytest.raises(AddonBuildError, match="manifest unknown"):
        await workshop.build()
    assert workshop.clean
    workshop.cluster.refusals["build-addon-local-example"] = "violates PodSecurity"
    with pytest.raises(AddonBuildError, match="refuses the builder's pod: violates PodSecurity"):
        await workshop.build()
    assert workshop.clean


async def test_a_build_without_end(workshop: Workshop) -> None:
    async def run(_job: Mapping[str, Any], *, hear: Callable[[str, str], None]) -> Ended:
        hear("build", "STEP 1/1: RUN sleep infinity")
        raise OneOffError(name="build", reason="it did not end within 600 seconds")

    with pytest.raises(AddonBuildError, match="did not end within 600"):
        await replace(workshop.builds, run=run).build(builders.unbuilt(), workshop.stages.append)
    assert workshop.clean


async def test_what_an_earlier_process_left(workshop: Workshop) -> None:
    """Goes at our start; what cannot be removed does not hold us up."""
    folder = workshop.folder / "addons" / "build"
    (folder / "x").mkdir(parents=True)
    await workshop.builds.sweep()
    assert not folder.exists()

    class Broken(SharedVolume):
        async def remove_tree(self, path: str) -> None:
            raise StorageError(path)

    await replace(workshop.builds, volume=Broken(workshop.folder)).sweep()


# --- the folder ------------------------------------------------------------------------------------------------------


def packed(folder: Path, *, limit: int = 100_000) -> dict[str, tarfile.TarInfo]:
    content = AddonFiles(folder.parent, PurePosixPath(folder.name), frozenset(), 0).pack(limit=limit)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        return {entry.name: entry for entry in tar}


def test_a_folder_is_packed(tmp_path: Path) -> None:
    """Files with their modes, folders, links as they are; no owners, no `.git`, nothing that is no file."""
    (tmp_path / "secret").write_text("secret")
    folder = tmp_path / "app"
    (folder / "rootfs" / "bin").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("password")
    (folder / "rootfs" / "bin" / "run").write_text("#!/bin/sh\n")
    (folder / "rootfs" / "bin" / "run").chmod(0o755)
    (folder / "out").symlink_to("../secret")
    (folder / "up").symlink_to("..")
    found = packed(folder)
    assert set(found) == {"rootfs", "rootfs/bin", "rootfs/bin/run", "out", "up"}
    run = found["rootfs/bin/run"]
    assert (run.mode, run.size, run.uid, run.uname) == (0o755, 10, 0, "")
    assert (found["out"].issym(), found["out"].linkname) == (True, "../secret")
    with pytest.raises(RefusedError, match="too large"):
        packed(folder, limit=2000)


def test_a_folder_behind_a_link(tmp_path: Path) -> None:
    """Is not packed: it may be anything. Nor is one that is gone by now."""
    (tmp_path / "app").symlink_to("/etc")
    for gone in ("app", "gone", "gone/app"):
        with pytest.raises(RefusedError, match="cannot be read"):
            packed(tmp_path / gone)
