"""Docker's network for add-ons: who gets what of it, and whether there is any. Whole pods are golden files."""

import asyncio
import base64
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from supervisor_k8s.errors import ClusterUnavailableError, StateFileError
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.desired.docker_network import (
    LINK,
    SETUP,
    TRIAL,
    client_keys,
    has_link,
    has_rule,
    link_entries,
    merged,
    trial_pod,
)
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.issue import Cause
from supervisor_k8s.model.launch import new_launch
from supervisor_k8s.model.site import Site
from supervisor_k8s.services.docker_network import DockerNetwork, Neighbours
from supervisor_k8s.services.ingress_doors import new_keys
from tests import builders, golden
from tests.fakes import FakeCluster

ON = builders.site(docker_network=True, pod_cidrs=("10.42.0.0/16",))


def objects(site: Site, **manifest: Any) -> tuple[Manifest, ...]:
    """What a start of such an add-on makes."""
    record = builders.installed(builders.addon(**manifest))
    keys = new_keys(builders.addon(**manifest), site)
    return new_launch(
        record, options={}, launch_id=builders.LAUNCH, token="t", timezone="UTC", site=site, link_keys=keys
    ).objects


def helpers(site: Site, **manifest: Any) -> list[str]:
    """Names of the containers for Docker's network in the pod."""
    spec = objects(site, **manifest)[-1]["spec"]["template"]["spec"]
    names = [container["name"] for container in (*spec.get("initContainers", ()), *spec["containers"])]
    return [name for name in names if name in (SETUP, LINK)]


@pytest.mark.parametrize(
    ("manifest", "expected"),
    [
        ({}, []),
        ({"services": ["mqtt:need"], "ports": {"80/tcp": 80}}, []),
        ({"services": ["mqtt:provide"]}, []),
        ({"services": ["mysql:provide"]}, [SETUP]),
        ({"ingress": True}, [SETUP, LINK]),
        ({"ingress": True, "startup": "once"}, []),
        ({"ingress": True, "host_network": True}, [SETUP, LINK]),
    ],
    ids=["plain", "consumer", "broker", "database", "ingress", "once", "node's network asked for in vain"],
)
def test_only_who_goes_by_addresses_pays_for_them(manifest: dict[str, Any], expected: list[str]) -> None:
    """An init container costs every start time."""
    assert helpers(ON, **manifest) == expected
    assert helpers(builders.site(), **manifest) == []


def test_without_known_networks_there_is_no_rule() -> None:
    """Ingress needs none of them: its link is there all the same. A database's pod has nothing to set up."""
    site = builders.site(docker_network=True)
    assert helpers(site, services=["mysql:provide"]) == []
    assert helpers(site, ingress=True) == [SETUP, LINK]
    assert not has_rule(builders.addon(ingress=True), site)
    (setup,) = objects(site, ingress=True)[-1]["spec"]["template"]["spec"]["initContainers"]
    assert setup["command"][1:] == ["--address", "172.30.32.2"]


@pytest.mark.parametrize(
    ("manifest", "ports"),
    [({}, ["4383"]), ({"watchdog": "tcp://[HOST]:8099"}, ["8099", "4383"])],
    ids=["the link", "program and link"],
)
def test_started_means_that_the_link_listens_too(manifest: dict[str, Any], ports: list[str]) -> None:
    """Whoever starts an add-on opens its page next."""
    spec = objects(ON, ingress=True, **manifest)[-1]["spec"]["template"]["spec"]
    (hold,) = (container for container in spec["containers"] if container["name"] == "hold")
    assert hold["command"][1:] == ["--ready", "4384", *ports]
    assert hold["readinessProbe"]["httpGet"]["port"] == 4384


def test_the_links_configuration_is_this() -> None:
    """Reviewed as text: who is let in, from which address it goes on, and to where."""
    entries = link_entries(builders.addon(ingress=True, ingress_port=8456), builders.LINK_KEYS)
    golden.check("linked-page/nginx.conf", entries["nginx.conf"])


def test_the_supervisors_end_is_in_no_pod() -> None:
    """The launch's Secret has both ends, so that a lost record can be rebuilt from it; the pod mounts the server's."""
    secret, *_, deployment = objects(ON, ingress=True)
    keys = client_keys([secret])
    assert keys is not None
    assert keys.client.key == base64.b64decode(secret["data"]["client.key"]).decode()
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    (mounted,) = (volume["secret"] for volume in volumes if "secret" in volume)
    assert mounted["secretName"] == secret["metadata"]["name"]
    assert {item["key"] for item in mounted["items"]} == {"nginx.conf", "ca.crt", "tls.crt", "tls.key"}
    assert {item["key"] for item in mounted["items"]} < set(secret["data"])
    users = [
        container["name"]
        for container in deployment["spec"]["template"]["spec"]["containers"]
        if any(mount["name"] == LINK for mount in container.get("volumeMounts", ()))
    ]
    assert users == [LINK]


