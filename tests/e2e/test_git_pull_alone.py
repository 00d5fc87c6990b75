"""The Git pull image without a Supervisor, by the example's manifests: real Core checks and reloads, and a program that
does nothing is restarted in its place, as a Deployment's and as a StatefulSet's.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
import yaml

from tests.cluster import paths

from .git_house import CONFIGURATION, LIVE, STATES, House
from .house import Core, Kubectl, becomes

NAMESPACE, SYNC, WORKLOAD = "git-pull-alone", "homeassistant-sync", "homeassistant"
ADDED, SAVED = "e2e_alone.yaml", f"{LIVE}/{CONFIGURATION}.before-alone"
EXAMPLE = paths.REPOSITORY / "addons" / "git_pull" / "standalone"
POD = "/spec/template/spec"

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.environ.get("CLUSTER") == "external", reason="the volume is this machine's"),
]


def settings(core: str, repository: str, kind: str) -> dict[str, str]:
    """`kind` of workload that is Home Assistant's."""
    return {
        "REPOSITORY": repository,
        "GIT_BRANCH": "main",
        "HA_URL": core,
        "HA_TOKEN_FILE": "/secrets/ha-token",
        f"KUBE_{kind.upper()}": WORKLOAD,
        "KUBE_NAMESPACE": NAMESPACE,
        "METRICS": "true",
        "INTERVAL": "1",
        "FIRST_RUN": "adopt",
    }


def overlay(folder: Path, core: str, repository: str, kind: str = "Deployment") -> Path:
    """As a user writes one: where things are, the volume of this house, and its own `env`."""
    shared = paths.from_environment().volumes / "shared" / "homeassistant"
    env = [{"name": name, "value": value} for name, value in settings(core, repository, kind).items()]
    changes = [
        {"op": "replace", "path": f"{POD}/containers/0/env", "value": env},
        {"op": "replace", "path": f"{POD}/volumes/0", "value": {"name": "config", "hostPath": {"path": str(shared)}}},
        {"op": "replace", "path": f"{POD}/volumes/1", "value": {"name": "data", "emptyDir": {}}},
        {"op": "add", "path": f"{POD}/terminationGracePeriodSeconds", "value": 10},
    ]
    claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": SYNC}, "$patch": "delete"}
    made = {
        "namespace": NAMESPACE,
        "resources": [os.path.relpath(EXAMPLE, folder.resolve())],
        "patches": [
            {"target": {"kind": "Deployment", "name": SYNC}, "patch": yaml.safe_dump(changes)},
            {"patch": yaml.safe_dump(claim)},
        ],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(made))
    return folder


