"""The Git pull add-on as it is shipped, in a house with our real Supervisor and a real git server.

Its program runs beside the Supervisor instead of in a pod; Core's checker is a double that looks at the candidate.
"""

import asyncio
import itertools
import json
import logging
import re
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohasupervisor import SupervisorBadRequestError
from aiohttp import web
from aiohttp.test_utils import TestServer

from git_pull.__main__ import serve
from git_pull.changes import Changes
from git_pull.disk import read_disk
from git_pull.history import HISTORY
from git_pull.switch import Switch, Target
from git_pull.tree import Entry
from git_pull.web import Ports
from tests.contract.house import Home
from tests.fakes import Behaviour
from tests.free_ports import free_port
from tests.gitserver import GitServer, Repository, git
from tests.unit.git_pull_cuts import blob
from tests.unit.test_git_pull_webhook import SECRET, github

SLUG = "k8s_git_pull"
CHECK = "homeassistant-check"
SHIPPED = Path(__file__).parents[2] / "addons"
FIRST = {"configuration.yaml": "default_config:\n", "automations.yaml": "[]\n", "packages/a.yaml": "{}\n"}


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
        """A configuration with the word `nonsense` in it is none."""
        (overlay,) = pod["spec"].get("initContainers") or [None]
        warnings = list[str]()
        if overlay is not None:
            asked = json.loads(overlay["env"][0]["value"])
            files = texts(self.home.share / asked["candidate"])
            self.checked.append(files)
            self.without.append(asked["without"])
            warnings = [f"Integration error: {path} says nonsense" for path in files if "nonsense" in files[path]]
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


@pytest.fixture
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


async def test_it_is_in_the_store(home: Home) -> None:
    """Without anybody having fetched anything; with all that its page shows. Its repository is built in."""
    store = home.client().store
    (repository,) = [found for found in await store.repositories_list() if found.slug == "k8s"]
    assert (repository.source, repository.name) == ("k8s", "Supervisor for Kubernetes")
    addon = await store.addon_info(SLUG)
    assert (addon.available, addon.repository) == (True, "k8s")
    assert [addon.icon, addon.logo, addon.documentation] == [True] * 3
    assert "2026.11.0" in await store.addon_changelog(SLUG)
    assert "first_run" in await store.addon_documentation(SLUG)
    with pytest.raises(SupervisorBadRequestError, match="Can't remove built-in repositories!"):
        await store.remove_repository("k8s")
    answer = await home.raw("POST", "/store/repositories/k8s/repair")
    assert (answer.status, answer.json["error_key"]) == (400, "store_repository_local_cannot_reset")
    options = (SHIPPED / "git_pull" / "config.yaml").read_text()
    translated = yaml.safe_load((SHIPPED / "git_pull" / "translations" / "en.yaml").read_text())["configuration"]
    assert set(translated) == set(yaml.safe_load(options)["schema"])


async def test_a_house_from_git(house: Houseful) -> None:
    """The first commit becomes the configuration; the add-on ends, and says that a restart is left to the user."""
    pod = house.core_pod()
    assert await house.run() == 0
    assert texts(house.live) == FIRST
    assert house.checked == [FIRST]
    (shown,) = house.notifications()
    assert shown is not None
    assert "has to be restarted" in shown
    assert "configuration.yaml" in shown
    assert house.core_pod() == pod


async def test_only_what_changed_is_checked_and_written(house: Houseful) -> None:
    """With everything of the user's beside it untouched; a second pass over the same commit asks nobody anything."""
    await house.run()
    own = {"secrets.yaml": "a: b\n", ".storage/auth": "{}", "packages/mine.yaml": "{}\n", "automations.yaml": "- ui\n"}
    for path, text in own.items():
        (house.live / path).parent.mkdir(exist_ok=True)
        (house.live / path).write_text(text)
    inode = (house.live / "configuration.yaml").stat().st_ino
    house.repository.commit({"packages/a.yaml": None, "packages/b.yaml": "{}\n"})
    assert await house.run() == 0
    assert await house.run() == 0
    assert house.checked[1:] == [{"packages/b.yaml": "{}\n"}]
    assert house.without[1:] == [["packages/a.yaml"]]
    kept = {path: text for path, text in FIRST.items() if path != "packages/a.yaml"}
    assert texts(house.live) == {**kept, **own, "packages/b.yaml": "{}\n"}
    assert (house.live / "configuration.yaml").stat().st_ino == inode


