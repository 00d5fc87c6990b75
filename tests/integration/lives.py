"""The real program with a house around it: a kubelet that plays its pods, a person who asks, others who interfere."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.errors import ClusterNotFoundError
from tests.cluster.controlplane import ControlPlane
from tests.free_ports import free_port
from tests.integration.conftest import Others
from tests.integration.kubelet import Kubelet
from tests.integration.program import Program

PATIENCE = 30.0
"""Seconds until something must have come about."""


@dataclass(slots=True, kw_only=True)
class Pod(Program):
    """The program in a pod of any name. `where` is the folder of another one whose volumes and account it shares."""

    pod: str = "supervisor-0"
    metrics: int = 0

    def _environment(self) -> dict[str, str]:
        # Not super(): a dataclass with slots is another class than the one that this function was made in.
        own = {"SUPERVISOR_K8S_POD_NAME": self.pod, "SUPERVISOR_METRICS_PORT": str(self.metrics)}
        return {**Program._environment(self), **own}

    async def end(self) -> None:
        """As the kubelet asks a container to end; fails unless it ends well."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            assert await self.ended() == 0, self.said(20)

    def neighbour(self, name: str) -> "Pod":
        """Another pod of the same installation, not yet started."""
        made = Pod(
            folder=self.folder, client=self.client, namespace=self.namespace, server=self.server,
            authority=self.authority, pod=name, metrics=free_port(),
        )  # fmt: skip
        made._http = self._http
        return made


@dataclass(frozen=True, slots=True)
class Life:
    """One installation that lives."""

    program: Pod
    kubelet: Kubelet
    others: Others

    async def do(self, path: str, **body: Any) -> None:
        """A verb that must succeed."""
        answer = await self.program.ask("POST", path, body or None)
        assert answer.ok, (path, answer, self.program.said(20))

    async def find(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """What the cluster has under this name."""
        try:
            return await self.others.read(kind, name)
        except ClusterNotFoundError:
            return None

    async def lacks(self, kind: str, name: str) -> bool:
        return await self.find(kind, name) is None

    async def core_runs(self) -> None:
        await becomes(lambda: yes("homeassistant-0" in self.kubelet.running))


@asynccontextmanager
async def living(
    plane: ControlPlane,
    admin: Client,
    namespace: str,
    folder: Path,
    addons: Sequence[Mapping[str, Any]],
    **settings: str,
) -> AsyncIterator[Life]:
    """From the first start until whatever runs is killed; with Core's pod running. `settings` are variables of ours
    without their `SUPERVISOR_K8S_`.
    """
    program = Pod(
        folder=folder, client=admin, namespace=namespace, server=plane.server, authority=plane.authority.certificate,
        metrics=free_port(), settings={f"SUPERVISOR_K8S_{name}": value for name, value in settings.items()},
    )  # fmt: skip
    async with Kubelet(admin, namespace, chance=random.Random()).working() as kubelet, program.installed(addons):
        await program.start()
        await program.up()
        life = Life(program, kubelet, Others(admin, namespace))
        await life.core_runs()
        yield life


async def becomes[T](look: Callable[[], Awaitable[T | None]], *, within: float = PATIENCE) -> T:
    """The first truthy answer."""
    async with asyncio.timeout(within):
        while not (found := await look()):
            await asyncio.sleep(0.02)
    return found


async def yes(value: bool) -> bool:
    """For `becomes`, of what is known without asking."""
    return value
