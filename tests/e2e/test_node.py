"""What a power cut, a reboot, a dying container runtime or API server leaves of the house: what ran and is to run by
itself, once; nothing else; and what had ended by itself as it ended.

Five add-ons in all states; each of them is the broker under another name.
"""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import aiohttp
import pytest
import yaml

from tests.cluster import paths

from . import node
from .conftest import SLUG
from .house import Core, Kubectl, Supervisor, becomes, is_ready, program_runs

pytestmark = pytest.mark.upheaval
STORE = paths.REPOSITORY / "tests/images/addon-mosquitto/repository"
BROKER = yaml.safe_load((STORE / "mosquitto" / "config.yaml").read_text())
MANIFEST = {key: value for key, value in BROKER.items() if key not in {"ports", "services", "discovery", "auth_api"}}
ENDS_BADLY = BROKER["options"] | {"logins": [{"username": "addons", "password": "reserved"}]}
"""With these the program says why it cannot go on, and ends with exit code 1."""
LOCAL: dict[str, dict[str, Any]] = {
    "local_reaped": {"init": True},
    "local_manual": {"boot": "manual"},
    "local_done": {},
    "local_failed": {"options": ENDS_BADLY},
}
BEFORE = {
    SLUG: "started",
    "local_reaped": "started",
    "local_manual": "started",
    "local_done": "stopped",
    "local_failed": "error",
}
AFTER = BEFORE | {"local_manual": "stopped"}
"""By the boot rule."""
REST = 200.0
"""Seconds until everything is where it belongs, on a busy machine."""
OUTAGE = 20.0
"""Seconds."""
QUIET = 5.0
"""Seconds for which it must stay there."""


