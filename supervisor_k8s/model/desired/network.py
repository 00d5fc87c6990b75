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

PROBE_PERIOD = 5
"""Seconds between readiness probes: brokers log each connection, and a start is answered after the first success."""
WATCHDOG = re.compile(
    r"(?:(?P<scheme>https?|tcp)|\[PROTO:(?P<option>\w+)\])://\[HOST\]:(?:\[PORT:(?P<named>\d+)\]|(?P<port>\d+))"
    r"(?P<path>.*)"
)


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
    found = {_container_port(key) for key in ports}
    if config.ingress and config.ingress_port:
        found.add(ContainerPort(config.ingress_port))
    return tuple(sorted(found))


def port_entries(ports: Iterable[ContainerPort]) -> list[Manifest]:
    """The ports as a container lists them."""
    return [{"containerPort": port.number, "protocol": port.protocol, "name": port.name} for port in ports]


def addon_service(config: AddonConfig, ports: Iterable[ContainerPort], site: Site) -> Manifest | None:
    """ClusterIP Service of an add-on; None without ports, for Kubernetes refuses such a Service."""
    entries = [
        {"name": port.name, "port": port.number, "targetPort": port.number, "protocol": port.protocol} for port in ports
    ]
    if not entries:
        return None
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": naming.addon_name(config.slug),
            "namespace": site.namespace,
            "labels": naming.addon_labels(config.slug),
            "annotations": {naming.ANNOTATION_SLUG: config.slug},
        },
        "spec": {"type": "ClusterIP", "selector": addon_selector(config.slug), "ports": entries},
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


def addon_selector(slug: str) -> dict[str, str]:
    """Labels by which Deployment and Service find the add-on's pods; they never change during its life."""
    return {naming.LABEL_TYPE: naming.TYPE_ADDON, naming.LABEL_ADDON: naming.label_value(slug)}


def readiness_probe(config: AddonConfig, options: Mapping[str, object]) -> Manifest | None:
    """The manifest's `watchdog` address as a readiness probe; None where it has none.

    Only readiness: a failing startup or liveness probe would end the container, which is the watchdog's decision.
    Schemes as upstream: `[PROTO:x]` is https when option `x` is true.
    """
    match = WATCHDOG.fullmatch(config.watchdog or "")
    if match is None:
        return None
    port = int(match["named"] or match["port"])
    if match["scheme"] == "tcp":
        return {"tcpSocket": {"port": port}, "periodSeconds": PROBE_PERIOD, "timeoutSeconds": 1}
    secure = match["scheme"] == "https" or (match["option"] is not None and options.get(match["option"]) is True)
    return {
        "httpGet": {"port": port, "path": match["path"] or "/", "scheme": "HTTPS" if secure else "HTTP"},
        "periodSeconds": PROBE_PERIOD,
        "timeoutSeconds": 5,
    }


def _container_port(key: str) -> ContainerPort:
    number, _, protocol = key.partition("/")
    return ContainerPort(int(number), protocol.upper() or "TCP")