async def test_what_core_does_not_take_is_not_live(house: Houseful) -> None:
    """It is told in Core's words, not checked twice, and a good commit or a revert is live without further ado."""
    await house.run()
    house.home.core.forget()
    house.repository.commit({"configuration.yaml": "nonsense:\n"})
    assert await house.run() == 1
    assert await house.run() == 1
    assert texts(house.live) == FIRST
    assert len(house.checked) == 2
    shown = house.notifications()
    assert [str(text).splitlines()[-1] for text in shown] == ["Integration error: configuration.yaml says nonsense"] * 2
    (house.live / "packages" / "mine.yaml").write_text("{}\n")
    assert await house.run() == 1
    assert len(house.checked) == 3, "another file of the user's may make it valid"
    house.repository.commit({"configuration.yaml": "fixed:\n"})
    assert await house.run() == 0
    assert (house.live / "configuration.yaml").read_text() == "fixed:\n"


async def test_restarts(house: Houseful) -> None:
    """With `auto_restart` for all files but ignored ones, once for each change."""
    await house.set(auto_restart=True, restart_ignore=["packages"])
    pods = [house.core_pod()]
    for change in ({}, {}, {"packages/a.yaml": "a: {}\n"}, {"configuration.yaml": "b:\n"}, {}):
        house.repository.commit({**change})
        assert await house.run() == 0
        pods.append(house.core_pod())
    assert [before != after for before, after in itertools.pairwise(pods)] == [True, False, False, True, False]


INCLUDED = {**FIRST, "configuration.yaml": "automation: !include automations.yaml\nscript: !include scripts.yaml\n"}
CAN = [{"domain": "automation", "services": {"reload": {}}}]


def acted(house: Houseful) -> list[str]:
    """What Home Assistant was asked to do, but for notifications."""
    asked = [at.removeprefix("/api/services/") for method, at, _ in house.home.core.requests if method == "POST"]
    return [action for action in asked if not action.startswith("persistent_notification/")]


async def test_a_reload_is_enough(house: Houseful) -> None:
    """For an included file whose domain can be reloaded: Core stays up, also with `auto_restart`; else it restarts."""
    house.home.core.documents["/api/services"] = CAN
    await house.set(auto_restart=True)
    house.repository.commit({**INCLUDED})
    assert await house.run() == 0
    house.home.core.forget()
    pod = house.core_pod()
    for change in ({"automations.yaml": "- a\n", "README.md": "x"}, {"README.md": "y"}):
        house.repository.commit({**change})
        assert await house.run() == 0
    assert await house.run() == 0
    assert acted(house) == ["automation/reload"]
    assert house.core_pod() == pod
    house.repository.commit({"automations.yaml": "- b\n", "scripts.yaml": "{}\n"})
    assert await house.run() == 0
    assert acted(house) == ["automation/reload"]
    assert house.core_pod() != pod


async def test_a_reload_that_fails(house: Houseful) -> None:
    """It is told, and asked for again by the next pass; without `auto_reload` it is left to the user."""
    core = house.home.core
    core.documents["/api/services"] = CAN
    house.repository.commit({**INCLUDED})
    assert await house.run() == 0
    core.refusals["/api/services/automation/reload"] = 500
    house.repository.commit({"automations.yaml": "- a\n"})
    assert await house.run() == 1
    assert "automation/reload was answered with 500" in str(house.notifications()[-1])
    core.forget()
    core.refusals.clear()
    assert await house.run() == 0
    assert acted(house) == ["automation/reload"]
    assert house.notifications() == [None]
    await house.set(auto_reload=False)
    house.repository.commit({"automations.yaml": "- b\n"})
    assert await house.run() == 0
    assert acted(house) == ["automation/reload"]
    assert "has to be restarted for: automations.yaml" in str(house.notifications()[-1])


