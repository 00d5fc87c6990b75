"""Secrets never: everything that can hold one goes through the house, and then everything that people read is searched.

Searched are all records of the log from DEBUG on, every error answer, `/metrics`, jobs and issues, the events that Core
gets, every object in the cluster that is no Secret, the command lines of all processes, and the shared volume but for
the files that are there to hold them.
"""

import asyncio
import io
import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest

from supervisor_k8s import log
from supervisor_k8s.errors import ClusterRefusedError, ClusterUnavailableError
from supervisor_k8s.model import naming
from tests.contract.house import CLI_TOKEN, Answer, Home
from tests.fakes import Behaviour
from tests.gitserver import GitServer

BROKER, PANEL = "core_mosquitto", "core_panel"
IMAGE = "example.test/amd64-app-mosquitto:7.1.0"
YAML, OPTION, MQTT, REFRESH = "yamlSENTINELvalue", "optionSENTINELvalue", "mqttSENTINELvalue", "refreshSENTINELvalue"
LOGIN, FOREIGN, GIT, DISCOVERY = "loginSENTINELvalue", "foreignSENTINELvalue", "gitSENTINELvalue", "discoSENTINELvalue"
REGISTRY = "registrySENTINELvalue"
GIVEN = (YAML, OPTION, MQTT, REFRESH, LOGIN, FOREIGN, GIT, DISCOVERY, REGISTRY)


@dataclass
class Witness:
    """Sees what people would see. `seen` is (where, text)."""

    home: Home
    log: io.StringIO
    seen: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=lambda: {CLI_TOKEN})

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """A request whose answer is kept when it is an error."""
        answer = await self.home.raw(method, path, **options)
        if answer.status >= 400:
            self.seen.append((f"{method} {path}", f"{answer.text} {answer.headers}"))
        self.look()
        return answer

    def look(self) -> None:
        """What the cluster holds now, and which tokens there are."""
        for (kind, name), live in list(self.home.cluster._objects.items()):
            if kind == "Secret":
                self.tokens |= {self.home._token(name)} if naming.LABEL_LAUNCH in live["metadata"]["labels"] else set()
            else:
                self.seen.append((f"{kind} {name}", orjson.dumps(live).decode()))

    async def everything(self) -> list[tuple[str, str]]:
        """What was seen on the way, and what can be read now."""
        for path in ("/jobs/info", "/resolution/info", "/store", "/store/repositories", "/supervisor/info", "/info"):
            self.seen.append((path, (await self.home.raw("GET", path)).text))
        async with self.home.http.get(self.home.metrics_url) as page:
            self.seen.append(("/metrics", await page.text()))
        for slug in (BROKER, PANEL):
            shown = (await self.home.raw("GET", f"/addons/{slug}/info")).text
            self.seen.append((f"info of {slug}", shown.replace(OPTION, "(an option, as it was posted)")))
        self.seen += [("event", orjson.dumps(event).decode()) for event in self.home.core.events]
        return [*self.seen, *(("log", line) for line in self.log.getvalue().splitlines())]

    def leaks(self, seen: list[tuple[str, str]]) -> list[tuple[str, str]]:
        secrets = {*GIVEN, *self.tokens}
        return [(where, secret) for where, text in seen for secret in secrets if secret in text]


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """All of our log in both of its forms, set up as the product does."""
    root, ours = logging.getLogger(), logging.getLogger(log.OURS)
    before = (list(root.handlers), root.level, ours.level)
    root.handlers = []
    made = io.StringIO()
    log.set_up(made, level="debug", form="text")
    (text,) = root.handlers
    log.set_up(made, level="debug", form="json")
    root.addHandler(text)
    yield made
    root.handlers = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])
    logging.captureWarnings(capture=False)


@pytest.fixture
async def witness(stream: io.StringIO, home: Home) -> Witness:
    """The house with a witness in it; Core's secrets.yaml is there, and our log tells all."""
    (home.share / "homeassistant").mkdir(parents=True, exist_ok=True)
    (home.share / "homeassistant" / "secrets.yaml").write_text(f"broker: {YAML}\nbroken: [\n")
    (home.share / "homeassistant" / "secrets.yaml").write_text(f"broker: {YAML}\n")
    await home.raw("POST", "/supervisor/options", json={"logging": "debug"})
    witness = Witness(home, stream)
    await witness.ask("POST", f"/store/addons/{BROKER}/install")
    await witness.ask("POST", f"/store/addons/{PANEL}/install")
    return witness


def logins(*passwords: Any) -> dict[str, Any]:
    entries = [{"username": "me", "password": password} for password in passwords]
    return {"options": {"logins": entries, "require_certificate": False}}


