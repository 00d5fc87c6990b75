"""Least rights: the real program under the ServiceAccount of `manifests/`, against what the audit log saw of it."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.errors import ClusterNotFoundError
from tests import rights
from tests.cluster.controlplane import ControlPlane
from tests.integration.conftest import Others
from tests.integration.kubelet import Kubelet
from tests.integration.program import Program

ADDONS = (
    {"slug": "a", "ports": {"80/tcp": 8080}},
    {"slug": "once", "startup": "once"},
)
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class House:
    """The installation under test."""

    program: Program
    others: Others

    async def do(self, path: str, **body: Any) -> None:
        answer = await self.program.ask("POST", path, body or None)
        assert answer.ok, (path, answer, self.program.said(20))

    async def find(self, kind: str, name: str) -> Mapping[str, Any] | None:
        try:
            return await self.others.read(kind, name)
        except ClusterNotFoundError:
            return None

    async def becomes[T](self, look: Callable[[], Awaitable[T | None]]) -> T:
        async with asyncio.timeout(PATIENCE):
            while not (found := await look()):
                await asyncio.sleep(0.05)
        return found


@pytest.fixture
async def house(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path) -> AsyncIterator[House]:
    """The program, up, with Core's pod running."""
    program = Program(
        folder=tmp_path, client=admin, namespace=namespace, server=plane.server, authority=plane.authority.certificate
    )
    async with Kubelet(admin, namespace, chance=random.Random()).working() as kubelet, program.installed(ADDONS):
        await program.start()
        await program.up()
        async with asyncio.timeout(PATIENCE):
            while "homeassistant-0" not in kubelet.running:
                await asyncio.sleep(0.05)
        yield House(program, Others(admin, namespace))


async def test_rights(house: House, plane: ControlPlane) -> None:
    """In a life with everything that happens to add-ons and Core, each right is used and none is missing."""
    for slug in ("local_a", "local_once"):
        await house.do(f"/store/addons/{slug}/install")
        await house.do(f"/addons/{slug}/start")
    await house.program.ask("GET", "/addons/local_a/logs")
    await house.do("/addons/local_a/restart")
    await drift(house)
    await house.do("/core/options", port=8124)
    for slug in ("local_a", "local_once"):
        await house.do(f"/addons/{slug}/stop")
        await house.do(f"/addons/{slug}/uninstall")
    await house.do("/core/stop")
    await end(house.program)
    did = rights.seen(plane.audit_log, house.others.namespace)
    assert [] == rights.complaints(rights.granted(), did, but=rights.allowed("integration"))


async def drift(house: House) -> None:
    """What somebody changed is put right: an object of ours that is not wanted goes, and one that cannot be changed,
    made while we were away, is replaced.
    """
    service = await house.others.read("Service", "addon-local-a")
    leftover = {"name": "leftover", "labels": service["metadata"]["labels"]}
    await house.others.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": leftover})

    async def pruned() -> bool:
        return await house.find("ConfigMap", "leftover") is None

    await house.becomes(pruned)
    await end(house.program)
    core = await house.others.read("StatefulSet", "homeassistant")
    await house.others.delete("StatefulSet", "homeassistant", propagationPolicy="Orphan")

    async def gone() -> bool:
        return await house.find("StatefulSet", "homeassistant") is None

    await house.becomes(gone)
    metadata = {key: core["metadata"][key] for key in ("name", "labels", "annotations")}
    spec = {**core["spec"], "serviceName": "elsewhere"}
    await house.others.create({**core, "metadata": metadata, "spec": spec, "status": {}})
    await house.program.start()
    await house.program.up()

    async def as_before() -> bool:
        live = await house.find("StatefulSet", "homeassistant")
        return live is not None and live["spec"]["serviceName"] == core["spec"]["serviceName"]

    await house.becomes(as_before)


async def end(program: Program) -> None:
    """As the kubelet asks a container to end."""
    assert program._process is not None
    program._process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(PATIENCE):
        assert await program.ended() == 0, program.said(20)