async def test_a_restart_that_is_owed(house: Houseful) -> None:
    """Core is busy with its database: the restart is asked for again by the next pass."""
    await house.set(auto_restart=True)
    pod = house.core_pod()
    house.home.core.migrating = True
    assert await house.run() == 1
    assert texts(house.live) == FIRST
    assert house.core_pod() == pod
    house.home.core.migrating = False
    assert await house.run() == 0
    assert house.core_pod() != pod


async def test_the_first_time_over_other_files(house: Houseful) -> None:
    """Nothing is changed and the files are listed, until the user says `adopt`; copies are kept then."""
    (house.live / "configuration.yaml").write_text("mine:\n")
    (house.live / "automations.yaml").write_text(FIRST["automations.yaml"])
    assert await house.run() == 1
    assert house.checked == []
    (shown,) = house.notifications()
    assert shown is not None
    assert "configuration.yaml" in shown
    assert "automations.yaml" not in shown
    await house.set(first_run="adopt")
    assert await house.run() == 0
    assert texts(house.live) == FIRST
    (kept,) = (house.data / "kept").iterdir()
    assert texts(kept) == {"configuration.yaml": "mine:\n"}
    (restore,) = (house.data / "restore").iterdir()
    subprocess.run(["sh", restore, house.live], check=True, timeout=30)
    before = {"configuration.yaml": "mine:\n", "automations.yaml": FIRST["automations.yaml"]}
    assert texts(house.live) == before
    assert await house.run() == 0
    assert texts(house.live) == before, "it is as the user wants it"


async def test_a_change_on_both_sides(house: Houseful) -> None:
    """`pull` changes nothing at all; `reset` takes the repository's and keeps a copy, each time."""
    await house.run()
    (house.live / "automations.yaml").write_text("- ui\n")
    house.repository.commit({"automations.yaml": "- git\n", "packages/a.yaml": "a: {}\n"})
    assert await house.run() == 1
    assert texts(house.live) == {**FIRST, "automations.yaml": "- ui\n"}
    await house.set(git_command="reset")
    assert await house.run() == 0
    assert (house.live / "automations.yaml").read_text() == "- git\n"
    (house.live / "automations.yaml").write_text("- again\n")
    assert await house.run() == 0
    assert (house.live / "automations.yaml").read_text() == "- git\n"
    copies = sorted(text for folder in (house.data / "kept").iterdir() for text in texts(folder).values())
    assert copies == ["- again\n", "- ui\n"]


@pytest.mark.parametrize(("chosen", "found"), [("ours", "- ui\n"), ("theirs", "- git\n")])
async def test_one_side_wins(house: Houseful, chosen: str, found: str) -> None:
    """Where both changed; the rest of the commit is live, and what the user alone changed stays."""
    await house.run()
    await house.set(local_changes=chosen)
    (house.live / "automations.yaml").write_text("- ui\n")
    (house.live / "configuration.yaml").write_text("mine:\n")
    house.repository.commit({"automations.yaml": "- git\n", "packages/a.yaml": "a: {}\n"})
    assert await house.run() == 0
    mine = {"automations.yaml": found, "packages/a.yaml": "a: {}\n", "configuration.yaml": "mine:\n"}
    assert texts(house.live) == mine


async def test_changes_that_are_pushed(house: Houseful) -> None:
    """To a branch; once it is merged, what the merge made of them is live, although the file differed before."""
    await house.run()
    await house.set(local_changes="commit")
    (house.live / "automations.yaml").write_text("- ui\n")
    assert await house.run() == 0
    at = house.repository.path
    assert git(at, "show", "home-assistant:automations.yaml") == "- ui"
    house.repository.commit({"automations.yaml": "- git\n"})
    assert await house.run() == 1
    assert "merge the branch home-assistant" in str(house.notifications()[-1])
    assert (house.live / "automations.yaml").read_text() == "- ui\n"
    git(at, "merge", "--quiet", "--strategy", "ours", "--message", "merged", "home-assistant")
    house.repository.commit({"automations.yaml": "- git\n- ui\n"})
    assert await house.run() == 0
    assert (house.live / "automations.yaml").read_text() == "- git\n- ui\n"


