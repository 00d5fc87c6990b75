"""Objects of the Gateway API, by which a cluster's own data plane lets somebody in: Gateways, and routes to our
Services. Pure.

They are written in version v1; where a cluster serves an older one that is the same for what is used here, the service
that applies them says so (`cluster/routes.py`). What a controller adds by default is left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.site import Site

API = "gateway.networking.k8s.io/v1"
GATEWAY = "Gateway"


def gateway(
    name: str, labels: Mapping[str, str], gateway_class: str, listeners: Sequence[Manifest], site: Site, **spec: Any
) -> Manifest:
    """A Gateway of the class; `spec` are further fields."""
    return _object(
        GATEWAY, name, labels, {"gatewayClassName": gateway_class, **spec, "listeners": list(listeners)}, site
    )


def route(  # noqa: PLR0913, PLR0917 - what a route consists of
    kind: str, name: str, labels: Mapping[str, str], parent: tuple[str, str], rule: Manifest, site: Site, **spec: Any
) -> Manifest:
    """A route with one rule, at one listener: `parent` is the Gateway's name and the listener's."""
    gateway_name, listener = parent
    refs = [{"name": gateway_name, "sectionName": listener}]
    return _object(kind, name, labels, {"parentRefs": refs, **spec, "rules": [rule]}, site)


def _object(kind: str, name: str, labels: Mapping[str, str], spec: Mapping[str, Any], site: Site) -> Manifest:
    metadata = {"name": name, "namespace": site.namespace, "labels": labels}
    return {"apiVersion": API, "kind": kind, "metadata": metadata, "spec": spec}
