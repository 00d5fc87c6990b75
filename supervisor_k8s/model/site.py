"""Where we run, as one value: everything a manifest needs that no add-on decides. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from supervisor_k8s.model.nodes import NodeFacts

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
    """What the administrator lets add-ons have (`model/allowance.py`)."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """What the cluster does not let them have all the same, by class, with its reason (`services/allowances.py`)."""
    nodes: NodeFacts = field(default_factory=NodeFacts)
    """Of the whole cluster (`services/allowances.py`)."""
    dns_address: str = ""
    """ClusterIP of Service `supervisor-dns`, IPv4; not known before that was made (`services/dns.py`)."""
    build_registry: str = ""
    """Where nodes pull the images of add-ons that are built here, with its path; empty: nothing is built."""
    networks: Mapping[str, str] = field(default_factory=dict)
    """Networks beside the cluster's, in Multus' words, by `homeassistant` or an add-on's slug."""
    resources: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    """`requests` and `limits` of programs of add-ons, by slug."""
    core_ports: tuple[str, ...] = ()
    """Of Core's own, published as they are, such as `1400/tcp`."""
    core_host_network: bool = False
    """Whether Core's next start is on the node's own network."""
    docker_network: bool = False
    """Whether add-ons find addresses of Docker's network (`services/docker_network.py`)."""
    pod_cidrs: tuple[str, ...] = ()
    """Networks of the cluster's pods, IPv4 without overlaps; empty where nobody tells them."""

    @property
    def dns_searches(self) -> tuple[str, ...]:
        """Search domains of Core's and the add-ons' pods: Home Assistant's own before the cluster's."""
        services = f"svc.{self.cluster_domain}"
        return (HOUSE_DOMAIN, f"{self.namespace}.{services}", services, self.cluster_domain)
