"""Who wants a pass of the Git pull add-on, and what is known of the passes that were."""

import asyncio
import logging
import re

import pytest

from git_pull.history import HISTORY
from git_pull.web import Ports
from tests.free_ports import free_port
from tests.unit.test_git_pull_webhook import SECRET, github

from .git_pull_house import FIRST, SLUG, Houseful, around, house, texts

__all__ = ["around", "house"]


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


async def test_a_revert(house: Houseful) -> None:
    """The same files by another commit are live by it, although nothing had to be done; a second pass finds no news."""
    await house.run()
    house.repository.commit({"configuration.yaml": "nonsense:\n"})
    assert await house.run() == 1
    house.repository.commit(dict(FIRST))
    assert [await house.run() for _ in range(2)] == [0, 0]
    assert [outcome for outcome, _ in house.runs()] == ["live", "invalid", "live", "unchanged"]
