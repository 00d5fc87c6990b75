"""The Git pull program without a Supervisor: a real git server, a real API server, and Core's API as a double."""

import asyncio
import os
import random
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from git_pull import alone, kube
from git_pull.errors import HomeError, OptionsError
from git_pull.flags import Flags, of_environment, parse
from git_pull.kube import RESTARTED_AT, Workload
from git_pull.rest import AnswerError, Rest
from supervisor_k8s.cluster.client import Client
from tests.cluster.controlplane import ControlPlane
from tests.gitserver import GitServer, Repository, git
from tests.integration.conftest import Others
from tests.integration.kubelet import Kubelet

TOKEN = "l0ng-lived"
MANIFESTS = Path(__file__).parents[2] / "addons" / "git_pull" / "standalone"
FIRST = {"configuration.yaml": "default_config:\n", "automations.yaml": "[]\n"}


class Core:
    """It complains about the word `nonsense`, in whatever is live when it is asked."""

    def __init__(self, live: Path) -> None:
        self._live = live
        self.url = ""
        self.asked: list[str] = []
        self.seen: list[dict[str, str]] = []
        """What was live at each check."""
        self.told: list[str | None] = []
        self.broken = False
        """A check is not answered but with an error."""
        self.unreadable: str | None = None
        """A configuration.yaml with this text is none, and nothing else is looked at."""
        self.at_check: Callable[[], None] = lambda: None
        self.goes_on = asyncio.Event()
        """Cleared, a check is not answered."""
        self.goes_on.set()
        self.about = {"version": "2026.11.0", "state": "RUNNING"}

    async def answer(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.Response(status=401, text="401: Unauthorized")
        self.asked.append(request.path)
        if request.path == "/api/config/core/check_config":
            return await self._check()
        if request.path == "/api/config":
            return web.json_response(self.about)
        if request.path.startswith("/api/services/persistent_notification/"):
            self.told.append((await request.json()).get("message"))
        return web.json_response([])

    async def _check(self) -> web.Response:
        if self.broken:
            return web.Response(status=500)
        files = texts(self._live)
        self.seen.append(files)
        self.at_check()
        await self.goes_on.wait()
        if self.unreadable is not None and files.get("configuration.yaml") == self.unreadable:
            return web.json_response({"result": "invalid", "errors": "Error loading it", "warnings": None})
        wrong = [f"{path} says nonsense" for path, text in sorted(files.items()) if "nonsense" in text]
        return web.json_response({"result": "valid", "errors": None, "warnings": "\n".join(wrong) or None})


def texts(folder: Path) -> dict[str, str]:
    """Without our own folder and git's."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_text() for name, path in files.items() if not name.startswith(".git")}


@dataclass(slots=True)
class House:
    """A configuration; `run` is one start of the program, for one pass unless it is told otherwise."""

    core: Core
    repository: Repository
    live: Path
    options: dict[str, str] = field(default_factory=dict)

    async def run(self, **more: str) -> int:
        environment = {"INTERVAL": "0", "AUTO_RESTART": "false", "HA_TOKEN": TOKEN, **self.options, **more}
        return await alone.serve(Flags(of_environment(environment)), {})


@pytest.fixture
async def house(tmp_path: Path, git_server: GitServer) -> AsyncIterator[House]:
    """The first commit is live."""
    repository, live = git_server.repository("house"), tmp_path / "live"
    live.mkdir()
    repository.commit(dict(FIRST))
    core = Core(live)
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", core.answer)
    async with TestServer(app) as server:
        core.url = str(server.make_url(""))
        house = House(core, repository, live)
        house.options = {
            "REPOSITORY": f"{git_server.url}/house", "CONFIG_PATH": str(live), "DATA_PATH": str(tmp_path / "data"),
            "HA_URL": core.url,
        }  # fmt: skip
        assert await house.run() == 0
        yield house
        core.goes_on.set()


async def test_a_good_commit(house: House) -> None:
    """Core is asked about what is live, before and after; the user is told that a restart is left to him."""
    assert house.core.seen == [{}, FIRST]
    assert texts(house.live) == FIRST
    assert "has to be restarted for: automations.yaml, configuration.yaml" in str(house.core.told[-1])
    assert await house.run() == 0
    assert len(house.core.seen) == 2


async def test_a_bad_commit(house: House) -> None:
    """It is live only while Core looks at it; Core is not asked about it again, and the next good one is live."""
    own = {"secrets.yaml": "a: nonsense\n", ".storage/auth": "{}"}
    for path, text in own.items():
        (house.live / path).parent.mkdir(exist_ok=True)
        (house.live / path).write_text(text)
    house.repository.commit({"configuration.yaml": "nonsense:\n", "new.yaml": "n\n", "automations.yaml": None})
    assert await house.run() == 1
    before = {**FIRST, **own}
    after = {**own, "configuration.yaml": "nonsense:\n", "new.yaml": "n\n"}
    assert house.core.seen[2:] == [before, after]
    assert texts(house.live) == before
    assert str(house.core.told[-1]).splitlines()[1:] == ["configuration.yaml says nonsense"]
    assert await house.run() == 1
    assert house.core.seen[4:] == []
    house.repository.commit({"configuration.yaml": "fixed:\n"})
    assert await house.run() == 0
    assert texts(house.live) == {**own, "configuration.yaml": "fixed:\n", "new.yaml": "n\n"}


async def test_a_commit_that_mends_the_house(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """Broken by hand, the live configuration cannot be compared with: the commit is live, and its warnings are told."""
    house.core.unreadable = "["
    (house.live / "configuration.yaml").write_text("[")
    house.repository.commit({"configuration.yaml": "nonsense:\n"})
    assert await house.run(LOCAL_CHANGES="theirs") == 0
    assert texts(house.live) == {**FIRST, "configuration.yaml": "nonsense:\n"}
    assert "Home Assistant warns, which refuses nothing: configuration.yaml says nonsense" in caplog.text


async def test_core_that_does_not_answer(house: House) -> None:
    """Before a trial nothing is begun, and during one everything is taken back; the next pass tries again."""
    house.repository.commit({"configuration.yaml": "later:\n"})
    house.core.broken = True
    assert await house.run() == 1
    house.core.broken = False
    house.core.at_check = lambda: setattr(house.core, "broken", True)
    assert await house.run() == 1
    assert texts(house.live) == FIRST
    house.core.broken, house.core.at_check = False, lambda: None
    assert await house.run() == 0
    assert texts(house.live)["configuration.yaml"] == "later:\n"


async def test_a_change_of_the_users_during_a_trial(house: House) -> None:
    """It stays, whatever becomes of the trial, and the rest goes back."""

    def change() -> None:
        if len(house.core.seen) == 4:
            (house.live / "automations.yaml").write_text("- ui\n")

    house.core.at_check = change
    house.repository.commit({"configuration.yaml": "later:\n", "automations.yaml": "- git\n"})
    assert await house.run() == 1
    assert texts(house.live) == {**FIRST, "automations.yaml": "- ui\n"}


@pytest.mark.parametrize("how", ["told", "killed"])
async def test_the_program_ends_during_a_trial(house: House, how: str) -> None:
    """Told to, it takes everything back before; killed, its next start does so as the first thing."""
    house.repository.commit({"configuration.yaml": "later:\n"})
    on_trial = asyncio.Event()

    def end() -> None:
        if len(house.core.seen) == 4:
            house.core.goes_on.clear()
            on_trial.set()

    house.core.at_check = end
    async with program(house, INTERVAL="60") as process:
        await asyncio.wait_for(on_trial.wait(), 50)
        assert texts(house.live)["configuration.yaml"] == "later:\n"
        process.terminate() if how == "told" else process.kill()
        await process.wait()
    house.core.goes_on.set()
    if how == "killed":
        assert texts(house.live)["configuration.yaml"] == "later:\n"
        house.core.broken = True
        assert await house.run() == 1
    assert texts(house.live) == FIRST
    assert not (house.live / ".git_pull").exists()


@asynccontextmanager
async def program(house: House, *arguments: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The program as the image starts it."""
    path = str(Path(alone.__file__).parents[1])
    inherited = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "AUTO_RESTART": "false"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "git_pull", *arguments,
        env={**inherited, "HA_TOKEN": TOKEN, **house.options, **environment},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def test_secrets_are_not_in_the_process_list(house: House, git_server: GitServer) -> None:
    """Given by a flag or a variable they reach Core and the git server, and neither `ps` nor the log shows them."""
    git_server.login = ("git", "g1t-secret")
    house.repository.commit({"configuration.yaml": "later:\n"})
    async with program(house, "--git-token", "g1t-secret", "--interval=1") as process:
        async with asyncio.timeout(50):
            while not texts(house.live)["configuration.yaml"].startswith("later"):
                await asyncio.sleep(0.05)
        shown = b"".join(Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
        process.terminate()
        assert process.stdout is not None
        log = await process.stdout.read()
        assert await process.wait() == 0
    assert b"--interval=1" in shown
    for secret in (b"g1t-secret", TOKEN.encode()):
        assert secret not in shown + log


async def test_secrets_by_file(house: House, git_server: GitServer, tmp_path: Path) -> None:
    """As Kubernetes mounts them; a line end after one does not belong to it. A wrong token is told as such."""
    git_server.login = ("git", "g1t-secret")
    (tmp_path / "git").write_text("g1t-secret\n")
    (tmp_path / "ha").write_text(f"{TOKEN}\n")
    files = {"HA_TOKEN": "", "HA_TOKEN_FILE": str(tmp_path / "ha"), "GIT_TOKEN_FILE": str(tmp_path / "git")}
    house.repository.commit({"configuration.yaml": "later:\n"})
    assert await house.run(**files) == 0
    with pytest.raises(OptionsError, match="--ha-token is missing"):
        await house.run(**{**files, "HA_TOKEN_FILE": ""})
    with pytest.raises(OptionsError, match="--git-token-file cannot be read"):
        await house.run(**{**files, "GIT_TOKEN_FILE": "/nowhere"})


async def test_a_tree_of_k8s_ha_git_sync(house: House) -> None:
    """Address and branch are those of the work tree that was set up for it; git's own folder is left alone."""
    git(house.live, "init", "--quiet")
    git(house.live, "remote", "add", "origin", house.options.pop("REPOSITORY"))
    config = (house.live / ".git" / "config").read_text()
    house.repository.commit({"configuration.yaml": "later:\n"})
    assert await house.run() == 0
    assert texts(house.live)["configuration.yaml"] == "later:\n"
    assert (house.live / ".git" / "config").read_text() == config


# --- restarts ------------------------------------------------------------------------------------------------


def workload(kind: str) -> dict[str, Any]:
    labels = {"app": "homeassistant"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "core", "image": "a:1"}]}}
    spec: dict[str, Any] = {"replicas": 1, "selector": {"matchLabels": labels}, "template": pod}
    if kind == "StatefulSet":
        spec["serviceName"] = "homeassistant"
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "homeassistant"}, "spec": spec}