async def test_options(witness: Witness) -> None:
    """Options with a password and with a reference; refused ones; a start that gets them, one that fails."""
    options = f"/addons/{BROKER}/options"
    assert (await witness.ask("POST", options, json=logins(OPTION, "!secret broker"))).status == 200
    for wrong in (
        logins(OPTION, "!secret nothing"),
        logins(OPTION, [OPTION]),
        {"options": {"logins": OPTION, "require_certificate": OPTION}},
        {"options": [OPTION]},
        {"options": {"logins": [{"password": OPTION}]}},
    ):
        assert (await witness.ask("POST", options, json=wrong)).status == 400
        await witness.ask("POST", f"/addons/{BROKER}/options/validate", json=wrong.get("options"))
    assert (await witness.ask("POST", f"/addons/{BROKER}/start")).status == 200
    given = (witness.home.share / "addons" / "data" / BROKER / "options.json").read_text()
    assert OPTION in given
    assert YAML in given
    await witness.ask("POST", f"/addons/{BROKER}/restart")
    witness.home.cluster.behaviours[IMAGE] = Behaviour(exit_code=3)
    assert (await witness.ask("POST", f"/addons/{BROKER}/restart")).status == 400
    witness.home.cluster.behaviours[IMAGE] = Behaviour(pull_error="no such image")
    assert (await witness.ask("POST", f"/addons/{BROKER}/start")).status == 400
    assert [] == witness.leaks(await witness.everything())


async def test_tokens(witness: Witness) -> None:
    """Tokens of Core, of add-ons and foreign ones; in headers, in paths, in queries; of launches that are over."""
    await witness.ask("POST", f"/addons/{PANEL}/start")
    token = witness.home.addon_token(PANEL)
    for path in ("/info", "/addons/self/info", "/core/restart", "/nowhere", f"/nowhere/{FOREIGN}"[:9]):
        await witness.ask("GET", path, token=FOREIGN)
        await witness.ask("GET", path, token=token)
        await witness.ask("GET", f"{path}/../{'x' * 4}?token=<script>", token=token)
    await witness.ask("POST", f"/addons/{PANEL}/stop")
    await witness.ask("GET", "/info", token=token)
    await witness.ask("POST", "/core/restart", token=CLI_TOKEN)
    await witness.ask("POST", "/core/options", json={"refresh_token": REFRESH, "port": 8123})
    await witness.ask("POST", "/core/options", json={"refresh_token": [REFRESH]})
    await witness.ask("POST", "/core/options", json={"refresh_token": REFRESH, "port": "none"})
    assert len(witness.tokens) >= 4
    assert [] == witness.leaks(await witness.everything())


async def test_services_and_discovery(witness: Witness) -> None:
    """What add-ons publish for one another: accepted, twice, malformed, withdrawn; only whoever may read it does."""
    home = witness.home
    for slug in (BROKER, PANEL):
        await witness.ask("POST", f"/addons/{slug}/start")
    token = home.addon_token(BROKER)
    service = {"host": "core-mosquitto", "port": 1883, "username": "me", "password": MQTT}
    for body in (
        service,
        service,
        {"password": MQTT},
        {**service, "password": [MQTT]},
        {**service, "port": 0},
        [service],
    ):
        await witness.ask("POST", "/services/mqtt", token=token, json=body)
    read = await home.raw("GET", "/services/mqtt", token=home.addon_token(PANEL), json={})
    assert read.data["password"] == MQTT
    discovered = {"service": "mqtt", "config": {"host": "h", "port": 1, "password": DISCOVERY}}
    for message in (discovered, {**discovered, "service": "other"}, {"config": DISCOVERY}, {**discovered, "extra": 1}):
        await witness.ask("POST", "/discovery", token=token, json=message)
    home.core.refusals = {"/api/hassio_push/discovery": 500}
    await witness.ask("POST", "/discovery", token=token, json={**discovered, "config": {"password": DISCOVERY}})
    await witness.ask("POST", f"/addons/{BROKER}/uninstall", json={"remove_config": True})
    witness.seen += [("push", orjson.dumps(body).decode()) for _, path, body in home.core.requests if "push" in path]
    await home.install(BROKER)
    assert [] == witness.leaks(await witness.everything())


async def test_logins(witness: Witness) -> None:
    """Users' passwords on their way to Core: let in, refused, malformed, with Core out of order."""
    await witness.ask("POST", f"/addons/{BROKER}/start")
    home, path = witness.home, "/api/hassio_auth"
    given = {"username": "me", "password": LOGIN}
    for status in (200, 401, 500):
        home.core.refusals = {} if status == 200 else {path: status, f"{path}/password_reset": status}
        await witness.ask("POST", "/auth", token=home.addon_token(BROKER), json=given)
        await witness.ask("POST", "/auth/reset", json=given)
    await witness.ask("POST", "/auth", token=home.addon_token(BROKER), json={"username": 5, "password": [LOGIN]})
    await witness.ask("POST", "/auth/reset", json={"username": "me", "password": [LOGIN]})
    await witness.ask("POST", "/auth/reset", json={"password": LOGIN})
    await witness.ask("POST", "/auth/reset", data=f'{{"password": "{LOGIN}"')
    assert [] == witness.leaks(await witness.everything())


