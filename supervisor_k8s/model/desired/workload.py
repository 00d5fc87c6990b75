"""The pod of an add-on and what runs it: a Deployment, or a Job for `startup: once`. Pure.

Docker's restart rules on Kubernetes: the program's container is never restarted, and `hold` beside it keeps the pod
readable after the program ended. A Job's pod ends with its program, so it has no `hold`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from supervisor_k8s.model import naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.allowance import grants
from supervisor_k8s.model.desired.dns import pod_dns
from supervisor_k8s.model.desired.docker_network import (
    LINK_PORT,
    has_link,
    link_containers,
    link_labels,
    setup_containers,
)
from supervisor_k8s.model.desired.network import (
    READY_PORT,
    addon_selector,
    container_ports,
    further_networks,
    port_entries,
    readiness_probe,
    watched_port,
)
from supervisor_k8s.model.desired.pull import KUBERNETES_ARCH, PULL_SECRETS
from supervisor_k8s.model.desired.secrets import token_environment
from supervisor_k8s.model.desired.security import (
    idle_security,
    node_namespaces,
    on_node_network,
    pod_security,
    program_security,
)
from supervisor_k8s.model.desired.volumes import folder_mounts, memory_volumes, node_volumes, shared_volume
from supervisor_k8s.model.health import health_probe
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.site import Site

HOLD = "/usr/bin/hold"
"""In our own image: waits for SIGTERM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddonLaunch:
    """What one start decided, as far as the pod shows it. `image` is with tag."""

    id: str
    version: str
    image: str
    options: Mapping[str, Any]
    ports: Mapping[str, int | None]
    timezone: str
    protected: bool = True
    health: Mapping[str, Any] | None = None
    """The image's own check."""


def addon_deployment(config: AddonConfig, launch: AddonLaunch, site: Site) -> Manifest:
    name = naming.addon_name(config.slug)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(name, config, launch, site),
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 0,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": addon_selector(config.slug)},
            "template": _pod_template(config, launch, site),
        },
    }


def addon_job(config: AddonConfig, launch: AddonLaunch, site: Site) -> Manifest:
    """Job for `startup: once`; a new name each time, for a Job never runs twice."""
    name = naming.launch_secret(naming.addon_name(config.slug), launch.id)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _metadata(name, config, launch, site),
        "spec": {"backoffLimit": 0, "podReplacementPolicy": "Failed", "template": _pod_template(config, launch, site)},
    }


def _metadata(name: str, config: AddonConfig, launch: AddonLaunch, site: Site) -> Manifest:
    """Slug, version and image stand on the objects: from them the records are rebuilt when our own file is damaged."""
    return {
        "name": name,
        "namespace": site.namespace,
        "labels": naming.addon_labels(config.slug),
        "annotations": _annotations(config, launch),
    }


def _annotations(config: AddonConfig, launch: AddonLaunch) -> dict[str, str]:
    return {
        naming.ANNOTATION_SLUG: config.slug,
        naming.ANNOTATION_VERSION: launch.version,
        naming.ANNOTATION_IMAGE: launch.image,
    }


def _pod_template(config: AddonConfig, launch: AddonLaunch, site: Site) -> Manifest:
    once = config.startup == "once"
    shared = node_namespaces(config, site, protected=launch.protected)
    volumes, mounts = _volumes(config, site, own_shm="hostIPC" not in shared)
    links, link_volumes = link_containers(config, launch.id, site)
    spec: dict[str, Any] = {
        "hostname": naming.pod_hostname(config.slug),
        "subdomain": naming.ADDONS_SERVICE,
        **pod_dns(site),
        # One pod at a time: the gate is lifted when nothing runs in any other pod of this add-on.
        "schedulingGates": [{"name": naming.GATE}],
        "nodeSelector": {"kubernetes.io/arch": KUBERNETES_ARCH.get(site.arch, site.arch)},
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": config.timeout,
        "securityContext": pod_security(site),
        "imagePullSecrets": list(PULL_SECRETS),
        "containers": [_program(config, launch, site, mounts), *([] if once else [_hold(config, site)]), *links],
        "volumes": [*volumes, *link_volumes],
        **shared,
    }
    if setup := setup_containers(config, site):
        spec["initContainers"] = setup
    if once:
        spec["restartPolicy"] = "Never"
    if config.init and "hostPID" not in shared:
        # Docker would put a reaper before the program; with a shared process namespace the sandbox reaps.
        spec["shareProcessNamespace"] = True
    labels = {**naming.addon_labels(config.slug), naming.LABEL_LAUNCH: launch.id, **link_labels(config, site)}
    annotations = {**_annotations(config, launch), **further_networks(config.slug, site)}
    return {"metadata": {"labels": labels, "annotations": annotations}, "spec": spec}


