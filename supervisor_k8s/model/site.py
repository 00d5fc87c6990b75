"""Where we run, as one value: everything a manifest needs that no add-on decides. Pure."""

from dataclasses import dataclass

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

    @property
    def dns_searches(self) -> tuple[str, ...]:
        """Search domains that make `core-mosquitto` an address: the headless Service `addons` holds the names."""
        return (f"addons.{self.namespace}.svc.{self.cluster_domain}",)
