"""What the Git pull add-on needs goes away in the middle of a pass: told, nothing is lost, and it goes on by itself."""

import hashlib
import os
from collections.abc import AsyncIterator

import aiohttp
import pytest

from . import node
from .git_house import CONFIGURATION, LIVE, STATES, GitPull, House, shown
from .git_server import GitServer
from .house import Core, Kubectl, Supervisor, becomes

FILE, HELD = "e2e_outage.yaml", "/data/share/e2e-held"
FILM, LENGTH = "www/e2e-film.mp4", 4_000_000
"""A file of zeros, and how many."""
SAVED = f"{LIVE}/{CONFIGURATION}.before-outage"
WAITS = """
import time
from pathlib import Path

held, until = Path("/share/e2e-held"), time.monotonic() + 240
while held.exists() and time.monotonic() < until:
    time.sleep(0.05)


def setup(hass, config):
    return True
"""
"""An integration of the user's. As long as a file is there the check of a configuration that has it takes."""
MANIFEST = '{"domain": "e2e_waits", "name": "Waits", "version": "1.0.0", "codeowners": [], "documentation": ""}'
OURS = "app.kubernetes.io/name=supervisor"
ONE_OFF = "io.hass.type=one-off"

pytestmark = pytest.mark.timeout(600)


class Outage(House):
    """A house that follows its repository, which has one file: input booleans, by their names."""

    def __init__(self, kubectl: Kubectl, supervisor: Supervisor, core: Core) -> None:
        super().__init__(kubectl)
        self._kubectl = kubectl
        self.supervisor = supervisor
        self.core = core
        self.addon = GitPull(kubectl, supervisor)

    async def push(self, name: str) -> None:
        await self.repository.push({FILE: f"{name}: {{}}\n"})

    async def entity(self, name: str) -> None:
        """It is there, so the commit with it is live, and Core has read it."""

        async def there() -> bool:
            try:
                return bool((await self.core.get(f"{STATES}.{name}"))["state"] == "off")
            except (AssertionError, aiohttp.ClientError, ValueError):
                return False

        await becomes(there, what=f"the entity {name}", within=180)

    async def checking(self) -> None:
        """A check is under way. Until `release` it does not end."""

        async def runs() -> bool:
            return any(pod["status"]["phase"] == "Running" for pod in await self._kubectl.pods(ONE_OFF))

        await becomes(runs, what="a check under way")

    async def hold(self) -> None:
        await self.live(f"touch {HELD}")

    async def release(self) -> None:
        await self.live(f"rm -f {HELD}")

    async def tree(self) -> str:
        """Of the configuration as the add-on sees it: what of it is the repository's, and what a switch leaves."""
        return await self.addon.run(f"cat /config/{FILE}; ls -d /config/.git_pull 2>/dev/null || true")

    async def files(self) -> str:
        """Of the configuration as the add-on sees it: all names and contents."""
        return await self.addon.run("cd /config; find . | sort; find . -type f | sort | xargs sha256sum")

    async def settled(self, name: str) -> None:
        """All is as after an undisturbed change: live, read by Core, nothing open, and nothing to tell."""
        await self.entity(name)
        assert await self.tree() == f"{name}: {{}}\n"

        async def quiet() -> bool:
            return await shown(self.core) == ""

        await becomes(quiet, what="no notification any more")


@pytest.fixture
async def house(kubectl: Kubectl, supervisor: Supervisor, core: Core) -> AsyncIterator[Outage]:
    """Its first commit is live. Afterwards the configuration and Core are as before."""
    house = Outage(kubectl, supervisor, core)
    await house.repository.make()
    await house.push("before")
    waits = f"{LIVE}/custom_components/e2e_waits"
    await house.live(
        f"cp -p {LIVE}/{CONFIGURATION} {SAVED}; mkdir -p {waits};"
        f"printf '\\ninput_boolean: !include {FILE}\\ne2e_waits:\\n' >> {LIVE}/{CONFIGURATION};"
        f"printf 'before: {{}}\\n' > {LIVE}/{FILE}; printf '%s' '{MANIFEST}' > {waits}/manifest.json;"
        f"printf '%s' '{WAITS}' > {waits}/__init__.py"
    )
    await house.addon.install()
    options = {"repository": house.repository.address, "git_branch": "main"}
    await house.addon.with_options(**options, repeat={"active": True, "interval": 2})
    await house.addon.says("nothing -> ")
    yield house
    await house.addon.uninstall()
    await house.live(
        f"mv {SAVED} {LIVE}/{CONFIGURATION}; rm -rf {waits} {LIVE}/{FILE} {LIVE}/{FILM} {LIVE}/.git_pull {HELD};"
        f"rmdir --ignore-fail-on-non-empty {LIVE}/custom_components; rmdir {LIVE}/www 2>/dev/null || true"
    )
    await house.repository.remove()
    await core.post("/api/services/input_boolean/reload")


