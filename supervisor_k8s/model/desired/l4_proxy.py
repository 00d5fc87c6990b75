"""The proxy by which add-ons' published ports are reached from the LAN: ConfigMap, Deployment (nginx, stream) and a
Service of type LoadBalancer, all rendered whole; and the registry's ConfigMap. Pure.

It leads to addresses of Services, as literals: an add-on that is missing concerns nobody else, and nginx never has to
find a name. It listens on high ports and needs no right; the Service has the published numbers. Nothing that an add-on
says of itself stands in the configuration but numbers.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, StrictUndefined

from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.balanced import L4Choice, balanced, balanced_port
from supervisor_k8s.model.desired.network import FROM_LAN, kept_apart
from supervisor_k8s.model.desired.pull import PULL_SECRETS
from supervisor_k8s.model.desired.security import idle_security, pod_security
from supervisor_k8s.model.desired.streams import head
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.ports import PRIVILEGED
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import Live, is_ready

CONTAINER = "l4-proxy"
DIRECTORY = "/etc/l4-proxy"
_COMMAND = ["/usr/bin/relay", CONTAINER]
_FROM_LAN = {"name": "net.ipv4.ip_local_port_range", "value": f"{FROM_LAN.start} {FROM_LAN.stop - 1}"}
"""A sysctl that Kubernetes counts among the safe ones: every node and every Pod Security level allows it."""
READY_PORT = 4385
"""Where the kubelet asks; the links and `hold` have the numbers before it."""
REGISTRY_KEY = "registry.json"
DAMAGED_KEY = "registry.json.damaged"
"""What somebody made of the registry by hand and nobody can read, kept for them."""
_NOBODY = 65534
_SELECTOR = {naming.LABEL_MANAGED: "true", naming.LABEL_TYPE: naming.TYPE_PORTS}
_HIGH = FROM_LAN.start - PRIVILEGED
"""What is added to a well-known number to get the port in the pod. From the first of FROM_LAN on nginx listens nowhere:
a reload could find the port in use by a connection of its own.
"""


@dataclass(frozen=True, slots=True, order=True)
class Exposure:
    """A published port and the address and port of the Service it leads to. `protocol` is tcp or udp."""

    number: int
    protocol: str
    address: str
    target: int


@dataclass(frozen=True, slots=True)
class UdpProfile:
    """How long nginx remembers where answers go. `responses`: datagrams that come back for each one; None is any."""

    timeout: str
    responses: int | None = None


UDP_PROFILES: Mapping[str, UdpProfile] = {
    "request-response": UdpProfile("10s", 1),
    "one-way": UdpProfile("10s", 0),
    "long-lived": UdpProfile("1h"),
}
_ANY = UdpProfile("10m")
_KNOWN: Mapping[int, str] = {
    **dict.fromkeys((53, 123, 161, 1812, 1813), "request-response"),
    **dict.fromkeys((162, 514, 2055, 6343, 8125), "one-way"),
    **dict.fromkeys((500, 1194, 4500, 5540, 5683, 5684, 51820), "long-lived"),
}
"""By the add-on's own port: names, time and SNMP; traps, syslog, flows and statsd; tunnels, Matter and CoAP."""

# Room for more than 10,000 clients. Old workers serve theirs on after a reload, for a day at most: each takes some
# megabytes, most of them for that room.
_NGINX = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False).from_string(  # noqa: S701
    head("worker_shutdown_timeout 24h;", files=43008, connections=21504)
    + """
    server {
        listen {{ ready_port }};
        return "ready";
    }
{%- for item, port in servers %}

    server {
{%- if item.protocol == "udp" %}
        listen {{ port }} udp;
        proxy_timeout {{ profiles[item].timeout }};
{%- if profiles[item].responses is not none %}
        proxy_responses {{ profiles[item].responses }};
{%- endif %}
{%- else %}
        listen {{ port }} so_keepalive=5m:30s:4;
{%- endif %}
        proxy_pass {{ item.address }}:{{ item.target }};
    }
{%- endfor %}
}
"""
)


def listen_ports(exposures: Collection[Exposure]) -> Mapping[Exposure, int]:
    """The port in the pod for each published one. The same number wherever it is no well-known one, so that it hardly
    ever changes when others come and go.
    """
    same = {item: item.number for item in exposures if PRIVILEGED <= item.number < FROM_LAN.start}
    same = {item: number for item, number in same.items() if number != READY_PORT}
    used = {(item.protocol, port) for item, port in same.items()} | {("tcp", READY_PORT)}
    for item in sorted(set(exposures) - set(same)):
        first = _HIGH + item.number if item.number < PRIVILEGED else _HIGH
        same[item] = next(port for port in range(first, PRIVILEGED, -1) if (item.protocol, port) not in used)
        used.add((item.protocol, same[item]))
    return same