async def test_a_commit_that_nobody_signed(house: Houseful) -> None:
    """Where signatures are asked for it is not live, and that is told; what is live stays."""
    await house.run()
    await house.set(
        allowed_signers=["me@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAfuCHKVTjquxvt6CM6tdG4SLp1Btn/"]
    )
    assert await house.run() == 0
    commit = house.repository.commit({"configuration.yaml": "unsigned:\n"})
    assert await house.run() == 1
    assert texts(house.live) == FIRST
    assert f"{commit[:10]} is not signed" in str(house.notifications()[-1])
    assert [outcome for outcome, _ in house.runs()][-1] == "untrusted"


async def test_a_submodule(house: Houseful, git_server: GitServer) -> None:
    """Left out, until it is wanted; its files are live then, without a new commit, and what the user has stays."""
    theirs = git_server.repository("themes").commit({"dark.yaml": "dark: {}\n"})
    modules = '[submodule "themes"]\n\tpath = themes\n\turl = ../themes\n'
    git(house.repository.path, "update-index", "--add", "--cacheinfo", f"160000,{theirs},themes")
    (house.repository.path / "themes").mkdir()
    house.repository.commit({".gitmodules": modules})
    assert await house.run() == 0
    assert texts(house.live) == {**FIRST, ".gitmodules": modules}
    (house.live / "mine.yaml").write_text("{}\n")
    await house.set(submodules=True)
    assert await house.run() == 0
    mine = {".gitmodules": modules, "themes/dark.yaml": "dark: {}\n", "mine.yaml": "{}\n"}
    assert texts(house.live) == {**FIRST, **mine}


async def test_what_became_of_the_runs(house: Houseful, caplog: pytest.LogCaptureFixture) -> None:
    """One line in the log for each; what happened is kept, the same again is not written."""
    caplog.set_level(logging.INFO, logger="git_pull")
    await house.run()
    house.repository.commit({"README.md": "x"})
    commits = [house.repository.commit({"configuration.yaml": "nonsense:\n"})]
    for _ in range(3):
        assert await house.run() == 1
    written = (house.data / HISTORY).stat().st_mtime_ns
    (live, _), (invalid, said) = house.runs()
    assert (live, invalid) == ("live", "invalid")
    assert said.startswith(f"{commits[0][:10]} is not live")
    lines = [record.getMessage() for record in caplog.records if record.name == "git_pull.follower"]
    assert [line.partition(":")[0] for line in lines] == ["live", "invalid", "invalid", "invalid"]
    assert all("configuration.yaml says nonsense" in line for line in lines[1:])
    assert (house.data / HISTORY).stat().st_mtime_ns == written


def recovers_with(house: Houseful, word: str) -> None:
    """Core comes up in recovery mode with this word in its configuration, which its checker does not mind."""

    def config() -> dict[str, Any]:
        return {"recovery_mode": word in (house.live / "configuration.yaml").read_text()}

    house.home.core.documents["/api/config"] = config


async def test_a_commit_that_core_does_not_come_up_with(house: Houseful) -> None:
    """The one before is live again and runs, told and not tried again; another file of the user's is another try."""
    await house.set(auto_restart=True)
    recovers_with(house, "crash")
    await house.run()
    good, bad = house.core_pod(), house.repository.commit({"configuration.yaml": "crash:\n", "new.yaml": "{}\n"})
    assert await house.run() == 1
    assert texts(house.live) == FIRST
    assert house.core_pod() != good
    shown = str(house.notifications()[-1])
    assert shown.startswith(f"{bad[:10]} is not live, because with it Home Assistant did not come up")
    assert "recovery mode" in shown
    good = house.core_pod()
    assert await house.run() == 1
    assert house.core_pod() == good
    assert [outcome for outcome, _ in house.runs()] == ["live", "returned", "invalid"]
    (house.live / "packages" / "mine.yaml").write_text("{}\n")
    assert await house.run() == 1
    assert house.core_pod() != good
    (house.live / "packages" / "mine.yaml").unlink()
    good = house.core_pod()
    house.repository.commit({"configuration.yaml": "works:\n"})
    assert await house.run() == 0
    assert house.core_pod() != good
    assert texts(house.live) == {**FIRST, "configuration.yaml": "works:\n", "new.yaml": "{}\n"}


