"""Where the page of a running add-on is: through the ingress-link of its launch, or at its own port where that launch
has none.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass

from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.desired.docker_network import LINK, LINK_PORT, client_keys, has_link
from supervisor_k8s.model.desired.link import LinkKeys
from supervisor_k8s.model.intent import InstalledAddon
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
        self._ways: dict[str, _Way] = {}
        """By slug, of the present launch."""

    def of(self, slug: str) -> Door | None:
        """None while the add-on has no pod."""
        address = self._address(slug)
        if address == NO_ADDRESS:
            return None
        way = self._way(slug, self._record(slug))
        if way.context is None:
            return Door(f"http://{address}:{way.port}")
        return Door(f"https://{address}:{LINK_PORT}", way.context, LINK)

    async def forget(self, slug: str) -> None:
        """An add-on goes."""
        self._ways.pop(slug, None)

    def _way(self, slug: str, record: InstalledAddon) -> "_Way":
        """Made once for a launch: connections are kept by its context, and to read keys and the manifest takes a
        hundred times as long.
        """
        launch = record.intent.launch
        known = self._ways.get(slug)
        if launch is None or known is None or known.launch != launch.id:
            keys = None if launch is None else client_keys(launch.objects)
            context = None if keys is None else client_context(keys)
            known = _Way(launch.id if launch else None, self._config(record).ingress_port, context)
            self._ways[slug] = known
        return known


@dataclass(frozen=True, slots=True)
class _Way:
    """To the page of one launch; without a context to its own port."""

    launch: str | None
    port: int | None
    context: ssl.SSLContext | None
