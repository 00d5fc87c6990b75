"""Slugs to Kubernetes names, labels and host names, with length and collision rules. Pure.

Home Assistant says *slug* (`core_mosquitto`) and *hostname* (`core-mosquitto`); Kubernetes wants RFC 1123 labels of at
most 63 characters.
"""

import hashlib
import re

MANAGED_BY = "supervisor-k8s"
FIELD_MANAGER = "supervisor-k8s"
GATE = "hass.io/one-at-a-time"
LABEL_MANAGED = "io.hass.managed"
LABEL_TYPE = "io.hass.type"
LABEL_ADDON = "io.hass.addon"
LABEL_LAUNCH = "io.hass.launch"
LABEL_LINK = "io.hass.link"
"""Of pods with a door that only the Supervisor may use: `manifests/components/network-policies` goes by it."""
ANNOTATION_VERSION = "io.hass.version"
ANNOTATION_IMAGE = "io.hass.image"
ANNOTATION_SLUG = "io.hass.slug"
TYPE_CORE = "homeassistant"
TYPE_ADDON = "addon"
TYPE_DNS = "dns"
TYPE_PORTS = "ports"
TYPE_PORT_REGISTRY = "port-registry"
TYPE_PUBLIC = "public"
CORE = "homeassistant"
ADDONS_SERVICE = "addons"
DNS = "supervisor-dns"
PORT_REGISTRY = "supervisor-port-registry"
REGISTRIES_SECRET = "supervisor-registries"  # noqa: S105 - the object's name
"""Logins of image registries, for the kubelets."""
ADDON_CONTAINER = "addon"
"""The container with the add-on's program."""
HOLD_CONTAINER = "hold"
"""The container beside it that only waits: it keeps the pod readable after the program ended, and bears witness."""

_UNSAFE = re.compile(r"[^a-z0-9-]")
_LONGEST = 63
_HASH = 8
_LAUNCH = 9
"""A dash and eight digits, appended to the workload's name for what belongs to one launch."""


def owner_selector() -> dict[str, str]:
    """Labels by which the watch finds everything that is ours."""
    return {"app.kubernetes.io/managed-by": MANAGED_BY}


def _labels(name: str, kind: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/managed-by": MANAGED_BY,
        "app.kubernetes.io/part-of": "home-assistant",
        "app.kubernetes.io/name": name,
        LABEL_MANAGED: "true",
        LABEL_TYPE: kind,
    }


def core_labels() -> dict[str, str]:
    return _labels(CORE, TYPE_CORE)


def supervisor_labels() -> dict[str, str]:
    """Labels of what is the Supervisor's own and no workload's."""
    return _labels("supervisor", "supervisor")


def dns_labels() -> dict[str, str]:
    return _labels(DNS, TYPE_DNS)


def ports_labels(name: str) -> dict[str, str]:
    """Of the proxy for published ports; `name` is the administrator's choice."""
    return _labels(name, TYPE_PORTS)


def public_labels(name: str) -> dict[str, str]:
    """Of what leads to Home Assistant from its public address; `name` is the administrator's choice."""
    return _labels(name, TYPE_PUBLIC)


def port_registry_labels() -> dict[str, str]:
    return _labels(PORT_REGISTRY, TYPE_PORT_REGISTRY)


def addon_labels(slug: str) -> dict[str, str]:
    """Labels of everything that belongs to one add-on. `io.hass.addon` is the object name's stem where the slug itself
    is no legal label value; the exact slug is an annotation as well.
    """
    name = addon_name(slug)
    return {**_labels(name, TYPE_ADDON), LABEL_ADDON: label_value(slug)}


def label_value(slug: str) -> str:
    legal = re.fullmatch(r"[A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?", slug)
    return slug if legal else addon_name(slug).removeprefix("addon-")


def addon_name(slug: str) -> str:
    """Name of the add-on's Deployment and Service. A hash is appended when anything but `_` to `-` changed or when the
    slug already had a dash (so `a_b` and `a-b` differ) or the name would be too long for a launch's suffix.
    """
    lowered = slug.lower().replace("_", "-")
    safe = _UNSAFE.sub("-", lowered).strip("-")
    name = f"addon-{safe}"
    lossless = safe == slug.replace("_", "-") and "-" not in slug
    if lossless and len(name) + _LAUNCH <= _LONGEST:
        return name
    digest = hashlib.sha256(slug.encode()).hexdigest()[:_HASH]
    return f"{name[: _LONGEST - _LAUNCH - _HASH - 1].rstrip('-')}-{digest}"


def service_name(slug: str) -> str:
    """Name of the Service of an add-on, or of Core, which goes by its own name among the owners of ports."""
    return CORE if slug == CORE else addon_name(slug)


def published_name(slug: str) -> str:
    """Name of the Service by which its published ports are reached, where it has one of its own."""
    return f"lan-{service_name(slug)}"


def addon_hostname(slug: str) -> str:
    """The name other add-ons and Core use, as Home Assistant computes it."""
    return slug.replace("_", "-")


def pod_hostname(slug: str) -> str:
    """`spec.hostname` of the pod: the add-on's host name where Kubernetes allows it, else the nearest legal one."""
    lowered = addon_hostname(slug).lower()
    safe = _UNSAFE.sub("-", lowered)[:_LONGEST].strip("-")
    return safe or addon_name(slug)


def launch_secret(name: str, launch_id: str) -> str:
    """Secret with the token of one launch of the workload `name`."""
    return f"{name}-{launch_id}"
