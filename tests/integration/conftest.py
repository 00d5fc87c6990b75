"""A real kube-apiserver with etcd and the controllers, without nodes, for the whole tier; a namespace for each test.

Nobody runs pods here: a test binds them and writes their status itself, as a kubelet would.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest

from supervisor_k8s.cluster.client import JSON_PATCH, MERGE_PATCH, Client
from supervisor_k8s.cluster.cluster import Cluster
from supervisor_k8s.cluster.kinds import KINDS
from supervisor_k8s.cluster.watch import Pace
from supervisor_k8s.model.naming import addon_labels
from tests.cluster import binaries, packages
from tests.cluster.controlplane import AUDIT_ALL, ControlPlane, Ports
from tests.cluster.paths import from_environment
from tests.cluster.steps import Console, Context
from tests.gitserver import GitServer, Repository
from tests.kubeconfig import client_of

PACE = Pace(first_pause=0.05, longest_pause=0.5)
"""Pauses short enough for a test; all else as in the product."""
LABELS = addon_labels("a")


@pytest.fixture
def repository(git_server: GitServer) -> Repository:
    """`house`, with one file."""
    made = git_server.repository("house")
    made.commit({"configuration.yaml": "a:\n"})
    return made


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Context]:
    """For what the tier makes before its tests; the servers of Debian's packages are in the cache."""
    console = Console()
    made = Context(replace(from_environment(), state=tmp_path_factory.mktemp("plane")), console)
    try:
        packages.servers(made)
        yield made
    finally:
        console.close()


@pytest.fixture(scope="session")
def plane(context: Context) -> Iterator[ControlPlane]:
    """The control plane. What it needs is built when the cache does not have it."""
    paths = context.paths
    binaries.ensure(context, binaries.KUBE)
    made = ControlPlane(
        directory=paths.state, paths=paths, address="127.0.0.1", ports=Ports.free(), controllers=True, audit=AUDIT_ALL,
        tied=True,
    )  # fmt: skip
    try:
        with context.step("control plane of the integration tier") as step:
            made.start(step)
        yield made
    finally:
        made.stop()


@pytest.fixture
async def admin(plane: ControlPlane) -> AsyncIterator[Client]:
    """Requests of an administrator: what others do in the cluster."""
    client = client_of(plane.kubeconfig)
    yield client
    await client.close()


@pytest.fixture
async def namespace(admin: Client) -> str:
    """A namespace of the test's own, with its service account."""
    name = f"test-{uuid4().hex[:8]}"
    await admin.request(
        "POST", "/api/v1/namespaces", body={"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    )
    async with asyncio.timeout(30):
        while not (await admin.request("GET", f"/api/v1/namespaces/{name}/serviceaccounts"))["items"]:
            await asyncio.sleep(0.05)
    return name


@pytest.fixture
async def blind(plane: ControlPlane, namespace: str) -> AsyncIterator[Cluster]:
    """Our view of the cluster, not yet watching."""
    client = client_of(plane.kubeconfig)
    yield Cluster(client=client, namespace=namespace, pace=PACE)
    await client.close()


@pytest.fixture
async def cluster(blind: Cluster) -> AsyncIterator[Cluster]:
    """Our view of the cluster, listed and watching."""
    async with running(blind):
        yield blind


@pytest.fixture
def others(admin: Client, namespace: str) -> "Others":
    return Others(admin, namespace)


@contextlib.asynccontextmanager
async def running(cluster: Cluster) -> AsyncIterator[None]:
    """The watches of this cluster run inside of the block."""
    task = asyncio.create_task(cluster.run())
    try:
        await cluster.listed(within=30)
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@dataclass(frozen=True, slots=True)
class Others:
    """What somebody else does in the namespace: a person with kubectl, a kubelet."""

    client: Client
    namespace: str

    async def create(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
        return await self.client.request("POST", self._path(manifest["kind"]), body=dict(manifest))

    async def read(self, kind: str, name: str) -> dict[str, Any]:
        return await self.client.request("GET", self._path(kind, name))

    async def change(self, kind: str, name: str, change: Any, *, part: str = "") -> dict[str, Any]:
        """A merge patch, of the status with `part="/status"`."""
        path = self._path(kind, name) + part
        return await self.client.request("PATCH", path, body=change, content_type=MERGE_PATCH)

    async def delete(self, kind: str, name: str, **options: Any) -> None:
        await self.client.request("DELETE", self._path(kind, name), body={"kind": "DeleteOptions", **options})

    async def run(self, pod: str) -> None:
        """Schedule the pod and report it as running, as scheduler and kubelet would."""
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": pod},
            "target": {"apiVersion": "v1", "kind": "Node", "name": "imagined"},
        }
        await self.client.request("POST", self._path("Pod", pod) + "/binding", body=binding)
        await self.change("Pod", pod, {"status": {"phase": "Running"}}, part="/status")

    async def end(self, pod: str) -> None:
        """The kubelet's last word on a Terminating pod."""
        await self.delete("Pod", pod, gracePeriodSeconds=0)

    async def lift(self, pod: str) -> None:
        await self.client.request(
            "PATCH",
            self._path("Pod", pod),
            body=[{"op": "remove", "path": "/spec/schedulingGates"}],
            content_type=JSON_PATCH,
        )

    def _path(self, kind: str, name: str | None = None) -> str:
        return KINDS[kind].path(self.namespace, name)


def config_map(name: str = "settings", **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": LABELS}, "data": data}


def deployment(name: str = "addon-a", *, launch: str = "00000001", gate: str | None = None) -> dict[str, Any]:
    spec: dict[str, Any] = {"containers": [{"name": "addon", "image": "a:1"}]}
    if gate:
        spec["schedulingGates"] = [{"name": gate}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": LABELS},
        "spec": {
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": {"io.hass.addon": "a"}},
            "template": {"metadata": {"labels": {**LABELS, "io.hass.launch": launch}}, "spec": spec},
        },
    }
