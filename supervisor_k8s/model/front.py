"""The front: the nginx that listens at our API's port, as its configuration. Pure.

Pages of add-ons go through it from the browser to the add-on without coming into our process; a page can be a camera's
picture many times a second, or an upload as large as a disk. We are asked who may have which page (`gate`), once a
second for each browser and page. Everything else it hands to us as it came.

Headers and bodies of pages are contract, because add-ons sign people in by them (`supervisor-api` §7): what an add-on
does not get from a browser, the type without parameters, bodies of unsaid length gathered, `X-Accel-Buffering`. Path
and query go on as they came, redirects too, and there is no limit in time.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

from jinja2 import Environment, StrictUndefined

from supervisor_k8s.model.desired.docker_network import LINK
from supervisor_k8s.model.desired.link import LinkKeys

API, GATE, AGAIN = "api.sock", "gate.sock", "again.sock"
"""Unix sockets: ours for the API, ours for the gate, and the front's own, see `_TEMPLATE`."""
SESSION_HEADER, TOKEN_HEADER = "X-Session", "X-Token"
"""What the gate is asked: the cookie `ingress_session`, and the token in the path."""
DOOR_HEADER, STREAMS_HEADER = "X-Door", "X-Streams"
"""What it answers: the name of a door or a refusal, and `yes` where bodies of unsaid length are not gathered."""
UNAUTHORIZED, UNKNOWN, AWAY = "unauthorized", "unknown", "away"
"""Refusals: 401 without a session, 503 for an unknown token, 502 for an add-on that does not run."""
USER_HEADERS = ("X-Remote-User-Id", "X-Remote-User-Name", "X-Remote-User-Display-Name")
LARGEST_GATHERED = 16 * 1024 * 1024
"""Bytes of a body of unsaid length; more is answered with 413."""
TRUSTED_FOR = 1
"""Seconds for which the gate's answer holds."""

_PEER_HEADER = "X-Ingress-Peer"
_NOT_FROM_BROWSERS = (*USER_HEADERS, "X-Supervisor-Token", "X-Hassio-Key", "X-Forwarded-For")
_OWN_HOP = ("Proxy-Connection", "Trailer")
"""Headers about one connection only that nginx would hand on."""
_HANDED_ON = (
    "Server", "Date", "X-Pad", "X-Accel-Redirect", "X-Accel-Expires", "X-Accel-Limit-Rate", "X-Accel-Charset",
)  # fmt: skip
"""Headers of answers that nginx would keep, or do something about."""