class Household:
    """Five add-ons and those who look at them."""

    def __init__(self, kubectl: Kubectl, supervisor: Supervisor) -> None:
        self.kubectl = kubectl
        self.supervisor = supervisor

    @asynccontextmanager
    async def settled(self) -> AsyncIterator[None]:
        """All of them in the states of BEFORE; the local ones are gone afterwards."""
        folder = paths.from_environment().volumes / "shared" / "addons" / "local"
        try:
            for slug, manifest in LOCAL.items():
                own = folder / slug.removeprefix("local_")
                own.mkdir(parents=True, exist_ok=True)
                (own / "config.json").write_text(json.dumps(_manifest(slug, manifest)))
            await self._ask("/store/reload")
            await self._each((f"/addons/{slug}/uninstall" for slug in LOCAL), check=False)
            await self._each(f"/store/addons/{slug}/install" for slug in LOCAL)
            await self._each(f"/addons/{slug}/start" for slug in BEFORE if slug != "local_failed")
            assert "exit code 1" in (await self.supervisor.post("/addons/local_failed/start")).body["message"]
            (pod,) = await self.kubectl.pods("io.hass.addon=local_done")
            await self.kubectl.run("exec", pod["metadata"]["name"], "-c", "addon", "--", "sh", "-c", "kill 1")
            await self.rests(BEFORE)
            yield
        finally:
            for slug in LOCAL:
                shutil.rmtree(folder / slug.removeprefix("local_"))
            await becomes(self._leaves, what="the local add-ons are uninstalled", within=REST)

    async def rests(self, states: dict[str, str]) -> None:
        """Wait until every add-on is what it is to be and nothing else is there, and see that it stays so. At no time
        an add-on runs twice.
        """
        wrong: list[str] = []

        async def right() -> bool:
            wrong[:] = await self._wrong(states)
            return not wrong

        try:
            await becomes(right, what="everything is where it belongs", within=REST)
        except AssertionError as error:
            raise AssertionError("\n".join(wrong)) from error
        await asyncio.sleep(QUIET)
        assert await self._wrong(states) == []

    async def launches(self) -> dict[str, str]:
        """Launch of each add-on that has a pod."""
        labels = [pod["metadata"]["labels"] for pod in await self.kubectl.pods("io.hass.type=addon")]
        return {label["io.hass.addon"]: label["io.hass.launch"] for label in labels}

    async def _wrong(self, states: dict[str, str]) -> list[str]:
        """What is not as it is to be, a line each."""
        try:
            found = {slug: await self.supervisor.state(slug) for slug in states}
            programs = await asyncio.to_thread(node.programs)
            listed = await self.kubectl.json("get", "pods,secrets", "-l", "io.hass.type")
        except (aiohttp.ClientError, AssertionError) as error:
            return [f"{type(error).__name__}: {error}"]
        pods = [item for item in listed["items"] if item["kind"] == "Pod"]
        wrong = [f"{slug} is {state}, not {states[slug]}" for slug, state in found.items() if state != states[slug]]
        wrong += [
            f"pod {pod['metadata']['name']}: {pod['status']['phase']}"
            for pod in pods
            if pod["status"]["phase"] != "Running" or "deletionTimestamp" in pod["metadata"]
        ]
        for slug, state in states.items():
            own = [pod for pod in pods if pod["metadata"]["labels"].get("io.hass.addon") == slug]
            running = [name for pod in own if (name := pod["metadata"]["name"]) in programs or program_runs(pod)]
            assert len(running) <= 1, running
            if len(running) != (state == "started"):
                wrong.append(f"{slug} is to be {state} and these run: {running}")
        wanted = {pod["metadata"]["labels"].get("io.hass.launch") for pod in pods}
        secrets = [item["metadata"] for item in listed["items"] if item["kind"] == "Secret"]
        wrong += [
            f"Secret {secret['name']} has no pod"
            for secret in secrets
            if secret["labels"].get("io.hass.launch", None) not in {None, *wanted}
        ]
        return wrong

    async def _each(self, requests: Any, *, check: bool = True) -> None:
        answers = await asyncio.gather(*(self.supervisor.post(path) for path in requests))
        assert not check or all(answer.status == 200 for answer in answers), answers

    async def _leaves(self) -> bool:
        """Whether they are gone. Until the node is found to be well again, Services may lead nowhere for a moment."""
        try:
            await self._each((f"/addons/{slug}/uninstall" for slug in LOCAL), check=False)
            return (await self.supervisor.post("/store/reload")).status == HTTPStatus.OK
        except aiohttp.ClientError:
            return False

    async def _ask(self, path: str) -> None:
        answer = await self.supervisor.post(path)
        assert answer.status == 200, answer


@pytest.fixture
async def unharmed(kubectl: Kubectl, supervisor: Supervisor) -> None:
    """No container of the house has been restarted in its pod: how long the kubelet waits before it starts one again
    doubles with every time, and would be what earlier tests left.
    """
    workloads = "io.hass.type,io.hass.type!=addon"
    pods = await kubectl.pods(workloads)
    if harmed := [pod["metadata"]["name"] for pod in pods if _restarts(pod)]:
        await kubectl.run("delete", "pod", *harmed)

    async def ready() -> bool:
        pods = await kubectl.pods(workloads)
        return all(is_ready(pod) for pod in pods) and await supervisor.users() is not None

    await becomes(ready, what="every pod is ready, and Core with its Supervisor", within=REST)


@pytest.fixture
async def household(
    kubectl: Kubectl, supervisor: Supervisor, unharmed: None, mosquitto: str
) -> AsyncIterator[Household]:
    made = Household(kubectl, supervisor)
    async with made.settled():
        yield made


async def test_a_sandbox_dies(household: Household) -> None:
    """The pods of running add-ons lose their sandbox one after the other, one of them with an init container that
    somebody gave it: those with boot auto run again in a new launch, the manual one is stopped, nobody else notices.
    """
    kubectl = household.kubectl
    await _give_init_container(kubectl, SLUG)
    await household.rests(BEFORE)
    before = await household.launches()
    lost = {SLUG, "local_reaped", "local_manual"}
    for slug in sorted(lost):
        pod = await kubectl.pod(f"io.hass.addon={slug}")
        await asyncio.to_thread(node.kill_sandbox, pod["metadata"]["name"])
    await household.rests(AFTER)
    after = await household.launches()
    assert {slug for slug in before if before[slug] != after.get(slug)} == lost


