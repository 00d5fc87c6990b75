"""Docker's network, as far as add-ons rely on its addresses. Pure.

Home Assistant tells authors to take ingress from 172.30.32.2 alone, and databases grant their service account to
172.30.32.% and 172.30.33.%. On a cluster's pod network nobody has these addresses. Giving the first one to whoever
asks for the page would be a way around its login for every pod and, on a published port, for the whole LAN. So an
add-on's pod gets:

- an init container that puts 172.30.32.2 on `lo` and loads one rule: whoever comes from another pod appears as
  172.30.33.2, but never on the ingress port, nor when it speaks for somebody outside. It ends before the program
  starts, and it alone has NET_ADMIN.
- the sidecar `ingress-link`: nginx that takes the Supervisor's connections (mutual TLS, keys of this launch alone) on
  to the ingress port, from 172.30.32.2. Nothing else comes from there: what arrives from outside with one of the pod's
  own addresses as its source is dropped by the kernel.

Add-ons that are neither asked for pages nor provide a database get nothing of it: an init container costs a start up to
a second, and a broker does not look at addresses. Nor does one for `startup: once`, whose pod ends with its program.
"""

import base64
import ipaddress
from collections.abc import Iterable, Mapping

from jinja2 import Environment, StrictUndefined

from supervisor_k8s.model import naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.desired.link import MUTUAL_TLS, KeyPair, LinkKeys
from supervisor_k8s.model.desired.network import FROM_LAN
from supervisor_k8s.model.desired.security import idle_security, on_node_network
from supervisor_k8s.model.desired.streams import head
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.site import Site

SUPERVISOR = "172.30.32.2"
"""Who asks for pages of ingress, by Home Assistant's documentation for authors."""
NEIGHBOUR = "172.30.33.2"
"""Who other pods are; upstream's add-ons have addresses from 172.30.33.0 on."""
DATABASE = "mysql:provide"
"""In `services` of a manifest: MariaDB grants its service account by address."""
LINK = "ingress-link"
LINK_PORT = 4383
SETUP = "docker-network"
CONFIG_DIRECTORY = "/etc/ingress-link"
TRIAL = "docker-network-trial"
_NOBODY = 65534
_READABLE = 0o444
"""The link is nobody; no other container mounts its volume."""
_AUTHORITY, _SERVER, _SERVER_KEY = "ca.crt", "tls.crt", "tls.key"
_CLIENT, _CLIENT_KEY = "client.crt", "client.key"
_NGINX_CONF = "nginx.conf"

# The pod's own address is the one that was dialled: programs listen there, and not always on 127.0.0.1.
_NGINX = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False).from_string(  # noqa: S701
    head("daemon off;", "pid /tmp/nginx.pid;", connect="10s")
    + """
    server {
        listen {{ link_port }} ssl so_keepalive=on;
"""
    + MUTUAL_TLS
    + """\
        proxy_bind {{ supervisor }};
        proxy_pass $server_addr:{{ ingress_port }};
    }
}
"""
)


def could_use(config: AddonConfig, site: Site) -> bool:
    """Whether an add-on goes by these addresses, and could have them here. On the node's own network they would be the
    node's.
    """
    return (DATABASE in config.services or _stays_with_page(config)) and not on_node_network(config, site)


def has_link(config: AddonConfig, site: Site) -> bool:
    """Whether a pod of this add-on has the sidecar."""
    return site.docker_network and could_use(config, site) and _stays_with_page(config)


def has_rule(config: AddonConfig, site: Site) -> bool:
    """Whether other pods appear in this add-on's as neighbours on Docker's network."""
    return bool(site.pod_cidrs) and site.docker_network and could_use(config, site)


def _stays_with_page(config: AddonConfig) -> bool:
    """Whether somebody may ask for a page of this add-on, which does not end by itself."""
    return config.ingress and config.startup != "once"


def missed(config: AddonConfig, site: Site) -> tuple[str, ...]:
    """What an add-on that may go by addresses does without here, for people."""
    page = f"{SUPERVISOR} as the address that asks for its page, which may refuse to open"
    database = "other add-ons at addresses of Docker's network, which it may refuse to serve"
    lost = {page: config.ingress and not has_link(config, site)}
    lost[database] = DATABASE in config.services and not has_rule(config, site)
    return tuple(text for text, is_lost in lost.items() if is_lost)


def setup_containers(config: AddonConfig, site: Site) -> list[Manifest]:
    """The init container, where there is something for it to do."""
    address = ["--address", SUPERVISOR] if has_link(config, site) else []
    rules = ["--rules", _rules(config, site)] if has_rule(config, site) else []
    return [_setup(site, *address, *rules)] if address or rules else []


def link_labels(config: AddonConfig, site: Site) -> dict[str, str]:
    """Of a pod with the sidecar."""
    return {naming.LABEL_LINK: "ingress"} if has_link(config, site) else {}


