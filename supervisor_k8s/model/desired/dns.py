"""The DNS server that Core and add-ons ask (CoreDNS): our own names, and all others by the cluster's DNS. Pure.

Add-ons use names as absolute ones (nginx' `resolver`, MQTT clients), names that no Service can have (a digit first, a
dot), and want a restarted add-on's new address at once; the cluster's DNS has none of that and caches for 5 to 30
seconds. So names come from a `hosts` file that we write. Whoever is not in it has no address: the headless Service
`addons` is deliberately not asked in its place, for it still knows add-ons whose program has ended.

Two steps inside of one process: 5300 has our names and is never cached; 5301, on the loopback interface, asks others.
`file` has an empty zone: what is not in `hosts` ends there and does not leave the cluster.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.network import kept_apart
from supervisor_k8s.model.desired.pull import PULL_SECRETS
from supervisor_k8s.model.desired.security import pod_security
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.site import HOUSE_DOMAIN, Site

CONTAINER = "coredns"
PORT = 5300
READY_PORT = 8181
HEALTH_PORT = 8080
DIRECTORY = "/etc/supervisor-dns"
REPLICAS = 2
LOCALHOST = "127.0.0.1"
ANNOTATION_RESTARTED = "io.hass.restarted"
_USER = 65532
"""As in CoreDNS' own image."""
_SELECTOR = {naming.LABEL_MANAGED: "true", naming.LABEL_TYPE: naming.TYPE_DNS}

_COREFILE = """\
(names) {{
    errors
    hosts {directory}/hosts {{
        ttl 1
        reload 250ms
        fallthrough
    }}
}}
{house}:{port} hassio:{port} {{
    import names
    file {directory}/zone
}}
.:{port} {{
    import names
    health :{health} {{
        lameduck 3s
    }}
    ready :{ready}
    reload 2s 1s
    forward . 127.0.0.1:5301 {{
        max_fails 0
    }}
}}
(others) {{
    bind 127.0.0.1
    errors
    cache 30 {{
        serve_stale 1h verify
    }}
}}
"""
_CLUSTER = """\
{zones} {{
    import others
    forward . /etc/resolv.conf
}}
"""
_CHOSEN = """\
.:5301 {{
    import others
    forward . {servers} /etc/resolv.conf {{
        policy sequential
    }}
}}
"""
_ZONE = f"""\
@ 1 IN SOA dns.{HOUSE_DOMAIN}. nobody.{HOUSE_DOMAIN}. 1 3600 600 86400 1
@ 1 IN NS dns.{HOUSE_DOMAIN}.
@ 1 IN TXT "Home Assistant"
"""
"""Without the last record CoreDNS would say that the domain itself does not exist."""


@dataclass(frozen=True, slots=True, order=True)
class Host:
    """An IPv4 address and the names that mean it, each without domain."""

    address: str
    names: tuple[str, ...]


def house_hosts(site: Site, core_address: str | None) -> tuple[Host, ...]:
    """Names that are always there. `core_address` is the ClusterIP of Core's Service, None before there is one.

    The same as upstream's `plugins/dns.py`, but for `observer`: there is nothing behind it here.
    """
    core = [Host(core_address, ("homeassistant", "home-assistant"))] if core_address else []
    return (
        Host(LOCALHOST, ("localhost",)),
        Host(site.supervisor_address, ("supervisor", "hassio")),
        *core,
        Host(site.dns_address, ("dns",)),
    )


def addon_hosts(addresses: Iterable[tuple[str, str]]) -> tuple[Host, ...]:
    """Names of add-ons, of slugs with IPv4 addresses. What the program itself takes for its host name (`$(hostname)`)
    is a name, too, where Kubernetes does not allow the real one and no other add-on is called like that.
    """
    given = sorted(addresses)
    taken = {naming.addon_hostname(slug).lower() for slug, _ in given}
    return tuple(Host(address, _addon_names(slug, taken)) for slug, address in given)


def _addon_names(slug: str, taken: set[str]) -> tuple[str, ...]:
    own, legal = naming.addon_hostname(slug).lower(), naming.pod_hostname(slug)
    return (own,) if legal in taken else (own, legal)


def hosts_text(hosts: Iterable[Host]) -> str:
    """The `hosts` file: each name absolute and below Home Assistant's domain."""
    lines = (
        " ".join([host.address, *(form for name in host.names for form in (name, f"{name}.{HOUSE_DOMAIN}"))])
        for host in hosts
    )
    return "".join(f"{line}\n" for line in lines)


