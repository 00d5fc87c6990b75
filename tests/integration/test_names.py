"""The names' server as the real API server has it: kept true, put back, and always at the address that pods know."""

from pathlib import Path
from typing import Any

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.model import naming
from tests.cluster.controlplane import ControlPlane
from tests.integration.lives import Life, becomes, living

ADDONS = ({"slug": "a", "ports": {"80/tcp": None}},)
SLUG = "local_a"
NAMES = ("local-a", "local-a.local.hass.io")


async def hosts(life: Life) -> dict[str, str]:
    """Every name with its address."""
    config: Any = await life.find("ConfigMap", naming.DNS) or {"data": {"hosts": ""}}
    lines = [line.split() for line in config["data"]["hosts"].splitlines()]
    return {name: line[0] for line in lines for name in line[1:]}


async def address(life: Life) -> str | None:
    service = await life.find("Service", naming.DNS)
    return None if service is None else str(service["spec"]["clusterIP"])


async def test_names_follow_programs(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path) -> None:
    """They come with a program and go with it; pods are made with the server's address, and it is told to look."""
    async with living(plane, admin, namespace, tmp_path, ADDONS) as life:
        await life.do(f"/store/addons/{SLUG}/install")
        assert not set(NAMES) & set(await hosts(life))
        await life.do(f"/addons/{SLUG}/start")

        async def named() -> bool:
            return set(NAMES) <= set(await hosts(life))

        await becomes(named)
        for kind, name in (("Deployment", naming.addon_name(SLUG)), ("StatefulSet", naming.CORE)):
            pod: Any = (await life.others.read(kind, name))["spec"]["template"]["spec"]
            assert (pod["dnsPolicy"], pod["dnsConfig"]["nameservers"]) == ("None", [await address(life)])
        core: Any = await life.others.read("Service", naming.CORE)
        assert (await hosts(life))["homeassistant"] == core["spec"]["clusterIP"]
        await life.kubelet.end_program(SLUG, 0)

        async def gone() -> bool:
            return not set(NAMES) & set(await hosts(life))

        await becomes(gone)
        pods = await admin.request("GET", f"/api/v1/namespaces/{namespace}/pods?labelSelector=io.hass.type=dns")
        assert len(pods["items"]) == 2
        assert all("io.hass.touched" in pod["metadata"]["annotations"] for pod in pods["items"])
        await life.program.end()


async def test_what_somebody_takes_away_is_back(
    plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path
) -> None:
    """The Service at its old address, also when it went while we were away; the rest as it was."""
    async with living(plane, admin, namespace, tmp_path, ()) as life:
        before = await address(life)
        assert before is not None

        async def as_before() -> bool:
            deployment: Any = await life.find("Deployment", naming.DNS)
            there = deployment is not None and deployment["spec"]["replicas"] == 2
            return there and await address(life) == before and "supervisor" in await hosts(life)

        await becomes(as_before)
        for kind in ("Service", "ConfigMap", "Deployment"):
            await life.others.delete(kind, naming.DNS, propagationPolicy="Background")
            await becomes(as_before)
        await life.others.change("Deployment", naming.DNS, {"spec": {"replicas": 0}})
        await becomes(as_before)
        await life.program.end()
        await life.others.delete("Service", naming.DNS)
        await life.program.start()
        await life.program.up()
        await becomes(as_before)
        answer = await life.program.ask("GET", "/dns/info")
        assert answer.body["data"]["host"] == before
        await life.program.end()
