"""containerd's images outlive the cluster: to import Home Assistant's takes longer than everything else together.

The store lies in the cache. A cluster that comes up takes it over, and when it is taken down it gives it back, rid of
all pods. One that ended otherwise leaves nothing that the next would have to trust: its store is made anew.
"""

import shutil
from pathlib import Path

from . import imports, mounts
from .paths import Paths
from .steps import Step

PODS = ("io.containerd.grpc.v1.cri", "io.containerd.sandbox.controller.v1.shim", "io.containerd.runtime.v2.task")
"""Folders in which containerd keeps what it knows of pods beside its data base."""


def take(paths: Paths) -> None:
    """Have the store for this cluster, before containerd's first start."""
    if is_taken(paths):
        return
    if _given_back(paths).exists():
        _given_back(paths).unlink()
    else:
        shutil.rmtree(paths.image_store, ignore_errors=True)
    paths.image_store.mkdir(parents=True, exist_ok=True)
    paths.containerd.mkdir(parents=True, exist_ok=True)
    paths.image_store_link.symlink_to(paths.image_store)


def is_taken(paths: Paths) -> bool:
    """Whether this cluster has the store."""
    return paths.image_store_link.is_symlink()


def forget_pods(paths: Paths, step: Step) -> None:
    """Have containerd, which runs, forget containers that have all ended."""
    told = []
    for kind in ("containers", "sandboxes", "leases"):
        if names := _listed(paths, step, kind):
            imports.ctr(paths, step, kind, "rm", *names)
            told.append(f"{len(names)} {kind}")
    step.note(", ".join(told) or "none")


def give_back(paths: Paths, step: Step) -> None:
    """Leave the store, without pods, to the next cluster; containerd has ended."""
    mounts.unmount(step, below=paths.image_store)
    for folder in PODS:
        shutil.rmtree(paths.image_store / folder, ignore_errors=True)
    _given_back(paths).touch()


def _listed(paths: Paths, step: Step, kind: str) -> list[str]:
    lines = imports.ctr(paths, step, kind, "ls").splitlines()[1:]
    return [line.split()[0] for line in lines if line.strip()]


def _given_back(paths: Paths) -> Path:
    return paths.image_store / "given-back"
