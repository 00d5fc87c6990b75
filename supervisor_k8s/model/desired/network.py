"""Ports of an add-on, its Service, and the headless Service that gives add-ons their names. Pure.

The Service of an add-on carries container ports as they are declared; publishing ports outside the cluster is another
matter. Names between add-ons come from the headless Service, where every port of a pod can be reached.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from supervisor_k8s.model import naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.site import Site

NETWORKS = "k8s.v1.cni.cncf.io/networks"
"""Annotation of a pod by which Multus gives it further interfaces; without Multus it has no effect."""
FROM_LAN = range(61000, 65536)
"""Where connections of the proxy for published ports begin: Linux gives these source ports to nobody else. Who comes
from there comes from outside, though the address is a pod's.
"""
READY_PORT = 4384
"""Where `hold` answers the kubelet; the links have the numbers before it."""
WATCHDOG = re.compile(r"(?:https?|tcp|\[PROTO:\w+\])://\[HOST\]:(?:\[PORT:(?P<named>\d+)\]|(?P<port>\d+)).*")


@dataclass(frozen=True, slots=True, order=True)
class ContainerPort:
    """A port the add-on listens on. `protocol` is TCP or UDP."""

    number: int
    protocol: str = "TCP"

    @property
    def name(self) -> str:
        return f"p{self.number}-{self.protocol.lower()}"


def container_ports(config: AddonConfig, ports: Mapping[str, int | None]) -> tuple[ContainerPort, ...]:
    """Declared ports, published or not, and the ingress port; sorted, each once.

    `ports` maps container ports with protocol (`"1883/tcp"`, without suffix TCP) to published ones. An ingress port
    of 0 is not known yet to whoever gives the manifest, so there is none.
    """
    found = {container_port(key) for key in ports}
    if config.ingress and config.ingress_port:
        found.add(ContainerPort(config.ingress_port))
    return tuple(sorted(found))


def port_entries(ports: Iterable[ContainerPort]) -> list[Manifest]:
    """The ports as a container lists them."""
    return [{"containerPort": port.number, "protocol": port.protocol, "name": port.name} for port in ports]


def addon_service(
    config: AddonConfig, ports: Iterable[ContainerPort], site: Site, *, while_unready: bool = False
) -> Manifest | None:
    """ClusterIP Service of an add-on; None without ports, for Kubernetes refuses such a Service. `while_unready`: it
    leads there all the same.
    """
    entries = [
        {"name": port.name, "port": port.number, "targetPort": port.number, "protocol": port.protocol} for port in ports
    ]
    if not entries:
        return None
    ready = {"publishNotReadyAddresses": True} if while_unready else {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": naming.addon_name(config.slug),
            "namespace": site.namespace,
            "labels": naming.addon_labels(config.slug),
            "annotations": {naming.ANNOTATION_SLUG: config.slug},
        },
        "spec": {"type": "ClusterIP", "selector": addon_selector(config.slug), "ports": entries, **ready},
    }


def addons_service(site: Site) -> Manifest:
    """Headless Service `addons`: with `hostname` and `subdomain` of the pods it makes `core-mosquitto` a name.

    Names exist before a pod is ready: add-ons talk to one another while they start.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": naming.ADDONS_SERVICE,
            "namespace": site.namespace,
            "labels": {
                **naming.owner_selector(),
                "app.kubernetes.io/part-of": "home-assistant",
                "app.kubernetes.io/name": naming.ADDONS_SERVICE,
                naming.LABEL_MANAGED: "true",
                naming.LABEL_TYPE: naming.ADDONS_SERVICE,
            },
        },
        "spec": {
            "clusterIP": "None",
            "publishNotReadyAddresses": True,
            "selector": {naming.LABEL_TYPE: naming.TYPE_ADDON},
        },
    }


def further_networks(workload: str, site: Site) -> dict[str, str]:
    """Annotation of the pod of `homeassistant` or of an add-on, by slug; nothing for one that has the cluster's network
    alone. Addresses that we tell and use stay those of the cluster's network, which is the pod's first.
    """
    names = site.networks.get(workload)
    return {NETWORKS: names} if names else {}


def core_selector() -> dict[str, str]:
    """Labels by which StatefulSet and Services find Core's pod."""
    return {naming.LABEL_MANAGED: "true", naming.LABEL_TYPE: naming.TYPE_CORE}


def addon_selector(slug: str) -> dict[str, str]:
    """Labels by which Deployment and Service find the add-on's pods; they never change during its life."""
    return {naming.LABEL_TYPE: naming.TYPE_ADDON, naming.LABEL_ADDON: naming.label_value(slug)}


def kept_apart(selector: Mapping[str, str]) -> Manifest:
    """Affinity of replicas that are to be on different nodes where there are several."""
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": selector}}
    return {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]
        }
    }


def watched_port(config: AddonConfig) -> int | None:
    """The TCP port of the manifest's `watchdog` address: an add-on that listens there is started. None without one."""
    match = WATCHDOG.fullmatch(config.watchdog or "")
    return int(match["named"] or match["port"]) if match else None


def readiness_probe() -> Manifest:
    """Asks `hold` whether all that is to listen does; the add-on itself is left in peace.

    Only readiness: a failing startup or liveness probe would end the container, which is the watchdog's decision.
    """
    return {"httpGet": {"port": READY_PORT, "path": "/"}, "periodSeconds": 1, "timeoutSeconds": 2}


def container_port(key: str) -> ContainerPort:
    """Of a manifest's word: `1883/tcp`, or without suffix for TCP."""
    number, _, protocol = key.partition("/")
    return ContainerPort(int(number), protocol.upper() or "TCP")
