"""A house to test in: the cluster by kubectl, the Supervisor by HTTP, Core as a user's browser sees it."""

import asyncio
import base64
import contextlib
import io
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from tests.cluster import binaries, paths

NAMESPACE = os.environ.get("HOUSE_NAMESPACE", "home-assistant")
USER = {"username": "owner", "password": "a-house-for-tests"}
PATIENCE = 60.0
"""Seconds a condition may take to become true before a test calls it false."""
PAUSE = 0.2
"""Seconds between two looks from outside, where no watch is at hand."""


class Kubectl:
    """The cluster as its administrator sees it, in the namespace of one house."""

    def __init__(self, namespace: str = NAMESPACE) -> None:
        where = paths.from_environment()
        external = os.environ.get("CLUSTER") == "external"
        self._command = ["kubectl"] if external else [str(binaries.program(where, "kubectl"))]
        if not external:
            self._command += [f"--kubeconfig={where.kubeconfig}"]
        self._command += ["-n", namespace]

    async def run(self, *arguments: str, stdin: str | None = None, check: bool = True, within: float = 120) -> str:
        """Output of one command; with `check` an exit code other than 0 fails the test."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self._command, *arguments, stdin=None if stdin is None else pipe, stdout=pipe, stderr=pipe
        )
        async with asyncio.timeout(within):
            out, err = await process.communicate(None if stdin is None else stdin.encode())
        if check and process.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {err.decode()}")
        return out.decode()

    async def json(self, *arguments: str) -> Any:
        return json.loads(await self.run(*arguments, "-o", "json"))

    async def pods(self, selector: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await self.json("get", "pods", "-l", selector))["items"]
        return items

    async def pod(self, selector: str) -> dict[str, Any]:
        """The one pod that is not on its way out."""
        alive = [pod for pod in await self.pods(selector) if "deletionTimestamp" not in pod["metadata"]]
        assert len(alive) == 1, [pod["metadata"]["name"] for pod in alive]
        return alive[0]

    async def address(self, service: str) -> str:
        value: str = (await self.json("get", "service", service))["spec"]["clusterIP"]
        return value

    async def switch(self, *changes: str) -> None:
        """Other settings of the Supervisor, which restarts: `NAME=value`, or `NAME-` for the default."""
        await self.run("set", "env", "deployment/supervisor", "--containers=supervisor", *changes)
        await self._rolled_out()

    async def patch(self, kind: str, change: Any) -> None:
        """A change of the Supervisor's Deployment, as this kind of patch (`strategic`, `json`); it restarts."""
        await self.run("patch", "deployment/supervisor", f"--type={kind}", f"--patch={json.dumps(change)}")
        await self._rolled_out()

    async def _rolled_out(self) -> None:
        await self.run("rollout", "status", "deployment/supervisor", "--timeout=90s")

    async def secret(self, name: str, key: str) -> str:
        return base64.b64decode((await self.json("get", "secret", name))["data"][key]).decode()


@dataclass(frozen=True, slots=True)
class Answer:
    """One reply of the Supervisor."""

    status: int
    body: Mapping[str, Any]

    @property
    def data(self) -> Any:
        assert self.status == 200, self.body
        assert self.body["result"] == "ok"
        return self.body["data"]


class Supervisor:
    """The Supervisor's API with one token."""

    def __init__(self, session: aiohttp.ClientSession, url: str, token: str) -> None:
        self._session = session
        self.url = url
        self._headers = {"Authorization": f"Bearer {token}"}

    async def get(self, path: str) -> Answer:
        return await self._call("GET", path)

    async def post(self, path: str, **body: Any) -> Answer:
        return await self._call("POST", path, json=body)

    async def send(self, path: str, content: bytes) -> Answer:
        """A body as it is."""
        return await self._call("POST", path, data=io.BytesIO(content))

    async def delete(self, path: str) -> Answer:
        return await self._call("DELETE", path)

    async def _call(self, method: str, path: str, **more: Any) -> Answer:
        timeout = aiohttp.ClientTimeout(total=300)
        async with self._session.request(
            method, f"{self.url}{path}", headers=self._headers, timeout=timeout, **more
        ) as answer:
            text = await answer.text()
            return Answer(answer.status, json.loads(text) if text.startswith("{") else {"message": text})

    async def state(self, slug: str) -> str:
        state: str = (await self.get(f"/addons/{slug}/info")).data["state"]
        return state

    async def answers(self) -> bool:
        """Whether the API can be reached; that it refuses a request is an answer, too.

        A connection begun in the moment when the pod behind the address went is answered by nobody: another is tried.
        """
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with asyncio.timeout(5):
                await self.get("/supervisor/info")
            return True
        return False

    async def is_up(self) -> bool:
        """Whether it has nothing left to do of its start."""
        if not await self.answers():
            return False
        answer = await self.get("/info")
        return bool(answer.status == HTTPStatus.OK and answer.data["state"] == "running")

    async def users(self) -> list[dict[str, Any]] | None:
        """Core's users, of whom the Supervisor asks over its websocket; None while either is not up or not let in."""
        with contextlib.suppress(aiohttp.ClientError):
            answer = await self.get("/auth/list")
            if answer.status == 200:
                users: list[dict[str, Any]] = answer.data["users"]
                return users
        return None


