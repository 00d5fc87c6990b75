"""Published ports by the cluster's own data plane: a Gateway with a listener for each, and a route from each to its
add-on. Pure.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.balanced import L4Choice, is_pinned
from supervisor_k8s.model.desired.gateway import gateway, route
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.ports import Reservation
from supervisor_k8s.model.site import Site

MOST = 64
"""Listeners of a Gateway; further ones would need an address of their own."""


def gateway_objects(held: Iterable[Reservation], choice: L4Choice, site: Site) -> tuple[Manifest, ...]:
    """All of it, for the first ports; nothing when nothing is published, or nobody knows the class."""
    ports = sorted(held)[:MOST]
    if not ports or choice.gateway_class is None:
        return ()
    labels = naming.ports_labels(choice.name)
    listeners = [{"name": _listener(item), "port": item.number, "protocol": item.protocol.upper()} for item in ports]
    spec: dict[str, Any] = {}
    if choice.annotations:
        spec["infrastructure"] = {"annotations": dict(choice.annotations)}
    if choice.address is not None and not is_pinned(choice.annotations):
        spec["addresses"] = [{"type": "IPAddress", "value": choice.address}]
    return (
        gateway(choice.name, labels, choice.gateway_class, listeners, site, **spec),
        *(_route(item, choice, site) for item in ports),
    )


def beyond(held: Iterable[Reservation]) -> Sequence[Reservation]:
    """Ports that no listener is left for."""
    return sorted(held)[MOST:]


def _route(item: Reservation, choice: L4Choice, site: Site) -> Manifest:
    """Named by the port, so that another owner of it changes the route and leaves none behind."""
    name, kind = f"{choice.name}-{_listener(item)}", f"{item.protocol.upper()}Route"
    rule = {"backendRefs": [{"name": naming.service_name(item.slug), "port": item.target}]}
    return route(kind, name, naming.ports_labels(choice.name), (choice.name, _listener(item)), rule, site)


def _listener(item: Reservation) -> str:
    return f"{item.protocol}-{item.number}"
