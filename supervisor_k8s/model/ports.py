"""Ports that add-ons publish: who has which, what cannot be had, and the registry in which that is written down. Pure.

A published port is reserved before its add-on starts, and free again when the add-on is stopped; a restart keeps it.
The registry's format is the specification's:
`{"1883/tcp": {"addon": "core_mosquitto", "service": "addon-core-mosquitto", "targetPort": 1883, "protocol": "tcp"}}`.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from supervisor_k8s.model import naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.desired.network import container_port
from supervisor_k8s.model.desired.security import on_node_network
from supervisor_k8s.model.intent import InstalledAddon, Wanted
from supervisor_k8s.model.site import Site

HIGHEST = 65535
PRIVILEGED = 1024
"""Below it are numbers of well-known services; what is proposed in their place is 8000 higher, as people do it."""
_KEY = re.compile(r"(?P<number>[1-9]\d{0,4})/(?P<protocol>tcp|udp)")
NODE = "the node"
"""Owner of a port that is needed where the address is a node's own."""


@dataclass(frozen=True, slots=True, order=True)
class Reservation:
    """A published port and where it leads. `protocol` is tcp or udp; `target` the add-on's own port."""

    number: int
    protocol: str
    slug: str
    """Or Core's name."""
    target: int

    @property
    def key(self) -> str:
        """`1883/tcp`: no two may have the same."""
        return f"{self.number}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why a reservation cannot be had."""

    wanted: Reservation
    owner: str
    """Slug of the add-on that has the port, the same one for a port that it asks for twice, or NODE."""
    free: int
    """Another number that could be had."""


def wanted_by(slug: str, ports: Mapping[str, int | None]) -> tuple[Reservation, ...]:
    """What an add-on asks for: `ports` maps container ports (`1883/tcp`, without suffix TCP) to published ones."""
    found = ((container_port(key), published) for key, published in ports.items() if published is not None)
    return tuple(sorted(Reservation(number, port.protocol.lower(), slug, port.number) for port, number in found))


def ports_of(record: InstalledAddon) -> dict[str, int | None]:
    """Container ports of the manifest with what the user made of them."""
    return {**(record.system.get("ports") or {}), **(record.user.get("network") or {})}


def asked_for(record: InstalledAddon, config: AddonConfig, site: Site) -> tuple[Reservation, ...]:
    """What the next start of an add-on would reserve; nothing for one on the node's own network. `config` is the
    record's manifest.
    """
    if on_node_network(config, site):
        return ()
    return wanted_by(record.slug, ports_of(record))


def of_core(site: Site) -> tuple[Reservation, ...]:
    """What Core has reserved, for as long as the settings say so."""
    return wanted_by(naming.CORE, {key: int(key.partition("/")[0]) for key in site.core_ports})


def held_by(record: InstalledAddon) -> tuple[Reservation, ...]:
    """What an add-on has reserved: the ports of its launch, while that is to run or to be followed by another one."""
    launch = record.intent.launch
    if launch is None or record.intent.wanted not in (Wanted.RUNNING, Wanted.RELAUNCH) or is_on_node(record):
        return ()
    return wanted_by(record.slug, launch.ports)


def is_on_node(record: InstalledAddon) -> bool:
    """Whether its last start gave it the node's own network."""
    launch = record.intent.launch
    pods = (item.get("spec", {}).get("template", {}).get("spec", {}) for item in (launch.objects if launch else ()))
    return any(pod.get("hostNetwork") for pod in pods)


def first_conflict(
    wanted: Collection[Reservation], taken: Iterable[Reservation], refused: Collection[int]
) -> Conflict | None:
    """The first of `wanted` that cannot be had; None when all can. `taken` is what other add-ons have; `refused` the
    numbers that are needed on the address itself.
    """
    owners = {item.key: item.slug for item in taken}
    asked = {item.key for item in wanted}
    seen: set[str] = set()
    for item in wanted:
        owner = NODE if item.number in refused else owners.get(item.key)
        if item.key in seen:
            owner = item.slug
        if owner is not None:
            return Conflict(item, owner, _free(item, {*owners, *asked}, refused))
        seen.add(item.key)
    return None


def registry_text(reservations: Iterable[Reservation]) -> str:
    """The registry, sorted by port."""
    entries = {
        item.key: {
            "addon": item.slug,
            "service": naming.service_name(item.slug),
            "targetPort": item.target,
            "protocol": item.protocol,
        }
        for item in reservations
    }
    return json.dumps(entries, indent=2, sort_keys=True) + "\n"


def is_registry(text: str) -> bool:
    """Whether this is one that somebody could have written by the format, and not one that was damaged."""
    try:
        parsed: Any = json.loads(text)
    except ValueError:
        return False
    return isinstance(parsed, dict) and all(map(_is_entry, parsed.values()))


def registered(text: str | None) -> tuple[Reservation, ...]:
    """What a registry says; nothing when there is none, or it is damaged."""
    if text is None or not is_registry(text):
        return ()
    keys = ((_KEY.fullmatch(key), entry) for key, entry in json.loads(text).items())
    found = ((match, entry) for match, entry in keys if match and int(match["number"]) <= HIGHEST)
    return tuple(
        Reservation(int(match["number"]), match["protocol"], entry["addon"], entry["targetPort"])
        for match, entry in found
    )


def _is_entry(entry: Any) -> bool:
    kinds = {"addon": str, "service": str, "targetPort": int, "protocol": str}
    right = isinstance(entry, dict) and all(isinstance(entry.get(key), kind) for key, kind in kinds.items())
    return right and entry["targetPort"] is not True and 1 <= entry["targetPort"] <= HIGHEST


def _free(item: Reservation, keys: Collection[str], refused: Collection[int]) -> int:
    first = item.number + 8000 if item.number < PRIVILEGED else item.number + 1
    for number in chain(range(first, HIGHEST + 1), range(PRIVILEGED, first)):
        if f"{number}/{item.protocol}" not in keys and number not in refused:
            return number
    return item.number