def corefile(site: Site, servers: Sequence[str]) -> str:
    """CoreDNS' configuration. `servers` are IPv4 addresses that the user wants asked before the cluster's DNS; never
    for the cluster's own names.
    """
    first = _COREFILE.format(directory=DIRECTORY, house=HOUSE_DOMAIN, port=PORT, health=HEALTH_PORT, ready=READY_PORT)
    if not servers:
        return first + _CLUSTER.format(zones=".:5301")
    own = " ".join(f"{zone}:5301" for zone in (site.cluster_domain, "in-addr.arpa", "ip6.arpa"))
    return first + _CLUSTER.format(zones=own) + _CHOSEN.format(servers=" ".join(servers))


def dns_config(site: Site, hosts: str, servers: Sequence[str]) -> Manifest:
    """ConfigMap `supervisor-dns`: everything that CoreDNS reads; it notices changes by itself. `hosts`: the file."""
    data = {"Corefile": corefile(site, servers), "hosts": hosts, "zone": _ZONE}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(site), "data": data}


def dns_service(site: Site) -> Manifest:
    """Service `supervisor-dns`. Its address stands in every pod, so the one it had is asked for again."""
    address = {"clusterIP": site.dns_address} if site.dns_address else {}
    ports = [
        {"name": f"dns-{protocol.lower()}", "port": 53, "targetPort": PORT, "protocol": protocol}
        for protocol in ("UDP", "TCP")
    ]
    spec = {"type": "ClusterIP", **address, "selector": _SELECTOR, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": _metadata(site), "spec": spec}


def dns_deployment(site: Site, image: str, restarted: str | None) -> Manifest:
    """Two replicas, on two nodes where there are two. `restarted`: with another value come new pods, one by one."""
    template: dict[str, Any] = {"labels": naming.dns_labels()}
    if restarted:
        template["annotations"] = {ANNOTATION_RESTARTED: restarted}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(site),
        "spec": {
            "replicas": REPLICAS,
            "revisionHistoryLimit": 0,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "selector": {"matchLabels": _SELECTOR},
            "template": {"metadata": template, "spec": _pod(site, image)},
        },
    }


def pod_dns(site: Site) -> dict[str, Any]:
    """How Core's and the add-ons' pods resolve names.

    No second name server: musl, which most add-ons have, asks all of them at once and believes the first answer, and
    the cluster's DNS is quick to say that our names do not exist. So replicas are two, and whoever gets no answer asks
    again soon.
    """
    options = [{"name": "ndots", "value": "1"}, {"name": "timeout", "value": "2"}, {"name": "attempts", "value": "4"}]
    config = {"nameservers": [site.dns_address], "searches": list(site.dns_searches), "options": options}
    return {"dnsPolicy": "None", "dnsConfig": config}


def _metadata(site: Site) -> dict[str, Any]:
    return {"name": naming.DNS, "namespace": site.namespace, "labels": naming.dns_labels()}


def _pod(site: Site, image: str) -> dict[str, Any]:
    return {
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 10,
        "securityContext": pod_security(site),
        "imagePullSecrets": list(PULL_SECRETS),
        "affinity": kept_apart(_SELECTOR),
        "containers": [_container(site, image)],
        "volumes": [{"name": "config", "configMap": {"name": naming.DNS}}],
    }


def _container(site: Site, image: str) -> dict[str, Any]:
    return {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": site.image_pull_policy,
        "args": ["-conf", f"{DIRECTORY}/Corefile"],
        "ports": [
            {"name": "dns-udp", "containerPort": PORT, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": PORT, "protocol": "TCP"},
        ],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "170Mi"}},
        "securityContext": {
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            # Not used, but the program's file in the public image asks for it and could not be executed without.
            "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
        },
        "readinessProbe": {"httpGet": {"path": "/ready", "port": READY_PORT}, "periodSeconds": 2},
        "livenessProbe": {
            "httpGet": {"path": "/health", "port": HEALTH_PORT},
            "initialDelaySeconds": 30,
            "timeoutSeconds": 5,
            "failureThreshold": 5,
        },
        "volumeMounts": [{"name": "config", "mountPath": DIRECTORY, "readOnly": True}],
    }