def test_a_launch_without_a_link_has_no_keys() -> None:
    """Whoever was started before there were links, or has none."""
    assert client_keys(objects(builders.site(), ingress=True)) is None
    assert client_keys(builders.launch().objects) is None


def test_networks_are_merged() -> None:
    """Of every node, and of both families: IPv4 alone, nothing twice, nothing inside of another."""
    assert merged(["10.244.1.0/24", "fd00::/64", "10.244.0.0/24", "10.0.0.0/8", "192.168.4.7/24"]) == (
        "10.0.0.0/8",
        "192.168.4.0/24",
    )
    assert merged(["10.244.0.0/24", "10.244.1.0/24"]) == ("10.244.0.0/23",)


# --- whether there is any ------------------------------------------------------------------------------------------


HERE = builders.site(allowed=frozenset({"host_network"}))
PAGE, SERVER = builders.addon(ingress=True), builders.addon(services=["mysql:provide"])


@dataclass
class Kept:
    """The memory of one installation."""

    value: Sequence[str] | None = None
    written: list[Sequence[str] | None] = field(default_factory=list)
    full: bool = False

    async def remember(self, value: Sequence[str] | None) -> None:
        if self.full:
            raise StateFileError("No space left on device")
        self.value = value
        self.written.append(value)


def network(
    cluster: FakeCluster,
    choice: str = "auto",
    pod_cidrs: tuple[str, ...] | None = None,
    *installed: AddonConfig,
    kept: Kept | None = None,
) -> DockerNetwork:
    """On a site where add-ons may have the node's network."""
    memory = kept or Kept()
    return DockerNetwork(
        cluster=cluster,
        choice=choice,
        pod_cidrs=pod_cidrs,
        neighbours=Neighbours(
            site=lambda: HERE, installed=lambda: installed, former=lambda: memory.value, remember=memory.remember
        ),
        wait=0.5,
    )


async def test_auto_asks_the_cluster() -> None:
    """Where it refuses such a pod there is nothing of it, and the refusal is told; as soon as it does not, there is."""
    cluster = FakeCluster()
    cluster.refusals[TRIAL] = "violates PodSecurity"
    made = network(cluster, "auto", ("10.42.0.0/16",), PAGE)
    await made.prepare()
    assert not has_link(builders.addon(ingress=True), made.site)
    (fault,) = await made.check()
    assert (fault.cause, fault.extra) == (Cause.DOCKER_NETWORK_OFF, (("message", "violates PodSecurity"),))
    cluster.refusals.clear()
    assert await made.check() == []
    assert made.site == replace(HERE, docker_network=True, pod_cidrs=ON.pod_cidrs)


@pytest.mark.parametrize(
    ("installed", "is_told"),
    [
        ((), False),
        ((builders.addon(services=["mqtt:provide"]),), False),
        ((builders.addon(ingress=True, startup="once"),), False),
        ((builders.addon(ingress=True, host_network=True),), False),
        ((builders.addon(), PAGE), True),
        ((SERVER,), True),
    ],
    ids=["nobody", "broker", "once", "on the node's network", "page", "database"],
)
async def test_a_refusal_that_nobody_minds_is_no_issue(installed: tuple[AddonConfig, ...], is_told: bool) -> None:
    """Nobody has asked for Docker's network: only who has an add-on that would use it is to hear that there is none."""
    cluster = FakeCluster()
    cluster.refusals[TRIAL] = "violates PodSecurity"
    assert bool(await network(cluster, "auto", ("10.42.0.0/16",), *installed).check()) is is_told


@pytest.mark.parametrize(("installed", "is_told"), [((), False), ((PAGE,), False), ((SERVER,), True)])
async def test_a_database_needs_to_know_the_pods_networks(installed: tuple[AddonConfig, ...], is_told: bool) -> None:
    """Without them other add-ons come from where it lets nobody in; a page does not need them."""
    found = await network(FakeCluster(), "auto", None, *installed).check()
    assert [fault.cause for fault in found] == [Cause.POD_CIDRS_UNKNOWN] * is_told


async def test_on_does_not_ask() -> None:
    """The administrator knows better; but that nobody tells the pods' networks is said."""
    cluster = FakeCluster()
    cluster.refusals[TRIAL] = "violates PodSecurity"
    made = network(cluster, "on")
    (fault,) = await made.check()
    assert (fault.cause, made.site.docker_network) == (Cause.POD_CIDRS_UNKNOWN, True)
    assert await network(cluster, "on", ("10.42.0.0/16",)).check() == []


async def test_off_is_off() -> None:
    made = network(FakeCluster(), "off", ("10.42.0.0/16",))
    assert await made.check() == []
    assert made.site == HERE


