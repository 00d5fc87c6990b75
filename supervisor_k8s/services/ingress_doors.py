"""Doors: where the page of a running add-on is, through the ingress-link of its launch, or at its own port where that
launch has none.

Only doors that somebody went through are kept: of a thousand add-ons a few are open in a browser.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.desired.docker_network import LINK_PORT, client_keys, has_link
from supervisor_k8s.model.desired.link import LinkKeys
from supervisor_k8s.model.front import Door
from supervisor_k8s.model.intent import InstalledAddon
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import NO_ADDRESS
from supervisor_k8s.remote.certificates import make_launch_keys, utc_now


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
        self._numbers = count(1)
        self._opened: dict[str, _Opened] = {}
        """By slug, of the present launch."""

    def of(self, slug: str) -> Door | None:
        """None while the add-on has no pod."""
        address = self._address(slug)
        if address == NO_ADDRESS:
            return None
        record = self._record(slug)
        launch = record.intent.launch
        launch_id = launch.id if launch else None
        known = self._opened.get(slug)
        if known is None or known.launch != launch_id or known.door.address != address:
            keys = client_keys(launch.objects) if launch else None
            port = LINK_PORT if keys else self._config(record).ingress_port or 0
            door = Door(f"door-{next(self._numbers)}", address, port, keys)
            known = self._opened[slug] = _Opened(launch_id, door)
        return known.door

    def opened(self) -> tuple[Door, ...]:
        """All that somebody went through and that are not replaced."""
        return tuple(known.door for known in self._opened.values())

    async def forget(self, slug: str) -> None:
        """An add-on goes."""
        self._opened.pop(slug, None)


@dataclass(frozen=True, slots=True)
class _Opened:
    """A door and the launch that it leads to."""

    launch: str | None
    door: Door
