"""The core-link: how the Supervisor and Home Assistant Core reach one another. Pure.

A sidecar in Core's pod (nginx) with three doors:

- `127.0.0.2:4380`, for Core: leads to the Supervisor. Core compares the peer of some requests with the address in its
  `SUPERVISOR` variable, so that must be an address inside its own pod; `.2` and not `.1`, so that a user's
  `trusted_networks: 127.0.0.1` does not apply to it.
- `4381`, for the Supervisor: TLS, only for holders of our client certificate, because whoever gets through is an
  administrator of the house. Leads to Core's Unix socket, or to its port where Core is older than the socket.
- `4382`, for the kubelet: says whether Core serves HTTP, and nothing else. It carries no request of the caller's on, so
  that nobody borrows the pod's own address.
"""

import base64
from dataclasses import dataclass, field

from jinja2 import Environment, StrictUndefined

from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.streams import head
from supervisor_k8s.model.intent import CoreRecord, Manifest
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.versions import at_least

NAME = "core-link"
ADDRESS = "127.0.0.2"
SUPERVISOR_PORT = 4380
CORE_PORT = 4381
READY_PORT = 4382
READY_PATH = "/ready"
CONFIG_DIRECTORY = "/etc/core-link"
SOCKET_DIRECTORY = "/run/supervisor"
SOCKET = f"{SOCKET_DIRECTORY}/core.sock"
SERVER_SECRET = "core-link-server"  # noqa: S105 - the object's name
CLIENT_SECRET = "core-link-client"  # noqa: S105
CA_SECRET = "core-link-ca"  # noqa: S105

SOCKET_SINCE = "2026.4.0.dev202603250907"
"""First Core that serves the Supervisor on a Unix socket and takes no token any more (upstream's own threshold)."""
PORT_80_SINCE = "2026.8.0.dev0"
"""First Core whose default port under a Supervisor is 80 (home-assistant/core#174278)."""
LEGACY_PORT = 8123
DEFAULT_PORT = 80

MUTUAL_TLS = """\
        ssl_certificate {{ directory }}/tls/tls.crt;
        ssl_certificate_key {{ directory }}/tls/tls.key;
        ssl_client_certificate {{ directory }}/tls/ca.crt;
        ssl_verify_client on;
        ssl_verify_depth 1;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_tickets off;
"""
"""Of a server that lets nobody in but who has the client's key, for nginx."""

# `daemon` and `pid` are the start script's. Temporary paths are named because the root file system is read-only.
# `auth_request` asks Core and drops its answer's body; `try_files` runs after it, `return` alone would run before. Not
# 404 in `error_page`: that is also what `internal` answers to somebody who asks for /port.
_NGINX = (
    head("user root;")
    + """
    server {
        listen {{ address }}:{{ supervisor_port }} so_keepalive=on;
        proxy_pass {{ supervisor }}:80;
    }

    server {
        listen {{ core_port }} ssl so_keepalive=on;
"""
    + MUTUAL_TLS
    + """\
{%- if socket %}
        proxy_pass unix:{{ socket }};
{%- else %}
        proxy_bind {{ address }};
{%- if tls %}
        proxy_ssl on;
        proxy_ssl_verify off;
{%- endif %}
        proxy_pass 127.0.0.1:{{ port }};
{%- endif %}
    }
}

http {
    access_log off;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    scgi_temp_path /tmp/scgi;
    uwsgi_temp_path /tmp/uwsgi;
    client_max_body_size 1k;
    proxy_connect_timeout 2s;
    proxy_read_timeout 4s;
    proxy_method GET;
    proxy_pass_request_body off;
    proxy_pass_request_headers off;

    server {
        listen {{ ready_port }};
        location = {{ ready_path }} {
            auth_request /port;
            try_files /none @ready;
        }
        location @ready {
            return 204;
        }
        location = /port {
            internal;
            proxy_set_header Content-Length "";
{%- if tls %}
            proxy_ssl_verify off;
            proxy_pass https://127.0.0.1:{{ port }}/manifest.json;
{%- else %}
            proxy_pass http://127.0.0.1:{{ port }}/manifest.json;
{%- endif %}
{%- if socket %}
            error_page 502 504 = @socket;
{%- endif %}
        }
{%- if socket %}
        location @socket {
            proxy_set_header Content-Length "";
            rewrite ^ /manifest.json break;
            proxy_pass http://unix:{{ socket }}:;
        }
{%- endif %}
        location / {
            return 404;
        }
    }
}
"""
)
# Compiled once: every look at Core needs it, and to compile takes fifty times as long as to render.
_TEMPLATE = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False).from_string(_NGINX)  # noqa: S701


@dataclass(frozen=True, slots=True)
class CorePort:
    """Where Core's own HTTP server listens: what the link and the Service lead to."""

    number: int
    tls: bool


def has_socket(version: str) -> bool:
    """Whether this Core serves the Supervisor on a Unix socket."""
    return at_least(version, SOCKET_SINCE)


def core_port(record: CoreRecord, version: str) -> CorePort:
    """What Core last reported, or the default of this version until it did."""
    default = DEFAULT_PORT if at_least(version, PORT_80_SINCE) else LEGACY_PORT
    return CorePort(record.port or default, record.ssl)


def nginx_text(version: str, port: CorePort, site: Site) -> str:
    """The link's nginx.conf for Core `version` listening on `port`."""
    return _TEMPLATE.render(
        address=ADDRESS,
        supervisor_port=SUPERVISOR_PORT,
        supervisor=site.supervisor_address,
        core_port=CORE_PORT,
        ready_port=READY_PORT,
        ready_path=READY_PATH,
        directory=CONFIG_DIRECTORY,
        socket=SOCKET if has_socket(version) else None,
        port=port.number,
        tls=port.tls,
    )


def link_config(text: str, site: Site) -> Manifest:
    """ConfigMap `core-link` with the nginx configuration."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": NAME, "namespace": site.namespace, "labels": naming.core_labels()},
        "data": {"nginx.conf": text},
    }


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class LinkKeys:
    """All that mutual TLS on the link needs."""

    authority: KeyPair
    server: KeyPair
    client: KeyPair


def link_secrets(keys: LinkKeys, site: Site) -> tuple[Manifest, ...]:
    """Secrets `core-link-server` (mounted by the link), `core-link-client` and `core-link-ca` (ours alone)."""
    pairs = {SERVER_SECRET: keys.server, CLIENT_SECRET: keys.client, CA_SECRET: keys.authority}
    return tuple(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": site.namespace, "labels": naming.core_labels()},
            "type": "kubernetes.io/tls",
            "data": {
                "tls.crt": _encoded(pair.certificate),
                "tls.key": _encoded(pair.key),
                "ca.crt": _encoded(keys.authority.certificate),
            },
        }
        for name, pair in pairs.items()
    )


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
