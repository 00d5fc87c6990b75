"""The whole Supervisor on a real port: real middlewares, services, records, git; doubles for the cluster and Core only.

A `Home` is one installation in a temporary folder: it may be stopped and started again, as our pod is. Add-ons come
from a real git server with a store of three.
"""

import asyncio
import base64
import os
import secrets
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohasupervisor import SupervisorClient

from supervisor_k8s.bootstrap import build
from supervisor_k8s.errors import NotInChargeError
from supervisor_k8s.house import House, Stage
from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.link import CORE_PORT, LinkKeys, link_secrets
from supervisor_k8s.model.repository import RepositoryUrl
from supervisor_k8s.services.access import CLI_KEY, CLI_SECRET
from supervisor_k8s.settings import Settings
from supervisor_k8s.state.records import Records
from supervisor_k8s.state.storage import SharedVolume
from supervisor_k8s.store.git import Git
from tests import builders
from tests.cluster.steps import until
from tests.described import as_described
from tests.fake_core import FakeCore
from tests.fakes import FakeCluster
from tests.free_ports import free_port

CLI_TOKEN = "c1" * 56
STORE: dict[str, dict[str, Any]] = {
    "mosquitto": {
        "name": "Mosquitto broker",
        "version": "7.1.0",
        "slug": "mosquitto",
        "description": "An Open Source MQTT broker",
        "image": "example.test/{arch}-app-mosquitto",
        "arch": ["amd64", "aarch64"],
        "startup": "system",
        "init": False,
        "auth_api": True,
        "services": ["mqtt:provide"],
        "discovery": ["mqtt"],
        "ports": {"1883/tcp": 1883, "8883/tcp": None},
        "ports_description": {"1883/tcp": "MQTT"},
        "options": {"logins": [], "require_certificate": False},
        "schema": {"logins": [{"username": "str", "password": "password"}], "require_certificate": "bool"},
    },
    "panel": {
        "name": "Panel",
        "version": "1.0.0",
        "slug": "panel",
        "description": "Has a page",
        "image": "example.test/{arch}-app-panel",
        "arch": ["amd64", "aarch64"],
        "ingress": True,
        "ingress_entry": "start",
        "hassio_api": True,
        "hassio_role": "manager",
        "homeassistant_api": True,
        "services": ["mqtt:want"],
        "stdin": True,
    },
    "elsewhere": {
        "name": "Elsewhere",
        "version": "1.0.0",
        "slug": "elsewhere",
        "description": "For another machine",
        "image": "example.test/app-elsewhere",
        "arch": ["armv7"],
    },
}
PNG = b"\x89PNG\r\n\x1a\n picture"


def make_repository(folder: Path, addons: dict[str, Any], name: str | None) -> None:
    """A git repository with a store; without a name it is none."""
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("no add-on\n")
    if name is not None:
        (folder / "repository.yaml").write_text(yaml.safe_dump({"name": name, "maintainer": "Somebody"}))
    for slug, manifest in addons.items():
        (folder / slug).mkdir()
        (folder / slug / "config.yaml").write_text(yaml.safe_dump(manifest))
    if "mosquitto" in addons:
        beside = folder / "mosquitto"
        (beside / "CHANGELOG.md").write_text("# 7.1.0\n")
        (beside / "DOCS.md").write_text("How to use it\n")
        (beside / "README.md").write_text("A broker\n")
        (beside / "icon.png").write_bytes(PNG)
        (beside / "translations").mkdir()
        (beside / "translations" / "en.yaml").write_text("configuration:\n  logins:\n    name: Logins\n")
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.test", "-c", "init.defaultBranch=main")
    for arguments in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "Store")):
        subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@contextmanager
