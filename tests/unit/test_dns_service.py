"""Names follow pods: the service against a cluster that is a double."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from supervisor_k8s.errors import ClusterRefusedError, ClusterUnavailableError, NotReadyError, RefusedError
from supervisor_k8s.model import naming
from supervisor_k8s.model.intent import DNS_KEY
from supervisor_k8s.reconcile import Live, Reconciler
from supervisor_k8s.services.dns import Dns
from tests import builders
from tests.fakes import FakeCluster

PATIENCE = 20.0
ADDRESS = "10.96.0.77"


@dataclass
class Records:
    """What is kept, in memory."""

    dns: Mapping[str, Any] = field(default_factory=dict)

    async def save_dns(self, value: Mapping[str, Any]) -> None:
        self.dns = value


class House:
    """The service with a reconciler of its own."""

    def __init__(self, cluster: FakeCluster, records: Records) -> None:
        self.cluster = cluster
        self.records = records
        self.reconciler = Reconciler(cluster=cluster, render=lambda _: self.dns.workload(), key_of=lambda _: None)
        self.dns = Dns(
            cluster=cluster,
            converge=self.reconciler.converge,
            poke=self.reconciler.poke,
            records=records,
            site=builders.site(dns_address=""),
            image="registry.test/coredns:1",
            clock=lambda: datetime(2026, 11, 21, 12, tzinfo=UTC),
            again=0.2,
        )
        cluster.subscribe(self.dns.on_change)

    @asynccontextmanager
    async def living(self) -> AsyncIterator["House"]:
        await self.dns.prepare()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.reconciler.run()), group.create_task(self.dns.run())]
            await self.dns.up()
            yield self
            for task in tasks:
                task.cancel()

    @property
    def hosts(self) -> dict[str, str]:
        """Every name with its address, as the server is told."""
        config = self.cluster.get("ConfigMap", naming.DNS) or {"data": {"hosts": ""}}
        lines = [line.split() for line in config["data"]["hosts"].splitlines()]
        return {name: line[0] for line in lines for name in line[1:]}

    async def becomes(self, condition: Callable[[], bool]) -> None:
        await self.cluster.until(lambda: condition() or None, within=PATIENCE)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    async with House(FakeCluster(), Records()).living() as house:
        yield house


def addon_pod(slug: str, address: str, **changes: Any) -> dict[str, Any]:
    pod = builders.pod(slug, podIP=address, podIPs=[{"ip": address}], **changes)
    pod["metadata"]["annotations"] = {naming.ANNOTATION_SLUG: slug}
    return pod


async def test_an_addon_has_a_name_while_its_program_runs(house: House) -> None:
    """It comes with the pod's address, and goes with the program's end, though the pod stays to be read."""
    house.cluster.put(addon_pod("core_mosquitto", "10.244.0.7"))
    await house.becomes(lambda: house.hosts.get("core-mosquitto.local.hass.io") == "10.244.0.7")
    assert house.hosts["core-mosquitto"] == "10.244.0.7"
    house.cluster.put(addon_pod("core_mosquitto", "10.244.0.7", program=builders.ended(0)))
    await house.becomes(lambda: "core-mosquitto" not in house.hosts)


async def test_a_pod_that_is_being_deleted_has_no_name(house: House) -> None:
    """And its successor has it at once."""
    pod = addon_pod("core_mosquitto", "10.244.0.7")
    house.cluster.put(pod)
    await house.becomes(lambda: "core-mosquitto" in house.hosts)
    house.cluster.put(builders.terminating(pod))
    await house.becomes(lambda: "core-mosquitto" not in house.hosts)
    successor = addon_pod("core_mosquitto", "10.244.0.8")
    successor["metadata"] |= {"name": "addon-core-mosquitto-next", "uid": "next"}
    house.cluster.put(successor)
    await house.becomes(lambda: house.hosts.get("core-mosquitto") == "10.244.0.8")


async def test_core_has_a_name_when_its_service_has_an_address(house: House) -> None:
    """Add-ons reach it whether it runs or not, as upstream's host."""
    assert "homeassistant" not in house.hosts
    metadata = {"name": naming.CORE, "labels": naming.core_labels()}
    house.cluster.put({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"clusterIP": "10.96.0.9"}})
    await house.becomes(lambda: house.hosts.get("homeassistant.local.hass.io") == "10.96.0.9")


