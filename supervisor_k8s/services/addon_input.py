"""What add-ons are told: bytes for the standard input of a program whose manifest says that it reads it.

Core's action `hassio.app_stdin` ends here; the programs take a line as one command.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from supervisor_k8s.errors import AddonNotRunningError, AddonStdinError
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.intent import addon_key
from supervisor_k8s.model.program import program_of
from supervisor_k8s.model.status import Live, current_pod, running_container


class InputCluster(Protocol):
    """What writing needs of the cluster."""

    def select(self, kind: str, labels: Mapping[str, str]) -> Sequence[Live]: ...

    async def write_stdin(self, pod: str, container: str, content: bytes) -> None:
        """Write to the standard input of a container's program. ClusterError, TookTooLongError."""


class AddonInput:
    """Standard inputs of installed add-ons."""

    def __init__(self, *, cluster: InputCluster, config: Callable[[str], AddonConfig]) -> None:
        """`config` gives the manifest of an installed add-on by slug."""
        self._cluster = cluster
        self._config = config

    def check(self, slug: str) -> None:
        """AddonStdinError when the add-on's manifest does not say that its program reads."""
        if not self._config(slug).stdin:
            raise AddonStdinError(app=slug)

    async def write(self, slug: str, content: bytes) -> None:
        """Write `content` and a line end. AddonNotRunningError; ClusterError, TookTooLongError."""
        self.check(slug)
        labels, container = program_of(addon_key(slug))
        pod = current_pod(self._cluster.select("Pod", labels))
        if pod is None or running_container(pod, container) is None:
            raise AddonNotRunningError(app=slug)
        await self._cluster.write_stdin(pod["metadata"]["name"], container, content + b"\n")
