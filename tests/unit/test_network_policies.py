"""What the optional NetworkPolicies let through, read as an engine reads them (networking.k8s.io/v1)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from supervisor_k8s.model.desired.docker_network import LINK_PORT, link_labels
from supervisor_k8s.model.desired.link import CORE_PORT
from supervisor_k8s.model.naming import addon_labels, core_labels
from tests import builders

MANIFESTS = Path(__file__).parents[2] / "manifests"
POLICIES = list(yaml.safe_load_all((MANIFESTS / "components/network-policies/policies.yaml").read_text()))
(SUPERVISOR,) = (
    document["spec"]["template"]["metadata"]["labels"]
    for document in yaml.safe_load_all((MANIFESTS / "base/deployment.yaml").read_text())
)
ADDON = addon_labels("core_mosquitto")
PAGE = addon_labels("local_page") | link_labels(
    builders.addon(slug="page", ingress=True), builders.site(docker_network=True)
)
DOORS = ((core_labels(), CORE_PORT), (PAGE, LINK_PORT))


def fits(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert selector.keys() == {"matchLabels"}
    return bool(selector["matchLabels"].items() <= labels.items())


def lets_through(to: Mapping[str, str], *, who: Mapping[str, str] | None, protocol: str, port: int) -> bool:
    """Whether a pod with the labels `who`, or somebody outside of the namespace (None), may connect."""
    chosen = [policy["spec"] for policy in POLICIES if fits(policy["spec"]["podSelector"], to)]
    return not chosen or any(_allowed(rule, who, protocol, port) for spec in chosen for rule in spec["ingress"])


def _allowed(rule: Mapping[str, Any], who: Mapping[str, str] | None, protocol: str, port: int) -> bool:
    peer = "from" not in rule or (who is not None and any(fits(item["podSelector"], who) for item in rule["from"]))
    return peer and any(
        item["protocol"] == protocol and item["port"] <= port <= item.get("endPort", item["port"])
        for item in rule["ports"]
    )


def others(door: int) -> Iterator[tuple[str, int]]:
    """Every port that is not the door."""
    yield from (("TCP", port) for port in range(1, 65536) if port != door)
    yield from ((protocol, port) for protocol in ("UDP", "SCTP") for port in (1, 53, door, 65535))


@pytest.mark.parametrize(("pod", "door"), DOORS, ids=["core", "page"])
def test_a_door_is_the_supervisors(pod: Mapping[str, str], door: int) -> None:
    """Neither an add-on, nor Core, nor anybody from elsewhere gets to it."""
    assert lets_through(pod, who=SUPERVISOR, protocol="TCP", port=door)
    for who in (ADDON, core_labels(), PAGE, None):
        assert not lets_through(pod, who=who, protocol="TCP", port=door)


@pytest.mark.parametrize(("pod", "door"), DOORS, ids=["core", "page"])
def test_nothing_else_is_closed(pod: Mapping[str, str], door: int) -> None:
    """Users, the LAN, probes and other add-ons come to every other port as before."""
    closed = [at for at in others(door) if not lets_through(pod, who=None, protocol=at[0], port=at[1])]
    assert closed == []


def test_an_addon_without_a_door_is_left_alone() -> None:
    """It may use the door's number for itself."""
    assert lets_through(ADDON, who=None, protocol="TCP", port=LINK_PORT)
    assert link_labels(builders.addon(ingress=True), builders.site()) == {}