async def test_a_new_name_is_shown_at_once_and_once_more(house: House) -> None:
    """Pods are touched after the ConfigMap changed, and again a little later: their kubelet may have been slower."""
    touch = ("touch", "Pod", house.cluster.select("Pod", naming.dns_labels())[0]["metadata"]["name"])
    await house.becomes(lambda: house.cluster.calls.count(touch) > 0)
    await asyncio.sleep(0)
    house.cluster.calls.clear()
    house.cluster.put(addon_pod("core_mosquitto", "10.244.0.7"))
    async with asyncio.timeout(PATIENCE):
        while house.cluster.calls.count(touch) < 2:
            await asyncio.sleep(0.02)
    assert house.cluster.calls.index(("apply", "ConfigMap", naming.DNS)) < house.cluster.calls.index(touch)


async def test_a_touch_that_fails_is_tried_again(house: House) -> None:
    """Nobody waits a minute for a name because the API server was away for a moment."""
    house.cluster.fail("touch", ClusterUnavailableError("away"))
    house.cluster.put(addon_pod("core_mosquitto", "10.244.0.7"))
    async with asyncio.timeout(PATIENCE):
        while [verb for verb, _, _ in house.cluster.calls].count("touch") < 3:
            await asyncio.sleep(0.02)


async def test_the_address_is_kept() -> None:
    """A Service that somebody deletes comes back with the address that is in every pod."""
    records = Records()
    async with House(FakeCluster(), records).living() as house:
        address = house.dns.site.dns_address
    assert records.dns["address"] == address
    async with House(FakeCluster(), records).living() as again:
        assert again.dns.site.dns_address == address
        live = again.cluster.get("Service", naming.DNS)
        assert live is not None
        assert live["spec"]["clusterIP"] == address


async def test_the_clusters_address_counts_when_nothing_was_kept() -> None:
    """Our record may be lost; the Service is not replaced for that."""
    cluster, records = FakeCluster(), Records()
    metadata = {"name": naming.DNS, "labels": naming.dns_labels()}
    cluster.put({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"clusterIP": ADDRESS}})
    async with House(cluster, records).living() as house:
        assert house.dns.site.dns_address == ADDRESS
    assert records.dns["address"] == ADDRESS


async def test_another_address_where_the_old_one_cannot_be() -> None:
    """On another cluster: there are names again, if not for what runs."""

    class Elsewhere(FakeCluster):
        async def apply(self, manifest: Mapping[str, Any]) -> dict[str, Any]:
            if manifest["kind"] == "Service" and manifest["spec"].get("clusterIP") == ADDRESS:
                raise ClusterRefusedError("the provided IP is not in the valid range")
            return await super().apply(manifest)

    records = Records({"address": ADDRESS, "servers": ["192.0.2.53"]})
    async with House(Elsewhere(), records).living() as house:
        assert house.dns.site.dns_address != ADDRESS
        assert records.dns == {"address": house.dns.site.dns_address, "servers": ["192.0.2.53"]}


async def test_no_pod_is_made_without_the_address() -> None:
    """A start before there is one would make a pod without names."""
    house = House(FakeCluster(), Records())
    with pytest.raises(NotReadyError):
        _ = house.dns.site


async def test_servers_of_the_user(house: House) -> None:
    """They are kept and configured; one that leads back to ourselves is refused."""
    await house.dns.set_servers(["192.0.2.53"])
    config = house.cluster.get("ConfigMap", naming.DNS)
    assert config is not None
    assert "forward . 192.0.2.53 /etc/resolv.conf" in config["data"]["Corefile"]
    assert house.records.dns["servers"] == ["192.0.2.53"]
    for circular in (house.dns.site.dns_address, "127.0.0.1"):
        with pytest.raises(RefusedError):
            await house.dns.set_servers([circular])


async def test_a_restart_makes_new_pods(house: House) -> None:
    """The Deployment has another template, and our own restart does not take it back."""

    def template() -> Live:
        deployment = house.cluster.get("Deployment", naming.DNS)
        assert deployment is not None
        live: Live = deployment["spec"]["template"]
        return live

    before = template()
    await house.dns.restart()
    after = template()
    assert after != before
    await house.reconciler.converge(DNS_KEY)
    assert template() == after