def workload(kind: str, image: str) -> str:
    """What is restarted: it does nothing."""
    labels = {"app": kind}
    container = {"name": "sleeps", "image": image, "command": ["sleep", "infinity"]}
    pod = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    spec = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": pod}}
    return json.dumps({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": WORKLOAD}, "spec": spec})


@dataclass(slots=True)
class Alone:
    """The program in its namespace, and the house whose configuration it follows."""

    house: House
    kubectl: Kubectl
    session: aiohttp.ClientSession
    image: str

    async def make(self, kind: str) -> None:
        """A workload, and wait until it runs."""
        await self.kubectl.run("apply", "-f", "-", stdin=workload(kind, self.image))
        await self.kubectl.run("rollout", "status", f"{kind}/{WORKLOAD}", "--timeout=110s")

    async def start(self, folder: Path) -> None:
        """The program by an overlay, in place of one that runs."""
        await self.kubectl.run("apply", "-k", str(folder))
        await self.kubectl.run("rollout", "status", f"deployment/{SYNC}", "--timeout=110s")

    async def restarted(self, kind: str = "Deployment") -> str:
        """Another answer after each restart of the workload."""
        uid: str = (await self.kubectl.pod(f"app={kind}"))["metadata"]["uid"]
        return uid

    async def says(self, value: int) -> bool:
        """Whether the gauge has this value."""
        address = (await self.kubectl.pod(f"app={SYNC}"))["status"].get("podIP")
        with suppress(aiohttp.ClientError):
            async with self.session.get(f"http://{address}:8080/metrics") as answer:
                return f"ha_git_sync_config_status {value}.0" in (await answer.text()).splitlines()
        return False


@pytest.fixture
async def token(core: Core) -> AsyncIterator[str]:
    """A long-lived one, as a user makes it in the profile."""
    name = f"git {uuid4().hex[:8]}"
    async with core.socket() as socket:
        made = await socket.command("auth/long_lived_access_token", client_name=name, lifespan=1)
        yield made["result"]
        tokens = (await socket.command("auth/refresh_tokens"))["result"]
        (mine,) = [one["id"] for one in tokens if one["client_name"] == name]
        await socket.command("auth/delete_refresh_token", refresh_token_id=mine)


@pytest.fixture
async def alone(
    kubectl: Kubectl, core: Core, token: str, session: aiohttp.ClientSession, tmp_path: Path
) -> AsyncIterator[Alone]:
    """Applied, with an empty repository; afterwards the configuration is as before, and Core has read it."""
    house, own = House(kubectl), Kubectl(NAMESPACE)
    await own.run("delete", "namespace", NAMESPACE, "--ignore-not-found")
    await house.repository.make()
    await house.live(f"cp -p {LIVE}/{CONFIGURATION} {SAVED}")
    await own.run("create", "namespace", NAMESPACE)
    await own.run("create", "secret", "generic", SYNC, f"--from-literal=ha-token={token}")
    made = overlay(tmp_path, core.url, house.repository.address)
    documents = list(yaml.safe_load_all(await own.run("kustomize", str(made))))
    (image,) = [d["spec"]["template"]["spec"]["containers"][0]["image"] for d in documents if d["kind"] == "Deployment"]
    alone = Alone(house, own, session, image)
    try:
        await alone.make("Deployment")
        yield alone
    finally:
        await own.run("delete", "namespace", NAMESPACE)
        await house.live(f"mv {SAVED} {LIVE}/{CONFIGURATION}; rm -rf {LIVE}/{ADDED} {LIVE}/.git_pull")
        await house.repository.remove()
        await core.post("/api/services/input_boolean/reload")


async def test_a_house_without_a_supervisor(alone: Alone, core: Core, tmp_path: Path) -> None:
    """A good commit is live by a restart, or by a reload where that is enough; a bad one is taken back and told."""
    house = alone.house
    configuration = await house.file(CONFIGURATION)
    before = await alone.restarted()
    good = f"{configuration}\ninput_boolean: !include {ADDED}\n"
    await house.repository.push({CONFIGURATION: good, ADDED: "alone: {}\n"})
    await alone.start(tmp_path)
    await becomes(lambda: alone.says(1), what="a good status", within=120)
    assert await house.file(CONFIGURATION) == good
    assert await alone.restarted() != before
    before = await alone.restarted()

    await house.repository.push({CONFIGURATION: f"{good}\nno_such_integration_alone:\n"})
    await becomes(lambda: alone.says(0), what="a bad status", within=120)
    assert await house.file(CONFIGURATION) == good
    assert "no_such_integration_alone" in await alone.kubectl.run("logs", f"deployment/{SYNC}")

    await house.repository.push({CONFIGURATION: good, ADDED: "alone: {}\nalone_later: {}\n"})

    async def entity() -> bool:
        with suppress(AssertionError, aiohttp.ClientError, ValueError):
            return bool((await core.get(f"{STATES}.alone_later"))["state"] == "off")
        return False

    await becomes(entity, what="an entity of the good commit after the bad one", within=120)
    await becomes(lambda: alone.says(1), what="a good status again")
    assert await alone.restarted() == before
    await is_restarted_as_a_stateful_set(alone, core, tmp_path)
    assert await alone.restarted() == before


async def is_restarted_as_a_stateful_set(alone: Alone, core: Core, folder: Path) -> None:
    """The same program, where the user's overlay names a StatefulSet; the other one is gone before there is news."""
    house = alone.house
    await alone.make("StatefulSet")
    before = await alone.restarted("StatefulSet")
    await alone.kubectl.run("delete", "deployment", SYNC, "--cascade=foreground", "--timeout=60s")
    news = f"{await house.file(CONFIGURATION)}# of a StatefulSet\n"
    await house.repository.push({CONFIGURATION: news})
    await alone.start(overlay(folder, core.url, house.repository.address, "StatefulSet"))
    await becomes(lambda: alone.says(1), what="a good status, of a StatefulSet", within=120)
    assert await house.file(CONFIGURATION) == news
    assert await alone.restarted("StatefulSet") != before
