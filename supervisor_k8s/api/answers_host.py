"""Shapes of answers about the node, the network and the plugins that the cluster stands in for (others: `answers`)."""

from typing import Any, TypedDict


class HostUnknown(TypedDict):
    agent_version: None
    apparmor_version: None
    chassis: None
    virtualization: None
    cpe: None
    deployment: None
    disk_life_time: None
    llmnr_hostname: None
    dt_synchronized: None
    use_ntp: None
    startup_time: None
    broadcast_llmnr: None
    broadcast_mdns: None


class HostInfo(HostUnknown):
    """Disks in GiB, `boot_timestamp` in microseconds."""

    disk_total: float
    disk_used: float
    disk_free: float
    features: list[str]
    hostname: str
    operating_system: str | None
    kernel: str
    timezone: str | None
    dt_utc: str
    boot_timestamp: int | None


class Boots(TypedDict):
    """Ids by number: 0 is the present boot, -1 the one before it."""

    boots: dict[str, str]


class Identifiers(TypedDict):
    identifiers: list[str]


class HostServices(TypedDict):
    services: list[None]


class DiskPart(TypedDict):
    id: str
    label: str
    used_bytes: int


class DiskUsage(DiskPart):
    total_bytes: int
    children: list[DiskPart]


class HardwareInfo(TypedDict):
    devices: list[None]
    drives: list[None]


class SoundDevices(TypedDict):
    input: dict[str, str]
    output: dict[str, str]


class HardwareAudio(TypedDict):
    audio: SoundDevices


class NetworkProtocol(TypedDict):
    method: str
    ready: bool
    address: list[str]
    nameservers: list[str]
    gateway: str | None
    route_metric: int | None


class NetworkProtocol6(NetworkProtocol):
    addr_gen_mode: str
    ip6_privacy: str


class NetworkInterface(TypedDict):
    interface: str
    type: str
    enabled: bool
    connected: bool
    primary: bool
    mac: str
    ipv4: NetworkProtocol
    ipv6: NetworkProtocol6
    wifi: None
    vlan: None
    mdns: str
    llmnr: str


class DockerNetwork(TypedDict):
    interface: str
    address: str
    gateway: str
    dns: str


class NetworkInfo(TypedDict):
    interfaces: list[NetworkInterface]
    docker: DockerNetwork
    host_internet: None
    supervisor_internet: bool


class SecurityInfo(TypedDict):
    pwned: bool
    force_security: bool


class DockerInfo(TypedDict):
    version: str
    enable_ipv6: None
    mtu: None
    storage: str
    logging: str
    registries: dict[str, Any]


# --- plugins -----------------------------------------------------------------------------------------------------


class PluginInfo(TypedDict):
    version: str
    version_latest: str
    update_available: bool


class ObserverInfo(PluginInfo):
    host: str


class DnsInfo(ObserverInfo):
    servers: list[str]
    locals: list[str]
    mdns: bool
    llmnr: bool
    fallback: bool


class Sound(TypedDict):
    card: list[None]
    input: list[None]
    output: list[None]
    application: list[None]


class AudioInfo(ObserverInfo):
    audio: Sound