def link_containers(config: AddonConfig, launch_id: str, site: Site) -> tuple[list[Manifest], list[Manifest]]:
    """The sidecar and the volumes it needs, where there is one."""
    if not has_link(config, site):
        return [], []
    container = {
        "name": LINK,
        "image": site.supervisor_image,
        "imagePullPolicy": site.image_pull_policy,
        "command": ["nginx", "-e", "stderr", "-c", f"{CONFIG_DIRECTORY}/{_NGINX_CONF}"],
        "resources": {"requests": {"cpu": "1m", "memory": "8Mi"}},
        "securityContext": {"runAsUser": _NOBODY, "runAsGroup": _NOBODY, **idle_security()},
        "volumeMounts": [
            {"name": LINK, "mountPath": CONFIG_DIRECTORY, "readOnly": True},
            {"name": f"{LINK}-tmp", "mountPath": "/tmp"},  # noqa: S108 - inside the link's container
        ],
    }
    items = [{"key": _NGINX_CONF, "path": _NGINX_CONF}]
    items += [{"key": key, "path": f"tls/{key}"} for key in (_AUTHORITY, _SERVER, _SERVER_KEY)]
    secret = {
        "secretName": naming.launch_secret(naming.addon_name(config.slug), launch_id),
        "defaultMode": _READABLE,
        "items": items,
        # It goes when the program has ended, and the pod may stay to be read.
        "optional": True,
    }
    return [container], [{"name": LINK, "secret": secret}, {"name": f"{LINK}-tmp", "emptyDir": {"medium": "Memory"}}]


def link_entries(config: AddonConfig, keys: LinkKeys) -> Mapping[str, str]:
    """What the launch's Secret holds for the link, and the Supervisor's own end of it, which no pod mounts."""
    text = _NGINX.render(
        link_port=LINK_PORT, directory=CONFIG_DIRECTORY, supervisor=SUPERVISOR, ingress_port=config.ingress_port
    )
    return {
        _NGINX_CONF: text,
        _AUTHORITY: keys.authority.certificate,
        _SERVER: keys.server.certificate,
        _SERVER_KEY: keys.server.key,
        _CLIENT: keys.client.certificate,
        _CLIENT_KEY: keys.client.key,
    }


def client_keys(objects: Iterable[Manifest]) -> LinkKeys | None:
    """The Supervisor's end of the link in a launch's objects; None for a launch without a link."""
    found = next((item["data"] for item in objects if item["kind"] == "Secret" and _CLIENT_KEY in item["data"]), None)
    if found is None:
        return None
    authority, client, key = (base64.b64decode(found[name]).decode() for name in (_AUTHORITY, _CLIENT, _CLIENT_KEY))
    return LinkKeys(KeyPair(authority), KeyPair(""), KeyPair(client, key))


def trial_pod(site: Site) -> Manifest:
    """A pod that asks for as much as the init container does: for a dry run, which shows whether it is let in."""
    idle = {
        "name": naming.HOLD_CONTAINER,
        "image": site.supervisor_image,
        "securityContext": idle_security(),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": TRIAL, "namespace": site.namespace, "labels": naming.supervisor_labels()},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "initContainers": [_setup(site)],
            "containers": [idle],
        },
    }


def merged(cidrs: Iterable[str]) -> tuple[str, ...]:
    """IPv4 networks without overlaps, sorted; what is none is left out. nft refuses a set with overlaps."""
    networks = (ipaddress.ip_network(cidr, strict=False) for cidr in cidrs if ":" not in cidr)
    four = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    return tuple(str(network) for network in ipaddress.collapse_addresses(four))


def _setup(site: Site, *arguments: str) -> Manifest:
    return {
        "name": SETUP,
        "image": site.supervisor_image,
        "imagePullPolicy": site.image_pull_policy,
        "command": ["/usr/bin/docker-network", *arguments],
        "securityContext": {
            "runAsUser": 0,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]},
        },
    }


def _rules(config: AddonConfig, site: Site) -> str:
    """For nft; `$gateway` is filled in by the init container. The node comes from there, and with it whoever it
    forwards for: it is no pod, though its address is often of their network. Nor is who comes through the proxy for
    published ports.
    """
    own = [LINK_PORT, config.ingress_port] if has_link(config, site) else []
    kept = f"\n        tcp dport {{ {', '.join(map(str, own))} }} accept" if own else ""
    return f"""\
table ip docker_network {{
    chain input {{
        type nat hook input priority 100; policy accept;
        iif lo accept{kept}
        ip saddr $gateway accept
        th sport {FROM_LAN.start}-{FROM_LAN.stop - 1} accept
        ip saddr {{ {", ".join(site.pod_cidrs)} }} snat to {NEIGHBOUR}
    }}
}}
"""