async def test_nothing_to_return_to(house: Houseful) -> None:
    """Core does not come up with the first commit: it is told, and all stays as it is."""
    await house.set(auto_restart=True)
    recovers_with(house, "default_config")
    assert await house.run() == 1
    assert texts(house.live) == FIRST
    assert "No earlier commit is known" in str(house.notifications()[-1])
    assert await house.run() == 0


async def test_a_restart_that_somebody_else_keeps_from_us(house: Houseful) -> None:
    """Core was not restarted, so nothing is known about the commit: it stays, and the restart is asked for again."""
    await house.set(auto_restart=True)
    await house.run()
    pod = house.core_pod()
    house.repository.commit({"configuration.yaml": "b:\n"})
    house.home.core.migrating = True
    assert await house.run() == 1
    house.repository.commit({"configuration.yaml": "nonsense:\n"})
    house.home.core.migrating = False
    assert await house.run() == 1
    assert house.core_pod() != pod
    assert (house.live / "configuration.yaml").read_text() == "b:\n"


async def test_another_repository(house: Houseful, git_server: GitServer) -> None:
    """It begins anew: nothing of the old one is removed."""
    await house.run()
    git_server.repository("other").commit({"other.yaml": "{}\n"})
    await house.set(repository=f"{git_server.url}/other")
    assert await house.run() == 0
    assert texts(house.live) == {**FIRST, "other.yaml": "{}\n"}


async def test_a_rewritten_history(house: Houseful) -> None:
    """A forced push is a commit like any other."""
    await house.run()
    house.repository.commit({"packages/a.yaml": None, "configuration.yaml": "forced:\n"}, force=True)
    assert await house.run() == 0
    expected = {**FIRST, "configuration.yaml": "forced:\n"}
    del expected["packages/a.yaml"]
    assert texts(house.live) == expected


async def test_a_login(house: Houseful, git_server: GitServer) -> None:
    """User and password reach the server; without, or with wrong ones, nothing is changed and none of them is told."""
    git_server.login = ("me", "s3cret/x")
    assert await house.run() == 1
    await house.set(deployment_user="me", deployment_password="wr0ng")
    assert await house.run() == 1
    assert not any("wr0ng" in str(text) for text in house.notifications())
    assert texts(house.live) == {}
    await house.set(deployment_password="s3cret/x")
    assert await house.run() == 0
    assert texts(house.live) == FIRST


async def test_it_repeats(house: Houseful) -> None:
    """Until it is ended; a server that is away for a while ends nothing."""
    await house.set(repeat={"active": True, "interval": 1})
    async with house.running() as running:
        await house.becomes("configuration.yaml", FIRST["configuration.yaml"])
        house.repository.path.rename(house.repository.path.with_name("away"))
        while not any("git fetch failed" in str(text) for text in house.notifications()):
            await asyncio.sleep(0.05)
        house.repository.path.with_name("away").rename(house.repository.path)
        house.repository.commit({"configuration.yaml": "later:\n"})
        await house.becomes("configuration.yaml", "later:\n")
    assert running.cancelled()


async def test_a_webhook(house: Houseful) -> None:
    """It wakes the add-on, which has nothing else to wait for; the figures tell."""
    house.ports = Ports(0, free_port(), free_port())
    await house.set(webhook_secret=SECRET)
    async with house.running():
        await house.becomes("configuration.yaml", FIRST["configuration.yaml"])
        house.repository.commit({"configuration.yaml": "pushed:\n"})
        body = b'{"ref": "refs/heads/main"}'
        at = f"http://127.0.0.1:{house.ports.hooks}/webhook"
        async with house.home.http.post(at, data=body, headers=github(body)) as answer:
            assert answer.status == 202
        await house.becomes("configuration.yaml", "pushed:\n")
        while 'git_pull_runs_total{outcome="live"} 2.0' not in await house.figures():
            await asyncio.sleep(0.05)


