"""Settings: one frozen dataclass, read once from the environment.

Every variable is checked; all that are missing or malformed are named at once, each with what would be right, and the
start stops there. The README's table of settings is tested against this file.
"""

import dataclasses
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from supervisor_k8s import setting_kinds as kind

CREDENTIALS = re.compile(r"://[^/\s'\"]*@")
"""In a git URL; what is malformed is quoted without them."""


class SettingsError(ValueError):
    """One or more variables are missing or malformed; the text has a line for each."""


BUILT_IN_REPOSITORIES = {
    "core": "https://github.com/home-assistant/addons",
    "a0d7b954": "https://github.com/hassio-addons/repository",
    "5c53de3b": "https://github.com/esphome/home-assistant-addon",
    "d5369777": "https://github.com/music-assistant/home-assistant-addon",
}


def _read(variable: str, parse: Callable[[str], Any] = kind.text, **kwargs: Any) -> Any:
    return field(metadata={"variable": variable, "parse": parse}, **kwargs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the installation decides. A field without default is required."""

    runtime: str = _read("SUPERVISOR_RUNTIME", kind.one_of("kubernetes"))
    """Always `kubernetes`; the variable is kept from the specification so that a manifest says what it runs."""
    name: str = _read(
        "SUPERVISOR_NAME", kind.matches(kind.NAME, "a DNS label such as supervisor"), default="supervisor"
    )
    """Name of our own Deployment and Service."""
    share: str = _read("SUPERVISOR_SHARE", default="/data")
    """Where the shared volume is mounted in our pod."""
    state: str = _read("SUPERVISOR_STATE", default="/state")
    """Where our private volume is mounted."""
    machine: str = _read("SUPERVISOR_MACHINE", kind.matches(kind.MACHINE, "a machine such as generic-x86-64"))
    """Home Assistant's machine name: it stands in the name of Core's image and in `/info`."""
    port: int = _read("SUPERVISOR_PORT", kind.port, default=8080)
    """Port our API listens on inside the pod; the Service maps 80 to it."""
    log_level: str = _read(
        "SUPERVISOR_LOG_LEVEL", kind.one_of("debug", "info", "warning", "error", "critical"), default="info"
    )
    """Of our own log, until the user chooses another one by the API; libraries speak from `warning` on."""
    log_format: str = _read("SUPERVISOR_LOG_FORMAT", kind.one_of("text", "json"), default="text")
    """`text` for people or `json`, one object a line, for machines."""
    metrics_port: int = _read("SUPERVISOR_METRICS_PORT", kind.port, default=8081)
    """Port of `/metrics` for Prometheus, inside the pod; it needs no token and tells no secret."""

    namespace: str = _read(
        "SUPERVISOR_K8S_NAMESPACE", kind.matches(kind.NAME, "the namespace's name, by the downward API")
    )
    """Namespace of everything, dedicated to Home Assistant."""
    pod_name: str = _read("SUPERVISOR_K8S_POD_NAME", kind.text)
    """Our own pod, by the downward API: its image serves the links, its UID holds the lease."""
    storage_mode: str = _read("SUPERVISOR_K8S_STORAGE_MODE", kind.one_of("shared_pvc"), default="shared_pvc")
    """The one way to store: a shared claim."""
    shared_claim: str = _read(
        "SUPERVISOR_K8S_SHARED_PVC_CLAIM", kind.matches(kind.NAME, "the name of a PersistentVolumeClaim")
    )
    """Claim that Core, the add-ons and we mount."""
    shared_storage_class: str | None = _read("SUPERVISOR_K8S_SHARED_PVC_STORAGE_CLASS", str, default=None)
    """Class the claim must have; not checked when unset."""
    shared_size: str | None = _read(
        "SUPERVISOR_K8S_SHARED_PVC_SIZE", kind.matches(kind.QUANTITY, "a quantity such as 50Gi"), default=None
    )
    """Size the claim must have at least; not checked when unset."""
    allow_rwo: bool = _read("SUPERVISOR_K8S_ALLOW_RWO", kind.boolean, default=False)
    """Accept a ReadWriteOnce claim: everything then runs on one node."""
    core_version: str | None = _read("SUPERVISOR_K8S_CORE_VERSION", kind.text, default=None)
    """Home Assistant Core's version of a new installation, the channel's when unset; afterwards updates decide."""
    core_image: str = _read(
        "SUPERVISOR_K8S_CORE_IMAGE", kind.text, default="ghcr.io/home-assistant/{machine}-homeassistant"
    )
    """Core's image without tag; `{machine}` is filled in."""
    core_ports: tuple[str, ...] = _read("SUPERVISOR_K8S_CORE_PORTS", kind.core_ports, default=())
    """Ports of Core that others on the LAN need, published under the same number as those of add-ons are, separated by
    commas: `21064` for a HomeKit bridge, `1400/tcp` for Sonos, `8555/tcp,8555/udp` for WebRTC; `8123` for its UI
    (in mode `direct` the port that it listens on)."""
    core_host_network: bool = _read("SUPERVISOR_K8S_CORE_HOST_NETWORK", kind.boolean, default=False)
    """Whether Core is on the node's own network, where it discovers devices by broadcasts, from its next start on. The
    namespace's Pod Security level must be `privileged`, and the node's ports 4380 to 4382 and Core's own be free."""
    link_image: str | None = _read("SUPERVISOR_K8S_LINK_IMAGE", kind.text, default=None)
    """Image of the link sidecars and of `hold`; our own pod's image when unset."""
    dns_image: str = _read("SUPERVISOR_K8S_DNS_IMAGE", kind.text, default="docker.io/coredns/coredns:1.15.0")
    """CoreDNS, with tag: it answers Core and add-ons."""
    versions_url: str = _read(
        "SUPERVISOR_K8S_VERSIONS_URL", kind.text, default="https://version.home-assistant.io/{channel}.json"
    )
    """Where Home Assistant Core's versions are offered; `{channel}` is filled in. Nothing else of it is used."""
    own_versions_url: str | None = _read("SUPERVISOR_K8S_UPDATES_URL", kind.text, default=None)
    """Where the Supervisor's own versions are offered, a JSON file `{"channel": …, "supervisor": …}`; `{channel}` is
    filled in. Without it the Supervisor is updated by its manifests alone."""
    leaks_url: str = _read("SUPERVISOR_K8S_LEAKS_URL", default="https://api.pwnedpasswords.com/range/{prefix}")
    """Which passwords have leaked; `{prefix}` is filled in with five digits of a hash, and nothing else is told."""
    image_pull_policy: str = _read(
        "SUPERVISOR_K8S_IMAGE_PULL_POLICY", kind.one_of("IfNotPresent", "Always", "Never"), default="IfNotPresent"
    )
    """For Core, add-ons and sidecars."""
    repositories: Mapping[str, str] = _read(
        "SUPERVISOR_K8S_REPOSITORIES", kind.repositories, default_factory=lambda: dict(BUILT_IN_REPOSITORIES)
    )
    """The built-in stores: slug to git URL, as JSON."""
    allow: frozenset[str] = _read("SUPERVISOR_K8S_ALLOW", kind.allowed, default=frozenset())
    """What add-ons may have beyond an ordinary container, where they ask for it, separated by commas: `capabilities`,
    `host_network`, `host_paths`, `privileged`, `devices:<which>`; for all, or for one as in `core_samba=host_network`.
    The namespace's Pod Security level must be `privileged` then, but for `devices` by the resource of a plugin."""
    resources: Mapping[str, Any] = _read("SUPERVISOR_K8S_RESOURCES", kind.resources, default_factory=dict)
    """What the programs of single add-ons are promised of their node, and what they may use at most, as JSON:
    `{"core_mariadb": {"requests": {"memory": "256Mi"}, "limits": {"memory": "1Gi"}}}`; from their next start on."""
    build_registry: str | None = _read(
        "SUPERVISOR_K8S_BUILD_REGISTRY",
        kind.matches(kind.REGISTRY, "a registry, with or without a path, such as registry.example.com/home"),
        default=None,
    )
    """Registry, with a path if it has one, for images of add-ons that have none and are built here; nothing is built
    when unset. Builds need the namespace's Pod Security level `privileged`. Its login, if it asks for one, is one of
    those of `/docker/registries`."""
    build_push: str | None = _read(
        "SUPERVISOR_K8S_BUILD_PUSH",
        kind.matches(
            kind.PUSHED, "a registry such as http://registry.registry.svc:5000/home; without http:// it must have TLS"
        ),
        default=None,
    )
    """The same registry as pods reach it, where nodes know it by another name, such as `localhost:32000`; with
    `http://` before it when it has no TLS."""
    build_image: str = _read("SUPERVISOR_K8S_BUILD_IMAGE", kind.text, default="quay.io/buildah/stable:v1.43.0")
    """Image of the builder, with tag: it has buildah, tar and a shell."""
    build_timeout: float = _read("SUPERVISOR_K8S_BUILD_TIMEOUT", kind.seconds, default=3600.0)
    """Seconds that a build may take, with the push."""
    pull_timeout: float = _read("SUPERVISOR_K8S_PULL_TIMEOUT", kind.seconds, default=1800.0)
    """Seconds an image may take to arrive on a node."""
    health_checks: bool = _read("SUPERVISOR_K8S_HEALTHCHECKS", kind.boolean, default=True)
    """Whether the registry of an add-on's image is asked, at installs and updates, if the image has a HEALTHCHECK. With
    one the add-on is started once it succeeds; without, or where the registry cannot be asked, once it runs."""
    cluster_address: str | None = _read("SUPERVISOR_K8S_SUPERVISOR_ADDRESS", kind.address, default=None)
    """ClusterIP of our Service; read from the API when unset."""
    cluster_domain: str | None = _read(
        "SUPERVISOR_K8S_CLUSTER_DOMAIN", kind.matches(kind.DOMAIN, "a domain such as cluster.local"), default=None
    )
    """Domain of the cluster's Services; read from our pod's /etc/resolv.conf when unset."""
    networks: Mapping[str, str] = _read("SUPERVISOR_K8S_NETWORKS", kind.networks, default_factory=dict)
    """Further networks by Multus, as JSON: `homeassistant` or an add-on's slug to the NetworkAttachmentDefinition of
    its second interface, `{"homeassistant": "lan", "core_matter_server": "lan@net1"}`; from its next start on."""
    docker_network: str = _read("SUPERVISOR_K8S_DOCKER_NETWORK", kind.one_of("auto", "on", "off"), default="auto")
    """Whether add-ons with ingress see 172.30.32.2 ask for their pages, and they and databases see other pods as
    172.30.33.2: `auto` where the cluster lets an init container have NET_ADMIN, `on` without asking it, `off` never."""
    pod_cidrs: tuple[str, ...] | None = _read("SUPERVISOR_K8S_POD_CIDRS", kind.cidrs, default=None)
    """Networks of the cluster's pods, separated by commas; read from the nodes when unset and where that is allowed."""
    trusted_proxies: tuple[str, ...] = _read("SUPERVISOR_K8S_HA_TRUSTED_PROXIES", kind.cidrs, default=())
    """Networks of proxies, separated by commas, from which Home Assistant takes the address of its visitor
    (`X-Forwarded-For`); whoever is inside of one can pretend any. Its configuration is not touched when unset."""
    l4_mode: str = _read(
        "SUPERVISOR_K8S_INTERNAL_L4_MODE", kind.one_of("proxy", "direct", "gateway", "off"), default="proxy"
    )
    """How published ports of add-ons are reached from outside of the cluster: by a `proxy`, by a Service for each
    add-on (`direct`), by a Gateway with TCPRoutes and UDPRoutes (`gateway`; it needs `manifests/components/gateway` and
    a GatewayClass), or not at all (`off`; then two add-ons may publish the same one)."""
    l4_local: bool = _read("SUPERVISOR_K8S_INTERNAL_L4_LOCAL", kind.boolean, default=False)
    """Whether add-ons see the address of who asks, in mode `direct`: then the node that has the address must be the one
    with the add-on's pod, and MetalLB and Cilium give each add-on an address of its own."""
    gateway_name: str = _read(
        "SUPERVISOR_K8S_INTERNAL_GATEWAY_NAME",
        kind.matches(kind.SHORT_NAME, "a name such as ha-internal, and none of ours"),
        default="ha-internal",
    )
    """Name of the Service of type LoadBalancer, and of the proxy behind it, or of the Gateway, by which published ports
    of add-ons are reached; they are there while something is published."""
    gateway_address: str | None = _read("SUPERVISOR_K8S_INTERNAL_GATEWAY_ADDRESS", kind.address, default=None)
    """Address that this Service is to get, outside of the cluster; its provider's choice when unset."""
    gateway_class: str | None = _read(
        "SUPERVISOR_K8S_INTERNAL_GATEWAY_CLASS",
        kind.one_of("cilium", "metallb", "kube-vip", "servicelb", "generic"),
        default=None,
    )
    """Who gives the address: `cilium`, `metallb`, `kube-vip`, `servicelb` (of k3s: the nodes' own) or `generic`
    (`spec.loadBalancerIP`); found out when unset, but for kube-vip."""
    l4_annotations: Mapping[str, str] = _read(
        "SUPERVISOR_K8S_INTERNAL_L4_SERVICE_ANNOTATIONS", kind.annotations, default_factory=dict
    )
    """Annotations of this Service, or of what the Gateway's controller makes, as a JSON object; they win over ours."""
    l4_sources: tuple[str, ...] = _read("SUPERVISOR_K8S_INTERNAL_L4_SOURCES", kind.cidrs, default=())
    """Networks that may reach published ports, separated by commas; all when unset."""
    l4_replicas: int = _read("SUPERVISOR_K8S_INTERNAL_L4_REPLICAS", kind.replicas, default=1)
    """How many proxies there are, on different nodes where that can be."""
    l4_image: str | None = _read("SUPERVISOR_K8S_INTERNAL_L4_IMAGE", kind.text, default=None)
    """Image of the proxy for published ports; when unset our own pod's image, and an update of ours leaves a proxy that
    serves as it is. It takes one of ours, of any version: plain nginx would not see that a port has come."""
    l4_udp: tuple[tuple[int, str], ...] = _read("SUPERVISOR_K8S_INTERNAL_L4_UDP", kind.udp, default=())
    """How the proxy is to treat datagrams at published ports, where it does not know it by the add-on's own port:
    `9002=one-way,7000=long-lived`. `request-response` has one answer for each, within 10 s; `one-way` has none;
    `long-lived` remembers for an hour where answers go. Otherwise any number of answers come back, and silence of 10
    minutes ends it."""
    public_gateway: bool = _read("SUPERVISOR_K8S_MANAGE_PUBLIC_GATEWAY", kind.boolean, default=False)
    """Whether the Supervisor makes a Gateway and HTTPRoutes by which Home Assistant is reached at a public address; it
    needs `manifests/components/gateway`, a GatewayClass and a Secret with the certificate."""
    public_name: str = _read(
        "SUPERVISOR_K8S_GATEWAY_NAME",
        kind.matches(kind.NAME, "a DNS label such as home-assistant"),
        default="home-assistant",
    )
    """Name of this Gateway and its route."""
    public_class: str | None = _read(
        "SUPERVISOR_K8S_GATEWAY_CLASS", kind.matches(kind.DOMAIN, "the name of a GatewayClass"), default=None
    )
    """GatewayClass of it, and of the Gateway for published ports in mode `gateway`."""
    public_hostname: str | None = _read(
        "SUPERVISOR_K8S_GATEWAY_HOSTNAME",
        kind.matches(kind.HOSTNAME, "a host name such as ha.example.com"),
        default=None,
    )
    """Host name that it takes requests for; any when unset."""
    public_secret: str | None = _read(
        "SUPERVISOR_K8S_GATEWAY_TLS_SECRET", kind.matches(kind.DOMAIN, "the name of a Secret"), default=None
    )
    """Secret of type `kubernetes.io/tls` with its certificate, in our namespace."""
    service_account: str = _read(
        "SUPERVISOR_K8S_SERVICE_ACCOUNT", kind.text, default="/var/run/secrets/kubernetes.io/serviceaccount"
    )
    """Folder with `token` and `ca.crt`, as every pod has it; elsewhere only when we run outside of a pod."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read all variables; SettingsError names every one that is missing or malformed."""
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for item in dataclasses.fields(cls):
            variable, parse = item.metadata["variable"], item.metadata["parse"]
            given = environment.get(variable)
            if given is None or (given == "" and has_default(item)):
                if not has_default(item):
                    wrong.append(f"{variable} is missing; it must be set")
                continue
            try:
                values[item.name] = parse(given)
            except ValueError as error:
                shown = CREDENTIALS.sub("://***@", given)
                wrong.append(f"{variable} is {shown!r}; it must be {error}")
        settings = None if wrong else cls(**values)
        if settings is None or (wrong := list(contradictions(settings))):
            raise SettingsError("\n".join(wrong))
        return settings


def contradictions(settings: Settings) -> Iterator[str]:
    """Values that are right, and do not go together; a sentence for each."""
    gateway = settings.l4_mode == "gateway"
    if gateway and settings.l4_sources:
        yield "SUPERVISOR_K8S_INTERNAL_L4_SOURCES would let everybody in: nothing in a Gateway keeps anybody out"
    if gateway and settings.public_gateway and settings.gateway_name == settings.public_name:
        yield "SUPERVISOR_K8S_GATEWAY_NAME and SUPERVISOR_K8S_INTERNAL_GATEWAY_NAME must differ: each is of a Gateway"


def without_effect(environment: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that somebody set in vain."""
    known = {item.metadata["variable"] for item in dataclasses.fields(Settings)}
    ours = sorted(name for name in environment if name.startswith("SUPERVISOR_K8S_") and name not in known)
    return [f"{name} has no effect: there is no such setting" for name in ours]


def has_default(item: dataclasses.Field[Any]) -> bool:
    return item.default is not dataclasses.MISSING or item.default_factory is not dataclasses.MISSING
