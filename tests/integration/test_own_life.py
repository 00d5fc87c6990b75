"""Our own life on a real API server: the rollout of our Deployment, and what the new version asks before it."""

import asyncio
import hashlib
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from supervisor_k8s.cluster.client import APPLY, JSON_PATCH, Client
from supervisor_k8s.cluster.cluster import Cluster
from supervisor_k8s.errors import ClusterConflictError
from supervisor_k8s.model.desired.config_check import Candidate, check_job
from supervisor_k8s.model.desired.self_check import NAME, self_check_job
from tests import builders
from tests.cluster.controlplane import ControlPlane
from tests.contract.house import listens
from tests.integration.conftest import Others
from tests.integration.lives import Life, living
from tests.integration.program import MANIFESTS, RBAC, Program

NEW = "2026.12.0"
STATE = Path(__file__).parents[1] / "unit" / "state-of-version-1"
IMAGE = "ghcr.io/supervisor-k8s/supervisor"


def deployment(**spec: Any) -> dict[str, Any]:
    """What `manifests/` make of us; without pods, for a process of the test's is us."""
    found: dict[str, Any] = yaml.safe_load((MANIFESTS / "deployment.yaml").read_text())
    return {**found, "spec": {**found["spec"], "replicas": 0, **spec}}


def container(live: Mapping[str, Any]) -> Mapping[str, Any]:
    (found,) = live["spec"]["template"]["spec"]["containers"]
    return dict(found)