@pytest.fixture
async def account(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path) -> Path:
    """What a pod under the example's account finds mounted."""
    for document in yaml.safe_load_all((MANIFESTS / "rbac.yaml").read_text()):
        if document["kind"] == "RoleBinding":
            document["subjects"][0]["namespace"] = namespace
        root = "/apis" if "/" in document["apiVersion"] else "/api"
        path = f"{root}/{document['apiVersion']}/namespaces/{namespace}/{document['kind'].lower()}s"
        await admin.request("POST", path, body=document)
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/homeassistant-sync/token"
    wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = (await admin.request("POST", path, body=wanted))["status"]["token"]
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "token").write_text(f"{token}\n")
    (folder / "ca.crt").write_bytes(plane.authority.certificate.read_bytes())
    return folder


@pytest.fixture
async def api(plane: ControlPlane, account: Path) -> AsyncIterator[Rest]:
    """The API server as such a pod reaches it."""
    host, _, port = plane.server.removeprefix("https://").rpartition(":")
    environment = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": port}
    async with aiohttp.ClientSession() as session:
        yield kube.in_cluster(session, environment, account=account)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet"])
async def test_a_restart(others: Others, admin: Client, namespace: str, api: Rest, kind: str) -> None:
    """Under the rights of the example: another pod runs when it is answered, once for each restart."""
    kubelet = Kubelet(admin, namespace, chance=random.Random(namespace))
    moments = iter(datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=number) for number in range(60))
    home = Workload(
        rest=api, namespace=namespace, kind=f"{kind.lower()}s", name="homeassistant", now=lambda: next(moments)
    )
    async with kubelet.working():
        await others.create(workload(kind))
        async with asyncio.timeout(30):
            while not kubelet.running:
                await asyncio.sleep(0.05)
        uids = {await uid(admin, namespace)}
        for _ in range(2):
            await home.restart(within=50)
            uids.add(await uid(admin, namespace))
    assert len(uids) == 3
    template = (await others.read(kind, "homeassistant"))["spec"]["template"]
    # Not always the second moment: the controllers write the object, too, and then it is tried again.
    (name, moment), *others_left = template["metadata"]["annotations"].items()
    assert (name, moment[:17], others_left) == (RESTARTED_AT, "2026-11-22T00:00:", [])


