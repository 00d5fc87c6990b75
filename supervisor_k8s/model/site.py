"""Where we run, as one value: everything a manifest needs that no add-on decides. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

HOUSE_DOMAIN = "local.hass.io"
"""Home Assistant's domain for the names of Core, add-ons and the Supervisor; nobody outside is asked about it."""
MACHINES_BY_ARCH = {"amd64": "generic-x86-64", "aarch64": "generic-aarch64"}


@dataclass(frozen=True, slots=True)
class Site:
    """Facts and choices of this installation, gathered once at start."""

    namespace: str
    cluster_domain: str
    """Read from the pod's resolv.conf, for example `cluster.local`."""
    supervisor_image: str
    """The image of our own pod: it carries nginx for the links and the `hold` program."""
    supervisor_address: str
    """ClusterIP of Service `supervisor`, IPv4."""
    shared_claim: str
    """Name of the shared PersistentVolumeClaim."""
    arch: str = "amd64"
    """Home Assistant's word: amd64 or aarch64."""
    machine: str = "generic-x86-64"
    image_pull_policy: str = "IfNotPresent"
    selinux_level: str | None = None
    allowed: frozenset[str] = frozenset()
    """Classes of requests of add-ons that the administrator allows (`compatibility.Allow`)."""
    dns_address: str = ""
    """ClusterIP of Service `supervisor-dns`, IPv4; not known before that was made (`services/dns.py`)."""
    networks: Mapping[str, str] = field(default_factory=dict)
    """Networks beside the cluster's, in Multus' words, by `homeassistant` or an add-on's slug."""
    docker_network: bool = False
    """Whether add-ons find addresses of Docker's network (`services/docker_network.py`)."""
    pod_cidrs: tuple[str, ...] = ()
    """Networks of the cluster's pods, IPv4 without overlaps; empty where nobody tells them."""

    @property
    def dns_searches(self) -> tuple[str, ...]:
        """Search domains of Core's and the add-ons' pods: Home Assistant's own before the cluster's."""
        services = f"svc.{self.cluster_domain}"
        return (HOUSE_DOMAIN, f"{self.namespace}.{services}", services, self.cluster_domain)
