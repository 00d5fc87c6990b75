"""The configuration from git, by our own add-on: from the store to an entity of real Core."""

import shlex
from collections.abc import AsyncIterator

import aiohttp
import pytest

from .house import Core, Kubectl, Supervisor, becomes

SLUG = "k8s_git_pull"
ADDRESS = "http://git-server.git-server.svc.cluster.local/house.git"
CONFIGURATION, ADDED, TEXT = "configuration.yaml", "e2e_git.yaml", "E2E.md"
LIVE, SAVED = "/data/homeassistant", "/data/homeassistant/configuration.yaml.before-git"
STATES = "/api/states/input_boolean"

pytestmark = pytest.mark.timeout(900)


class House:
    """The live configuration, and the repository it comes from, in the cluster's git server."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self._server = Kubectl("git-server")

    async def live(self, script: str) -> str:
        """Run by a shell in the Supervisor's pod, which has the whole volume."""
        return await self._kubectl.run("exec", "deployment/supervisor", "--", "sh", "-ec", script)

    async def served(self, script: str) -> str:
        """Run by a shell beside the git server."""
        return await self._server.run("exec", "deployment/git-server", "--", "sh", "-ec", script)

    async def push(self, files: dict[str, str]) -> None:
        writes = "".join(f"printf %s {shlex.quote(text)} > {path}; " for path, text in files.items())
        identity = "-c user.name=tests -c user.email=tests@supervisor-k8s.example"
        await self.served(
            f"cd /tmp/house; {writes} git add .; git {identity} commit -qm change; git push -q origin main"
        )

    async def file(self, name: str) -> str:
        return await self.live(f"cat {LIVE}/{name} 2>/dev/null || true")


@pytest.fixture
async def house(kubectl: Kubectl, supervisor: Supervisor, core: Core) -> AsyncIterator[House]:
    """An empty repository; afterwards the configuration and Core are as before."""
    house = House(kubectl)
    await house.served(
        "rm -rf /srv/git/house.git /tmp/house; git init -q --bare -b main /srv/git/house.git;"
        "git clone -q /srv/git/house.git /tmp/house; cd /tmp/house; git checkout -q -B main"
    )
    await house.live(f"cp -p {LIVE}/{CONFIGURATION} {SAVED}")
    yield house
    await supervisor.post(f"/addons/{SLUG}/uninstall")
    await house.live(f"mv {SAVED} {LIVE}/{CONFIGURATION}; rm -rf {LIVE}/{ADDED} {LIVE}/{TEXT} {LIVE}/.git_pull")
    await house.served("rm -rf /srv/git/house.git /tmp/house")
    assert (await supervisor.post("/core/restart")).status == 200


async def test_a_house_follows_its_repository(
    house: House, kubectl: Kubectl, supervisor: Supervisor, core: Core
) -> None:
    """A good commit is live, by a restart of Core where it needs one, else by a reload; a bad one is not, and Core runs
    on; the next good one is live.
    """
    configuration = await house.file(CONFIGURATION)
    own = set((await house.live(f"find {LIVE}/.storage -type f")).split())
    assert (await supervisor.post(f"/store/addons/{SLUG}/install")).status == 200
    options = (await supervisor.get(f"/addons/{SLUG}/info")).data["options"]
    await house.push({CONFIGURATION: configuration, TEXT: "of a house"})
    options |= {
        "repository": ADDRESS, "git_branch": "main", "auto_restart": True, "repeat": {"active": True, "interval": 2},
    }  # fmt: skip
    assert (await supervisor.post(f"/addons/{SLUG}/options", options=options)).status == 200
    assert (await supervisor.post(f"/addons/{SLUG}/start")).status == 200

    async def there() -> bool:
        return await house.file(TEXT) == "of a house"

    await becomes(there, what="the new file is live", within=180)
    pod = await core_pod(kubectl)

    with_entity = f"{configuration}\ninput_boolean: !include {ADDED}\n"
    await house.push({CONFIGURATION: with_entity, ADDED: "from_git: {}\n"})

    async def entity(name: str) -> bool:
        try:
            return bool((await core.get(f"{STATES}.{name}"))["state"] == "off")
        except (AssertionError, aiohttp.ClientError, ValueError):
            return False

    await becomes(lambda: entity("from_git"), what="the entity of the new configuration", within=300)
    assert await core_pod(kubectl) != pod
    pod = await core_pod(kubectl)

    await house.push({CONFIGURATION: f"{with_entity}\nno_such_integration_git:\n"})

    async def told() -> bool:
        return "no_such_integration_git" in (await supervisor.get(f"/addons/{SLUG}/logs")).body["message"]

    await becomes(told, what="Core's complaint in the add-on's log", within=180)
    assert await house.file(CONFIGURATION) == with_entity
    await house.push({CONFIGURATION: with_entity, ADDED: "from_git: {}\nlater: {}\n"})
    await becomes(lambda: entity("later"), what="an entity of the good commit after the bad one", within=180)
    assert await core_pod(kubectl) == pod
    assert await house.file(CONFIGURATION) == with_entity
    assert own <= set((await house.live(f"find {LIVE}/.storage -type f")).split())


async def core_pod(kubectl: Kubectl) -> str:
    uid: str = (await kubectl.json("get", "pod", "homeassistant-0"))["metadata"]["uid"]
    return uid