# What is not plain here:
# - `try_files` is the one directive that goes elsewhere after `auth_request`. What is named there does not exist.
# - A location has its own headers to the add-on or those of the server, never both.
# - Whoever was accepted by a worker with the configuration before this one is led through `again` to the present one:
#   the gate does not name a door before workers are there that have it.
# - 4 194 000 bytes are where upstream begins to tell proxies not to gather an answer.
# - The peer of a unix socket is called `unix:`.
_TEMPLATE = Environment(undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True).from_string(  # noqa: S701
    """\
daemon off;
user root;
pid {{ own }}/nginx.pid;
worker_processes 1;
error_log stderr notice;

events {
    worker_connections 8192;
}

http {
    access_log off;
    root {{ own }}/none;
    default_type text/plain;
    {% for kind in ("client_body", "proxy", "fastcgi", "scgi", "uwsgi") %}
    {{ kind }}_temp_path {{ disk }}/{{ kind }};
    {% endfor %}

    ignore_invalid_headers off;
    underscores_in_headers on;
    large_client_header_buffers 8 32k;
    client_max_body_size 0;
    client_header_timeout 60s;
    client_body_timeout 24h;
    send_timeout 24h;
    keepalive_timeout 75s;
    keepalive_requests 1000000;

    proxy_http_version 1.1;
    proxy_buffering off;
    proxy_request_buffering off;
    proxy_buffer_size 32k;
    proxy_buffers 4 32k;
    proxy_redirect off;
    proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset;
    proxy_connect_timeout 10s;
    proxy_read_timeout 24h;
    proxy_send_timeout 24h;
    proxy_socket_keepalive on;
    {% for name in handed_on %}
    proxy_pass_header {{ name }};
    {% endfor %}
    proxy_pass_header X-Accel-Buffering;

    proxy_cache_path {{ own }}/gate keys_zone=gate:1m inactive=1m max_size=8m use_temp_path=off;

    upstream api {
        server unix:{{ own }}/{{ api }};
        keepalive 32;
        keepalive_requests 1000000;
    }
    upstream gate {
        server unix:{{ own }}/{{ gate }};
        keepalive 4;
        keepalive_requests 1000000;
    }
    upstream again {
        server unix:{{ own }}/{{ again }};
    }
    {% for door in doors %}
    upstream {{ door.name }} {
        server {{ door.address }}:{{ door.port }};
        keepalive 32;
        keepalive_requests 1000000;
        keepalive_timeout 4s;
    }
    {% endfor %}

    map "$http_connection $http_upgrade" $upgrade {
        default "";
        "~*upgrade.* websocket$" websocket;
    }
    map $upgrade $hop {
        default upgrade;
        "" "";
    }
    map $request_uri $ingress_token {
        default "";
        "~^/ingress/(?<raw_token>[^/?]+)/" $raw_token;
    }
    map $request_uri $page_uri {
        default "";
        "~^/ingress/[^/?]+(?<raw_page>/.*)$" $raw_page;
    }
    map $remote_addr $peer {
        default $remote_addr;
        "unix:" $http_{{ peer_header | lower | replace("-", "_") }};
    }
    map $http_x_forwarded_for $way {
        default "$http_x_forwarded_for, $peer";
        "" $peer;
    }
    map $http_transfer_encoding $has_length {
        default no;
        "" yes;
    }
    map "$has_length $request_method $streams" $handling {
        default as-it-comes;
        "~^no " gathered;
        "no POST yes" as-it-comes;
    }
    map "$request_method $status" $has_content {
        default yes;
        "~^HEAD " no;
        "~ (?:101|204|304)$" no;
    }
    map $upstream_http_content_type $said_type {
        default "";
        "~^\\s*(?<bare_type>[^;]*[^;\\s])" $bare_type;
    }
    map "$has_content $said_type" $type {
        default $said_type;
        "yes " application/octet-stream;
    }
    map $upstream_http_content_length $is_long {
        default no;
        "" yes;
        "~^(?:\\d{8,}|[5-9]\\d{6}|4[2-9]\\d{5}|419[4-9]\\d{3})$" yes;
    }
    map "$has_content $is_long" $accel_buffering {
        default $upstream_http_x_accel_buffering;
        "yes yes" no;
    }

    server {
        {% for place in listen %}
        listen {{ place }} so_keepalive=on;
        {% endfor %}
        listen unix:{{ own }}/{{ again }};
        error_page 413 = @413;
        error_page 500 502 504 = @502;

        {% for name in dropped %}
        proxy_set_header {{ name }} "";
        {% endfor %}
        proxy_set_header Host $http_host;
        proxy_set_header Connection $hop;
        proxy_set_header Upgrade $upgrade;
        proxy_set_header X-Forwarded-For $way;
        {% for name in user_headers %}
        proxy_set_header {{ name }} $user_{{ loop.index }};
        {% endfor %}

        location / {
            proxy_set_header Host $http_host;
            proxy_set_header Connection $hop;
            proxy_set_header Upgrade $upgrade;
            proxy_pass http://api;
        }

        location ~ ^/ingress/[^/]+/ {
            auth_request /gate;
            auth_request_set $door $upstream_http_{{ door_header | lower | replace("-", "_") }};
            auth_request_set $streams $upstream_http_{{ streams_header | lower | replace("-", "_") }};
            {% for name in user_headers %}
            auth_request_set $user_{{ loop.index }} $upstream_http_{{ name | lower | replace("-", "_") }};
            {% endfor %}
            try_files /none /doors/$door/$handling;
        }

        location = /gate {
            internal;
            proxy_pass http://gate;
            proxy_pass_request_headers off;
            proxy_pass_request_body off;
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
            proxy_set_header {{ session_header }} $cookie_ingress_session;
            proxy_set_header {{ token_header }} $ingress_token;
            proxy_read_timeout 30s;
            proxy_buffering on;
            proxy_ignore_headers X-Accel-Redirect;
            proxy_cache gate;
            proxy_cache_key "$cookie_ingress_session $ingress_token";
        }

        location /doors/ {
            internal;
            {% for name in own_hop + ("Keep-Alive", "Content-Type", "X-Accel-Buffering") %}
            proxy_hide_header {{ name }};
            {% endfor %}
            {% for name in handed_on %}
            proxy_pass_header {{ name }};
            {% endfor %}
            add_header Content-Type $type always;
            add_header X-Accel-Buffering $accel_buffering always;
            gunzip on;
            error_page 413 = @413;
            error_page 421 = @again;
            error_page 500 502 504 = @502;
            return 421;

            location /doors/{{ unauthorized }}/ {
                error_page 421 = @401;
                return 421;
            }
            location /doors/{{ unknown }}/ {
                error_page 421 = @503;
                return 421;
            }
            location /doors/{{ away }}/ {
                error_page 421 = @502;
                return 421;
            }
            {% for door in doors %}
            {% for handling in ("as-it-comes", "gathered") %}
            location = /doors/{{ door.name }}/{{ handling }} {
                {% if handling == "gathered" %}
                client_max_body_size {{ largest_gathered }};
                client_body_buffer_size 64k;
                proxy_request_buffering on;
                {% endif %}
                {% if door.keys %}
                proxy_pass https://{{ door.name }}$page_uri;
                proxy_ssl_certificate {{ own }}/{{ door.name }}.pem;
                proxy_ssl_certificate_key {{ own }}/{{ door.name }}.pem;
                proxy_ssl_trusted_certificate {{ own }}/{{ door.name }}.ca.pem;
                proxy_ssl_verify on;
                proxy_ssl_name {{ link }};
                proxy_ssl_server_name on;
                proxy_ssl_protocols TLSv1.2 TLSv1.3;
                {% else %}
                proxy_pass http://{{ door.name }}$page_uri;
                {% endif %}
            }
            {% endfor %}
            {% endfor %}
        }

        location @again {
            proxy_set_header Host $http_host;
            proxy_set_header Connection $hop;
            proxy_set_header Upgrade $upgrade;
            proxy_set_header {{ peer_header }} $remote_addr;
            proxy_pass http://again$request_uri;
        }
        {% for status, text in refusals %}
        location @{{ status }} {
            charset utf-8;
            return {{ status }} "{{ status }}: {{ text }}";
        }
        {% endfor %}
    }
}
"""
)
_REFUSALS = (
    (401, "Unauthorized"),
    (413, "Request Entity Too Large"),
    (502, "Bad Gateway"),
    (503, "Service Unavailable"),
)


