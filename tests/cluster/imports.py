"""Bringing image archives into the cluster's containerd, once per content.

Contract with `images.py`, which makes our images:

    def build(ctx: Context) -> None    archives into ctx.paths.image_cache; needs no cluster,
                                       runs beside the Go builds
    def load(ctx: Context) -> None     import_archive() for each of them; containerd runs

Both open a `ctx.step(...)` per image. A stamp per image remembers which key
(hash of all inputs of its build) gave which digest; when containerd still has
that digest under that name, nothing is imported again.
"""

import json
import tarfile
from pathlib import Path
from typing import Any

from . import binaries
from .paths import Paths
from .steps import Step

NAMESPACE = "k8s.io"
"""containerd's namespace that kubelet looks into."""


def import_archive(paths: Paths, step: Step, archive: Path, *, key: str) -> None:
    """Import a docker-archive unless the images of this key are already there.

    `key` is the content hash of the image's inputs. The step's note says which
    of the two happened.
    """
    entries = _manifest(archive)
    names = [name for entry in entries for name in entry["RepoTags"] or ()]
    present = digests(paths, step)
    stamps = {name: _read(_stamp(paths, name)) for name in names}
    if all(name in present and _same(stamps[name], key, present[name]) for name in names):
        step.note("unchanged")
        return
    ctr(paths, step, "image", "import", "--local", str(archive))
    present = digests(paths, step)
    paths.imported.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        config = Path(entry["Config"]).name.removesuffix(".json")
        for name in entry["RepoTags"] or ():
            stamp = {"name": name, "key": key, "digest": present[name], "config": config}
            _stamp(paths, name).write_text(json.dumps(stamp))
    step.note("imported")


def configs(paths: Paths) -> dict[str, str]:
    """Image name → digest of its configuration, which pods show as their image's id."""
    stamps = [json.loads(stamp.read_text()) for stamp in paths.imported.glob("*.json")]
    return {stamp["name"]: stamp["config"] for stamp in stamps}


def digests(paths: Paths, step: Step) -> dict[str, str]:
    """Image name → digest, as containerd has them now."""
    lines = ctr(paths, step, "image", "ls").splitlines()[1:]
    return {words[0]: words[2] for words in (line.split() for line in lines) if len(words) > 2}


def ctr(paths: Paths, step: Step, *arguments: str) -> str:
    """Run containerd's client on our containerd."""
    program = binaries.program(paths, "ctr")
    return step.run([program, "--address", paths.containerd_socket, "-n", NAMESPACE, *arguments])


def _stamp(paths: Paths, name: str) -> Path:
    return paths.imported / f"{name.replace('/', '_').replace(':', '_')}.json"


def _read(stamp: Path) -> dict[str, str]:
    return dict(json.loads(stamp.read_text())) if stamp.exists() else {}


def _same(stamp: dict[str, str], key: str, digest: str) -> bool:
    return stamp.get("key") == key and stamp.get("digest") == digest


def _manifest(archive: Path) -> list[dict[str, Any]]:
    with tarfile.open(archive) as tar:
        manifest = tar.extractfile("manifest.json")
        assert manifest is not None
        return list(json.load(manifest))
