"""Published ports: both services with a reconciler of their own, in a cluster that is a double."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from supervisor_k8s.errors import (
    AddonPortConflictError,
)
from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.balanced import L4Choice, Mode, Provider
from supervisor_k8s.model.intent import InstalledAddon, Wanted
from supervisor_k8s.model.issue import Cause
from supervisor_k8s.model.site import Site
from supervisor_k8s.reconcile import Reconciler
from supervisor_k8s.services.ports import Ports
from supervisor_k8s.services.publishing import Publishing
from tests import builders
from tests.fakes import FakeCluster
from tests.told import Told

PATIENCE = 20.0
SITE = builders.site()
NAME = "ha-internal"


def addon(slug: str, wanted: Wanted = Wanted.RUNNING, **ports: int | None) -> InstalledAddon:
    """Its ports as `tcp1883=1883`."""
    config = builders.addon(slug=slug, ports={f"{key[3:]}/{key[:3]}": number for key, number in ports.items()})
    return builders.installed(config, wanted=builders.intent(wanted, config))


class House:
    """Both services with a reconciler of their own."""

    def __init__(
        self, *, provider: Provider | None = Provider.GENERIC, core_ports: tuple[str, ...] = (), **choice: Any
    ) -> None:
        self.cluster = FakeCluster()
        self.told = Told()
        self.records: dict[str, InstalledAddon] = {}
        self.lost: list[str] = []
        self.reconciler = Reconciler(
            cluster=self.cluster, render=lambda _: self.publishing.workload(), key_of=lambda _: None
        )
        self.ports = Ports(
            cluster=self.cluster,
            records=lambda: self.records,
            lost=lambda: self.lost,
            site=lambda: builders.site(core_ports=core_ports),
            refused=lambda: self.publishing.refused,
            publishes=choice.get("mode") is not Mode.OFF,
        )
        self._choice, self._provider = L4Choice(**choice), provider
        self.publishing = self.made_by(SITE)
        self.cluster.subscribe(self.ports.on_change)
        self.cluster.subscribe(self.publishing.on_change)
        self.cluster.on_serving(self.publishing.on_serving)
        self.ports.changed.connect(self.publishing.look)
        self.ports.conflicted.connect(self.told.report)
        self.ports.settled.connect(self.told.settle)

    def made_by(self, site: Site) -> Publishing:
        """The service of a Supervisor in the same cluster."""
        return Publishing(
            cluster=self.cluster,
            converge=self.reconciler.converge,
            poke=self.reconciler.poke,
            held=self.ports.held,
            choice=self._choice,
            provider=self._provider,
            site=site,
            kubernetes="v1.36.3",
            faults=lambda: self.told,
            again=0.2,
            patience=0.05,
        )

    @asynccontextmanager
    async def living(self) -> AsyncIterator["House"]:
        await self.publishing.prepare()
        async with asyncio.TaskGroup() as group:
            publishing = (self.publishing.run, self.publishing.watch_address, self.publishing.watch_routes)
            tasks = [group.create_task(run()) for run in (self.reconciler.run, self.ports.run, *publishing)]
            yield self
            for task in tasks:
                task.cancel()

    def put(self, record: InstalledAddon) -> None:
        """A record as it is now, with the Service of the add-on."""
        self.records[record.slug] = record
        launch = record.intent.launch
        assert launch is not None
        for item in launch.objects:
            if item["kind"] == "Service":
                name = item["metadata"]["name"]
                address = f"10.96.1.{len(self.records)}"
                self.cluster.put({**item, "spec": {"clusterIP": address, **item["spec"]}})
                assert self.cluster.get("Service", name)
        self.ports.look(record.slug)

    @property
    def registry(self) -> dict[str, Any]:
        config = self.cluster.get("ConfigMap", naming.PORT_REGISTRY)
        found: dict[str, Any] = json.loads(config["data"]["registry.json"]) if config else {}
        return found

    @property
    def published(self) -> list[tuple[int, str]]:
        live = self.cluster.get("Service", NAME)
        return [(port["port"], port["protocol"]) for port in live["spec"]["ports"]] if live else []

    async def becomes(self, condition: Callable[[], Any]) -> None:
        await self.cluster.until(lambda: condition() or None, within=PATIENCE)

    async def tells(self, *causes: Cause) -> None:
        async with asyncio.timeout(PATIENCE):
            while tuple(fault.cause for fault in self.told.faults) != causes:
                await asyncio.sleep(0.01)


@contextmanager
def refused(port: int, owner: str, free: int) -> Iterator[None]:
    with pytest.raises(AddonPortConflictError) as caught:
        yield
    assert caught.value.fields == {"name": "local_two", "port": port, "owner": owner, "free": free}
