"""What an add-on's containers may do: security contexts of pod and containers. Pure.

The program keeps the runtime's default capabilities, root and a writable root filesystem: images of Home Assistant's
add-ons are built for that (s6 as PID 1). What the manifest asks for beyond that is granted only where its class is
allowed; `model/compatibility.py` says what becomes of an add-on without it.
"""

from typing import Any

from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.compatibility import Allow
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
    return bool(config.raw.get("host_network")) and Allow.HOST_NETWORK in site.allowed


def program_security(config: AddonConfig, site: Site) -> Manifest | None:
    """The program's own context; None leaves the runtime's defaults as they are."""
    if not config.privileged or Allow.CAPABILITIES not in site.allowed:
        return None
    return {"capabilities": {"add": sorted(set(config.privileged))}}


def idle_security() -> Manifest:
    """For a container of ours that does nothing."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
