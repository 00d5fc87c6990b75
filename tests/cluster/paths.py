"""Where the local cluster keeps its things.

Two roots only: the cache (slow to make, survives `down`, keyed by version) and
the state directory (everything else, removed by `down`).
"""

import os
from dataclasses import dataclass
from pathlib import Path

from . import versions

REPOSITORY = Path(__file__).resolve().parents[2]
STATE = Path("/var/lib/supervisor-k8s-local")


@dataclass(frozen=True, slots=True)
class Paths:
    """The two roots, and every path below them that more than one module needs."""

    cache: Path
    state: Path = STATE
    repository: Path = REPOSITORY

    @property
    def kubeconfig(self) -> Path:
        """The administrator's access to the cluster."""
        return self.state / "kubeconfig"

    @property
    def logs(self) -> Path:
        """One file per daemon and per step."""
        return self.state / "logs"

    @property
    def pids(self) -> Path:
        """One record per daemon, see `process.py`."""
        return self.state / "pids"

    @property
    def containerd(self) -> Path:
        """State, socket and configuration of our containerd."""
        return self.state / "containerd"

    @property
    def containerd_socket(self) -> Path:
        return self.containerd / "containerd.sock"

    @property
    def registries(self) -> Path:
        """How our containerd reaches single registries: a folder for each, named by its host, with a `hosts.toml`."""
        return self.containerd / "registries"

    @property
    def kubelet(self) -> Path:
        """Root of kubelet: pods and their volumes."""
        return self.state / "kubelet"

    @property
    def volumes(self) -> Path:
        """Directories of the static PersistentVolumes in manifests/overlays/local."""
        return self.state / "volumes"

    @property
    def image_store_link(self) -> Path:
        """Leads to the image store that the cluster has taken."""
        return self.containerd / "image-store"

    @property
    def image_store(self) -> Path:
        """Where our containerd keeps everything that is to last, see `imagestore.py`. A cluster that runs keeps the one
        that it has, whatever version of containerd comes.
        """
        if self.image_store_link.is_symlink():
            return self.image_store_link.readlink()
        return self.cache / "image-store" / versions.CONTAINERD

    @property
    def imported(self) -> Path:
        """One stamp per image that was imported into containerd."""
        return self.image_store / "imported"

    @property
    def image_cache(self) -> Path:
        """Image archives, named by content hash."""
        return self.cache / "images"


def from_environment() -> Paths:
    """Paths for this user; SUPERVISOR_K8S_CACHE moves the cache."""
    configured = os.environ.get("SUPERVISOR_K8S_CACHE")
    cache = Path(configured) if configured else Path.home() / ".cache" / "supervisor-k8s"
    return Paths(cache=cache.absolute())