class Socket:
    """Core's websocket as an administrator."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._id = 0
        self._heard: list[dict[str, Any]] = []

    async def command(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The whole result message of one command."""
        self._id += 1
        await self._socket.send_json({"id": self._id, "type": kind, **fields})
        async with asyncio.timeout(120):
            while True:
                message: dict[str, Any] = await self._socket.receive_json()
                if message.get("id") == self._id and message["type"] == "result":
                    return message
                self._heard.append(message)

    async def event(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first event, of those subscribed to and from now on, that is wanted."""
        async with asyncio.timeout(PATIENCE):
            while True:
                message = self._heard.pop(0) if self._heard else await self._socket.receive_json()
                if message["type"] == "event" and wanted(message["event"]):
                    event: dict[str, Any] = message["event"]
                    return event

    async def supervisor(self, method: str, endpoint: str, data: Mapping[str, Any] | None = None) -> Any:
        """A call through Core to the Supervisor, as the frontend makes it."""
        fields: dict[str, Any] = {"endpoint": endpoint, "method": method, "timeout": 120}
        if data is not None:
            fields["data"] = data
        message = await self.command("supervisor/api", **fields)
        assert message["success"], message
        return message["result"]


class Core:
    """Home Assistant Core as its first user's browser sees it."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self.url = url
        self._client = f"{url}/"
        self._token = ""

    async def enter(self) -> None:
        """Go through onboarding if nobody did, else log in."""
        code = await self._onboard() or await self._log_in()
        form = {"grant_type": "authorization_code", "code": code, "client_id": self._client}
        async with self._session.post(f"{self.url}/auth/token", data=form) as answer:
            self._token = (await answer.json())["access_token"]
        await self._finish_onboarding()

    async def get(self, path: str) -> Any:
        return await self._json("GET", path)

    async def post(self, path: str, **body: Any) -> Any:
        return await self._json("POST", path, json=body)

    async def delete(self, path: str) -> Any:
        return await self._json("DELETE", path)

    async def page(self, path: str, session: str, *, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        """Status and JSON of an add-on's page, asked with the cookie of an ingress session."""
        cookies = {"ingress_session": session}
        async with self._session.get(f"{self.url}{path}", headers=headers, cookies=cookies) as answer:
            return answer.status, await answer.json() if answer.status == HTTPStatus.OK else None

    async def pressed(self, path: str, session: str, **fields: str) -> tuple[int, str]:
        """Status and text of an add-on's page, asked as a browser does; with fields a form of it is sent."""
        method, cookies = ("POST" if fields else "GET"), {"ingress_session": session}
        async with self._session.request(
            method, f"{self.url}{path}", data=fields or None, cookies=cookies, allow_redirects=False
        ) as answer:
            return answer.status, await answer.text()

    @asynccontextmanager
    async def socket(self) -> AsyncIterator[Socket]:
        async with self._session.ws_connect(f"{self.url}/api/websocket", max_msg_size=0) as socket:
            assert (await socket.receive_json())["type"] == "auth_required"
            await socket.send_json({"type": "auth", "access_token": self._token})
            assert (await socket.receive_json())["type"] == "auth_ok"
            yield Socket(socket)

    async def _json(self, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        async with self._session.request(method, f"{self.url}{path}", headers=headers, **more) as answer:
            assert answer.status < 400, await answer.text()
            return await answer.json()

    async def _onboard(self) -> str | None:
        body = {"name": "Owner", "language": "en", "client_id": self._client, **USER}
        async with self._session.post(f"{self.url}/api/onboarding/users", json=body) as answer:
            if answer.status != 200:
                return None
            code: str = (await answer.json())["auth_code"]
            return code

    async def _finish_onboarding(self) -> None:
        """The steps after the first user; until then the frontend shows nothing else."""
        async with self._session.get(f"{self.url}/api/onboarding") as answer:
            steps = await answer.json() if answer.status == HTTPStatus.OK else []
        open_steps = {step["step"] for step in steps if not step["done"]}
        for step in ("core_config", "analytics"):
            if step in open_steps:
                await self.post(f"/api/onboarding/{step}")
        if "integration" in open_steps:
            await self.post("/api/onboarding/integration", client_id=self._client, redirect_uri=self._client)

    async def _log_in(self) -> str:
        start = {"client_id": self._client, "handler": ["homeassistant", None], "redirect_uri": self._client}
        flow = await self._json("POST", "/auth/login_flow", json=start)
        done = await self._json("POST", f"/auth/login_flow/{flow['flow_id']}", json={"client_id": self._client, **USER})
        code: str = done["result"]
        return code


def is_ready(pod: Mapping[str, Any]) -> bool:
    """Whether all containers of the pod are ready."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any((item["type"], item["status"]) == ("Ready", "True") for item in conditions)


def program_runs(pod: Mapping[str, Any]) -> bool:
    """Whether the add-on's own container works in this pod, terminating or not."""
    statuses = pod.get("status", {}).get("containerStatuses", ())
    return any(item["name"] == "addon" and "running" in item.get("state", {}) for item in statuses)


async def becomes[T](look: Callable[[], Awaitable[T]], *, what: str, within: float = PATIENCE) -> T:
    """The first truthy answer of `look`; fails with `what` and the last answer after `within` seconds."""
    deadline = time.monotonic() + within
    while True:
        answer = await look()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {within:.0f} s: {what}; last seen: {answer!r}"
        await asyncio.sleep(PAUSE)
