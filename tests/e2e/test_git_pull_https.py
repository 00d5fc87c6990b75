"""The Git pull add-on follows a repository of a house's own server: over https, by an authority of the house's own, for
those who know the password.
"""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.authority import server_pair

from .git_house import LIVE, GitPull, House, shown
from .git_server import GitServer
from .house import Core, Kubectl, Supervisor, becomes

FOLDER, FILE, USER = "e2e_https", "e2e_https/a.txt", "house"

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def house(kubectl: Kubectl) -> AsyncIterator[House]:
    """It has what the only commit of its repository has; afterwards nothing of it is left."""
    house = House(kubectl)
    await house.repository.make()
    await house.repository.push({FILE: "one"})
    await house.live(f"mkdir {LIVE}/{FOLDER}; printf one > {LIVE}/{FILE}")
    yield house
    await house.live(f"rm -rf {LIVE}/{FOLDER} {LIVE}/.git_pull")
    await house.repository.remove()


@pytest.fixture
async def server() -> AsyncIterator[GitServer]:
    server = GitServer()
    await server.make()
    yield server
    await server.remove()


@pytest.fixture
async def addon(house: House, kubectl: Kubectl, supervisor: Supervisor) -> AsyncIterator[GitPull]:
    addon = GitPull(kubectl, supervisor)
    await addon.install()
    yield addon
    await addon.uninstall()


async def test_by_https(house: House, server: GitServer, addon: GitPull, core: Core, tmp_path: Path) -> None:
    """A stranger's certificate and a wrong password are told, and change nothing. With the right ones a commit is live.
    No password is in a log or a notification, on a command line or in the environment of a process.
    """
    right, wrong = secrets.token_hex(12), secrets.token_hex(12)
    authority, pair = server_pair(tmp_path, addresses=[server.host])
    await server.certify(pair, USER, right)
    await server.start()
    address, told = server.address("house"), list[str]()

    async def says(words: str, **options: object) -> None:
        await addon.with_options(**options)
        await addon.says(words)
        told.extend((await addon.log(), await shown(core)))

    options = {"repository": address, "git_branch": "main", "restart_ignore": [FOLDER], "deployment_user": USER}
    await says("certificate", **options, deployment_password=right, repeat={"active": True, "interval": 2})
    await says("nothing -> ", certificate_authority=authority.read_text().splitlines())
    await house.repository.push({FILE: "two"})
    await says("Authentication failed", deployment_password=wrong)
    assert "Authentication failed" in told[-1]
    assert await house.file(FILE) == "one"

    await server.hold()
    await addon.with_options(deployment_password=right)

    async def processes() -> str:
        found = await addon.run("cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'")
        return found if address in found else ""

    told.append(await becomes(processes, what="a fetch that waits for the server"))
    await server.go_on()
    await addon.says("live: ")
    assert await house.file(FILE) == "two"
    told.append(await addon.log())
    assert await shown(core) == ""
    assert not [text for text in told if right in text or wrong in text]
