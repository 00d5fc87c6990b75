"""One buildah with a storage of its own: base images, builds and archives, each named by what went into it.

Nothing here knows which images the project has (that is `images.py`). An archive's file name carries the
hash of its inputs, so "is it built?" is one look at the disk and a second run builds nothing. The machine's
package client settings reach a build as read-only mounts: a layer that held them would follow the image
to every user.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from . import buildclient, mounts
from .paths import Paths
from .steps import Failed, Step

STORAGE = {"STORAGE_DRIVER": "overlay"}


@dataclass(frozen=True, slots=True)
class Archive:
    """A built image on disk, as a docker-archive."""

    name: str
    path: Path
    key: str
    """Hash of the inputs of the build."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What makes one image. `inputs` are the files and folders of the context that count."""

    name: str
    context: Path
    inputs: Sequence[str]
    dockerfile: str = "Dockerfile"
    bases: Sequence[Archive] = ()
    args: Mapping[str, str] = field(default_factory=dict)
    layers: bool = False
    """Keep every layer for the next build: for what is built again and again while one works on it."""

    @property
    def key(self) -> str:
        parts = [self.name, *(f"{name}={value}" for name, value in sorted(self.args.items()))]
        parts += [image_id(base) for base in self.bases]
        return _digest(parts + _fingerprints(self.context, [self.dockerfile, *self.inputs]))


def planned(paths: Paths, recipe: Recipe) -> Archive:
    """Where the image of a recipe is, once it is built."""
    return _planned(paths, recipe.name, recipe.key)


def planned_base(paths: Paths, *, name: str, suite: str) -> Archive:
    """Where a base is, once it is built."""
    return _planned(paths, name, _digest([name, *_bootstrap(suite)]))


def base(paths: Paths, step: Step, *, name: str, suite: str) -> Archive:
    """A minimal Debian under the public name that Dockerfiles have as the default of their BASE."""
    archive = planned_base(paths, name=name, suite=suite)
    with _missing(archive) as missing:
        if missing:
            _bootstrap_base(paths, step, archive, suite)
        step.note("built" if missing else "cached")
    return archive


def build(paths: Paths, step: Step, recipe: Recipe) -> Archive:
    """The image of a Dockerfile; built only when one of its inputs is new."""
    archive = planned(paths, recipe)
    with _missing(archive) as missing:
        if missing:
            _build(paths, step, recipe)
            _save(paths, step, archive)
        step.note("built" if missing else "cached")
    return archive


def image_id(archive: Archive) -> str:
    """The image's id: the digest of its configuration, which names its layers."""
    with tarfile.open(archive.path) as tar:
        manifest = tar.extractfile("manifest.json")
        if manifest is None:
            raise Failed(f"{archive.path} is no image archive: remove it and try again")
        config: str = json.load(manifest)[0]["Config"]
    return config.removesuffix(".json")


