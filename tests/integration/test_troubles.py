"""What keeps add-ons from running, as a real API server and its controllers say it: issues for as long as it lasts."""

import asyncio
import functools
from pathlib import Path
from typing import Any

from supervisor_k8s.cluster.client import MERGE_PATCH, Client
from supervisor_k8s.cluster.cluster import Cluster
from tests.cluster.controlplane import ControlPlane
from tests.integration.conftest import Others
from tests.integration.lives import Life, becomes, living

ADDONS: tuple[dict[str, Any], ...] = ({"slug": "a"}, {"slug": "once", "startup": "once"})
QUOTA: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "few"},
    "spec": {"hard": {"pods": "1"}},
}
REFUSED: set[tuple[str, str | None]] = {("fatal_error", "local_a"), ("fatal_error", "local_once")}
PATIENCE = 120.0
"""Seconds: Events are asked for after thirty, and controllers pause before they try again."""


async def test_a_quota_refuses_them(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path) -> None:
    """The Deployment's own status tells it, and of a Job its Event; with room again both run and nothing is said."""
    quotas = f"/api/v1/namespaces/{namespace}/resourcequotas"
    async with living(plane, admin, namespace, tmp_path, ADDONS) as life:
        for slug in ("local_a", "local_once"):
            await life.do(f"/store/addons/{slug}/install")
        await admin.request("POST", quotas, body=QUOTA)
        await becomes(lambda: counted(admin, f"{quotas}/few"))
        async with asyncio.TaskGroup() as tasks:
            for slug in ("local_a", "local_once"):
                tasks.create_task(life.do(f"/addons/{slug}/start"))
            await becomes(lambda: tells(life, REFUSED), within=PATIENCE)
            found = await told(life)
            await admin.request("DELETE", f"{quotas}/few", body={"kind": "DeleteOptions"})
        for extra in found.values():
            assert extra["reason"] == "not_admitted"
            assert "exceeded quota: few" in extra["message"]
        await becomes(lambda: tells(life, set()), within=PATIENCE)
        await life.program.become(within=PATIENCE, local_a="started", local_once="stopped")


async def test_warnings_of_one_object(cluster: Cluster, others: Others, namespace: str) -> None:
    """Not those of others, and nothing that is no warning."""
    for number, (uid, kind) in enumerate((("a", "Warning"), ("a", "Normal"), ("b", "Warning"))):
        about = {"kind": "Pod", "namespace": namespace, "name": uid, "uid": uid}
        metadata = {"name": f"event-{number}", "namespace": namespace}
        event = {"apiVersion": "v1", "kind": "Event", "metadata": metadata, "involvedObject": about, "type": kind}
        await others.create({**event, "reason": "FailedMount", "message": f"{uid} {kind}"})
    assert [event["message"] for event in await cluster.warnings("a")] == ["a Warning"]
    assert await cluster.warnings("c") == []


async def test_a_right_is_taken_away(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path) -> None:
    """The API server itself tells what our account may do: the missing right is named until it is granted again."""
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}/roles/supervisor"
    async with living(plane, admin, namespace, tmp_path, ()) as life:
        role = await admin.request("GET", path)
        fewer = [rule for rule in role["rules"] if rule["resources"] != ["events"]]
        lacks: set[tuple[str, str | None]] = {("fatal_error", None)}
        for rules, wanted in ((fewer, lacks), (role["rules"], set())):
            await admin.request("PATCH", path, body={"rules": rules}, content_type=MERGE_PATCH)
            await becomes(functools.partial(looked, life, wanted))
            for extra in (await told(life)).values():
                assert extra == {"reason": "rights_missing", "message": "list events"}


async def looked(life: Life, wanted: set[tuple[str, str | None]]) -> bool:
    """Whether a look at our rights finds this. The API server learns of a changed Role by a watch of its own."""
    await life.do("/resolution/check/rights/run")
    return set(await told(life)) == wanted


async def counted(admin: Client, quota: str) -> bool:
    """Whether the quota's controller has counted: before that every pod is refused."""
    return bool((await admin.request("GET", quota)).get("status", {}).get("used"))


async def told(life: Life) -> dict[tuple[str, str | None], dict[str, Any]]:
    """The further facts of all issues."""
    answer = await life.program.ask("GET", "/resolution/info")
    return {(issue["type"], issue["reference"]): issue["reference_extra"] for issue in answer.body["data"]["issues"]}


async def tells(life: Life, wanted: set[tuple[str, str | None]]) -> bool:
    return set(await told(life)) == wanted
