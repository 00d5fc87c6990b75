"""The images that the node itself needs, and CoreDNS as the cluster's DNS."""

import hashlib
import json
import socket
import struct
from pathlib import Path
from typing import Any

from . import binaries, scratch, versions
from .imports import import_archive
from .node import kubectl
from .steps import Context, Step, until

BUSYBOX = Path("/bin/busybox")
READY_WAIT = "120s"
ANSWER_WAIT = 60.0
"""Seconds until an answer comes through Service and pod."""
NAME = "coredns"
LABELS = {"k8s-app": "kube-dns"}

COREFILE = f"""\
.:53 {{
    errors
    health {{
        lameduck 1s
    }}
    ready
    kubernetes {versions.CLUSTER_DOMAIN} in-addr.arpa ip6.arpa {{
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 5
    }}
    forward . /etc/resolv.conf
    cache 5
    reload
}}
"""


def images(ctx: Context) -> None:
    """Pause and CoreDNS into containerd."""
    coredns = binaries.program(ctx.paths, "coredns")
    _image(ctx, versions.PAUSE_IMAGE, {"bin/busybox": BUSYBOX}, ["/bin/busybox", "sleep", "2147483647"])
    _image(ctx, versions.COREDNS_IMAGE, {"coredns": coredns}, ["/coredns"])


def apply(ctx: Context) -> None:
    """CoreDNS as a Deployment in kube-system; returns when it answers."""
    with ctx.step("cluster DNS") as step:
        bundle = json.dumps({"apiVersion": "v1", "kind": "List", "items": _manifests()})
        applied = kubectl(ctx.paths, step, "apply", "--server-side", "-f", "-", stdin=bundle)
        rollout = ["rollout", "status", f"deployment/{NAME}", f"--timeout={READY_WAIT}"]
        kubectl(ctx.paths, step, "-n", "kube-system", *rollout)
        step.write(applied)
        until(_answers, within=ANSWER_WAIT, what="an answer of the cluster DNS", every=0.3)


def _answers() -> bool:
    """Whether the DNS Service knows the API server: no status, after a reboot, says so truly."""
    labels = f"kubernetes.default.svc.{versions.CLUSTER_DOMAIN}".split(".")
    name = b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"
    question = struct.pack("!6H", 1, 0x0100, 1, 0, 0, 0) + name + struct.pack("!2H", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(1.0)
        try:
            asker.sendto(question, (versions.DNS_SERVICE_ADDRESS, 53))
            answer = asker.recv(512)
        except OSError:
            return False
    return socket.inet_aton(versions.API_SERVICE_ADDRESS) in answer


def _image(ctx: Context, name: str, files: dict[str, Path], entrypoint: list[str]) -> None:
    with ctx.step(f"image {name}") as step:
        key = _key(step, name, files, entrypoint)
        archive = ctx.paths.image_cache / f"{name.rpartition('/')[2].replace(':', '-')}-{key[:12]}.tar"
        if not archive.exists():
            scratch.image(archive, name=name, files=files, entrypoint=entrypoint)
        import_archive(ctx.paths, step, archive, key=key)


def _key(step: Step, name: str, files: dict[str, Path], entrypoint: list[str]) -> str:
    digest = hashlib.sha256(json.dumps([name, sorted(files), entrypoint]).encode())
    for _, source in sorted(files.items()):
        digest.update(source.read_bytes())
    step.write(f"content hash {digest.hexdigest()}")
    return digest.hexdigest()


def _manifests() -> list[dict[str, Any]]:
    meta = {"name": NAME, "namespace": "kube-system", "labels": LABELS}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"Corefile": COREFILE}}
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "system:coredns"},
        "rules": [
            {"apiGroups": [""], "resources": ["services", "pods", "namespaces"], "verbs": ["list", "watch"]},
            {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        ],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": "system:coredns"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"},
        "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": "kube-system"}],
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {**meta, "name": "kube-dns"},
        "spec": {
            "clusterIP": versions.DNS_SERVICE_ADDRESS,
            "selector": LABELS,
            "ports": [
                {"name": "dns", "port": 53, "protocol": "UDP"},
                {"name": "dns-tcp", "port": 53, "protocol": "TCP"},
            ],
        },
    }
    return [account, config, role, binding, service, _deployment(meta)]


def _deployment(meta: dict[str, Any]) -> dict[str, Any]:
    container = {
        "name": NAME,
        "image": versions.COREDNS_IMAGE,
        "imagePullPolicy": "Never",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": "dns", "containerPort": 53, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": 53, "protocol": "TCP"},
        ],
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 2},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
    }
    pod = {
        "serviceAccountName": NAME,
        "dnsPolicy": "Default",
        "terminationGracePeriodSeconds": 5,
        "priorityClassName": "system-cluster-critical",
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": NAME}}],
    }
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": LABELS},
        "template": {"metadata": {"labels": LABELS}, "spec": pod},
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}
