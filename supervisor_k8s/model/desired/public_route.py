"""Home Assistant at a public address: a Gateway that redirects from port 80 and ends TLS at 443, and the routes. Pure.

The README documents the same objects for those who make them by hand; a test holds the two together.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.gateway import gateway, route
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.site import Site

SERVICE_PORT = 80
"""Of Service `homeassistant`, whatever port Core listens on."""
_FOR_EVER = "0s"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicChoice:
    """What the administrator chose."""

    wanted: bool = False
    name: str = "home-assistant"
    """Of the Gateway and the route; the one that redirects has `-redirect` after it."""
    gateway_class: str | None = None
    hostname: str | None = None
    """The only one that is let in, maybe with `*.` before it; None lets any in."""
    secret: str | None = None
    """With the certificate."""


def unset(choice: PublicChoice) -> Sequence[str]:
    """Settings that are still needed for what is wanted."""
    if not choice.wanted:
        return ()
    needed = {
        "SUPERVISOR_K8S_GATEWAY_CLASS": choice.gateway_class,
        "SUPERVISOR_K8S_GATEWAY_TLS_SECRET": choice.secret,
    }
    return [name for name, value in needed.items() if value is None]


def public_objects(choice: PublicChoice, site: Site) -> tuple[Manifest, ...]:
    """All of it; nothing when it is not wanted, or not known how."""
    if not choice.wanted or choice.gateway_class is None or choice.secret is None:
        return ()
    labels = naming.public_labels(choice.name)
    host: dict[str, Any] = {} if choice.hostname is None else {"hostname": choice.hostname}
    tls = {"mode": "Terminate", "certificateRefs": [{"name": choice.secret}]}
    listeners = (
        {"name": "http", "port": 80, "protocol": "HTTP", **host},
        {"name": "https", "port": 443, "protocol": "HTTPS", **host, "tls": tls},
    )
    redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        # Websockets stay for days, and a backup of many gigabytes takes as long as it takes.
        "timeouts": {"request": _FOR_EVER, "backendRequest": _FOR_EVER},
        "backendRefs": [{"name": naming.CORE, "port": SERVICE_PORT}],
    }
    hostnames: dict[str, Any] = {} if choice.hostname is None else {"hostnames": [choice.hostname]}
    return (
        gateway(choice.name, labels, choice.gateway_class, listeners, site),
        route("HTTPRoute", f"{choice.name}-redirect", labels, (choice.name, "http"), {"filters": [redirect]}, site),
        route("HTTPRoute", choice.name, labels, (choice.name, "https"), rule, site, **hostnames),
    )
