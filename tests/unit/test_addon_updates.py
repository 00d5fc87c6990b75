"""Updates of add-ons that nobody asks for: which, when, and what becomes of those that fail."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from supervisor_k8s.errors import RefusedError
from supervisor_k8s.model.intent import InstalledAddon, job_group
from supervisor_k8s.model.status import AddonState
from supervisor_k8s.model.versions import crossed
from supervisor_k8s.services.addon_updates import AGAIN_AFTER, OLD_ENOUGH, AddonUpdates, Neighbours
from supervisor_k8s.store.catalogue import AddonFiles, Catalogue
from tests.addon_house import NEXT_IMAGE, SLUG, House
from tests.fakes import Behaviour, FakeCluster

OTHER = "local_other"
NOW = 1_795_000_000.0


class World:
    """A house whose store was read, at a time that a test chooses."""

    def __init__(self, house: House) -> None:
        self.house, self.now = house, NOW
        self.written: dict[str, float] = {}
        self.hinders = ""
        self.asked = 0
        """How often all add-ons were gone through."""
        self.updates = AddonUpdates(
            jobs=house.jobs,
            neighbours=Neighbours(
                installed=self._installed,
                catalogue=self._catalogue,
                judged_by=house.settings.judged_by,
                may=self._may,
                update=house.addons.update,
                state=house.addons.state,
            ),
            now=lambda: self.now,
        )

    async def installed(self, **manifest: Any) -> None:
        """One that runs and is to be kept up to date."""
        slug = await self.house.install(**manifest)
        await self.house.settings.set_user(slug, auto_update=True)
        await self.house.start(slug)

    def offer(self, *, age: float = OLD_ENOUGH, **manifest: Any) -> None:
        """The store has a new version for so many seconds."""
        slug = self.house.offer(**{"version": "2.0.0", **manifest})
        self.written[slug] = self.now - age

    def version(self, slug: str = SLUG) -> str:
        return str(self.house.addons.get(slug).user["version"])

    def _installed(self) -> Mapping[str, InstalledAddon]:
        self.asked += 1
        return self.house.addons.installed()

    def _catalogue(self) -> Catalogue:
        folder, nothing = PurePosixPath("x"), frozenset[str]()
        files = {
            slug: AddonFiles(Path("/store"), folder, nothing, self.written.get(slug, 0)) for slug in self.house.store
        }
        return Catalogue(addons=dict(self.house.store), files=files)

    async def _may(self, job: str) -> None:
        if self.hinders:
            raise RefusedError(f"{job}: {self.hinders}")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    house = await House.build(tmp_path, FakeCluster())
    async with house.living():
        made = World(house)
        await made.installed()
        yield made


async def test_a_new_version(world: World) -> None:
    """It is installed, and what ran runs again."""
    world.offer()
    await world.updates.look()
    assert (world.version(), world.house.state()) == ("2.0.0", AddonState.STARTED)
    assert world.house.pods()[0]["spec"]["containers"][0]["image"] == NEXT_IMAGE


async def test_the_store_was_read(world: World) -> None:
    """That is when it is looked, and once for all that happens meanwhile."""
    world.offer()
    running = asyncio.ensure_future(world.updates.run())
    await asyncio.sleep(0)
    assert world.version() == "1.0.0"
    world.updates.look_soon()
    await world.house.settles(lambda: world.version() == "2.0.0" and world.house.state() is AddonState.STARTED)
    running.cancel()


async def test_only_what_the_user_wants(world: World) -> None:
    """Others stay as they are, and so does what has no other version."""
    await world.house.install(slug="other")
    world.offer(slug="other")
    await world.updates.look()
    assert (world.version(), world.version(OTHER)) == ("1.0.0", "1.0.0")


async def test_a_look_without_anything_to_do(world: World) -> None:
    """It goes through the add-ons once, and not once for each of a thousand."""
    await world.house.install(slug="other")
    await world.updates.look()
    assert world.asked == 1


async def test_a_version_of_today(world: World) -> None:
    """Others find out first what is wrong with it."""
    world.offer(age=OLD_ENOUGH - 60)
    await world.updates.look()
    assert world.version() == "1.0.0"
    world.now += 60
    await world.updates.look()
    assert world.version() == "2.0.0"


async def test_one_that_is_in_no_store(world: World) -> None:
    """Nothing happens to an add-on that its repository gave up."""
    world.house.store.clear()
    await world.updates.look()
    assert world.version() == "1.0.0"


@pytest.mark.parametrize(
    ("breaking", "version"),
    [(["2.0.0"], "1.0.0"), (["0.9", "1.5"], "1.0.0"), (["1.0.0"], "2.0.0"), (["3.0.0"], "2.0.0")],
)
async def test_what_the_author_calls_breaking(
    world: World, breaking: list[str], version: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It is for a person to go there or beyond; the log says so once."""
    world.offer(breaking_versions=breaking)
    for _ in range(2):
        await world.updates.look()
    assert world.version() == version
    said = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    kept = (
        f"Add-on {SLUG} is not updated to 2.0.0 by itself: its author says that version {breaking[-1]} breaks something"
    )
    assert said == ([kept] if version == "1.0.0" else [])


