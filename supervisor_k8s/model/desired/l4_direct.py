"""Published ports without a proxy: a Service of type LoadBalancer for each owner of any, add-on or Core. Pure."""

from collections.abc import Iterable
from itertools import groupby

from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.balanced import L4Choice, balanced, balanced_port
from supervisor_k8s.model.desired.network import addon_selector, core_selector
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.ports import Reservation
from supervisor_k8s.model.site import Site


def direct_objects(held: Iterable[Reservation], choice: L4Choice, site: Site) -> tuple[Manifest, ...]:
    """One for each owner in `held`."""
    by_addon = groupby(sorted(held, key=lambda item: (item.slug, item)), key=lambda item: item.slug)
    return tuple(_service(slug, ports, choice, site) for slug, ports in by_addon)


def _service(slug: str, held: Iterable[Reservation], choice: L4Choice, site: Site) -> Manifest:
    ports = [balanced_port(item.number, item.protocol, item.target) for item in held]
    selector = core_selector() if slug == naming.CORE else addon_selector(slug)
    service = balanced(naming.published_name(slug), selector, ports, choice, site)
    # As with Docker, what is not healthy is reached all the same.
    return {**service, "spec": {**service["spec"], "publishNotReadyAddresses": True}}