async def test_nodes_tell_their_pods_networks() -> None:
    """Where we may ask them: all of theirs, also of those that came since."""
    cluster = FakeCluster()
    made = network(cluster)
    await made.prepare()
    assert (made.site.docker_network, made.site.pod_cidrs) == (True, ())
    cluster.known_nodes = [{"spec": {"podCIDR": "10.42.0.0/24", "podCIDRs": ["10.42.0.0/24", "fd00::/64"]}}]
    await made.check()
    assert made.site.pod_cidrs == ("10.42.0.0/24",)
    cluster.known_nodes += [{"spec": {"podCIDR": "10.42.1.0/24"}}, {"spec": {}}]
    await made.check()
    assert made.site.pod_cidrs == ("10.42.0.0/23",)


AWAY = ClusterUnavailableError("The Kubernetes API server cannot be reached")


async def test_what_was_known_stays_while_the_api_server_is_away() -> None:
    """A check that cannot be made changes nothing."""
    cluster = FakeCluster()
    made = network(cluster, pod_cidrs=("10.42.0.0/16",))
    await made.prepare()
    cluster.fail("refusal", AWAY)
    with pytest.raises(ClusterUnavailableError):
        await made.check()
    assert made.site == replace(HERE, docker_network=True, pod_cidrs=ON.pod_cidrs)


async def test_a_start_goes_by_what_the_last_process_found() -> None:
    """While the cluster does not say: add-ons that it has to start get what they had, also where nodes told of pods."""
    cluster, kept = FakeCluster(), Kept()
    cluster.known_nodes = [{"spec": {"podCIDR": "10.42.0.0/16"}}]
    await network(cluster, kept=kept).prepare()
    for given, expected in ((None, "10.42.0.0/16"), (("10.44.0.0/16",), "10.44.0.0/16")):
        cluster.fail("refusal", AWAY)
        made = network(cluster, "auto", given, kept=kept)
        await made.prepare()
        assert (made.site.docker_network, made.site.pod_cidrs) == (True, (expected,))
    made = network(cluster, "off", kept=kept)
    await made.prepare()
    assert not made.site.docker_network


async def test_what_was_refused_is_not_remembered() -> None:
    """The next process, too, starts add-ons without, until the cluster lets them have it."""
    cluster, kept = FakeCluster(), Kept(value=["10.42.0.0/16"])
    cluster.refusals[TRIAL] = "violates PodSecurity"
    await network(cluster, kept=kept).check()
    cluster.fail("refusal", AWAY)
    made = network(cluster, kept=kept)
    await made.prepare()
    assert not made.site.docker_network


async def test_what_is_known_is_not_written_again() -> None:
    """Every hour the same; a volume that is full is told of by others, and keeps nobody from having it."""
    kept = Kept(full=True)
    made = network(FakeCluster(), pod_cidrs=("10.42.0.0/16",), kept=kept)
    assert await made.check() == []
    assert made.site.docker_network
    kept.full = False
    for _ in range(2):
        await made.check()
    assert kept.written == [("10.42.0.0/16",)]


async def test_a_start_does_not_need_the_cluster_to_say(caplog: pytest.LogCaptureFixture) -> None:
    """What the trial would show is not known: add-ons run without, the log says why, and the next check decides."""
    cluster = FakeCluster()
    cluster.fail("refusal", AWAY)
    made = network(cluster, pod_cidrs=("10.42.0.0/16",))
    await made.prepare()
    assert made.site == HERE
    (said,) = caplog.messages
    assert "stays off" in said
    assert str(AWAY) in said
    await made.check()
    assert made.site == replace(HERE, docker_network=True, pod_cidrs=ON.pod_cidrs)


async def test_a_start_does_not_wait_for_long(caplog: pytest.LogCaptureFixture) -> None:
    """For a cluster that does not answer at all. What the administrator has switched on is on without it."""

    class Silent(FakeCluster):
        async def refusal(self, _manifest: Manifest) -> str | None:
            await asyncio.Event().wait()
            raise AssertionError

        async def nodes(self) -> Sequence[dict[str, Any]] | None:
            await asyncio.Event().wait()
            raise AssertionError

    for choice in ("auto", "on"):
        made = network(Silent(), choice)
        await made.prepare()
        assert made.site.docker_network is (choice == "on")
    assert all("did not answer in time" in said for said in caplog.messages)


async def test_what_the_cluster_refuses_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Each check finds the same; the log has it at the first, and what becomes of it later."""
    caplog.set_level(logging.INFO)
    cluster = FakeCluster()
    cluster.refusals[TRIAL] = "violates PodSecurity"
    made = network(cluster, pod_cidrs=("10.42.0.0/16",))
    await made.prepare()
    await made.check()
    (said,) = caplog.messages
    assert "is off" in said
    assert "violates PodSecurity" in said


def test_the_trial_asks_for_what_the_pods_do() -> None:
    """The same rights as the init container of an add-on, or it would prove nothing."""
    (setup,) = objects(ON, ingress=True)[-1]["spec"]["template"]["spec"]["initContainers"]
    (tried,) = trial_pod(ON)["spec"]["initContainers"]
    assert tried["securityContext"] == setup["securityContext"]
