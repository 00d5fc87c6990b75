"""The real program as a child process, with everything that its pod would have: volumes, rights, names, an own address.

Only the pod's network is missing: the API listens on a free port of this machine.
"""

import asyncio
import base64
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.cluster.kinds import KINDS
from supervisor_k8s.errors import ClusterNotFoundError
from supervisor_k8s.services.access import CLI_KEY, CLI_SECRET
from tests.builders import manifest
from tests.cluster.packages import nginx_program
from tests.cluster.paths import from_environment
from tests.cluster.process import tied
from tests.free_ports import free_port

MANIFESTS = Path(__file__).parents[2] / "manifests" / "base"
ACCOUNT = "supervisor"
POD = "supervisor-0"
UP_WAIT = 60.0
"""Seconds from the start of the process until its API says that it runs."""
RBAC = "/apis/rbac.authorization.k8s.io/v1/namespaces"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request came to; without a status there was no answer."""

    status: int | None
    body: Any = None

    @property
    def ok(self) -> bool:
        return self.status == 200


@dataclass(slots=True, kw_only=True)
class Program:
    """One installation. `folder` holds its volumes, its account and its log."""

    folder: Path
    client: Client
    namespace: str
    server: str
    """Address of the API server."""
    authority: Path
    """Its certificate authority (PEM)."""
    port: int = field(default_factory=free_port)
    metrics_port: int = field(default_factory=free_port)
    settings: Mapping[str, str] = field(default_factory=dict)
    module: str = "supervisor_k8s"
    """What is run."""
    _process: asyncio.subprocess.Process | None = None
    _token: str = ""
    _http: aiohttp.ClientSession | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def log(self) -> Path:
        return self.folder / "supervisor.log"

    @asynccontextmanager
    async def installed(self, addons: Sequence[Mapping[str, Any]]) -> AsyncIterator[Self]:
        """What `manifests/` and the kubelet bring, and a local store with these add-ons. Whatever runs ends with it."""
        for folder in (self.data, self.state):
            folder.mkdir(exist_ok=True)
        for addon in addons:
            place = self.data / "addons" / "local" / addon["slug"]
            place.mkdir(parents=True)
            (place / "config.yaml").write_text(yaml.safe_dump(manifest(**addon)))
        await self._install()
        async with aiohttp.ClientSession() as self._http:
            try:
                yield self
            finally:
                await self.kill()

    # --- the process -------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Begin, and wait until it is up."""
        await self.start()
        await self.up()

    async def start(self) -> None:
        """Begin; does not wait."""
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *tied((sys.executable, "-m", self.module)), env=self._environment(), stdout=log, stderr=log
            )

    async def up(self) -> None:
        """Wait until everything that an earlier process left has been seen to."""
        async with asyncio.timeout(UP_WAIT):
            while not await self._is_up():
                if self._process is None or self._process.returncode is not None:
                    raise AssertionError(f"the program ended: {self.said(5)}")
                await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """As the kernel would: no handler runs, nothing is flushed."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        await self.ended()

    async def ended(self) -> int | None:
        """The exit code, once there is one."""
        return None if self._process is None else await self._process.wait()

    def said(self, lines: int) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text().splitlines()[-lines:])

    # --- its API -----------------------------------------------------------------------------------------------

    async def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """One request as the administrator."""
        assert self._http is not None
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            url = f"http://127.0.0.1:{self.port}{path}"
            async with self._http.request(method, url, json=body, headers=headers) as response:
                return Answer(response.status, await response.json(content_type=None))
        except (aiohttp.ClientError, ValueError):
            return Answer(None)

    async def states(self) -> dict[str, str]:
        """Installed add-on to its state."""
        answer = await self.ask("GET", "/addons")
        ended = None if self._process is None else self._process.returncode
        assert answer.ok, f"{answer}, exit code {ended}\n{self.said(40)}"
        return {addon["slug"]: addon["state"] for addon in answer.body["data"]["addons"]}

    async def become(self, within: Any = 30.0, **states: str) -> None:
        """Wait until the add-ons (by slug) have these states. `within` is in seconds; a table of states may be given
        with `**`, which the type `float` would forbid.
        """
        try:
            async with asyncio.timeout(within):
                while not states.items() <= (await self.states()).items():
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"not {states} but {await self.states()}\n{self.said(20)}") from None

    async def do(self, verb: str, *slugs: str) -> None:
        """Have a verb done to some add-ons, all at once."""
        area = "store/addons" if verb == "install" else "addons"
        for answer in await asyncio.gather(*(self.ask("POST", f"/{area}/{slug}/{verb}") for slug in slugs)):
            assert answer.ok, answer

    async def _is_up(self) -> bool:
        if not self._token:
            try:
                secret = await self.client.request("GET", KINDS["Secret"].path(self.namespace, CLI_SECRET))
            except ClusterNotFoundError:
                return False
            self._token = base64.b64decode(secret["data"][CLI_KEY]).decode()
        answer = await self.ask("GET", "/info")
        return answer.ok and answer.body["data"]["state"] == "running"

    # --- around it ---------------------------------------------------------------------------------------------

    def _environment(self) -> dict[str, str]:
        host, port = self.server.removeprefix("https://").split(":")
        return {
            "PATH": f"{nginx_program(from_environment()).parent}:{os.environ['PATH']}",
            "KUBERNETES_SERVICE_HOST": host,
            "KUBERNETES_SERVICE_PORT": port,
            "SUPERVISOR_RUNTIME": "kubernetes",
            "SUPERVISOR_MACHINE": "generic-x86-64",
            "SUPERVISOR_SHARE": str(self.data),
            "SUPERVISOR_STATE": str(self.state),
            "SUPERVISOR_PORT": str(self.port),
            "SUPERVISOR_METRICS_PORT": str(self.metrics_port),
            "SUPERVISOR_K8S_NAMESPACE": self.namespace,
            "SUPERVISOR_K8S_POD_NAME": POD,
            "SUPERVISOR_K8S_SERVICE_ACCOUNT": str(self.folder / "account"),
            "SUPERVISOR_K8S_CLUSTER_DOMAIN": "cluster.local",
            "SUPERVISOR_K8S_SHARED_PVC_CLAIM": "ha-shared-rwx",
            "SUPERVISOR_K8S_REPOSITORIES": "{}",
            "SUPERVISOR_K8S_HEALTHCHECKS": "false",
            **self.settings,
        }

    async def _install(self) -> None:
        for name in ("rbac.yaml", "claims.yaml", "services.yaml"):
            for document in yaml.safe_load_all((MANIFESTS / name).read_text()):
                await self._create(document)
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": POD, "labels": {"app.kubernetes.io/name": "supervisor"}},
            "spec": {"containers": [{"name": "supervisor", "image": "localhost/supervisor-k8s:test"}]},
        }
        await self._create(pod)
        await self._give_account()

    async def _create(self, manifest: dict[str, Any]) -> None:
        group = manifest["apiVersion"]
        root = "/apis" if "/" in group else "/api"
        plural = f"{manifest['kind'].lower()}s"
        if manifest["kind"] == "RoleBinding":
            manifest["subjects"][0]["namespace"] = self.namespace
        await self.client.request("POST", f"{root}/{group}/namespaces/{self.namespace}/{plural}", body=manifest)

    async def _give_account(self) -> None:
        """The Supervisor's own account and no other: what its Role does not allow fails here as everywhere."""
        account = self.folder / "account"
        account.mkdir()
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": 7200},
        }
        path = f"/api/v1/namespaces/{self.namespace}/serviceaccounts/{ACCOUNT}/token"
        answer = await self.client.request("POST", path, body=request)
        (account / "token").write_text(answer["status"]["token"])
        (account / "ca.crt").write_text(self.authority.read_text())
