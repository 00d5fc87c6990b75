"""Kinds that nobody has defined yet, on a real API server: noticed when they come, when they get another version, and
when they go.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from supervisor_k8s.cluster.client import MERGE_PATCH, Client
from supervisor_k8s.cluster.cluster import Cluster
from supervisor_k8s.cluster.kinds import GATEWAY_API
from supervisor_k8s.model.desired.gateway import route
from supervisor_k8s.model.naming import ports_labels
from tests import builders
from tests.cluster.controlplane import ControlPlane
from tests.integration import definitions
from tests.integration.conftest import PACE, running
from tests.integration.definitions import defined
from tests.kubeconfig import client_of

NAME = f"tcproutes.{GATEWAY_API}"
PATIENCE = 60.0
ANYTHING = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}


def versions(served: str) -> list[dict[str, Any]]:
    """Both are known, and stored as the newer one; one of them is served."""
    return [
        {"name": name, "served": name == served, "storage": name == "v1", "schema": ANYTHING}
        for name in ("v1", "v1alpha2")
    ]


def definition(served: str) -> dict[str, Any]:
    names = {"kind": "TCPRoute", "listKind": "TCPRouteList", "plural": "tcproutes", "singular": "tcproute"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        # The group is protected: Kubernetes wants to know who approved a definition in it.
        "metadata": {"name": NAME, "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}},
        "spec": {"group": GATEWAY_API, "names": names, "scope": "Namespaced", "versions": versions(served)},
    }


def serves(cluster: Cluster, version: str | None) -> Callable[[], bool | None]:
    api = None if version is None else f"{GATEWAY_API}/{version}"
    return lambda: cluster.serving("TCPRoute").api == api or None


async def test_a_definition_comes_and_goes(plane: ControlPlane, admin: Client, namespace: str) -> None:
    """Before and after, nothing hinders the rest; meanwhile our objects are applied, seen and deleted as any other."""
    client = client_of(plane.kubeconfig)
    pace = replace(PACE, longest_absence=0.5)
    cluster = Cluster(client=client, namespace=namespace, optional=("TCPRoute",), pace=pace)
    rule = {"backendRefs": [{"name": "addon-a", "port": 1883}]}
    manifest = route("TCPRoute", "a", ports_labels("a"), ("a", "tcp-1883"), rule, builders.site(namespace=namespace))
    async with running(cluster):
        assert cluster.serving("TCPRoute").api is None
        async with defined(admin, definition("v1alpha2")):
            await cluster.until(serves(cluster, "v1alpha2"), within=PATIENCE)
            await cluster.apply({**manifest, "apiVersion": f"{GATEWAY_API}/v1alpha2"})
            assert cluster.get("TCPRoute", "a") is not None
            upgrade = {"spec": {"versions": versions("v1")}}
            await admin.request("PATCH", f"{definitions.PATH}/{NAME}", body=upgrade, content_type=MERGE_PATCH)
            await cluster.until(serves(cluster, "v1"), within=PATIENCE)
            await cluster.until(lambda: cluster.get("TCPRoute", "a"), within=PATIENCE)
            live = await cluster.apply(manifest)
            assert live["apiVersion"] == f"{GATEWAY_API}/v1"
            await cluster.delete(live)
            await cluster.until(lambda: cluster.get("TCPRoute", "a") is None or None, within=PATIENCE)
            await cluster.apply(manifest)
        await cluster.until(serves(cluster, None), within=PATIENCE)
        assert cluster.get("TCPRoute", "a") is None
        assert cluster.connected
    await client.close()