@asynccontextmanager
async def channel(version: str) -> AsyncIterator[str]:
    """A channel file of ours; gives its address."""

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response({"channel": "stable", "supervisor": version})

    app = web.Application()
    app.router.add_get("/stable.json", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/")) + "{channel}.json"


async def test_a_rollout_changes_nothing_else(cluster: Cluster, others: Others) -> None:
    """A Deployment that is not ours: the image of one container and one annotation are new, by a manager of that name;
    what others manage stays theirs, and who applies the former image with `--server-side` is told of us.
    """
    before = await others.create(deployment())
    await cluster.roll_out("supervisor", images={})
    restarted = await others.read("Deployment", "supervisor")
    assert container(restarted) == container(before)
    assert "kubectl.kubernetes.io/restartedAt" in restarted["spec"]["template"]["metadata"]["annotations"]
    assert restarted["metadata"]["generation"] == before["metadata"]["generation"] + 1
    await cluster.roll_out("supervisor", images={"supervisor": f"{IMAGE}:{NEW}"})
    after = await others.read("Deployment", "supervisor")
    assert container(after) == {**container(before), "image": f"{IMAGE}:{NEW}"}
    managers = {entry["manager"]: entry["fieldsV1"] for entry in after["metadata"]["managedFields"]}
    ours = managers["supervisor-k8s-rollout"]["f:spec"]["f:template"]
    assert set(ours["f:spec"]["f:containers"]['k:{"name":"supervisor"}']) == {"f:image"}
    assert cluster.get("Deployment", "supervisor") is None
    with pytest.raises(ClusterConflictError, match="supervisor-k8s-rollout"):
        await others.client.request(
            "PATCH",
            f"/apis/apps/v1/namespaces/{cluster.namespace}/deployments/supervisor",
            query={"fieldManager": "an-administrator", "force": "false"},
            body=deployment(),
            content_type=APPLY,
        )


async def test_the_api_server_takes_the_jobs(cluster: Cluster, others: Others) -> None:
    """Every field is one that it knows."""
    live = await others.create(deployment())
    site = builders.site(namespace=cluster.namespace)
    for job in (
        check_job("core:1", "UTC", site),
        check_job("core:1", "UTC", site, candidate=Candidate("share/x", ("a",)), data=True),
        self_check_job(live, f"{IMAGE}:{NEW}", node="imagined", site=site),
    ):
        made = await cluster.apply(job)
        assert made["spec"]["backoffLimit"] == 0
        await cluster.delete(made)
        await cluster.until(lambda name=made["metadata"]["name"]: cluster.get("Job", name) is None or None, within=30)  # type: ignore[misc]


async def test_an_update_and_a_restart(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path) -> None:
    """With our own account's rights. A new version that cannot take over changes nothing; one that can gets the
    Deployment; a restart is a rollout, and our process ends.
    """
    async with channel(NEW) as url, living(plane, admin, namespace, tmp_path, (), UPDATES_URL=url) as life:
        await life.do("/reload_updates")
        before = await life.others.create(deployment())
        life.kubelet.codes[NAME] = 1
        answer = await life.program.ask("POST", "/supervisor/update")
        assert answer.status == 400, answer
        assert f"version {NEW} cannot take over" in answer.body["message"]
        assert container(await life.others.read("Deployment", "supervisor")) == container(before)
        life.kubelet.codes[NAME] = 0
        await life.do("/supervisor/update")
        after = await life.others.read("Deployment", "supervisor")
        assert container(after) == {**container(before), "image": f"{IMAGE}:{NEW}"}
        await nothing_stays(life)
        await life.do("/supervisor/restart")
        async with asyncio.timeout(60):
            assert await life.program.ended() == 0, life.program.said(20)
        restarted = await life.others.read("Deployment", "supervisor")
        annotations = [live["spec"]["template"]["metadata"]["annotations"] for live in (after, restarted)]
        assert annotations[0]["kubectl.kubernetes.io/restartedAt"] < annotations[1]["kubectl.kubernetes.io/restartedAt"]


async def nothing_stays(life: Life) -> None:
    async with asyncio.timeout(60):
        while await life.find("Job", NAME) is not None:
            await asyncio.sleep(0.05)


@pytest.fixture
async def program(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path) -> AsyncIterator[Program]:
    """An installation whose Supervisor has not begun yet."""
    made = Program(
        folder=tmp_path, client=admin, namespace=namespace, server=plane.server, authority=plane.authority.certificate
    )
    async with made.installed(()):
        yield made


@pytest.fixture
def aged(program: Program) -> Program:
    """One that has run, with an earlier version of ours."""
    shutil.copytree(STATE, program.state, dirs_exist_ok=True)
    return program


async def check(program: Program) -> tuple[int | None, str]:
    """Exit code and output of `--check`, as an update runs it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "supervisor_k8s", "--check",
        env=program._environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(60):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


def fingerprint(folder: Path) -> str:
    """Of names, contents and times of change of everything below a folder."""
    found = hashlib.sha256()
    for place, _, files in sorted(os.walk(folder)):
        for name in sorted(files):
            path = Path(place) / name
            found.update(f"{path}{path.stat().st_mtime_ns}".encode() + path.read_bytes())
    return found.hexdigest()


async def test_what_we_left_when_we_died(program: Program) -> None:
    """A check was under way: the next start removes it."""
    jobs = f"/apis/batch/v1/namespaces/{program.namespace}/jobs"
    job = check_job("core:1", "UTC", builders.site(namespace=program.namespace))
    await program.client.request("POST", jobs, body=job)
    await program.start()
    async with asyncio.timeout(60):
        while (await program.client.request("GET", jobs))["items"]:
            await asyncio.sleep(0.1)


async def test_nobody_listens_for_us_when_we_died(program: Program) -> None:
    """However we end, the port is free a moment later, and our next start has it."""
    for _ in range(2):
        await program.start()
        async with asyncio.timeout(30):
            while not (await program.ask("GET", "/supervisor/ping")).ok:
                await asyncio.sleep(0.05)
        await program.kill()
        async with asyncio.timeout(5):
            while listens(program.port):
                await asyncio.sleep(0.01)


async def test_a_version_that_can_take_over(aged: Program) -> None:
    """Says nothing bad, and touches nothing."""
    before = fingerprint(aged.folder / "state")
    assert await check(aged) == (0, "")
    assert fingerprint(aged.folder / "state") == before


async def test_a_right_that_is_missing(aged: Program) -> None:
    """Is named, with what to do."""
    path = f"{RBAC}/{aged.namespace}/roles/supervisor"
    role = await aged.client.request("GET", path)
    rule = next(number for number, rule in enumerate(role["rules"]) if rule["resources"] == ["pods/log"])
    step = {"op": "remove", "path": f"/rules/{rule}"}
    await aged.client.request("PATCH", path, body=[step], content_type=JSON_PATCH)
    code, output = await check(aged)
    assert code == 1
    assert "may not: get pods/log" in output
    assert "Apply the manifests of this version" in output


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no document", "core.json cannot be read by this version"),
        (orjson.dumps({"version": 99, "data": {}}), "core.json has version 99"),
    ],
)
async def test_state_that_is_not_understood(aged: Program, content: bytes, words: str) -> None:
    """Is named, and stays where it is."""
    path = aged.state / "core.json"
    path.write_bytes(content)
    before = fingerprint(aged.folder / "state")
    code, output = await check(aged)
    assert code == 1
    assert words in output
    assert fingerprint(aged.folder / "state") == before


async def test_a_wrong_setting(aged: Program) -> None:
    """As at each start."""
    aged.settings = {"SUPERVISOR_PORT": "http"}
    code, output = await check(aged)
    assert code == 2
    assert "SUPERVISOR_PORT" in output


async def test_another_argument(aged: Program) -> None:
    """Is no start."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "supervisor_k8s", "--chekc", env=aged._environment(), stdout=asyncio.subprocess.DEVNULL
    )
    async with asyncio.timeout(60):
        assert await process.wait() == 2