def l4_objects(exposures: Sequence[Exposure], choice: L4Choice, site: Site) -> tuple[Manifest, ...]:
    """All of it; nothing when nothing is exposed."""
    if not exposures:
        return ()
    return (
        _config(nginx_text(exposures, choice.udp), choice, site),
        _service(exposures, choice, site),
        _deployment(choice, site),
    )


def serving_image(pods: Iterable[Live]) -> str | None:
    """The image of proxies that serve, and are started as ours would be: another version of ours is no reason to cut
    everybody's sessions. None when none does.
    """
    containers = (pod["spec"]["containers"][0] for pod in pods if is_ready(pod))
    return next((str(one["image"]) for one in containers if one.get("command") == _COMMAND), None)


def nginx_text(exposures: Sequence[Exposure], udp: Mapping[int, str]) -> str:
    """The proxy's nginx.conf; `daemon` and `pid` are the start script's. `udp`: the administrator's word for what goes
    to a published port.
    """
    ports = listen_ports(exposures)
    words = {item: udp.get(item.number) or _KNOWN.get(item.target, "") for item in exposures}
    profiles = {item: UDP_PROFILES.get(word, _ANY) for item, word in words.items()}
    servers = [(item, ports[item]) for item in sorted(exposures)]
    return _NGINX.render(ready_port=READY_PORT, servers=servers, profiles=profiles)


def registry_config(text: str, damaged: str | None, version: str | None, site: Site) -> Manifest:
    """ConfigMap `supervisor-port-registry`. `version`: the resourceVersion that it was read with; whoever changed it
    since is not overwritten. `damaged`: what to keep of one that could not be read.
    """
    metadata: dict[str, Any] = {
        "name": naming.PORT_REGISTRY,
        "namespace": site.namespace,
        "labels": naming.port_registry_labels(),
    }
    if version is not None:
        metadata["resourceVersion"] = version
    data = {REGISTRY_KEY: text} | ({DAMAGED_KEY: damaged} if damaged is not None else {})
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def registry_of(live: Live | None) -> str | None:
    """The text of the registry in this ConfigMap."""
    text: str | None = (live or {}).get("data", {}).get(REGISTRY_KEY)
    return text


def _config(text: str, choice: L4Choice, site: Site) -> Manifest:
    metadata = {**_metadata(choice, site), "name": _config_name(choice)}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"nginx.conf": text}}


def _service(exposures: Collection[Exposure], choice: L4Choice, site: Site) -> Manifest:
    ports = sorted(listen_ports(exposures).items())
    return balanced(
        choice.name, _SELECTOR, [balanced_port(item.number, item.protocol, port) for item, port in ports], choice, site
    )


def _deployment(choice: L4Choice, site: Site) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(choice, site),
        "spec": {
            "replicas": choice.replicas,
            "revisionHistoryLimit": 0,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "selector": {"matchLabels": _SELECTOR},
            "template": {"metadata": {"labels": naming.ports_labels(choice.name)}, "spec": _pod(choice, site)},
        },
    }


def _pod(choice: L4Choice, site: Site) -> Manifest:
    return {
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 10,
        "securityContext": {**pod_security(site), "sysctls": [_FROM_LAN]},
        "imagePullSecrets": list(PULL_SECRETS),
        "affinity": kept_apart(_SELECTOR),
        "containers": [_container(site)],
        "volumes": [
            {"name": "config", "configMap": {"name": _config_name(choice)}},
            {"name": "tmp", "emptyDir": {"medium": "Memory"}},
        ],
    }


def _container(site: Site) -> Manifest:
    return {
        "name": CONTAINER,
        "image": site.supervisor_image,
        "imagePullPolicy": site.image_pull_policy,
        "command": _COMMAND,
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
        "securityContext": {"runAsUser": _NOBODY, "runAsGroup": _NOBODY, "runAsNonRoot": True, **idle_security()},
        "readinessProbe": {"tcpSocket": {"port": READY_PORT}, "periodSeconds": 2},
        "volumeMounts": [
            {"name": "config", "mountPath": DIRECTORY, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - inside the proxy's container
        ],
    }


def _config_name(choice: L4Choice) -> str:
    return f"{choice.name}-config"


def _metadata(choice: L4Choice, site: Site) -> dict[str, Any]:
    return {"name": choice.name, "namespace": site.namespace, "labels": naming.ports_labels(choice.name)}