@dataclass(frozen=True, slots=True)
class Door:
    """Where the page of one launch of an add-on is. With `keys` by TLS, and who is behind it must have them, too."""

    name: str
    """One that no other door ever had."""
    address: str
    port: int
    keys: LinkKeys | None = None


def certificates(door: Door) -> dict[str, str]:
    """Name to contents (PEM) of the files that a door with keys needs beside the configuration."""
    if door.keys is None:
        return {}
    client = door.keys.client
    return {
        f"{door.name}.pem": f"{client.certificate}\n{client.key}",
        f"{door.name}.ca.pem": door.keys.authority.certificate,
    }


def nginx_text(doors: Iterable[Door], *, listen: Iterable[str], own: str, disk: str) -> str:
    """The configuration. `listen` are places in nginx' words; `own` is the folder of the sockets, of the certificates
    and of what the gate said, `disk` that of bodies on their way.
    """
    return _TEMPLATE.render(
        doors=tuple(doors),
        listen=tuple(listen),
        own=own,
        disk=disk,
        api=API,
        gate=GATE,
        again=AGAIN,
        link=LINK,
        session_header=SESSION_HEADER,
        token_header=TOKEN_HEADER,
        door_header=DOOR_HEADER,
        streams_header=STREAMS_HEADER,
        peer_header=_PEER_HEADER,
        user_headers=USER_HEADERS,
        dropped=_DROPPED,
        own_hop=_OWN_HOP,
        handed_on=_HANDED_ON,
        unauthorized=UNAUTHORIZED,
        unknown=UNKNOWN,
        away=AWAY,
        largest_gathered=LARGEST_GATHERED,
        refusals=_REFUSALS,
    )


def _spellings(name: str) -> Iterable[str]:
    """An underscore is no way around: many programs read `X_Remote_User_Id` as the header with dashes."""
    first, *words = name.split("-")
    for marks in product("-_", repeat=len(words)):
        yield first + "".join(f"{mark}{word}" for mark, word in zip(marks, words, strict=True))


_GIVEN = {*USER_HEADERS, "X-Forwarded-For"}
_DROPPED = tuple(
    spelling
    for name in (*_NOT_FROM_BROWSERS, *_OWN_HOP, "Sec-WebSocket-Extensions", _PEER_HEADER)
    for spelling in _spellings(name)
    if spelling not in _GIVEN
)
