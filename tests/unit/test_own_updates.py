"""Updates of ourselves that nobody asked for."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from supervisor_k8s.errors import OwnUpdateError, RefusedError
from supervisor_k8s.jobs import Jobs
from supervisor_k8s.services.own_updates import OwnUpdates


class Channel:
    """A version file, and what came of it."""

    def __init__(self, jobs: Jobs) -> None:
        self.newest, self.offered = ("2026.12.0", True), ("2026.11.0", False)
        self.hinders: dict[str, str] = {}
        self.updates: list[str] = []
        self.fails = False
        self.undone: str | None = None
        self.updated = asyncio.Event()
        self.own = OwnUpdates(
            jobs=jobs,
            reload=self._reload,
            offered=lambda: self.offered,
            undone=lambda: self.undone,
            may=self._may,
            update=self._update,
            every=0.01,
        )

    async def _reload(self) -> None:
        self.offered = self.newest

    async def _may(self, job: str) -> None:
        if job in self.hinders:
            raise RefusedError(self.hinders[job])

    async def _update(self, on_stage: Callable[[str], None]) -> None:
        on_stage("check")
        self.updates.append(self.offered[0])
        if len(self.updates) > 1:
            self.updated.set()
        if self.fails:
            raise OwnUpdateError("Update of Supervisor failed")


@pytest.fixture
async def channel() -> AsyncIterator[Channel]:
    jobs = Jobs()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(jobs.run())
        await asyncio.sleep(0)
        yield Channel(jobs)
        running.cancel()


async def test_a_new_version(channel: Channel) -> None:
    """What the file says now counts, not what was known before."""
    await channel.own.look()
    assert channel.updates == ["2026.12.0"]


async def test_no_new_version(channel: Channel) -> None:
    """Nothing happens."""
    channel.newest = ("2026.11.0", False)
    await channel.own.look()
    assert channel.updates == []


async def test_one_that_may_not_be(channel: Channel) -> None:
    """Because the user switched them off, for example: nothing happens."""
    channel.hinders["tasks_update_supervisor"] = "supervisor auto updates disabled"
    await channel.own.look()
    assert channel.updates == []


async def test_one_that_was_undone(channel: Channel) -> None:
    """It is not tried again by itself; the next one is."""
    channel.undone = "2026.12.0"
    await channel.own.look()
    assert channel.updates == []
    channel.newest = ("2026.12.1", True)
    await channel.own.look()
    assert channel.updates == ["2026.12.1"]


async def test_one_that_fails_is_tried_again(channel: Channel) -> None:
    """At the next look, and not before."""
    channel.fails = True
    running = asyncio.ensure_future(channel.own.run())
    async with asyncio.timeout(30):
        await channel.updated.wait()
    assert not running.done()
    running.cancel()