async def test_an_automation(house: Houseful) -> None:
    """What Home Assistant writes to the add-on's input starts a pass; what is not known, and its end, nothing."""
    house.told = asyncio.StreamReader()
    await house.set(webhook_secret=SECRET)
    assert (await house.home.raw("GET", f"/addons/{SLUG}/info")).data["stdin"] is True
    async with house.running():
        await house.becomes("configuration.yaml", FIRST["configuration.yaml"])
        for line, text in ((b"nonsense\n\ncheck\n", "a:\n"), (b'{"command": "check"}\n', "b:\n")):
            house.repository.commit({"configuration.yaml": text})
            house.told.feed_data(line)
            await house.becomes("configuration.yaml", text)
        house.told.feed_eof()


async def test_back_by_the_page(house: Houseful) -> None:
    """A button brings back what was live; what the repository has waits until it has another commit, also over a
    restart of the add-on.
    """
    house.ports = Ports(free_port(), 0, 0)
    await house.set(repeat={"active": True, "interval": 1})
    async with house.running():
        await house.becomes("configuration.yaml", FIRST["configuration.yaml"])
        house.repository.commit({"configuration.yaml": "worse:\n"})
        await house.becomes("configuration.yaml", "worse:\n")
        while (button := re.search('ours" value="([^"]+)".{0,50}commit" value="([^"]+)"', await house.page())) is None:
            await asyncio.sleep(0.05)
        await house.page("return", ours=button[1], commit=button[2])
        await house.becomes("configuration.yaml", FIRST["configuration.yaml"])
        while "waits, because you returned" not in await house.page():
            await asyncio.sleep(0.05)
    await house.set(repeat={"active": False, "interval": 1})
    assert await house.run() == 0
    assert texts(house.live) == FIRST
    house.repository.commit({"configuration.yaml": "better:\n"})
    assert await house.run() == 0
    assert texts(house.live) == {**FIRST, "configuration.yaml": "better:\n"}


async def test_a_switch_that_was_cut(house: Houseful, git_server: GitServer) -> None:
    """The next start ends it before it asks anybody anything, and restarts Core for it as soon as it may."""
    await house.set(auto_restart=True)
    await house.run()
    pod = house.core_pod()
    (house.data / "next").mkdir()
    (house.data / "next" / "configuration.yaml").write_text("cut:\n")
    ids = read_disk(house.live, ["configuration.yaml"], like="0" * 40).ids
    changes = Changes(write={"configuration.yaml": Entry(blob("cut:\n"))})
    commit = house.repository.commit({"configuration.yaml": "cut:\n"})
    target = Target(
        commit=commit, repository=f"{git_server.url}/house", kept=house.data / "kept", restore=house.data / "r.sh"
    )
    Switch(house.live).prepare(changes, ids, house.data / "next", target)
    git_server.login = ("nobody", "gets in")
    assert await house.run() == 1
    assert texts(house.live) == {**FIRST, "configuration.yaml": "cut:\n"}
    assert house.core_pod() == pod
    git_server.login = None
    assert await house.run() == 0
    assert house.core_pod() != pod
    assert len(house.checked) == 1


async def test_a_supervisor_that_cannot_check_candidates(house: Houseful, tmp_path: Path) -> None:
    """Others look at what is live already and say that all is well: nothing is changed then."""

    async def well(_request: web.Request) -> web.Response:
        return web.json_response({"result": "ok", "data": {"slug": SLUG, "version": "2026.11.0"}})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", well)
    async with TestServer(app) as other:
        address = str(other.make_url("")).rstrip("/")
        assert await serve(live=house.live, data=house.data, address=address, token="t", ports=Ports(0, 0, 0)) == 1
    assert texts(house.live) == {}
