"""The proxy for published ports as it is to be in the cluster."""

import json
from typing import Any

import pytest

from supervisor_k8s.model.desired.balanced import L4Choice, Provider, detected
from supervisor_k8s.model.desired.l4_proxy import (
    READY_PORT,
    Exposure,
    l4_objects,
    listen_ports,
    nginx_text,
    serving_image,
)
from supervisor_k8s.model.desired.network import FROM_LAN
from tests import builders, golden

SITE = builders.site()
MQTT = Exposure(1883, "tcp", "10.96.1.7", 1883)
NAMES = Exposure(53, "udp", "10.96.1.8", 53), Exposure(53, "tcp", "10.96.1.8", 53)
SYSLOG = Exposure(5140, "udp", "10.96.1.9", 514)
TUNNEL = Exposure(51820, "udp", "10.96.1.10", 51820)
ADDRESS = "192.168.100.130"


def service(**choice: Any) -> Any:
    (found,) = [item for item in l4_objects([MQTT], L4Choice(**choice), SITE) if item["kind"] == "Service"]
    return found


def test_the_objects_are_these() -> None:
    """Configuration, a Service without node ports, a Deployment without any right, by the administrator's name."""
    choice = L4Choice(name="lan", address=ADDRESS, provider=Provider.METALLB, sources=("192.168.0.0/16",), replicas=2)
    golden.check("l4-proxy/objects.yaml", golden.manifests(l4_objects([MQTT, *NAMES, SYSLOG, TUNNEL], choice, SITE)))


def test_the_configuration_is_this() -> None:
    """A server for each port; nothing of what add-ons say of themselves."""
    golden.check("l4-proxy/nginx.conf", nginx_text([MQTT, *NAMES, SYSLOG, TUNNEL], {}))


def test_nothing_is_there_for_nothing() -> None:
    """An installation that publishes no port has no proxy."""
    assert l4_objects([], L4Choice(), SITE) == ()


@pytest.mark.parametrize("provider", list(Provider))
def test_an_address_is_asked_for_as_the_provider_wants_it(provider: Provider) -> None:
    """Each in its way, and never in two."""
    found = service(address=ADDRESS, provider=provider)
    golden.check(f"l4-proxy/service-{provider}.yaml", golden.manifests([found]))


@pytest.mark.parametrize("provider", list(Provider))
def test_annotations_of_the_administrator_win(provider: Provider) -> None:
    """Who asks for an address by them gets no second request from us; other annotations stand beside ours."""
    pin = {"metallb.universe.tf/loadBalancerIPs": "192.168.100.7"}
    found = service(address=ADDRESS, provider=provider, annotations=pin)
    assert found["metadata"]["annotations"] == pin
    assert ADDRESS not in json.dumps(found)
    pool = service(address=ADDRESS, provider=provider, annotations={"metallb.io/address-pool": "lan"})
    assert pool["metadata"]["annotations"]["metallb.io/address-pool"] == "lan"
    assert (ADDRESS in json.dumps(pool)) is (provider is not Provider.SERVICELB)


def test_no_address_is_asked_for_when_none_is_wanted() -> None:
    """The provider takes one from its pool."""
    assert "annotations" not in service(provider=Provider.METALLB)["metadata"]
    assert "loadBalancerIP" not in service(provider=Provider.GENERIC)["spec"]


@pytest.mark.parametrize(
    ("groups", "version", "expected"),
    [
        (["apps", "metallb.io", "cilium.io"], "v1.36.3", Provider.METALLB),
        (["apps", "cilium.io"], "v1.36.3", Provider.CILIUM),
        (["apps"], "v1.36.3+k3s1", Provider.SERVICELB),
        (["metallb.io"], "v1.36.3+k3s1", Provider.METALLB),
        (["apps"], "v1.36.3", Provider.GENERIC),
    ],
)
def test_the_provider_is_found_out(groups: list[str], version: str, expected: Provider) -> None:
    """By what the cluster serves: Cilium is often there for the network alone, MetalLB never without a reason."""
    assert detected(groups, version) is expected


def test_ports_in_the_pod_are_high_and_each_has_its_own() -> None:
    """No right is needed to listen there; what is published as its own number keeps that, whoever else comes. None is
    one of those that its own connections begin at.
    """
    crowd = [
        Exposure(number, "tcp", "10.0.0.1", number)
        for number in (22, 80, 443, 1023, 1024, 60056, 61000, 65535, READY_PORT)
    ]
    found = listen_ports([*crowd, *NAMES])
    assert min(found.values()) >= 1024
    assert FROM_LAN.start > max(found.values())
    assert found[crowd[4]] == 1024
    assert found[NAMES[0]] == found[NAMES[1]] == 59976 + 53
    by_tcp = [port for item, port in found.items() if item.protocol == "tcp"]
    assert len({*by_tcp, READY_PORT}) == len(by_tcp) + 1


@pytest.mark.parametrize(
    ("ready", "command", "expected"),
    [
        ("True", ["/usr/bin/relay", "l4-proxy"], "old"),
        ("False", ["/usr/bin/relay", "l4-proxy"], None),
        ("True", [], None),
    ],
)
def test_what_serves_keeps_its_image(ready: str, command: list[str], expected: str | None) -> None:
    """Unless it does not serve, or is to be started in another way by now."""
    status = {"conditions": [{"type": "Ready", "status": ready}]}
    pod = {"metadata": {}, "spec": {"containers": [{"image": "old", "command": command}]}, "status": status}
    assert serving_image([pod]) == expected


def test_many_ports() -> None:
    """Five hundred of them, of both protocols, each with its own server."""
    crowd = [Exposure(number, protocol, "10.0.0.1", 9) for number in range(1, 251) for protocol in ("tcp", "udp")]
    assert nginx_text(crowd, {}).count("proxy_pass") == 500
    assert len(set(listen_ports(crowd).items())) == 500


def test_how_long_answers_are_waited_for() -> None:
    """A question has one answer, a log line none, a tunnel is long silent; silence of TCP ends nothing for a day."""
    text = nginx_text([MQTT, NAMES[0], SYSLOG, TUNNEL], {})
    servers = {part.split("proxy_pass ")[1].split(";")[0]: part for part in text.split("server {")[2:]}
    assert "proxy_responses 1;" in servers["10.96.1.8:53"]
    assert "proxy_responses 0;" in servers["10.96.1.9:514"]
    assert "proxy_timeout 1h;" in servers["10.96.1.10:51820"]
    assert "proxy_timeout" not in servers["10.96.1.7:1883"]
    assert "proxy_timeout 24h;" in text


def test_the_administrator_says_what_datagrams_are() -> None:
    """By the published port, and before what is known of the add-on's own; of others nothing is supposed."""
    udp = {5140: "long-lived", 9002: "one-way", 7000: "request-response"}
    exposures = [SYSLOG, *(Exposure(number, "udp", "10.96.1.7", 1) for number in (9002, 7000, 9000))]
    (config, *_) = l4_objects(exposures, L4Choice(udp=udp), SITE)
    servers = {
        port: [line.strip() for line in part.splitlines() if "timeout" in line or "responses" in line]
        for part in config["data"]["nginx.conf"].split("server {")[2:]
        for port in (5140, 9002, 7000, 9000)
        if f"listen {port} udp;" in part
    }
    assert servers == {
        5140: ["proxy_timeout 1h;"],
        9002: ["proxy_timeout 10s;", "proxy_responses 0;"],
        7000: ["proxy_timeout 10s;", "proxy_responses 1;"],
        9000: ["proxy_timeout 10m;"],
    }
