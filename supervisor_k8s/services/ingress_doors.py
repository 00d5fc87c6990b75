"""Where the page of a running add-on is: through the ingress-link of its launch, or at its own port where that launch
has none.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.desired.docker_network import LINK, LINK_PORT, client_keys, has_link
from supervisor_k8s.model.desired.link import LinkKeys
from supervisor_k8s.model.intent import InstalledAddon, Launch
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import NO_ADDRESS
from supervisor_k8s.remote.certificates import client_context, make_launch_keys, utc_now


@dataclass(frozen=True, slots=True)
class Door:
    """Where to dial. `tls` is None for plain HTTP, else who is behind the door must be `name`."""

    base: str
    """URL without a path."""
    tls: ssl.SSLContext | None = None
    name: str | None = None


def new_keys(config: AddonConfig, site: Site) -> LinkKeys | None:
    """Keys for the link of a new launch, None for an add-on that gets none."""
    return make_launch_keys(utc_now()) if has_link(config, site) else None


class IngressDoors:
    """One for all add-ons."""

    def __init__(
        self,
        *,
        record: Callable[[str], InstalledAddon],
        config: Callable[[InstalledAddon], AddonConfig],
        address: Callable[[str], str],
    ) -> None:
        """`address` is the IPv4 address of an add-on's pod, `0.0.0.0` when there is none."""
        self._record = record
        self._config = config
        self._address = address
        self._contexts: dict[str, tuple[str, ssl.SSLContext | None]] = {}
        """By slug, of which launch."""

    def of(self, slug: str) -> Door | None:
        """None while the add-on has no pod."""
        record, address = self._record(slug), self._address(slug)
        if address == NO_ADDRESS:
            return None
        context = self._context(slug, record.intent.launch) if record.intent.launch else None
        if context is None:
            return Door(f"http://{address}:{self._config(record).ingress_port}")
        return Door(f"https://{address}:{LINK_PORT}", context, LINK)

    async def forget(self, slug: str) -> None:
        """An add-on goes."""
        self._contexts.pop(slug, None)

    def _context(self, slug: str, launch: Launch) -> ssl.SSLContext | None:
        """Made once for a launch: connections are kept by it, and to read keys takes a hundred times as long."""
        known = self._contexts.get(slug)
        if known is None or known[0] != launch.id:
            keys = client_keys(launch.objects)
            known = self._contexts[slug] = (launch.id, None if keys is None else client_context(keys))
        return known[1]
