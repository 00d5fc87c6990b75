"""Logs of real pods: runs as boots, followers that outlive a restart, pages backwards."""

import asyncio
import re

import aiohttp

from .house import Kubectl, Supervisor, becomes

CORE = ("exec", "homeassistant-0", "-c", "homeassistant", "--")


class Log:
    """Logs of one workload with the command line's token."""

    def __init__(self, session: aiohttp.ClientSession, supervisor: Supervisor, token: str, path: str) -> None:
        self._session = session
        self._headers = {"Authorization": f"Bearer {token}"}
        self.url = f"{supervisor.url}{path}/logs"

    async def page(self, rest: str = "", ranged: str = "entries=:-99:100") -> tuple[list[str], str]:
        """Lines without colours, and the cursor of the first one."""
        headers = {**self._headers, "Range": ranged}
        async with self._session.get(f"{self.url}{rest}?no_colors", headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return (await answer.text()).splitlines(), answer.headers.get("X-First-Cursor", "")

    def follow(self) -> aiohttp.client._RequestContextManager:
        timeout = aiohttp.ClientTimeout(total=None)
        return self._session.get(f"{self.url}/follow?lines=2&no_colors", headers=self._headers, timeout=timeout)


async def test_a_follower_sees_the_next_start(
    session: aiohttp.ClientSession, supervisor: Supervisor, kubectl: Kubectl, mosquitto: str
) -> None:
    """What a person watches in the UI goes on when the add-on is restarted; the run before it is a boot."""
    log = Log(session, supervisor, await kubectl.secret("supervisor-cli", "token"), f"/addons/{mosquitto}")
    assert (await supervisor.post(f"/addons/{mosquitto}/start")).status == 200

    async def spoken() -> list[str]:
        return (await log.page())[0]

    first = await becomes(spoken, what="the add-on said something")
    async with asyncio.timeout(120), log.follow() as answer:
        assert (await answer.content.readline()).decode().rstrip("\n") in first
        assert (await supervisor.post(f"/addons/{mosquitto}/restart")).status == 200
        again = await becomes(spoken, what="the add-on said something again")
        while (line := (await answer.content.readline()).decode()).rstrip("\n") != again[0]:
            assert line, "the stream has ended"
    assert (await log.page("/boots/-1"))[0][: len(first)] == first
    assert (await log.page("/boots/0"))[0][:1] == again[:1]


async def test_cores_runs_are_the_boots_of_the_house(
    session: aiohttp.ClientSession, supervisor: Supervisor, kubectl: Kubectl
) -> None:
    """A Core that ended inside its pod leaves its log as the boot before; the log is paged to its beginning."""
    log = Log(session, supervisor, await kubectl.secret("supervisor-cli", "token"), "/core")
    before = (await supervisor.get("/host/logs/boots")).data["boots"]
    assert all(re.fullmatch("[0-9a-f]{32}", boot) for boot in before.values())
    await kubectl.run(*CORE, "sh", "-c", "echo the end is near > /proc/1/fd/1; kill 1")

    async def another() -> dict[str, str]:
        boots: dict[str, str] = (await supervisor.get("/host/logs/boots")).data["boots"]
        return boots if boots.get("-1") == before["0"] else {}

    boots = await becomes(another, what="Core runs again", within=180)
    assert "the end is near" in (await log.page(f"/boots/{before['0']}", "entries=:0:"))[0]

    async def spoken() -> str:
        return (await log.page(f"/boots/{boots['0']}", "entries=:-9:10"))[1]

    cursor = await becomes(spoken, what="Core said something", within=180)
    paged, found = list[str](), ["any"]
    while found:
        found, earlier = await log.page(f"/boots/{boots['0']}", f"entries={cursor}:-5:5")
        assert earlier != cursor
        cursor, paged = earlier, found + paged
    assert (await log.page(f"/boots/{boots['0']}", "entries=:0:"))[0][: len(paged)] == paged
    await becomes(lambda: _answers(supervisor), what="Core is up again", within=180)


async def _answers(supervisor: Supervisor) -> bool:
    return await supervisor.users() is not None
