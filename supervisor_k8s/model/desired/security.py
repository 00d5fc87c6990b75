"""What an add-on's containers may do: security contexts of pod and containers. Pure.

The program keeps the runtime's default capabilities, root and a writable root filesystem: images of Home Assistant's
add-ons are built for that (s6 as PID 1). What the manifest asks for beyond that is granted only where its class is
allowed; `model/compatibility.py` says what becomes of an add-on without it.
"""

from collections.abc import Mapping
from typing import Any

from supervisor_k8s.model import naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.addon_checks import CAPABILITIES
from supervisor_k8s.model.allowance import Allow, class_of, grants
from supervisor_k8s.model.compatibility import SYS_MODULE
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.site import Site


def pod_security(site: Site) -> Manifest:
    context: dict[str, Any] = {"seccompProfile": {"type": "RuntimeDefault"}}
    if site.selinux_level is not None:
        # One level for all pods: files of the shared volume carry it, a pod of another level could not read them.
        context["seLinuxOptions"] = {"level": site.selinux_level}
    return context


def on_node_network(config: AddonConfig, site: Site) -> bool:
    """Whether its pod has the node's own network, and shares its ports with whoever else is there."""
    return bool(config.raw.get("host_network")) and Allow.HOST_NETWORK in grants(config, site.allowed).classes


def node_namespaces(config: AddonConfig, site: Site, *, protected: bool) -> Mapping[str, bool]:
    """What the pod shares with the node, as Kubernetes says it. Processes only while the protection mode is off."""
    privileged = Allow.PRIVILEGED in grants(config, site.allowed).classes
    shared = {
        "hostNetwork": on_node_network(config, site),
        "hostPID": privileged and not protected and bool(config.raw.get("host_pid")),
        "hostIPC": privileged and bool(config.raw.get("host_ipc")),
    }
    return {key: True for key, wanted in shared.items() if wanted}


def is_privileged(config: AddonConfig, site: Site, *, protected: bool) -> bool:
    """Whether the program may do everything on the node: with `full_access` while the protection mode is off, and with
    a device of the node that Kubernetes has no other way to open.
    """
    given = grants(config, site.allowed)
    full = bool(config.raw.get("full_access")) and Allow.PRIVILEGED in given.classes and not protected
    return full or given.closed_paths


def program_security(config: AddonConfig, site: Site, *, protected: bool) -> Manifest | None:
    """The program's own context; None leaves the runtime's defaults as they are."""
    if is_privileged(config, site, protected=protected):
        return {"privileged": True}  # all capabilities, too
    given = grants(config, site.allowed).classes
    modules = [SYS_MODULE] if config.raw.get("kernel_modules") and Allow.HOST_PATHS in given else []
    capabilities = sorted({*config.privileged, *modules})
    if not capabilities or Allow.CAPABILITIES not in given:
        return None
    return {"capabilities": {"add": capabilities}}


def trial_pods(site: Site) -> Mapping[Allow, Manifest]:
    """A pod for each class that is allowed, which asks for as much as an add-on's may: for a dry run, which shows
    whether it is let in.
    """
    closed = any(Allow.PRIVILEGED in word for word in site.allowed)  # or nobody could open a device by its path
    folder = {"name": "node", "hostPath": {"path": "/run/udev"}}
    asked: Mapping[Allow, tuple[Manifest, Manifest]] = {
        Allow.CAPABILITIES: ({}, {"capabilities": {"add": list(CAPABILITIES)}}),
        Allow.HOST_NETWORK: ({"hostNetwork": True}, {}),
        Allow.PRIVILEGED: ({"hostPID": True, "hostIPC": True}, {"privileged": True}),
        Allow.DEVICES: ({"volumes": [folder]}, {"privileged": True} if closed else {}),
        Allow.HOST_PATHS: ({"volumes": [folder]}, {}),
    }
    wanted = {class_of(word) for word in site.allowed}
    return {name: _trial_pod(name, site, *asked[name]) for name in Allow if name in wanted}


def _trial_pod(name: Allow, site: Site, of_pod: Manifest, of_program: Manifest) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"allow-{name.replace('_', '-')}-trial",
            "namespace": site.namespace,
            "labels": naming.supervisor_labels(),
        },
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": pod_security(site),
            "containers": [{"name": "trial", "image": site.supervisor_image, "securityContext": of_program}],
            **of_pod,
        },
    }


def idle_security() -> Manifest:
    """For a container of ours that does nothing."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
