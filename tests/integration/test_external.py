"""`CLUSTER=external` against a real API server that knows nothing of us: what goes away, and what never does."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.errors import ClusterNotFoundError
from supervisor_k8s.model.naming import addon_labels
from tests.cluster import binaries
from tests.cluster.controlplane import ControlPlane
from tests.cluster.paths import from_environment
from tests.integration.conftest import Others, config_map, deployment

ROOT = Path(__file__).parents[2]
CLAIMS = ("ha-shared-rwx", "supervisor-state")
ADDON = "addon-a"
BEYOND = tuple(f"/apis/rbac.authorization.k8s.io/v1/{kind}" for kind in ("clusterroles", "clusterrolebindings"))
"""Where an overlay may grant a right outside of its namespace."""


@dataclass(frozen=True, slots=True)
class Foreign:
    """Somebody's cluster, and an overlay of theirs."""

    plane: ControlPlane
    overlay: Path
    others: Others

    async def make(self, command: str, *, code: int = 0, **environment: str) -> str:
        """What one command of the Makefile says; it must end with `code`."""
        given = {"CLUSTER": "external", "KUBECONFIG": str(self.plane.kubeconfig), "OVERLAY": str(self.overlay)}
        return await cli(command, code=code, **given, **environment)

    async def has(self, kind: str, name: str) -> bool:
        """Whether it is there and not on its way out."""
        try:
            live = await self.others.read(kind, name)
        except ClusterNotFoundError:
            return False
        return "deletionTimestamp" not in live["metadata"]


async def cli(command: str, *, code: int, **environment: str) -> str:
    """`python -m tests.cluster` with nothing of our own environment that could name a cluster."""
    kept = {key: value for key, value in os.environ.items() if key in ("PATH", "HOME", "SUPERVISOR_K8S_CACHE")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.cluster", command),
        cwd=ROOT,
        env={**kept, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(120):
        out, _ = await process.communicate()
    assert process.returncode == code, out.decode()
    return out.decode()


@pytest.fixture
async def foreign(plane: ControlPlane, admin: Client, tmp_path: Path) -> AsyncIterator[Foreign]:
    """An installation without nodes, so without a running pod, in which an add-on is installed."""
    namespace = f"house-{uuid4().hex[:8]}"
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    base = os.path.relpath(ROOT / "manifests" / "base", overlay.resolve())
    nodes = os.path.relpath(ROOT / "manifests" / "components" / "nodes", overlay.resolve())
    (overlay / "kustomization.yaml").write_text(f"namespace: {namespace}\nresources: [{base}]\ncomponents: [{nodes}]\n")
    kubectl = binaries.program(from_environment(), "kubectl")
    process = await asyncio.create_subprocess_exec(kubectl, f"--kubeconfig={plane.kubeconfig}", "apply", "-k", overlay)
    assert await process.wait() == 0
    made = Foreign(plane, overlay, Others(admin, namespace))
    labels = addon_labels("a")
    for manifest in (deployment(ADDON), config_map("of-an-addon")):
        await made.others.create({**manifest, "metadata": {**manifest["metadata"], "labels": labels}})
    await made.others.create({**config_map("of-somebody"), "metadata": {"name": "of-somebody"}})
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "of-somebody"}, "spec": spec}
    await made.others.create(claim)
    yield made
    await admin.request("DELETE", f"/api/v1/namespaces/{namespace}")
    for kind in BEYOND:
        with suppress(ClusterNotFoundError):
            await admin.request("DELETE", f"{kind}/supervisor-nodes")


async def test_down_takes_ours_and_keeps_what_is_stored(foreign: Foreign, admin: Client) -> None:
    """By label: the installation and what the Supervisor made; and the right outside of the namespace. Claims stay, and
    whatever is somebody else's.
    """
    said = await foreign.make("down")
    for kind, name in (
        ("Deployment", "supervisor"),
        ("Deployment", ADDON),
        ("ConfigMap", "of-an-addon"),
        ("Service", "supervisor"),
    ):
        assert not await foreign.has(kind, name), (kind, name)
    for kind in BEYOND:
        with pytest.raises(ClusterNotFoundError):
            await admin.request("GET", f"{kind}/supervisor-nodes")
    for kind, name in (("ConfigMap", "of-somebody"), *(("PersistentVolumeClaim", name) for name in CLAIMS)):
        assert await foreign.has(kind, name), (kind, name)
    assert "Kept with everything stored: ha-shared-rwx, supervisor-state. CONFIRM=yes removes claims" in said


async def test_down_again_with_confirmation(foreign: Foreign) -> None:
    """Only the exact word removes claims, and only ours; the namespace stays."""
    await foreign.make("down", CONFIRM="y")
    assert await foreign.has("PersistentVolumeClaim", CLAIMS[0])
    said = await foreign.make("down", CONFIRM="yes")
    for name in CLAIMS:
        assert not await foreign.has("PersistentVolumeClaim", name)
    assert await foreign.has("PersistentVolumeClaim", "of-somebody")
    assert f"kubectl delete namespace {foreign.others.namespace}" in said


async def test_status(foreign: Foreign) -> None:
    """It says which cluster and namespace it looked at, and that nothing runs there."""
    said = await foreign.make("status", code=1)
    assert foreign.plane.server in said
    assert f"namespace {foreign.others.namespace}" in said
    assert "Home Assistant is not up" in said


async def test_env(foreign: Foreign) -> None:
    """Lines for a shell."""
    said = await foreign.make("env")
    assert f"KUBECONFIG={foreign.plane.kubeconfig} " in said
    assert f"HOUSE_NAMESPACE={foreign.others.namespace}\n" in said


@pytest.mark.parametrize("command", ["stop", "start"])
async def test_it_is_not_ours_to_switch_off(foreign: Foreign, command: str) -> None:
    """The local cluster's power switch is none of a foreign one."""
    assert "for the local cluster only" in await foreign.make(command, code=1)
