"""Where we run, found out once at our start: our own pod, our Service, the cluster's domain, the machine."""

import logging
import platform
import re
from pathlib import Path

from supervisor_k8s.cluster.cluster import Cluster
from supervisor_k8s.errors import ClusterError, SupervisorError
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import Live
from supervisor_k8s.settings import Settings

_LOGGER = logging.getLogger(__name__)
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "aarch64", "arm64": "aarch64"}
"""The kernel's words to Home Assistant's."""


async def gather_site(cluster: Cluster, settings: Settings) -> tuple[Site, Live]:
    """Where we run, and our own pod. SupervisorError names what cannot be found out."""
    pod = await cluster.read("Pod", settings.pod_name)
    if pod is None:
        raise ClusterError(f"Our own pod {settings.pod_name} is not in namespace {settings.namespace}")
    image = settings.link_image or pod["spec"]["containers"][0]["image"]
    address = settings.cluster_address
    if address is None:
        service = await cluster.read("Service", settings.name)
        address = (service or {}).get("spec", {}).get("clusterIP")
    if not address or address == "None":
        raise ClusterError(f"Service {settings.name} has no ClusterIP; Core's link needs it")
    site = Site(
        namespace=settings.namespace,
        cluster_domain=settings.cluster_domain or cluster_domain(settings.namespace),
        supervisor_image=image,
        supervisor_address=address,
        shared_claim=settings.shared_claim,
        arch=ARCHITECTURES.get(platform.machine(), platform.machine()),
        machine=settings.machine,
        image_pull_policy=settings.image_pull_policy,
        allowed=settings.allow,
        build_registry=settings.build_registry or "",
        networks=settings.networks,
        resources=settings.resources,
        core_ports=settings.core_ports,
        core_host_network=settings.core_host_network,
    )
    return site, pod


async def gather_node(cluster: Cluster, pod: Live) -> Live | None:
    """The node of our pod, None where we may not ask for it, or it does not say what it is."""
    name = pod["spec"].get("nodeName")
    try:
        return await cluster.node(name) if name else None
    except ClusterError as error:
        _LOGGER.warning("Nothing is known of our node %s: %s", name, error)
        return None


def cluster_domain(namespace: str) -> str:
    """The cluster's domain from the pod's search list (`<namespace>.svc.<domain>`). SupervisorError without one."""
    resolv_conf = Path("/etc/resolv.conf").read_text(encoding="utf-8")
    found = re.search(rf"^search.*\b{re.escape(namespace)}\.svc\.(\S+)", resolv_conf, re.MULTILINE)
    if found is None:
        raise SupervisorError("/etc/resolv.conf has no search domain of this namespace: is dnsPolicy ClusterFirst?")
    return found[1].rstrip(".")