async def uid(admin: Client, namespace: str) -> str:
    pods = (await admin.request("GET", f"/api/v1/namespaces/{namespace}/pods"))["items"]
    (alive,) = [pod["metadata"]["uid"] for pod in pods if "deletionTimestamp" not in pod["metadata"]]
    return str(alive)


async def test_restarts_that_cannot_be(others: Others, namespace: str, api: Rest) -> None:
    """Nothing is changed then, so the next pass may ask again: there is none, it is scaled to 0, or not ours."""
    home = Workload(rest=api, namespace=namespace, kind="deployments", name="homeassistant", now=now)
    with pytest.raises(AnswerError, match='"homeassistant" not found'):
        await home.restart(within=5)
    await others.create(workload("Deployment"))
    await others.change("Deployment", "homeassistant", {"spec": {"replicas": 0}})
    with pytest.raises(HomeError, match="scaled to 0"):
        await home.restart(within=5)
    elsewhere = Workload(rest=api, namespace="default", kind="deployments", name="homeassistant", now=now)
    with pytest.raises(AnswerError, match="forbidden"):
        await elsewhere.restart(within=5)
    found = await others.read("Deployment", "homeassistant")
    assert "annotations" not in found["spec"]["template"]["metadata"]


def test_a_restart_needs_a_pod(tmp_path: Path) -> None:
    """Said at the start, and not when the first restart is due."""
    with pytest.raises(OptionsError, match="auto-restart=false"):
        kube.in_cluster(None, {}, account=tmp_path)  # type: ignore[arg-type]


def test_the_example_says_what_there_is() -> None:
    """Its variables are options of the program, and its rights those of k8s-ha-git-sync, for StatefulSets, too."""
    (deployment,) = (d for d in documents("deployment.yaml") if d["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    names = {entry["name"] for entry in container["env"]}
    assert len(of_environment(dict.fromkeys(names, "x"))) == len(names)
    (role,) = (d for d in documents("rbac.yaml") if d["kind"] == "Role")
    assert role["rules"] == [
        {"apiGroups": ["apps"], "resources": ["deployments", "statefulsets"], "verbs": ["get", "update"]}
    ]
    assert parse([]) == {}


def documents(name: str) -> list[Mapping[str, Any]]:
    return list(yaml.safe_load_all((MANIFESTS / name).read_text()))
