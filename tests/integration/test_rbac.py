"""Least rights: the real program under the ServiceAccount of `manifests/`, against what the audit log saw of it."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from supervisor_k8s.cluster.client import MERGE_PATCH, Client
from tests import rights
from tests.cluster.controlplane import ControlPlane
from tests.integration.lives import Life, becomes, living
from tests.integration.overlay import rendered

ADDONS = (
    # Not published: nobody here gives addresses, and after half a minute we would ask for Events about that.
    {"slug": "a", "ports": {"80/tcp": None}, "stdin": True},
    {"slug": "once", "startup": "once"},
)


async def test_rights(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path) -> None:
    """In a life with everything that happens to add-ons and Core, each right is used and none is missing."""
    async with living(plane, admin, namespace, tmp_path, ADDONS) as life:
        for slug in ("local_a", "local_once"):
            await life.do(f"/store/addons/{slug}/install")
            await life.do(f"/addons/{slug}/start")
        for part in ("logs", "stats"):
            await life.program.ask("GET", f"/addons/local_a/{part}")
        # Nobody runs a program here that could read; that the API server lets us ask is what counts.
        await life.program.ask("POST", "/addons/local_a/stdin")
        await life.do("/addons/local_a/restart")
        await drift(life)
        await life.do("/core/options", port=8124)
        for slug in ("local_a", "local_once"):
            await life.do(f"/addons/{slug}/stop")
            await life.do(f"/addons/{slug}/uninstall")
        await life.do("/core/stop")
        await life.program.end()
    did = rights.seen(plane.audit_log, namespace)
    assert [] == rights.complaints(rights.granted(), did, but=rights.allowed("integration"))


async def test_facts_of_nodes(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path) -> None:
    """Without the optional component nothing is known of our node, and nothing is refused either; with it, what the
    node says, by the rights that it grants.
    """
    async with living(plane, admin, namespace, tmp_path, (), DOCKER_NETWORK="auto") as life:
        system = "An operating system"
        facts = {"status": {"nodeInfo": {"osImage": system}}}
        path = f"/api/v1/nodes/{life.kubelet.node}/status"
        await admin.request("PATCH", path, body=facts, content_type=MERGE_PATCH)
        await life.program.end()
        for allowed in (False, True):
            # It asks as long as it lives, so it ends before the right does.
            async with nodes_allowed(admin, namespace) if allowed else contextlib.nullcontext():
                await life.program.start()
                await life.program.up()
                answer = await life.program.ask("GET", "/host/info")
                await life.program.end()
            assert answer.body["data"]["operating_system"] == (system if allowed else None)
    did = rights.seen(plane.audit_log, namespace)
    assert did.refused == frozenset()
    assert rights.granted(rights.NODES) <= did.used


@pytest.mark.parametrize("component", ["nodes", "stats"])
async def test_a_component_with_a_right(tmp_path: Path, component: str) -> None:
    """It grants its right to the Supervisor of the overlay's own namespace."""
    objects = await rendered(tmp_path / "overlay", component, namespace="elsewhere")
    account = {"kind": "ServiceAccount", "name": objects["ServiceAccount"]["metadata"]["name"]}
    assert objects["ClusterRoleBinding"]["subjects"] == [{**account, "namespace": "elsewhere"}]
    assert objects["ClusterRoleBinding"]["roleRef"]["name"] == objects["ClusterRole"]["metadata"]["name"]


@contextlib.asynccontextmanager
async def nodes_allowed(admin: Client, namespace: str) -> AsyncIterator[None]:
    """What the component grants, under names of this namespace's own."""
    made = []
    try:
        for document in yaml.safe_load_all(rights.NODES.read_text()):
            document["metadata"]["name"] = name = f"{document['metadata']['name']}-{namespace}"
            if document["kind"] == "ClusterRoleBinding":
                document["roleRef"]["name"] = name
                document["subjects"][0]["namespace"] = namespace
            path = f"/apis/{document['apiVersion']}/{document['kind'].lower()}s"
            await admin.request("POST", path, body=document)
            made.append(f"{path}/{name}")
        yield
    finally:
        for path in made:
            await admin.request("DELETE", path)


async def drift(life: Life) -> None:
    """What somebody changed is put right: an object of ours that is not wanted goes, and one that cannot be changed,
    made while we were away, is replaced.
    """
    service = await life.others.read("Service", "addon-local-a")
    leftover = {"name": "leftover", "labels": service["metadata"]["labels"]}
    await life.others.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": leftover})
    await becomes(lambda: life.lacks("ConfigMap", "leftover"))
    await life.program.end()
    core = await life.others.read("StatefulSet", "homeassistant")
    await life.others.delete("StatefulSet", "homeassistant", propagationPolicy="Orphan")
    await becomes(lambda: life.lacks("StatefulSet", "homeassistant"))
    metadata = {key: core["metadata"][key] for key in ("name", "labels", "annotations")}
    spec = {**core["spec"], "serviceName": "elsewhere"}
    await life.others.create({**core, "metadata": metadata, "spec": spec, "status": {}})
    await life.program.start()
    await life.program.up()

    async def as_before() -> bool:
        live = await life.find("StatefulSet", "homeassistant")
        return live is not None and live["spec"]["serviceName"] == core["spec"]["serviceName"]

    await becomes(as_before)