@pytest.mark.parametrize(
    ("installed", "candidate", "found"),
    [
        ("1.9.9", "2.0.0", "2.0.0"),
        ("2.0.0", "2.1.0", None),
        ("1.0.0", "1.9.9", None),
        ("lts-1", "2.1.0", "2.0.0"),
        ("1.0.0", "lts-1", "2.0.0"),
        ("lts-1", "lts-2", None),
    ],
)
def test_a_program_that_counts_in_another_way_now(installed: str, candidate: str, found: str | None) -> None:
    """What cannot be compared with a breaking version lies on the other side of it than what can."""
    assert crossed(["2.0.0"], installed, candidate) == found


@pytest.mark.parametrize(
    ("manifest", "version"),
    [
        ({"schema": {"name": "str"}}, "1.0.0"),
        ({"schema": {"level": "int(1,3)"}, "options": {}}, "1.0.0"),
        ({"schema": {"level": "int", "name": "str"}, "options": {"name": "new"}}, "2.0.0"),
        ({"schema": {"other": "str?"}}, "2.0.0"),
        ({"schema": False}, "2.0.0"),
    ],
)
async def test_options_that_no_longer_fit(world: World, manifest: dict[str, Any], version: str) -> None:
    """What the user chose is held against the new manifest, over its defaults; until it fits, the old one runs."""
    await world.house.install(slug="other", schema={"level": "int"}, options={"level": 1})
    await world.house.settings.change(OTHER, {"options": {"level": 5}, "auto_update": True})
    world.offer(slug="other", **manifest)
    await world.updates.look()
    assert world.version(OTHER) == version


async def test_one_that_fails(world: World) -> None:
    """Its old version goes on, others are updated, and it is not tried again before upstream would."""
    await world.installed(slug="other")
    world.offer()
    world.offer(slug="other", image="ghcr.io/example/app-other")
    world.house.cluster.behaviours[NEXT_IMAGE] = Behaviour(pull_error="no such tag")
    pod = world.house.pods()[0]["metadata"]["uid"]
    await world.updates.look()
    assert (world.version(), world.house.pods()[0]["metadata"]["uid"]) == ("1.0.0", pod)
    assert (world.version(OTHER), world.house.state(OTHER)) == ("2.0.0", AddonState.STARTED)

    del world.house.cluster.behaviours[NEXT_IMAGE]
    world.now += AGAIN_AFTER - 1
    await world.updates.look()
    assert world.version() == "1.0.0"
    world.now += 1
    await world.updates.look()
    assert world.version() == "2.0.0"


async def test_a_newer_version_than_the_one_that_failed(world: World) -> None:
    """It is tried as any other."""
    world.offer()
    world.house.cluster.behaviours[NEXT_IMAGE] = Behaviour(pull_error="no such tag")
    await world.updates.look()
    world.offer(version="2.0.1")
    await world.updates.look()
    assert world.version() == "2.0.1"


async def test_when_nothing_may_be_updated(world: World) -> None:
    """For want of space, say: it is looked again when the store was read the next time."""
    world.offer()
    world.hinders = "not enough free space"
    await world.updates.look()
    assert world.version() == "1.0.0"
    world.hinders = ""
    await world.updates.look()
    assert world.version() == "2.0.0"


async def test_one_that_somebody_works_on(world: World) -> None:
    """Their work ends first; what they switched off meanwhile is not updated."""
    world.offer()
    may_end = asyncio.Event()

    async def work(_: object) -> None:
        await may_end.wait()
        await world.house.settings.set_user(SLUG, auto_update=False)

    theirs = asyncio.create_task(world.house.jobs.do("test", SLUG, job_group(SLUG), work))
    await asyncio.sleep(0)
    look = asyncio.create_task(world.updates.look())
    await asyncio.sleep(0.01)
    assert not look.done()
    may_end.set()
    await asyncio.gather(theirs, look)
    assert world.version() == "1.0.0"


async def test_one_that_is_stopped(world: World) -> None:
    """It is updated and stays stopped."""
    await world.house.stop()
    world.offer()
    await world.updates.look()
    assert (world.version(), world.house.state()) == ("2.0.0", AddonState.STOPPED)