@contextmanager
def _missing(archive: Archive) -> Iterator[bool]:
    """Whether the archive is to be made; a second process that wants the same one waits, and finds it."""
    archive.path.parent.mkdir(parents=True, exist_ok=True)
    with (archive.path.parent / f"{_stem(archive.name)}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not archive.path.exists()


def discard_unfinished(paths: Paths, step: Step) -> int:
    """End what killed builds left in the storage: their working containers, and mounts; how many there were."""
    containers = []
    if shutil.which("buildah") and _storage(paths).exists():
        containers = step.run(_buildah(paths, "containers", "--quiet"), env=STORAGE).split()
    if containers:
        step.run(_buildah(paths, "rm", *containers), env=STORAGE)
    return len(containers) + mounts.unmount(step, below=paths.image_cache)


def _bootstrap_base(paths: Paths, step: Step, archive: Archive, suite: str) -> None:
    root = archive.path.with_suffix(".rootfs.tar")
    step.run([*_bootstrap(suite), root])
    container = step.run(_buildah(paths, "from", "scratch"), env=STORAGE).strip()
    step.run(_buildah(paths, "add", "--quiet", container, str(root), "/"), env=STORAGE)
    step.run(_buildah(paths, "config", "--cmd", "bash", container), env=STORAGE)
    step.run(_buildah(paths, "commit", "--quiet", "--rm", container, archive.name), env=STORAGE)
    root.unlink()
    _save(paths, step, archive)


def _build(paths: Paths, step: Step, recipe: Recipe) -> None:
    for needed in recipe.bases:
        _restore(paths, step, needed)
    # Docker's format has a place for HEALTHCHECK, the OCI's has none.
    command = ["build", "--format", "docker", "--runtime", "runc", "--network", "host", "--pull-never"]
    command += [f"--layers={str(recipe.layers).lower()}", "--tag", recipe.name]
    command += ["--file", str(recipe.context / recipe.dockerfile)]
    command += [f"--volume={mount}" for mount in buildclient.mounts(paths.image_cache / "client")]
    command += [f"--build-arg={name}={value}" for name, value in recipe.args.items()]
    # To standard error, which the step logs while the build goes on.
    redirect = ["sh", "-c", 'exec "$@" >&2', "build"]
    step.run([*redirect, *_buildah(paths, *command, str(recipe.context))], env=STORAGE, timeout=3600)


def _bootstrap(suite: str) -> list[str]:
    return [
        "mmdebstrap",
        "--variant=minbase",
        # A mirror's copy of the testing suite may carry a release file past its date.
        '--aptopt=Acquire::Check-Valid-Until "false"',
        '--customize-hook=rm "$1/etc/apt/apt.conf.d/99mmdebstrap"',
        suite,
    ]


def _planned(paths: Paths, name: str, key: str) -> Archive:
    return Archive(name, paths.image_cache / f"{_stem(name)}-{key}.tar", key)


def _save(paths: Paths, step: Step, archive: Archive) -> None:
    """Write the archive beside its final name first: a half-written one must never look finished."""
    partial = archive.path.with_suffix(".partial")
    partial.unlink(missing_ok=True)
    target = f"docker-archive:{partial}:{archive.name}"
    step.run(_buildah(paths, "push", "--quiet", archive.name, target), env=STORAGE)
    partial.rename(archive.path)
    for old in archive.path.parent.glob(f"{_stem(archive.name)}-{'?' * len(archive.key)}.tar"):
        if old != archive.path:
            old.unlink()


def _restore(paths: Paths, step: Step, archive: Archive) -> None:
    """Bring a base back from its archive when the storage lost it or holds another one under its name."""
    query = _buildah(paths, "images", "--quiet", "--no-trunc", "--filter", f"reference={archive.name}")
    if image_id(archive) not in step.run(query, env=STORAGE):
        step.run(_buildah(paths, "pull", "--quiet", f"docker-archive:{archive.path}"), env=STORAGE)


def _buildah(paths: Paths, *arguments: str) -> list[str]:
    program = shutil.which("buildah") or "buildah"
    return [program, "--root", str(_storage(paths)), "--runroot", str(paths.image_cache / "run"), *arguments]


def _storage(paths: Paths) -> Path:
    return paths.image_cache / "storage"


def _fingerprints(context: Path, inputs: Iterable[str]) -> list[str]:
    """One line per file: place, executable bit, content. Order and time stamps do not count."""
    files: set[Path] = set()
    for path in (context / name for name in inputs):
        files.update(path.rglob("*") if path.is_dir() else [path])
    lines = []
    for file in sorted(files):
        if file.is_dir() or "__pycache__" in file.parts:
            continue
        if not file.exists():
            raise Failed(f"{file} is missing, but the image is made from it")
        mode = "x" if file.stat().st_mode & 0o100 else "-"
        lines.append(f"{os.path.relpath(file, context)} {mode} {hashlib.sha256(file.read_bytes()).hexdigest()}")
    return lines


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _stem(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", name)
