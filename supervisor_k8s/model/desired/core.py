"""Core's own objects: the StatefulSet that a launch freezes, and the Services that follow its port. Pure.

A StatefulSet, because it alone promises one pod at a time by itself; `OnDelete`, because only a launch may roll Core.
"""

from typing import Any

from supervisor_k8s.model import naming
from supervisor_k8s.model.desired import link
from supervisor_k8s.model.desired.dns import pod_dns
from supervisor_k8s.model.desired.network import ContainerPort, core_selector, further_networks
from supervisor_k8s.model.desired.pull import PULL_SECRETS
from supervisor_k8s.model.intent import CoreRecord, Manifest
from supervisor_k8s.model.ports import of_core
from supervisor_k8s.model.site import Site

HEADLESS = "homeassistant-headless"
POD = f"{naming.CORE}-0"
CONTAINER = "homeassistant"
FOLDERS = ("homeassistant", "ssl", "share", "media")
"""Directories of the shared volume that Core mounts; they must be there before its pod starts."""
SAFE_MODE = "homeassistant/safe-mode"
"""A file of this name makes Core start without custom integrations; Core deletes it."""
GRACE = 260
"""Seconds Core may take to stop: its image's S6_SERVICES_GRACETIME plus 20, as upstream waits."""
BEFORE = "before-core"
"""The container that waits for us and ends what an add-on has left half done in the configuration; what it could not
end is its termination message.
"""
PROGRAMS = "/usr/share/supervisor-k8s/programs"
"""Where our image has the part of the Git pull add-on that does it."""
SUPERVISOR_WAIT = 180
"""Seconds Core's start waits for us: after a power cut both start together, and Core asks only once."""
_PRIVATE = 0o400


def desired_core(record: CoreRecord, *, launch_id: str, version: str, image: str, site: Site) -> tuple[Manifest, ...]:
    """What one launch of Core freezes, running; without its token Secret. `image` carries its tag."""
    labels = naming.core_labels()
    return (
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": {
                "name": naming.CORE,
                "namespace": site.namespace,
                "labels": labels,
                "annotations": _annotations(version, image),
            },
            "spec": {
                "replicas": 1,
                "serviceName": HEADLESS,
                "podManagementPolicy": "Parallel",
                "updateStrategy": {"type": "OnDelete"},
                "selector": {"matchLabels": core_selector()},
                "template": {
                    "metadata": {
                        "labels": {**labels, naming.LABEL_LAUNCH: launch_id},
                        "annotations": {**_annotations(version, image), **further_networks(naming.CORE, site)},
                    },
                    "spec": _pod(record, launch_id, version, image, site),
                },
            },
        },
    )


def core_services(port: link.CorePort, site: Site) -> tuple[Manifest, ...]:
    """Service `homeassistant` for add-ons and people (8123 too, whatever Core's port is), with the ports that Core
    publishes, and the headless one.
    """
    ports: list[dict[str, Any]] = [
        {"name": "http", "port": 80, "targetPort": port.number, "protocol": "TCP"},
        {"name": "http-legacy", "port": 8123, "targetPort": port.number, "protocol": "TCP"},
    ]
    if port.number not in (80, 8123):
        # The very number that Core tells add-ons.
        ports.append({"name": "http-own", "port": port.number, "targetPort": port.number, "protocol": "TCP"})
    there = {(port["port"], port["protocol"]) for port in ports}
    for item in of_core(site):
        further = ContainerPort(item.number, item.protocol.upper())
        if (further.number, further.protocol) not in there:
            named = {"name": further.name, "port": further.number, "targetPort": item.target}
            ports.append({**named, "protocol": further.protocol})
    direct = [{"name": "http", "port": port.number, "targetPort": port.number, "protocol": "TCP"}]
    return (
        _service(naming.CORE, {"type": "ClusterIP", "ports": ports}, site),
        _service(HEADLESS, {"clusterIP": "None", "publishNotReadyAddresses": True, "ports": direct}, site),
    )


def stopped_core(objects: tuple[Manifest, ...]) -> tuple[Manifest, ...]:
    """The same objects with no pod."""
    return tuple(
        {**item, "spec": {**item["spec"], "replicas": 0}} if item["kind"] == "StatefulSet" else item for item in objects
    )


def _annotations(version: str, image: str) -> dict[str, str]:
    return {naming.ANNOTATION_VERSION: version, naming.ANNOTATION_IMAGE: image}


def _service(name: str, spec: dict[str, Any], site: Site) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": site.namespace, "labels": naming.core_labels()},
        "spec": {**spec, "selector": core_selector()},
    }