async def test_the_container_runtime_restarts(household: Household, core: Core) -> None:
    """It restarts and every sandbox is dead, our own and Core's as well."""
    await node.restart_runtime()
    await household.rests(AFTER)
    await _core_is_back(core, household.supervisor)


async def test_the_api_server_is_away(household: Household, core: Core) -> None:
    """For 20 seconds: Core and the broker go on, Core stays connected with its Supervisor and shows its add-ons, a verb
    says why it cannot be done now; and is done when the API server is back.
    """
    kubectl, supervisor = household.kubectl, household.supervisor
    pods = {pod["metadata"]["uid"] for pod in await kubectl.pods("io.hass.type")}
    async with core.socket() as socket:
        async with node.without_api_server(OUTAGE):
            refused = await supervisor.post("/addons/local_manual/stop")
            assert (refused.status, "API server" in refused.body["message"]) == (503, True), refused
            listed = await socket.supervisor("get", "/addons")
            assert BEFORE.keys() <= {addon["slug"] for addon in listed["addons"]}
            assert await supervisor.users() is not None
        await household.rests(AFTER)
        assert await supervisor.users() is not None
    lost = pods - {pod["metadata"]["uid"] for pod in await kubectl.pods("io.hass.type")}
    assert len(lost) == 1
    log = await kubectl.run("logs", "deployment/supervisor", "--since=2m")
    assert "websocket to Home Assistant Core was closed" not in log


async def test_the_power_goes(household: Household, core: Core) -> None:
    """The whole cluster is switched off and on again."""
    try:
        await node.switch("stop")
    finally:
        await node.switch("start")
    await household.rests(AFTER)
    await _core_is_back(core, household.supervisor)


async def _give_init_container(kubectl: Kubectl, slug: str) -> None:
    """As an administrator does it who needs something done before the program; it comes with a new pod."""
    (deployment,) = (await kubectl.json("get", "deployments", "-l", f"io.hass.addon={slug}"))["items"]
    hold = deployment["spec"]["template"]["spec"]["containers"][1]
    wait = {"name": "prepare", "image": hold["image"], "command": ["sleep", "1"]}
    patch = {"spec": {"template": {"spec": {"initContainers": [wait]}}}}
    await kubectl.run("patch", f"deployment/{deployment['metadata']['name']}", "-p", json.dumps(patch))

    async def there() -> bool:
        pods = await kubectl.pods(f"io.hass.addon={slug}")
        return len(pods) == 1 and "initContainers" in pods[0]["spec"] and program_runs(pods[0])

    await becomes(there, what="the pod has an init container and runs")


async def _core_is_back(core: Core, supervisor: Supervisor) -> None:
    """Core serves its users and the Supervisor is connected to it. A login of the last second before the power went is
    not on Core's disk yet: who was logged in logs in again.
    """

    async def answers() -> bool:
        try:
            await core.enter()
            entries = await core.get("/api/config/config_entries/entry?domain=hassio")
        except (aiohttp.ClientError, AssertionError):
            return False
        return [entry["state"] for entry in entries] == ["loaded"]

    await becomes(answers, what="Core with its Supervisor integration", within=REST)
    await becomes(supervisor.users, what="the Supervisor is connected to Core", within=REST)


def _manifest(slug: str, changes: dict[str, Any]) -> dict[str, Any]:
    name = slug.removeprefix("local_")
    return {**MANIFEST, "name": name, "slug": name, **changes}


def _restarts(pod: dict[str, Any]) -> int:
    return sum(item["restartCount"] for item in pod["status"].get("containerStatuses", ()))
