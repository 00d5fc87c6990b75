"""`make up`, `status` and `down` with CLUSTER=external: a whole house of images by name, and gone but for its data."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.cluster import paths
from tests.e2e.conftest import SLUG
from tests.e2e.house import Kubectl, Supervisor

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[2]
NAMESPACE = "home-assistant-foreign"
LEVEL = "pod-security.kubernetes.io/enforce"
VOLUMES = ("foreign-shared", "foreign-state")
CLAIMS = {"ha-shared-rwx", "supervisor-state"}


async def make(target: str, *, code: int = 0, **variables: str) -> str:
    """What `make TARGET CLUSTER=external` says to somebody whose KUBECONFIG names this cluster."""
    given = {
        "CLUSTER": "external",
        "KUBECONFIG": os.environ.get("KUBECONFIG") or str(paths.from_environment().kubeconfig),
        "OVERLAY": str(FOLDER),
        **variables,
    }
    process = await asyncio.create_subprocess_exec(
        *("make", "--no-print-directory", target, *(f"{name}={value}" for name, value in given.items())),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(600):
        out, _ = await process.communicate()
    assert (process.returncode == 0) == (code == 0), out.decode()
    return out.decode()


async def claims(kubectl: Kubectl) -> set[str]:
    return {item["metadata"]["name"] for item in (await kubectl.json("get", "persistentvolumeclaims"))["items"]}


@pytest.fixture
async def kubectl() -> AsyncIterator[Kubectl]:
    """In the foreign namespace, which is gone with its volumes at the end, however that comes."""
    made = Kubectl(NAMESPACE)
    yield made
    await made.run("delete", "-k", str(FOLDER), "--ignore-not-found", within=330)
    if os.environ.get("CLUSTER") != "external":
        for volume in VOLUMES:
            with contextlib.suppress(FileNotFoundError):
                await asyncio.to_thread(shutil.rmtree, paths.from_environment().volumes / volume)


async def an_addon_runs(kubectl: Kubectl) -> None:
    """Mosquitto, at the Pod Security level of the namespace; and the node's facts are known, by the component."""
    async with aiohttp.ClientSession() as session:
        url = f"http://{await kubectl.address('supervisor')}"
        supervisor = Supervisor(session, url, await kubectl.secret("supervisor-cli", "token"))
        for verb in (f"store/addons/{SLUG}/install", f"addons/{SLUG}/start"):
            answer = await supervisor.post(f"/{verb}")
            assert answer.status == 200, answer
        assert "started" == await supervisor.state(SLUG)
        host = (await supervisor.get("/host/info")).data
        (node,) = (await kubectl.json("get", "nodes"))["items"]
        assert host["operating_system"] == node["status"]["nodeInfo"]["osImage"]


async def test_a_house_on_somebody_elses_cluster(kubectl: Kubectl) -> None:
    """It comes up, says so, and goes; its claims only when that was confirmed. The house next door hears nothing."""
    neighbour = Kubectl()
    before = (await neighbour.pod("app.kubernetes.io/name=supervisor"))["metadata"]["uid"]
    said = await make("up")
    assert f"namespace {NAMESPACE}" in said
    assert "Core's Supervisor integration" in said
    assert "build" not in said
    assert "supervisor-" in await make("status")
    assert "baseline" == (await kubectl.json("get", "namespace", NAMESPACE))["metadata"]["labels"][LEVEL]
    await an_addon_runs(kubectl)
    await make("down")
    assert [] == await kubectl.pods("app.kubernetes.io/part-of=home-assistant")
    assert await claims(kubectl) == CLAIMS
    assert "is not up" in await make("status", code=1)
    await make("down", CONFIRM="yes")
    assert set() == await claims(kubectl)
    assert before == (await neighbour.pod("app.kubernetes.io/name=supervisor"))["metadata"]["uid"]
