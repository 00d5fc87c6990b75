"""Services of type LoadBalancer, by which published ports are reached from outside of the cluster: what the
administrator chose for them, and how an address is asked for. Pure.

There is one that leads to the proxy, or one for each add-on that publishes anything. These share an address where the
provider has a way to say so. Two of them with `Local` cannot: their pods may be on different nodes, and the address is
on one.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.network import ContainerPort
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.site import Site


class Mode(StrEnum):
    """How published ports get out of the cluster."""

    PROXY = "proxy"
    """By one Service for all, through nginx: whoever comes and goes disturbs nobody else."""
    DIRECT = "direct"
    """By a Service for each add-on."""
    GATEWAY = "gateway"
    """By a Gateway of the cluster's, with TCPRoutes and UDPRoutes."""
    OFF = "off"
    """Not at all: nothing is reserved, either."""


class Provider(StrEnum):
    """Who gives the LoadBalancer Service its address."""

    CILIUM = "cilium"
    METALLB = "metallb"
    KUBE_VIP = "kube-vip"
    SERVICELB = "servicelb"
    """Of k3s: the addresses are the nodes' own."""
    GENERIC = "generic"
    """Anybody who heeds `spec.loadBalancerIP`."""


PINS: Mapping[Provider, tuple[str, ...]] = {
    Provider.CILIUM: ("lbipam.cilium.io/ips", "io.cilium/lb-ipam-ips"),
    Provider.METALLB: ("metallb.io/loadBalancerIPs", "metallb.universe.tf/loadBalancerIPs"),
    Provider.KUBE_VIP: ("kube-vip.io/loadbalancerIPs",),
}
"""Annotations by which an address is asked for, by newer versions and by older ones: MetalLB before 0.14.9 knows only
the second, later ones take the first. They refuse a Service that has `loadBalancerIP` as well.
"""
_SHARED: Mapping[Provider, tuple[str, ...]] = {
    Provider.CILIUM: ("lbipam.cilium.io/sharing-key", "io.cilium/lb-ipam-sharing-key"),
    Provider.METALLB: ("metallb.io/allow-shared-ip", "metallb.universe.tf/allow-shared-ip"),
}
"""Annotations that have the same value on Services that may have the same address; others need to be told nothing."""
_NODE_PORTS_NEEDED = (Provider.GENERIC,)
"""Providers that may lead to ports of nodes; for the others none need to be taken from the cluster's few thousand."""
NODE_LISTENERS = (22, 2379, 2380, 6443, 10250)
"""What SSH and Kubernetes listen on where the address is a node's own: published there, they would take the cluster
away from itself, and from its administrator.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class L4Choice:
    """What the administrator chose."""

    mode: Mode = Mode.PROXY
    name: str = "ha-internal"
    """Of the proxy's Deployment and Service; its ConfigMap's has `-config` after it."""
    address: str | None = None
    """IPv4 that the Service is to get; None leaves it to the provider."""
    provider: Provider = Provider.GENERIC
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Of the Service; they win over ours."""
    local: bool = False
    """Whether only the node with the pod takes anything in, and so hands on who asks."""
    sources: tuple[str, ...] = ()
    """Networks that may come in; empty: all."""
    replicas: int = 1
    image: str | None = None
    """Of the proxy; None: that of who serves, else ours."""
    udp: Mapping[int, str] = field(default_factory=dict)
    """What kind of datagrams go to a published port: words of `l4_proxy.UDP_PROFILES`."""
    gateway_class: str | None = None
    """Of the Gateway."""


def is_pinned(annotations: Mapping[str, str]) -> bool:
    """Whether the administrator asks for an address in annotations. It is the only one then: two ways at once are
    refused, or contradict each other.
    """
    return not {pin for some in PINS.values() for pin in some}.isdisjoint(annotations)


def detected(groups: Collection[str], kubernetes: str) -> Provider:
    """Who seems to give addresses, by the API groups that the cluster serves and its version. kube-vip shows itself in
    neither; it heeds the generic field.
    """
    if "metallb.io" in groups:
        return Provider.METALLB
    if "cilium.io" in groups:
        return Provider.CILIUM
    return Provider.SERVICELB if "+k3s" in kubernetes else Provider.GENERIC


def balanced(
    name: str, selector: Mapping[str, str], ports: Sequence[Manifest], choice: L4Choice, site: Site
) -> Manifest:
    """A Service with an address outside of the cluster."""
    annotations, request = _address_request(choice)
    shared = _SHARED.get(choice.provider, ())
    if choice.mode is Mode.DIRECT and not choice.local and annotations.keys().isdisjoint(shared):
        annotations = {**dict.fromkeys(shared, choice.name), **annotations}
    spec: dict[str, Any] = {
        "type": "LoadBalancer",
        **request,
        "externalTrafficPolicy": "Local" if choice.local else "Cluster",
        "allocateLoadBalancerNodePorts": choice.provider in _NODE_PORTS_NEEDED or _by_node_port(choice),
        "selector": selector,
        "ports": list(ports),
    }
    if choice.sources:
        # Only kube-proxy, or who stands in for it, sees where somebody comes from: whoever is behind it sees a node.
        spec["loadBalancerSourceRanges"] = list(choice.sources)
    metadata: dict[str, Any] = {"name": name, "namespace": site.namespace, "labels": naming.ports_labels(name)}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}


def _by_node_port(choice: L4Choice) -> bool:
    """k3s leads to the pod of a node by the node's own port."""
    return choice.local and choice.provider is Provider.SERVICELB


def balanced_port(number: int, protocol: str, target: int) -> Manifest:
    """A published port that leads to `target` in the pod. `protocol` is tcp or udp."""
    named = ContainerPort(number, protocol.upper())
    return {"name": named.name, "port": number, "targetPort": target, "protocol": named.protocol}


def _address_request(choice: L4Choice) -> tuple[dict[str, str], dict[str, str]]:
    """Annotations and fields of the Service's spec by which the address is asked for."""
    given = dict(choice.annotations)
    if choice.address is None or is_pinned(given) or choice.provider is Provider.SERVICELB:
        return given, {}
    if choice.provider is Provider.GENERIC:
        return given, {"loadBalancerIP": choice.address}
    return {**dict.fromkeys(PINS[choice.provider], choice.address), **given}, {}