def git_server(folder: Path) -> Iterator[str]:
    """Serves the repositories below `folder`; gives the address."""
    port = free_port()
    command = ["git", "daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1", f"--port={port}"]
    with subprocess.Popen(
        [*command, f"--base-path={folder}", str(folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as daemon:
        try:
            until(lambda: listens(port), within=30, what="git daemon listening", every=0.01)
            yield f"git://127.0.0.1:{port}"
        finally:
            daemon.terminate()


def listens(port: int) -> bool:
    """Whether somebody does there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class HouseCluster(FakeCluster):
    """A cluster in which Core's pod has an address that can really be dialled."""

    def __init__(self, core_address: str) -> None:
        super().__init__()
        self._core_address = core_address

    def run_pod(self, name: str) -> None:
        super().run_pod(name)
        if name.startswith(naming.CORE):
            address = {"ip": self._core_address}
            self.set_status("Pod", name, podIP=self._core_address, podIPs=[address])

    def on_connected(self, listener: Callable[[], None]) -> None:
        """It always is."""

    async def listed(self, *, within: float) -> None:
        """Everything is known from the beginning."""

    async def run(self) -> None:
        await asyncio.get_running_loop().create_future()


class KnownGit(Git):
    """The real one, but for the first refresh of the built-in store: a working copy that is there is taken for the
    newest. What a start does about the store is tested with the store; here it would cost each test four processes.
    """

    def __init__(self, *, home: Path, environment: Mapping[str, str]) -> None:
        super().__init__(home=home, environment=environment)
        self._known: set[Path] = set()

    async def update(self, path: Path, source: RepositoryUrl) -> bool:
        if path.name == "core" and path not in self._known and path.is_dir():
            self._known.add(path)
            return False
        return await super().update(path, source)


@dataclass
class Home:
    """One installation. `cluster` and `core` outlive our restarts. Without a `store` there are local add-ons only."""

    folder: Path
    store: str
    keys: LinkKeys
    core_address: str = field(
        default_factory=lambda: f"127.77.{secrets.randbelow(250) + 1}.{secrets.randbelow(250) + 1}"
    )
    versions_url: str = "http://127.0.0.1:9/{channel}.json"
    """Of the version file; nobody listens there."""
    own_versions_url: str | None = None
    """Of the file with our own versions."""
    node: dict[str, Any] | None = None
    """Our node, where we may ask for it."""
    leaks_url: str = "http://127.0.0.1:9/{prefix}"
    """Of the service that knows leaked passwords; nobody listens there."""
    own_url: str | None = None
    """Where others would reach us."""
    shipped: Path | None = None
    """Add-ons that come with us."""
    docker_network: str = "auto"
    """The setting: whether new launches of add-ons with ingress have a link."""
    allowed: frozenset[str] = frozenset()
    """What the administrator lets add-ons have."""
    build_registry: str = ""
    """Where images are pushed that are built here."""
    exposure: Mapping[str, Any] = field(default_factory=dict)
    """Settings of how somebody outside of the cluster gets in."""
    in_charge: bool = True
    """Whether the Lease is ours."""
    up_wait: float = 60.0
    """Seconds that a start may take."""
    nginx: str | None = None
    """The front's program; without it our application listens itself."""
    cluster_kind: type["HouseCluster"] = HouseCluster
    volume_kind: Callable[[Path], SharedVolume] = SharedVolume
    cluster: HouseCluster = field(init=False)
    core: FakeCore = field(init=False)
    house: House = field(init=False)
    url: str = ""
    metrics_url: str = ""
    http: aiohttp.ClientSession = field(init=False)
    _tasks: asyncio.TaskGroup = field(init=False)
    _life: asyncio.Task[None] = field(init=False)

    def __post_init__(self) -> None:
        self.cluster = self.cluster_kind(self.core_address)
        self.core = FakeCore(self.keys)
        self.core.host, self.core.port = self.core_address, CORE_PORT
        for secret in link_secrets(self.keys, builders.site()):
            self.cluster.put(secret)
        token = base64.b64encode(CLI_TOKEN.encode()).decode()
        metadata = {"name": CLI_SECRET, "labels": naming.supervisor_labels()}
        self.cluster.put({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {CLI_KEY: token}})

    @property
    def share(self) -> Path:
        return self.folder / "share"

    @asynccontextmanager
    async def living(self) -> AsyncIterator["Home"]:
        """From our first start until our last end."""
        self.share.mkdir(parents=True, exist_ok=True)
        async with (
            self.core,
            aiohttp.ClientSession(middlewares=[as_described]) as self.http,
            asyncio.TaskGroup() as tasks,
        ):
            self._tasks = tasks
            try:
                await self.start()
                yield self
            finally:
                await self.stop()

    async def start(self) -> None:
        """Come up, as our pod does, and wait until we run and Core heard of it."""
        settings = Settings(
            runtime="kubernetes",
            machine="generic-x86-64",
            namespace="home-assistant",
            pod_name="supervisor-0",
            shared_claim="home-assistant-shared",
            share=str(self.share),
            state=str(self.folder / "state"),
            versions_url=self.versions_url,
            own_versions_url=self.own_versions_url,
            leaks_url=self.leaks_url,
            health_checks=False,
            docker_network=self.docker_network,
            build_registry=self.build_registry or None,
            repositories={"core": f"{self.store}/core"} if self.store else {},
            **self.exposure,
        )
        self.house = build(
            settings,
            cluster=self.cluster,  # type: ignore[arg-type] # the double
            records=await Records.load(Path(settings.state), may_write=self._may_act),
            volume=self.volume_kind(self.share),
            site=builders.site(allowed=self.allowed, build_registry=self.build_registry),
            own_node=self.node,
            own_pod={"metadata": {"name": "supervisor-0"}, "spec": {"nodeName": "node"}},
            kubernetes="v1.36.2",
            own_url=self.own_url,
            shipped=self.shipped,
            git=KnownGit(home=self.folder / "state" / "git", environment=os.environ),
            stage=Stage(),
            may_act=self._may_act,
        )
        port, metrics_port, heard = free_port(), free_port(), len(self.core.events)
        self.url, self.metrics_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{metrics_port}/metrics"
        self._life = self._tasks.create_task(self.house.live(port, metrics_port, nginx=self.nginx))
        await self.core.heard(heard + 1, within=self.up_wait)

    def _may_act(self) -> None:
        if not self.in_charge:
            raise NotInChargeError(why="a test says so")

    async def stop(self) -> None:
        """Go down, as on SIGTERM."""
        self.house.stage.stopping.set()
        await asyncio.wait({self._life})

    def found(self) -> dict[str, Any]:
        """What somebody who comes later finds: of our files, in the cluster, in memory, and how the doubles are set."""
        state, services, core = self.folder / "state", self.house.services, self.core
        files = (*state.glob("*.json"), *state.glob("addons/*.json"))
        return {
            "stage": self.house.stage.name,
            "records": {file.name: file.read_bytes() for file in files if file.name != "ingress.json"},
            "sessions": [session["id"] for session in self.house.records.ingress.get("sessions", ())],
            "share": sorted((str(file), file.is_dir() or file.stat().st_size) for file in self.share.rglob("*")),
            "objects": {key: live["metadata"]["uid"] for key, live in self.cluster.everything().items()},
            "logs": {key: len(lines) for key, lines in self.cluster._logs.items() if lines},
            "issues": services.resolution.issues,
            "unhealthy": (services.resolution.unhealthy, services.resolution.unsupported),
            "jobs": services.jobs.forest(),
            "catalogue": services.repositories.catalogue.addons,
            "cluster": (dict(self.cluster.behaviours), dict(self.cluster.metrics), self.cluster.slow_stop),
            "core": (core.state, core.migrating, core.silent, core.answers, core.documents, dict(core.refusals)),
        }

    # --- callers ---------------------------------------------------------------------------------------------

    @property
    def core_token(self) -> str:
        """The token of Core's present launch, as its pod has it."""
        record = self.house.records.core
        assert record is not None
        assert record.intent.launch is not None
        return self._token(naming.launch_secret(naming.CORE, record.intent.launch.id))

    def addon_token(self, slug: str) -> str:
        """The token of an add-on's present launch, as its pod has it."""
        launch = self.house.records.addons[slug].intent.launch
        assert launch is not None
        return self._token(naming.launch_secret(naming.addon_name(slug), launch.id))

    def _token(self, secret: str) -> str:
        found = self.cluster.get("Secret", secret)
        assert found is not None
        return base64.b64decode(found["data"]["token"]).decode()

    def client(self, token: str | None = None) -> SupervisorClient:
        """The client inside Home Assistant Core; with Core's token unless another one is given."""
        return SupervisorClient(self.url, token or self.core_token, self.http)

    async def raw(
        self, method: str, path: str, *, token: str | None = "", headers: dict[str, str] | None = None, **options: Any
    ) -> "Answer":
        """A request as `curl` makes it. Without `token` Core's own is sent, with None no token at all."""
        given = {} if token is None else {"Authorization": f"Bearer {token or self.core_token}"}
        async with self.http.request(method, self.url + path, headers={**given, **(headers or {})}, **options) as reply:
            text = await reply.text(errors="replace")
            data = await reply.json() if reply.content_type == "application/json" else None
            return Answer(reply.status, reply.headers.get("Content-Type", ""), text, data, dict(reply.headers))

    async def install(self, slug: str, *, start: bool = False) -> None:
        """Through the API, as everybody does."""
        assert (await self.raw("POST", f"/store/addons/{slug}/install")).status == 200
        if start:
            assert (await self.raw("POST", f"/addons/{slug}/start")).status == 200


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    content_type: str
    text: str
    json: Any
    headers: dict[str, str]

    @property
    def data(self) -> Any:
        """Data of a success in the envelope."""
        assert self.status == 200, self.text
        assert self.json["result"] == "ok"
        return self.json["data"]

    @property
    def message(self) -> str:
        """Message of an error in the envelope, which has no data."""
        assert self.status >= 400, self.text
        assert self.json["result"] == "error"
        assert "data" not in self.json
        return str(self.json["message"])