async def test_repositories(witness: Witness, tmp_path: Path) -> None:
    """A store whose address has a password: added, added twice, refreshed in vain, removed."""
    (tmp_path / "git").mkdir()
    server = GitServer(tmp_path / "git")
    server.repository("store").commit({"repository.yaml": "name: Private\n"})
    server.login = ("me", GIT)
    body = {"repository": f"http://me:{GIT}@{server.host}/store"}
    with server.running():
        assert (await witness.ask("POST", "/store/repositories", json=body)).status == 200
        assert (await witness.ask("POST", "/store/repositories", json=body)).status == 409
        server.login = ("me", "changed")
        await witness.ask("POST", "/store/reload")
        (added,) = [
            entry for entry in (await witness.ask("GET", "/store/repositories")).data if entry["name"] == "Private"
        ]
        await witness.ask("POST", f"/store/repositories/{added['slug']}/repair")
        witness.seen.append(("/store", (await witness.home.raw("GET", "/store")).text))
        await witness.ask("DELETE", f"/store/repositories/{added['slug']}")
    assert "cannot be refreshed" in witness.log.getvalue()
    assert [] == witness.leaks(await witness.everything())


async def test_repository_that_fails(witness: Witness) -> None:
    """What shows while git works, and when it fails."""
    hanging = asyncio.Event()
    commands: list[str] = []

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hanging.set()
        commands.extend(command_lines())
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"http://me:{GIT}@127.0.0.1:{port}/store.git"
        assert (await witness.ask("POST", "/store/repositories", json={"repository": url})).status == 400
        assert hanging.is_set()
        assert any("git" in command and str(port) in command for command in commands)
        await witness.ask("POST", "/supervisor/options", json={"addons_repositories": [url]})
        await witness.ask("DELETE", "/store/repositories/none")
    witness.seen += [("a command line", command) for command in commands]
    assert [] == witness.leaks(await witness.everything())


async def test_registries(witness: Witness) -> None:
    """Logins of image registries: kept, replaced, malformed, with a cluster that refuses them, read, removed."""
    path, login = "/docker/registries", {"username": "me", "password": REGISTRY}
    for body in (
        {"a.test": login, "b.test": login},
        {"a.test": {**login, "username": [REGISTRY]}},
        {"a.test": {**login, "passwort": REGISTRY}},
        {"a.test": REGISTRY},
        [REGISTRY],
        {"a.test": {**login, "username": REGISTRY * 40_000}},
    ):
        await witness.ask("POST", path, json=body)
    await witness.ask("POST", path, data=f'{{"a.test": "{REGISTRY}"')
    witness.home.cluster.fail("apply", ClusterRefusedError("no"))
    await witness.ask("POST", path, json={"c.test": login})
    await witness.ask("POST", f"/addons/{PANEL}/start")
    for shown in (path, "/docker/info"):
        witness.seen.append((shown, (await witness.home.raw("GET", shown)).text))
    await witness.ask("DELETE", f"{path}/a.test")
    assert "me" in str(witness.seen)
    assert [] == witness.leaks(await witness.everything())


async def test_cluster_errors(witness: Witness) -> None:
    """An API server that refuses, is away, or answers with something nobody foresaw, while a launch has a token."""
    for error in (ClusterRefusedError("no"), KeyError("spec"), ClusterUnavailableError("away")):
        witness.home.cluster.fail("apply", error)
        assert (await witness.ask("POST", f"/addons/{PANEL}/start")).status >= 400
        await witness.ask("POST", f"/addons/{PANEL}/stop")
    assert "Traceback" in witness.log.getvalue()
    assert [] == witness.leaks(await witness.everything())


async def test_volumes(witness: Witness) -> None:
    """On the shared volume a secret lies only where its owner expects it; our own files are for us alone."""
    await witness.ask("POST", f"/addons/{BROKER}/options", json=logins(OPTION, "!secret broker"))
    await witness.ask("POST", f"/addons/{BROKER}/start")
    await witness.ask("POST", "/core/options", json={"refresh_token": REFRESH})
    witness.look()
    share, state = witness.home.share, witness.home.folder / "state"
    expected = {share / "homeassistant" / "secrets.yaml", share / "addons" / "data" / BROKER / "options.json"}
    files = [path for path in share.rglob("*") if path.is_file()]
    found = [(str(path), path.read_text(errors="replace")) for path in files if path not in expected]
    assert [] == witness.leaks(found)
    assert 0o600 == stat.S_IMODE((share / "addons" / "data" / BROKER / "options.json").stat().st_mode)
    holding = [path for path in state.rglob("*.json") if witness.leaks([("", path.read_text())])]
    assert holding
    assert {0o600} == {stat.S_IMODE(path.stat().st_mode) for path in holding}


def command_lines() -> list[str]:
    """Of every process that this one began, and of theirs; what others do on this machine is not our secret."""
    parents, lines = dict[str, str](), dict[str, str]()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[folder.name] = (folder / "stat").read_text().rpartition(")")[2].split()[1]
            lines[folder.name] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it ended meanwhile

    def ours(process: str) -> bool:
        while process in parents and process != str(os.getpid()):
            process = parents[process]
        return process == str(os.getpid())

    return [line for process, line in lines.items() if ours(process)]
