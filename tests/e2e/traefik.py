"""Traefik in the cluster for a while: the Gateway API's definitions, and a data plane of it in a pod, with a Service of
type LoadBalancer that keeps the addresses of who comes.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from tests.cluster import gatewayapi, versions
from tests.cluster.paths import from_environment
from tests.cluster.traefik import PROGRAM, RIGHTS, directory

from .house import Kubectl
from .lan import give_address

NAMESPACE, NAME = "traefik", "traefik"
"""NAME is also that of its GatewayClass."""
ADDRESS = "192.0.2.131"
"""On the LAN."""
_ACCOUNT = "traefik-controller"
_KINDS = ("gatewayclasses", "gateways", "httproutes", "grpcroutes", "referencegrants", "backendtlspolicies")
"""Those that it watches."""
_ARGUMENTS = (
    "--providers.kubernetesgateway=true",
    "--entrypoints.web.address=:80",
    "--entrypoints.websecure.address=:443",
    "--ping=true",
    "--global.checknewversion=false",
    "--global.sendanonymoususage=false",
)
_PING = 8080


@dataclass(frozen=True, slots=True)
class Traefik:
    """It runs; nobody has made a GatewayClass of it yet."""

    address: str
    """From which it asks others."""

    async def offer(self) -> None:
        """An administrator makes its GatewayClass."""
        spec = {"controllerName": "traefik.io/gateway-controller"}
        await _create(Kubectl(NAMESPACE), _object("gateway.networking.k8s.io/v1", "GatewayClass", spec=spec))


@asynccontextmanager
async def traefik() -> AsyncIterator[Traefik]:
    """With its definitions, which go in the end, too, and with them all Gateways."""
    kubectl, definitions = Kubectl(NAMESPACE), [word for file in _definitions() for word in ("-f", file)]
    rights = _rights()
    await _remove(kubectl, rights, definitions)  # an earlier run was killed
    try:
        await kubectl.run("apply", "--server-side", *definitions)
        await kubectl.run("wait", "--for=condition=Established", "--timeout=60s", *definitions)
        await kubectl.run("create", "namespace", NAMESPACE)
        await _create(kubectl, *rights, _account(), _pod(), _service())
        await kubectl.run("wait", "--for=condition=Ready", f"pod/{NAME}", "--timeout=60s")
        await give_address(kubectl, NAME, ADDRESS)
        yield Traefik((await kubectl.json("get", "pod", NAME))["status"]["podIP"])
    finally:
        await _remove(kubectl, rights, definitions)


async def _create(kubectl: Kubectl, *objects: Mapping[str, Any]) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": objects}
    await kubectl.run("create", "-f", "-", stdin=json.dumps(listed))


async def _remove(kubectl: Kubectl, rights: Sequence[Mapping[str, Any]], definitions: Sequence[str]) -> None:
    gone = ("delete", "--ignore-not-found", "--timeout=60s")
    await kubectl.run(*gone, *definitions)
    await kubectl.run(*gone, "namespace", NAMESPACE)
    await kubectl.run(*gone, *(f"{item['kind'].lower()}/{item['metadata']['name']}" for item in rights))


def _definitions() -> Sequence[str]:
    folder = gatewayapi.directory(from_environment())
    return [str(folder / f"gateway.networking.k8s.io_{kind}.yaml") for kind in _KINDS]


def _rights() -> Sequence[dict[str, Any]]:
    """As its project documents them, for the account in our namespace."""
    role, binding = yaml.safe_load_all((directory(from_environment()) / RIGHTS).read_text())
    (subject,) = binding["subjects"]
    return role, {**binding, "subjects": [{**subject, "name": _ACCOUNT, "namespace": NAMESPACE}]}


def _account() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": _ACCOUNT}}


def _pod() -> dict[str, Any]:
    """The program is the node's: an image is needed only to have one."""
    folder = {"name": "program", "mountPath": "/traefik", "readOnly": True}
    container = {
        "name": NAME,
        "image": versions.PAUSE_IMAGE,
        "imagePullPolicy": "Never",
        "command": [f"{folder['mountPath']}/{PROGRAM}", *_ARGUMENTS],
        "readinessProbe": {"httpGet": {"path": "/ping", "port": _PING}, "periodSeconds": 1},
        "volumeMounts": [folder],
    }
    spec = {
        "serviceAccountName": _ACCOUNT,
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [{"name": "program", "hostPath": {"path": str(directory(from_environment()))}}],
    }
    return _object("v1", "Pod", spec=spec)


def _service() -> dict[str, Any]:
    spec = {
        "type": "LoadBalancer",
        "externalTrafficPolicy": "Local",
        "selector": {"app": NAME},
        "ports": [{"name": f"p{port}", "port": port, "targetPort": port} for port in (80, 443)],
    }
    return _object("v1", "Service", spec=spec)


def _object(api: str, kind: str, *, spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": NAME, "labels": {"app": NAME}}, "spec": spec}
