"""What can honestly be said about "the host": the node we run on, the shared volume, our pod's network.

Facts that only the operating system's own services would know (chassis, NTP, hostname changes) are null, and the
features that would need them are not claimed, so the frontend hides their buttons.
"""

import asyncio
import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from supervisor_k8s.errors import RefusedError
from supervisor_k8s.model.issue import Cause, Context, Fault
from supervisor_k8s.reconcile import Live

FEATURES: tuple[str, ...] = ()
"""Words from the client's closed set (`HostFeature`): nothing of it can be done from a pod."""
STAT_WAIT = 5.0
"""Seconds a look at the shared volume may take: a network volume that hangs must not hang `/host/info`."""
GIB = 2**30
LOW_SPACE = 2 * GIB
"""Free bytes below which the volume counts as full; upstream's figure."""
NO_HARDWARE = "00:00:00:00:00:00"
"""Where the hardware address is not known."""
_SIOCGIFADDR, _SIOCGIFNETMASK = 0x8915, 0x891B
_ROUTE_DESTINATION, _ROUTE_GATEWAY = 1, 2
_COMPLETE = 0x2


@dataclass(frozen=True, slots=True)
class Disk:
    """The shared volume, in bytes."""

    total: int
    used: int
    free: int

    @property
    def is_full(self) -> bool:
        """Whether too little is free for new versions, in upstream's measure."""
        return self.free < LOW_SPACE

    @property
    def free_gib(self) -> float:
        return round(self.free / GIB, 1)


@dataclass(frozen=True, slots=True)
class Interface:
    """The network interface with the default route, as a pod has it."""

    name: str
    mac: str
    address: ipaddress.IPv4Interface
    gateway: ipaddress.IPv4Address | None
    nameservers: tuple[ipaddress.IPv4Address, ...]

    def in_pod(self, address: str, mac: str, nameserver: str) -> "Interface":
        """The same in another pod, at `address`: named and sized alike, for one plugin made both. The gateway is known
        where it serves that address too.
        """
        placed = ipaddress.IPv4Interface(f"{address}/{self.address.network.prefixlen}")
        routed = placed.network.num_addresses == 1
        return Interface(
            name=self.name,
            mac=mac,
            address=placed,
            gateway=self.gateway if routed or placed.network == self.address.network else None,
            nameservers=(ipaddress.IPv4Address(nameserver),),
        )


@dataclass(frozen=True, slots=True)
class Machine:
    """The node, as far as a pod sees it."""

    name: str
    kernel: str
    system: str | None
    """Its operating system, for people; None where we may not ask for nodes."""


class Host:
    """Reads facts; changes nothing."""

    def __init__(
        self,
        *,
        share: Path,
        own_pod: Callable[[], Live | None],
        own_node: Callable[[], Live | None],
        kubernetes: Callable[[], str],
    ) -> None:
        """`share` is where the shared volume is mounted; `own_pod` knows our node's name; `own_node` is None where we
        may not ask for it; `kubernetes` is the API server's version.
        """
        self._share = share
        self._own_pod = own_pod
        self._own_node = own_node
        self._kubernetes = kubernetes

    @property
    def runtime(self) -> str:
        """What stands where upstream says Docker's version: our node's container runtime, else Kubernetes' version."""
        return self._node_info("containerRuntimeVersion") or self._kubernetes()

    def machine(self) -> Machine:
        system = os.uname()
        node = (self._own_pod() or {}).get("spec", {}).get("nodeName")
        return Machine(
            name=node or system.nodename,
            kernel=self._node_info("kernelVersion") or system.release,
            system=self._node_info("osImage"),
        )

    async def disk(self) -> Disk:
        """RefusedError when the volume cannot be looked at, or does not answer within STAT_WAIT."""
        try:
            async with asyncio.timeout(STAT_WAIT):
                found = await asyncio.to_thread(os.statvfs, self._share)
        except (OSError, TimeoutError) as error:
            raise RefusedError(f"The shared volume does not answer: {error or 'timed out'}") from error
        total = found.f_blocks * found.f_frsize
        free = found.f_bavail * found.f_frsize
        return Disk(total=total, used=total - found.f_bfree * found.f_frsize, free=free)

    async def check_space(self) -> Sequence[Fault]:
        """For the check `free_space`."""
        disk = await self.disk()
        return [Fault(Cause.FREE_SPACE, Context.SYSTEM)] if disk.is_full else []

    def _node_info(self, fact: str) -> str | None:
        """What the kubelet says of our node."""
        found: str | None = (self._own_node() or {}).get("status", {}).get("nodeInfo", {}).get(fact)
        return found

    def interface(self) -> Interface | None:
        """None when there is no IPv4 default route."""
        route = default_route()
        if route is None:
            return None
        name, gateway = route
        address = interface_address(name)
        if address is None:
            return None
        return Interface(
            name=name,
            mac=_text(Path("/sys/class/net") / name / "address").strip() or NO_HARDWARE,
            address=address,
            gateway=gateway,
            nameservers=nameservers(_text(Path("/etc/resolv.conf"))),
        )

    def interface_of(self, address: str, nameserver: str) -> Interface | None:
        """The same of another pod, which speaks with us: its hardware address is known where it is on our link."""
        own = self.interface()
        mac = hardware_address(_text(Path("/proc/net/arp")), address)
        return None if own is None else own.in_pod(address, mac, nameserver)


def boot_time() -> int | None:
    """When the node started, in microseconds since the epoch."""
    for line in _text(Path("/proc/stat")).splitlines():
        if line.startswith("btime "):
            return int(line.split()[1]) * 1_000_000
    return None


def default_route() -> tuple[str, ipaddress.IPv4Address | None] | None:
    """Interface and gateway of the IPv4 default route."""
    for line in _text(Path("/proc/net/route")).splitlines()[1:]:
        fields = line.split()
        if fields[_ROUTE_DESTINATION] == "00000000":
            gateway = ipaddress.IPv4Address(struct.pack("<L", int(fields[_ROUTE_GATEWAY], 16)))
            return fields[0], None if gateway.is_unspecified else gateway
    return None


def interface_address(name: str) -> ipaddress.IPv4Interface | None:
    """IPv4 address with its network, as the kernel has it."""
    query = struct.pack("256s", name.encode()[:15])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        try:
            address = fcntl.ioctl(control, _SIOCGIFADDR, query)[20:24]
            mask = fcntl.ioctl(control, _SIOCGIFNETMASK, query)[20:24]
        except OSError:
            return None
    return ipaddress.IPv4Interface((ipaddress.IPv4Address(address), str(ipaddress.IPv4Address(mask))))


def hardware_address(neighbours: str, address: str) -> str:
    """Of this address in the kernel's table; NO_HARDWARE when it has none."""
    for line in neighbours.splitlines()[1:]:
        known, _, flags, mac, *_ = line.split()
        if known == address and int(flags, 16) & _COMPLETE:
            return mac
    return NO_HARDWARE


def nameservers(resolv_conf: str) -> tuple[ipaddress.IPv4Address, ...]:
    """The IPv4 ones, in order."""
    found = [line.split()[1] for line in resolv_conf.splitlines() if line.startswith("nameserver ")]
    return tuple(ipaddress.IPv4Address(address) for address in found if ":" not in address)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
