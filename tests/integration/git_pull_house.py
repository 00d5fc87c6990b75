"""The Git pull add-on as it is shipped, in a house with our real Supervisor and a real git server.

Its program runs beside the Supervisor instead of in a pod; Core's checker is a double that looks at the candidate.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from git_pull.__main__ import serve
from git_pull.history import HISTORY
from git_pull.web import Ports
from tests.contract.house import Home
from tests.fakes import Behaviour
from tests.gitserver import GitServer, Repository

SLUG = "k8s_git_pull"
CHECK = "homeassistant-check"
SHIPPED = Path(__file__).parents[2] / "addons"
FIRST = {"configuration.yaml": "default_config:\n", "automations.yaml": "[]\n", "packages/a.yaml": "{}\n"}
UNREADABLE = "["


class Houseful:
    """The add-on, installed and started as a user would; `run` is one start of its program."""

    def __init__(self, home: Home, repository: Repository) -> None:
        self.home = home
        self.repository = repository
        self.live = home.share / "homeassistant"
        self.data = home.share / "addons" / "data" / SLUG
        self.ports = Ports(0, 0, 0)
        self.told: asyncio.StreamReader | None = None
        self.checked: list[dict[str, str]] = []
        """What each candidate had."""
        self.without: list[list[str]] = []
        home.cluster.programs[CHECK] = self._check

    def _check(self, pod: Mapping[str, Any]) -> Behaviour:
        """A file with the word `nonsense` in it is warned of; live, UNREADABLE cannot be parsed."""
        (overlay,) = pod["spec"].get("initContainers") or [None]
        warnings = list[str]()
        if overlay is not None:
            asked = json.loads(overlay["env"][0]["value"])
            files = texts(self.home.share / asked["candidate"])
            self.checked.append(files)
            self.without.append(asked["without"])
            warnings = [f"Integration error: {path} says nonsense" for path in files if "nonsense" in files[path]]
        elif texts(self.live).get("configuration.yaml") == UNREADABLE:
            return Behaviour(exit_code=1, says=("Fatal error while loading config: expected the node content",))
        result = {"errors": {}, "warnings": {"x": warnings}, "components": []}
        return Behaviour(exit_code=0, says=tuple(json.dumps(result, indent=2).splitlines()))

    async def set(self, **options: Any) -> None:
        info = await self.home.raw("GET", f"/addons/{SLUG}/info")
        body = {"options": {**info.data["options"], **options}}
        assert (await self.home.raw("POST", f"/addons/{SLUG}/options", json=body)).status == 200
        assert (await self.home.raw("POST", f"/addons/{SLUG}/restart")).status == 200

    async def run(self) -> int:
        token = self.home.addon_token(SLUG)
        return await serve(
            live=self.live, data=self.data, address=self.home.url, token=token, ports=self.ports, told=self.told
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[int]]:
        """For as long as it takes; then it is ended."""
        running = asyncio.create_task(self.run())
        try:
            async with asyncio.timeout(60):
                yield running
        finally:
            running.cancel()
            await asyncio.wait({running})

    async def figures(self) -> str:
        async with self.home.http.get(f"http://127.0.0.1:{self.ports.figures}/metrics") as answer:
            return await answer.text()

    async def page(self, button: str | None = None, **fields: str) -> str:
        """As ingress asks for it; the page that a button leads to is another one's affair."""
        entry = (await self.home.raw("GET", f"/addons/{SLUG}/info")).data["ingress_entry"]
        headers, at = {"X-Ingress-Path": entry}, f"http://127.0.0.1:{self.ports.page}/{button or ''}"
        method = "GET" if button is None else "POST"
        async with self.home.http.request(
            method, at, headers=headers, data=fields or None, allow_redirects=False
        ) as answer:
            assert answer.status == (200 if button is None else 303)
            return await answer.text()

    async def becomes(self, path: str, text: str) -> None:
        """This file of the configuration has this text."""
        place = self.live / path
        while not (place.exists() and place.read_text() == text):
            await asyncio.sleep(0.05)

    def notifications(self) -> list[str | None]:
        """What was shown in Home Assistant; None: it was taken away."""
        path = "/api/services/persistent_notification/"
        asked = [(at, body) for _, at, body in self.home.core.requests if at.startswith(path)]
        return [body.get("message") for at, body in asked]

    def runs(self) -> list[tuple[str, ...]]:
        """What is known of the last ones: outcome, and what had to be said."""
        return [(run["outcome"], run["said"]) for run in json.loads((self.data / HISTORY).read_text())]

    def core_pod(self) -> str:
        """Another one after each restart."""
        pod = self.home.cluster.get("Pod", "homeassistant-0")
        assert pod is not None
        return str(pod["metadata"]["uid"])


def texts(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def around() -> dict[str, Any]:
    """Our add-ons, as they come with our image."""
    return {"shipped": SHIPPED}


@pytest.fixture
async def house(home: Home, git_server: GitServer) -> Houseful:
    """With an empty configuration; the repository has a first commit."""
    repository = git_server.repository("house")
    repository.commit(dict(FIRST))
    await home.install(SLUG)
    house = Houseful(home, repository)
    house.live.mkdir(exist_ok=True)
    await house.set(repository=f"{git_server.url}/house", git_branch="main")
    return house