def _program(config: AddonConfig, launch: AddonLaunch, site: Site, mounts: list[Manifest]) -> Manifest:
    once = config.startup == "once"
    # On the node's network a port that is named is one that no other pod there may name.
    ports = () if on_node_network(config, site) else container_ports(config, launch.ports)
    security = program_security(config, site, protected=launch.protected)
    container: dict[str, Any] = {
        "name": naming.ADDON_CONTAINER,
        "image": launch.image,
        "imagePullPolicy": site.image_pull_policy,
        "env": _environment(config, launch),
        "volumeMounts": mounts,
    }
    if not once:
        container["restartPolicy"] = "Never"
    if launch.health and not once:
        container["readinessProbe"] = health_probe(launch.health)
    if ports:
        container["ports"] = port_entries(ports)
    if resources := _resources(config, site):
        container["resources"] = resources
    if security is not None:
        container["securityContext"] = security
    if config.stdin:
        container["stdin"] = True
    return container


def _resources(config: AddonConfig, site: Site) -> Manifest:
    """What the administrator promises and limits, and devices of plugins."""
    wanted = {kind: dict(amounts) for kind, amounts in site.resources.get(config.slug, {}).items() if amounts}
    if devices := grants(config, site.allowed).resources:
        wanted["limits"] = {**wanted.get("limits", {}), **dict.fromkeys(devices, "1")}
    return wanted


def _hold(config: AddonConfig, site: Site) -> Manifest:
    ports = _awaited_ports(config, site)
    ready = {"readinessProbe": readiness_probe()} if ports else {}
    return {
        "name": naming.HOLD_CONTAINER,
        "image": site.supervisor_image,
        "imagePullPolicy": site.image_pull_policy,
        "command": [HOLD, "--ready", str(READY_PORT), *map(str, ports)] if ports else [HOLD],
        "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"memory": "16Mi"}},
        "securityContext": idle_security(),
        **ready,
    }


def _awaited_ports(config: AddonConfig, site: Site) -> list[int]:
    """TCP ports that are listened on in a started add-on's pod: its own one, as far as it says, and the link's."""
    if on_node_network(config, site):
        return []  # there is one READY_PORT for all
    own, link = watched_port(config), LINK_PORT if has_link(config, site) else None
    return [port for port in (own, link) if port is not None]


def _environment(config: AddonConfig, launch: AddonLaunch) -> list[Manifest]:
    """Environment by name, each once: Kubernetes answers 500 to a duplicate. What the manifest says yields to ours."""
    plain: dict[str, str] = dict(config.environment)
    if config.legacy:
        plain |= {key: str(value) for key, value in launch.options.items() if isinstance(value, str | int | float)}
    plain["TZ"] = launch.timezone
    entries: dict[str, Manifest] = {name: {"name": name, "value": value} for name, value in plain.items() if name}
    token = token_environment(naming.addon_name(config.slug), launch.id)
    return list((entries | {entry["name"]: entry for entry in token}).values())


def _volumes(config: AddonConfig, site: Site, *, own_shm: bool) -> tuple[list[Manifest], list[Manifest]]:
    """Volumes of the program, and its mounts by path, each once: a folder that the manifest puts on a tmpfs path, or on
    one of the node's, wins.
    """
    memory, in_memory = memory_volumes(config, own_shm=own_shm)
    of_node, at_node = node_volumes(config, site)
    by_path = {mount["mountPath"]: mount for mount in [*in_memory, *at_node, *folder_mounts(config)]}
    return [shared_volume(site), *memory, *of_node], list(by_path.values())