@pytest.fixture
async def git_server() -> AsyncIterator[GitServer]:
    server = GitServer()
    await server.make()
    await server.start()
    yield server
    await server.remove()


async def test_the_git_server(house: Outage, git_server: GitServer) -> None:
    """It goes while the add-on waits for it. What is live stays, the trouble is told, and what was pushed meanwhile is
    live when it is back.
    """
    await house.addon.with_options(repository=git_server.address("house"))
    await house.addon.says("unchanged: ")
    await git_server.hold()
    await house.push("after")
    log = await house.addon.log()
    await git_server.stop()
    await house.addon.says("failed: ", after=log)
    assert await house.tree() == "before: {}\n"
    assert git_server.address("house") in await shown(house.core)
    await git_server.start()
    await house.settled("after")


async def test_home_assistant(house: Outage) -> None:
    """It goes while a commit is checked. The commit is live on the disk all the same, with nothing left open; Home
    Assistant has it when it is back, and the add-on, which could not tell it, says so until then.
    """
    await house.hold()
    await house.push("after")
    await house.checking()
    log = await house.addon.log()
    assert (await house.supervisor.post("/core/stop")).status == 200
    await house.release()
    await house.addon.says("Home Assistant has not read yet what is live: ", after=log)
    assert await house.tree() == "after: {}\n"
    await house.live(f"sed -i /^e2e_waits/d {LIVE}/{CONFIGURATION}")
    assert (await house.supervisor.post("/core/start")).status == 200
    await house.settled("after")
    await house.addon.says("unchanged: ", after=log)


async def test_the_supervisor(house: Outage, kubectl: Kubectl) -> None:
    """It goes while it checks a commit. Nothing is changed; the next one is asked again, and the commit is live."""
    await house.hold()
    await house.push("after")
    await house.checking()
    log = await house.addon.log()
    await kubectl.run("delete", "pod", "-l", OURS)
    await house.addon.says("failed: ", after=log)
    assert await house.tree() == "before: {}\n"
    await becomes(house.supervisor.is_up, what="another Supervisor", within=180)
    await house.release()
    await house.settled("after")


@pytest.mark.skipif(os.environ.get("CLUSTER") == "external", reason="the node is not this machine")
async def test_the_space_of_the_disk(house: Outage, kubectl: Kubectl) -> None:
    """It runs out while the files of a commit are laid aside for the exchange. What is live stays byte for byte, with
    nothing left open, the trouble is told, and Home Assistant runs on; with space again the same commit becomes live.
    """
    await house.addon.with_options(repeat={"active": True, "interval": 600})
    await house.addon.says("unchanged: ")
    start = await home_assistants_start(kubectl)
    async with node.small_volume(await house.addon.pod(), "/config", CONFIGURATION, FILE, size="1m"):
        before = await house.files()
        await house.repository.add_zeros(FILM, LENGTH)
        await house.push("after")
        log = await house.addon.log()
        await house.addon.check()
        assert "No space left on device" in await house.addon.says("failed: ", after=log)
        assert await house.files() == before
        assert await house.tree() == await house.file(FILE) == "before: {}\n"
        assert "No space left on device" in await shown(house.core)
        assert (await house.core.get("/api/config"))["state"] == "RUNNING"
    assert await house.live(f"ls -d {LIVE}/.git_pull {LIVE}/{FILM} 2>/dev/null || true") == ""
    await house.addon.check()
    await house.settled("after")
    digest, _ = (await house.live(f"sha256sum {LIVE}/{FILM}")).split()
    assert digest == hashlib.sha256(bytes(LENGTH)).hexdigest()
    assert await home_assistants_start(kubectl) == start


async def home_assistants_start(kubectl: Kubectl) -> tuple[str, int]:
    """Another answer after each restart of Home Assistant."""
    pod = await kubectl.json("get", "pod", "homeassistant-0")
    return pod["metadata"]["uid"], sum(one["restartCount"] for one in pod["status"]["containerStatuses"])
