"""Settings: one frozen dataclass, read once from the environment.

Every variable is checked; all that are missing or malformed are named at once, each with what would be right, and the
start stops there. The README's table of settings is tested against this file.
"""

import dataclasses
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
QUANTITY = re.compile(r"\d+(\.\d+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?")
DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
CREDENTIALS = re.compile(r"://[^/\s'\"]*@")
"""In a git URL; what is malformed is quoted without them."""
ALLOWABLE = frozenset({"capabilities", "host_network"})
"""Classes of what add-ons may ask for (model.compatibility.Allow)."""
MACHINE = re.compile(r"[a-z0-9][a-z0-9-]*")
WORKLOAD = re.compile(r"[-_.A-Za-z0-9]+")
ATTACHMENT = re.compile(rf"({NAME.pattern}/)?{DOMAIN.pattern}(@(?!eth0$)[a-z][a-z0-9]{{0,14}})?")
"""How Multus names a NetworkAttachmentDefinition; `eth0` is the cluster's own network in every pod."""


class SettingsError(ValueError):
    """One or more variables are missing or malformed; the text has a line for each."""


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("a text that is not empty")
    return value.strip()


def _matches(pattern: re.Pattern[str], right: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(right)
        return value

    return check


def _one_of(*allowed: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in allowed:
            raise ValueError("one of " + ", ".join(allowed))
        return value

    return check


def _boolean(value: str) -> bool:
    lowered = value.lower()
    if lowered not in {"true", "false", "1", "0", "yes", "no"}:
        raise ValueError("true or false")
    return lowered in {"true", "1", "yes"}


def _port(value: str) -> int:
    if not value.isdecimal() or not 0 < int(value) < 65536:  # noqa: PLR2004 - the range of ports
        raise ValueError("a port number from 1 to 65535")
    return int(value)


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = -1
    if not 0 < seconds < float("inf"):
        raise ValueError("a number of seconds above 0")
    return seconds


def _address(value: str) -> str:
    try:
        return str(ipaddress.IPv4Address(value))
    except ValueError:
        raise ValueError("an IPv4 address such as 10.96.0.20") from None


def _classes(value: str) -> frozenset[str]:
    classes = frozenset(word.strip() for word in value.split(",") if word.strip())
    if classes - ALLOWABLE:
        raise ValueError("any of " + ", ".join(sorted(ALLOWABLE)) + ", with commas between them")
    return classes


def _cidrs(value: str) -> tuple[str, ...]:
    try:
        return tuple(str(ipaddress.ip_network(part.strip())) for part in value.split(",") if part.strip())
    except ValueError:
        raise ValueError("networks separated by commas, such as 10.42.0.0/16,fd00:42::/56") from None


def _repositories(value: str) -> Mapping[str, str]:
    right = 'a JSON object of slug to git URL, such as {"core": "https://github.com/home-assistant/addons"}'
    try:
        parsed: Any = json.loads(value)
    except json.JSONDecodeError:
        raise ValueError(right) from None
    if not isinstance(parsed, dict) or not all(isinstance(url, str) and url for url in parsed.values()):
        raise ValueError(right)
    return parsed


def _networks(value: str) -> Mapping[str, str]:
    right = (
        "a JSON object of `homeassistant` or an add-on's slug to [<namespace>/]<NetworkAttachmentDefinition>"
        '[@<interface>], several with commas between, such as {"homeassistant": "lan"}'
    )
    try:
        parsed: Any = json.loads(value)
    except json.JSONDecodeError:
        raise ValueError(right) from None
    if not isinstance(parsed, dict) or not all(
        WORKLOAD.fullmatch(workload) and isinstance(names, str) and all(map(ATTACHMENT.fullmatch, names.split(",")))
        for workload, names in parsed.items()
    ):
        raise ValueError(right)
    return parsed


BUILT_IN_REPOSITORIES = {
    "core": "https://github.com/home-assistant/addons",
    "a0d7b954": "https://github.com/hassio-addons/repository",
    "5c53de3b": "https://github.com/esphome/home-assistant-addon",
    "d5369777": "https://github.com/music-assistant/home-assistant-addon",
}


_PORTS = "a LoadBalancer for add-ons' ports"
_GATEWAY = "a public Gateway made by the Supervisor"
NOT_YET = {
    "SUPERVISOR_K8S_INTERNAL_GATEWAY_ADDRESS": _PORTS,
    "SUPERVISOR_K8S_INTERNAL_GATEWAY_NAME": _PORTS,
    "SUPERVISOR_K8S_INTERNAL_GATEWAY_CLASS": _PORTS,
    "SUPERVISOR_K8S_INTERNAL_L4_IMAGE": _PORTS,
    "SUPERVISOR_K8S_INTERNAL_L4_SERVICE_ANNOTATIONS": _PORTS,
    "SUPERVISOR_K8S_MANAGE_PUBLIC_GATEWAY": _GATEWAY,
    "SUPERVISOR_K8S_GATEWAY_HOSTNAME": _GATEWAY,
    "SUPERVISOR_K8S_GATEWAY_TLS_SECRET": _GATEWAY,
}
"""Variables of the specification whose feature is not there yet, with the feature: set, they are warned of."""


def _read(variable: str, parse: Callable[[str], Any] = _text, **kwargs: Any) -> Any:
    return field(metadata={"variable": variable, "parse": parse}, **kwargs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the installation decides. A field without default is required."""

    runtime: str = _read("SUPERVISOR_RUNTIME", _one_of("kubernetes"))
    """Always `kubernetes`; the variable is kept from the specification so that a manifest says what it runs."""
    name: str = _read("SUPERVISOR_NAME", _matches(NAME, "a DNS label such as supervisor"), default="supervisor")
    """Name of our own Deployment and Service."""
    share: str = _read("SUPERVISOR_SHARE", default="/data")
    """Where the shared volume is mounted in our pod."""
    state: str = _read("SUPERVISOR_STATE", default="/state")
    """Where our private volume is mounted."""
    machine: str = _read("SUPERVISOR_MACHINE", _matches(MACHINE, "a machine such as generic-x86-64"))
    """Home Assistant's machine name: it stands in the name of Core's image and in `/info`."""
    port: int = _read("SUPERVISOR_PORT", _port, default=8080)
    """Port our API listens on inside the pod; the Service maps 80 to it."""
    log_level: str = _read(
        "SUPERVISOR_LOG_LEVEL", _one_of("debug", "info", "warning", "error", "critical"), default="info"
    )
    """Of our own log, until the user chooses another one by the API; libraries speak from `warning` on."""
    log_format: str = _read("SUPERVISOR_LOG_FORMAT", _one_of("text", "json"), default="text")
    """`text` for people or `json`, one object a line, for machines."""
    metrics_port: int = _read("SUPERVISOR_METRICS_PORT", _port, default=8081)
    """Port of `/metrics` for Prometheus, inside the pod; it needs no token and tells no secret."""

    namespace: str = _read("SUPERVISOR_K8S_NAMESPACE", _matches(NAME, "the namespace's name, by the downward API"))
    """Namespace of everything, dedicated to Home Assistant."""
    pod_name: str = _read("SUPERVISOR_K8S_POD_NAME", _text)
    """Our own pod, by the downward API: its image serves the links, its UID holds the lease."""
    storage_mode: str = _read("SUPERVISOR_K8S_STORAGE_MODE", _one_of("shared_pvc"), default="shared_pvc")
    """The one way to store: a shared claim."""
    shared_claim: str = _read("SUPERVISOR_K8S_SHARED_PVC_CLAIM", _matches(NAME, "the name of a PersistentVolumeClaim"))
    """Claim that Core, the add-ons and we mount."""
    shared_storage_class: str | None = _read("SUPERVISOR_K8S_SHARED_PVC_STORAGE_CLASS", str, default=None)
    """Class the claim must have; not checked when unset."""
    shared_size: str | None = _read(
        "SUPERVISOR_K8S_SHARED_PVC_SIZE", _matches(QUANTITY, "a quantity such as 50Gi"), default=None
    )
    """Size the claim must have at least; not checked when unset."""
    allow_rwo: bool = _read("SUPERVISOR_K8S_ALLOW_RWO", _boolean, default=False)
    """Accept a ReadWriteOnce claim: everything then runs on one node."""
    core_version: str | None = _read("SUPERVISOR_K8S_CORE_VERSION", _text, default=None)
    """Home Assistant Core's version of a new installation, the channel's when unset; afterwards updates decide."""
    core_image: str = _read(
        "SUPERVISOR_K8S_CORE_IMAGE", _text, default="ghcr.io/home-assistant/{machine}-homeassistant"
    )
    """Core's image without tag; `{machine}` is filled in."""
    link_image: str | None = _read("SUPERVISOR_K8S_LINK_IMAGE", _text, default=None)
    """Image of the link sidecars and of `hold`; our own pod's image when unset."""
    dns_image: str = _read("SUPERVISOR_K8S_DNS_IMAGE", _text, default="docker.io/coredns/coredns:1.15.0")
    """CoreDNS, with tag: it answers Core and add-ons."""
    versions_url: str = _read(
        "SUPERVISOR_K8S_VERSIONS_URL", _text, default="https://version.home-assistant.io/{channel}.json"
    )
    """Where Home Assistant Core's versions are offered; `{channel}` is filled in. Nothing else of it is used."""
    own_versions_url: str | None = _read("SUPERVISOR_K8S_UPDATES_URL", _text, default=None)
    """Where the Supervisor's own versions are offered, a JSON file `{"channel": …, "supervisor": …}`; `{channel}` is
    filled in. Without it the Supervisor is updated by its manifests alone."""
    leaks_url: str = _read("SUPERVISOR_K8S_LEAKS_URL", default="https://api.pwnedpasswords.com/range/{prefix}")
    """Which passwords have leaked; `{prefix}` is filled in with five digits of a hash, and nothing else is told."""
    image_pull_policy: str = _read(
        "SUPERVISOR_K8S_IMAGE_PULL_POLICY", _one_of("IfNotPresent", "Always", "Never"), default="IfNotPresent"
    )
    """For Core, add-ons and sidecars."""
    repositories: Mapping[str, str] = _read(
        "SUPERVISOR_K8S_REPOSITORIES", _repositories, default_factory=lambda: dict(BUILT_IN_REPOSITORIES)
    )
    """The built-in stores: slug to git URL, as JSON."""
    allow: frozenset[str] = _read("SUPERVISOR_K8S_ALLOW", _classes, default=frozenset())
    """What add-ons may ask for beyond an ordinary container, separated by commas: `capabilities`, `host_network`. The
    namespace's Pod Security level must let it pass, too."""
    pull_timeout: float = _read("SUPERVISOR_K8S_PULL_TIMEOUT", _seconds, default=1800.0)
    """Seconds an image may take to arrive on a node."""
    cluster_address: str | None = _read("SUPERVISOR_K8S_SUPERVISOR_ADDRESS", _address, default=None)
    """ClusterIP of our Service; read from the API when unset."""
    cluster_domain: str | None = _read(
        "SUPERVISOR_K8S_CLUSTER_DOMAIN", _matches(DOMAIN, "a domain such as cluster.local"), default=None
    )
    """Domain of the cluster's Services; read from our pod's /etc/resolv.conf when unset."""
    networks: Mapping[str, str] = _read("SUPERVISOR_K8S_NETWORKS", _networks, default_factory=dict)
    """Further networks by Multus, as JSON: `homeassistant` or an add-on's slug to the NetworkAttachmentDefinition of
    its second interface, `{"homeassistant": "lan", "core_matter_server": "lan@net1"}`; from its next start on."""
    docker_network: str = _read("SUPERVISOR_K8S_DOCKER_NETWORK", _one_of("auto", "on", "off"), default="off")
    """Whether add-ons with ingress see 172.30.32.2 ask for their pages, and they and databases see other pods as
    172.30.33.2: `auto` where the cluster lets an init container have NET_ADMIN, `on` without asking it, `off` never."""
    pod_cidrs: tuple[str, ...] | None = _read("SUPERVISOR_K8S_POD_CIDRS", _cidrs, default=None)
    """Networks of the cluster's pods, separated by commas; read from the nodes when unset and where that is allowed."""
    trusted_proxies: tuple[str, ...] = _read("SUPERVISOR_K8S_HA_TRUSTED_PROXIES", _cidrs, default=())
    """Networks of proxies, separated by commas, from which Home Assistant takes the address of its visitor
    (`X-Forwarded-For`); whoever is inside of one can pretend any. Its configuration is not touched when unset."""
    service_account: str = _read(
        "SUPERVISOR_K8S_SERVICE_ACCOUNT", _text, default="/var/run/secrets/kubernetes.io/serviceaccount"
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
        if wrong:
            raise SettingsError("\n".join(wrong))
        return cls(**values)


def without_effect(environment: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that somebody set in vain: of a feature that is not there yet, or misspelt."""
    known = {item.metadata["variable"] for item in dataclasses.fields(Settings)}
    ours = sorted(name for name in environment if name.startswith("SUPERVISOR_K8S_") and name not in known)
    return [
        f"{name} has no effect: "
        + (f"this version does not have {NOT_YET[name]} yet" if name in NOT_YET else "there is no such setting")
        for name in ours
    ]


def has_default(item: dataclasses.Field[Any]) -> bool:
    return item.default is not dataclasses.MISSING or item.default_factory is not dataclasses.MISSING
