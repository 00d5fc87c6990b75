"""Our image as it is built for users: the same files again from the same sources, small, and able to say how it is."""

import hashlib
import json
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.cluster import buildah, images
from tests.cluster.paths import from_environment
from tests.cluster.steps import Console, Context

MEGABYTE = 1_000_000
LARGEST = 150 * MEGABYTE
"""Of all layers, unpacked, as the README says."""
UPDATE = 3 * MEGABYTE
"""Of the last layer with files: what an update of ours alone makes a node fetch."""
PUBLIC = 100
"""Authorities that Debian trusts, at least."""
OURS = (
    "opt/supervisor",
    "usr/bin/hold",
    "usr/bin/relay",
    "usr/bin/before-core",
    "usr/bin/healthcheck",
    "usr/bin/docker-network",
    "usr/share/supervisor-k8s/programs",
)
"""Program, everything that was installed for it, and its helpers. The rest is Debian's packages, unpacked once."""

type Entry = tuple[Any, ...]
"""Kind, mode, owner, link and content of one file."""


@dataclass(frozen=True, slots=True)
class Image:
    """A docker-archive, looked into."""

    path: Path

    @property
    def config(self) -> Mapping[str, Any]:
        with tarfile.open(self.path) as outer:
            config: Mapping[str, Any] = json.load(_member(outer, _manifest(outer)["Config"]))
            return config

    def layers(self) -> list[int]:
        """Bytes of each layer, unpacked."""
        with tarfile.open(self.path) as outer:
            return [outer.getmember(layer).size for layer in _manifest(outer)["Layers"]]

    def files(self, *places: str) -> dict[str, Entry]:
        """What a container would see at these places."""
        return {name: entry for name, entry in self._entries() if name.startswith(places)}

    def times(self, *places: str) -> set[int]:
        with tarfile.open(self.path) as outer:
            return {
                int(file.mtime)
                for layer in _manifest(outer)["Layers"]
                for file in tarfile.open(fileobj=_member(outer, layer))
                if file.isfile() and file.name.startswith(places)
            }

    def _entries(self) -> Iterator[tuple[str, Entry]]:
        with tarfile.open(self.path) as outer:
            for layer in _manifest(outer)["Layers"]:
                with tarfile.open(fileobj=_member(outer, layer)) as inner:
                    for file in inner:
                        content = hashlib.sha256(_member(inner, file).read()).hexdigest() if file.isreg() else ""
                        yield (
                            file.name.rstrip("/"),
                            (file.type, file.mode, file.uid, file.gid, file.linkname, content),
                        )


def _manifest(outer: tarfile.TarFile) -> Mapping[str, Any]:
    manifest: Mapping[str, Any] = json.load(_member(outer, "manifest.json"))[0]
    return manifest


def _member(tar: tarfile.TarFile, member: str | tarfile.TarInfo) -> Any:
    file = tar.extractfile(member)
    assert file is not None
    return file


@pytest.fixture(scope="session")
def builder(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Builder"]:
    """Builds our image by the Dockerfile, as `make up` does. What has been built before is not built again."""
    console = Console()
    yield Builder(Context(from_environment(), console, log_directory=tmp_path_factory.mktemp("image-logs")))
    console.close()


@dataclass(frozen=True, slots=True)
class Builder:
    """Images of the present sources."""

    context: Context

    def image(self) -> Image:
        """As `make up` makes it."""
        return self._build(images.recipe_of(self.context, images.SUPERVISOR))

    @contextmanager
    def again(self, folder: Path) -> Iterator[Image]:
        """The same sources in this folder, built with nothing from the cache but Debian's packages.

        Comments are added where the first step after the packages reads: the builder's cache goes by content.
        """
        recipe = images.recipe_of(self.context, images.SUPERVISOR)
        for name in (recipe.dockerfile, *recipe.inputs):
            place = folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            copy = shutil.copytree if (recipe.context / name).is_dir() else shutil.copy2
            copy(recipe.context / name, place)
        for name, comment in (("rootfs/usr/src/hold.c", "// {}\n"), ("requirements/runtime.txt", "# {}\n")):
            with (folder / name).open("a") as file:
                file.write(comment.format(uuid4()))
        image = self._build(replace(recipe, name="localhost/supervisor-again:1", context=folder))
        try:
            yield image
        finally:
            image.path.unlink()

    def _build(self, recipe: buildah.Recipe) -> Image:
        with self.context.step(f"build {recipe.name}") as step:
            return Image(buildah.build(self.context.paths, step, recipe).path)


@pytest.mark.timeout(600)
def test_two_builds_give_the_same_files(builder: Builder, tmp_path: Path) -> None:
    """Built elsewhere and later, every file of ours and of our dependencies is there with the same content,
    mode and owner: whoever builds our sources can tell that an image is made of them.
    """
    first = builder.image()
    with builder.again(tmp_path) as again:
        expected, found = first.files(*OURS), again.files(*OURS)
        times = again.times("opt/supervisor", "usr/bin/hold")
    assert set() == expected.keys() ^ found.keys()
    assert [] == [name for name in expected if expected[name] != found[name]]
    assert "opt/supervisor/lib/python3.13/site-packages/supervisor_k8s/__main__.py" in expected
    assert {0} == times


def test_size(builder: Builder) -> None:
    """The README says how large it is; an update without new dependencies is small."""
    layers = builder.image().layers()
    assert sum(layers) < LARGEST
    assert max(layers[-2:]) < UPDATE


def test_what_is_not_needed_is_left_out(builder: Builder) -> None:
    """No compiler, package manager, Perl, typed models, tests or logs; licences stay."""
    names = builder.image().files("")
    for unwanted in ("usr/bin/gcc", "usr/bin/apt-get", "usr/bin/perl", "opt/supervisor/bin/pip", "var/cache/apt"):
        assert not [name for name in names if name.startswith(unwanted) and names[name][0] == tarfile.REGTYPE]
    assert not [name for name in names if "kubernetes_asyncio/client/models/v1_" in name]
    assert not [name for name in names if name.startswith("var/log/") and names[name][0] == tarfile.REGTYPE]
    assert "usr/share/doc/git/copyright" in names


def test_public_authorities_are_trusted(builder: Builder) -> None:
    """OpenSSL finds them where it looks: all in one file, and each by its hash, so that a file of the user's own
    (`SSL_CERT_FILE`) comes beside them.
    """
    image = builder.image()
    links = {name: entry[4] for name, entry in image.files("usr/lib/ssl/").items()}
    assert links == {
        "usr/lib/ssl/cert.pem": "/etc/ssl/certs/ca-certificates.crt",
        "usr/lib/ssl/certs": "/etc/ssl/certs",
    }
    found = image.files("etc/ssl/certs/")
    assert "etc/ssl/certs/ca-certificates.crt" in found
    assert len([name for name in found if name.endswith(".0")]) > PUBLIC


def test_healthcheck(builder: Builder) -> None:
    """Docker-like runtimes are told how to see whether it is well."""
    image = builder.image()
    assert image.config["config"]["Healthcheck"]["Test"] == ["CMD", "healthcheck"]
    assert "usr/bin/healthcheck" in image.files("usr/bin/healthcheck")