def _pod(record: CoreRecord, launch_id: str, version: str, image: str, site: Site) -> dict[str, Any]:
    security: dict[str, Any] = {"seccompProfile": {"type": "RuntimeDefault"}}
    if site.selinux_level:
        security["seLinuxOptions"] = {"level": site.selinux_level}
    node = {"hostNetwork": True} if site.core_host_network else {}
    return {
        **node,
        "terminationGracePeriodSeconds": GRACE,
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "securityContext": security,
        "imagePullSecrets": list(PULL_SECRETS),
        **pod_dns(site),
        "initContainers": [_link_container(site), _before_container(site)],
        "containers": [_core_container(record, launch_id, version, image, site)],
        "volumes": _volumes(site),
    }


def _core_container(record: CoreRecord, launch_id: str, version: str, image: str, site: Site) -> dict[str, Any]:
    token = {"secretKeyRef": {"name": naming.launch_secret(naming.CORE, launch_id), "key": "token"}}
    supervisor = f"{link.ADDRESS}:{link.SUPERVISOR_PORT}"
    env: list[dict[str, Any]] = [
        {"name": "SUPERVISOR", "value": supervisor},
        {"name": "HASSIO", "value": supervisor},
        {"name": "SUPERVISOR_TOKEN", "valueFrom": token},
        {"name": "HASSIO_TOKEN", "valueFrom": token},
        {"name": "TZ", "value": record.timezone},
    ]
    if link.has_socket(version):
        env.append({"name": "SUPERVISOR_CORE_API_SOCKET", "value": link.SOCKET})
    if record.duplicate_log_file:
        env.append({"name": "HA_DUPLICATE_LOG_FILE", "value": "1"})
    return {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": site.image_pull_policy,
        "env": env,
        "volumeMounts": [
            {"name": "shared", "mountPath": "/config", "subPath": "homeassistant"},
            {"name": "shared", "mountPath": "/ssl", "subPath": "ssl", "readOnly": True},
            {"name": "shared", "mountPath": "/share", "subPath": "share"},
            {"name": "shared", "mountPath": "/media", "subPath": "media"},
            {"name": "run-supervisor", "mountPath": link.SOCKET_DIRECTORY},
            {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108 - inside Core's container
        ],
        # No startup or liveness probe: they would kill an offline database migration.
        "readinessProbe": {
            "httpGet": {"path": link.READY_PATH, "port": link.READY_PORT, "scheme": "HTTP"},
            "periodSeconds": 5,
            "timeoutSeconds": 8,
            "failureThreshold": 3,
            "successThreshold": 1,
        },
    }


def _link_container(site: Site) -> dict[str, Any]:
    return {
        "name": link.NAME,
        "image": site.supervisor_image,
        "imagePullPolicy": site.image_pull_policy,
        "command": ["/usr/bin/relay", "core-link"],
        "restartPolicy": "Always",
        "securityContext": {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": ["DAC_OVERRIDE", "SETGID", "SETUID"]},
        },
        "volumeMounts": [
            {"name": "core-link", "mountPath": link.CONFIG_DIRECTORY, "readOnly": True},
            {"name": "run-supervisor", "mountPath": link.SOCKET_DIRECTORY},
            {"name": "core-link-tmp", "mountPath": "/tmp"},  # noqa: S108 - inside the link's container
        ],
    }


def _before_container(site: Site) -> dict[str, Any]:
    """In the pod, because it is not always we who start Core: a node does so by itself when its power is back. It sees
    the configuration and nothing else of the volume, whatever somebody has written there as a plan.
    """
    url = f"http://{link.ADDRESS}:{link.SUPERVISOR_PORT}/supervisor/ping"
    return {
        "name": BEFORE,
        "image": site.supervisor_image,
        "imagePullPolicy": site.image_pull_policy,
        "command": ["/usr/bin/before-core", url, str(SUPERVISOR_WAIT), "/config", "/dev/termination-log"],
        "env": [{"name": "PYTHONPATH", "value": PROGRAMS}],
        "securityContext": {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": ["DAC_OVERRIDE"]},
        },
        "volumeMounts": [{"name": "shared", "mountPath": "/config", "subPath": "homeassistant"}],
    }


def _volumes(site: Site) -> list[dict[str, Any]]:
    tls = [{"key": key, "path": f"tls/{key}"} for key in ("tls.crt", "tls.key", "ca.crt")]
    return [
        {"name": "shared", "persistentVolumeClaim": {"claimName": site.shared_claim}},
        {"name": "run-supervisor", "emptyDir": {"medium": "Memory"}},
        {"name": "shm", "emptyDir": {"medium": "Memory"}},
        {"name": "core-link-tmp", "emptyDir": {}},
        # One volume for both, so that the link sees a new configuration and its certificates switch at once.
        {
            "name": "core-link",
            "projected": {
                "defaultMode": _PRIVATE,
                "sources": [
                    {"configMap": {"name": link.NAME, "items": [{"key": "nginx.conf", "path": "nginx.conf"}]}},
                    {"secret": {"name": link.SERVER_SECRET, "items": tls}},
                ],
            },
        },
    ]
