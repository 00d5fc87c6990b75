"""What the watchdogs bring back, what they leave alone, and where they stop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from supervisor_k8s.errors import CoreStartError
from supervisor_k8s.jobs import Jobs
from supervisor_k8s.model import naming
from supervisor_k8s.model.intent import job_group
from supervisor_k8s.model.status import AddonState
from supervisor_k8s.services.addon_watchdog import AddonWatchdog, Limits
from supervisor_k8s.services.core_watchdog import CoreWatchdog
from tests.addon_house import IMAGE, SLUG, House
from tests.fakes import Behaviour, FakeCluster

LIMITS = Limits(pause=0.01, attempts=3, rescues=4, period=1000, look_every=0.02)


@pytest.fixture
async def house(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """With one add-on that runs and is watched, within limits that may be given."""
    made = await House.build(tmp_path, FakeCluster())
    async with made.living(), watched(made, getattr(request, "param", LIMITS)):
        await made.install()
        await made.settings.set_user(SLUG, watchdog=True)
        await made.start()
        yield made


@asynccontextmanager
async def watched(
    house: House, limits: Limits, restart: Callable[[str], Awaitable[None]] | None = None
) -> AsyncIterator[None]:
    dog = AddonWatchdog(
        records=house.records,
        jobs=house.jobs,
        status=house.addons.status,
        restart=restart or house.addons.bring_back,
        limits=limits,
    )
    house.states.changed.connect(dog.on_state)
    async with asyncio.TaskGroup() as group:
        run = group.create_task(dog.run())
        await asyncio.sleep(0)
        try:
            yield
        finally:
            run.cancel()


def end(house: House, code: int) -> None:
    """The program ends."""
    (pod,) = house.pods()
    house.cluster.exit(pod["metadata"]["name"], naming.ADDON_CONTAINER, code)


async def rest() -> None:
    """Several times what the watchdog waits for."""
    await asyncio.sleep(0.2)


# --- add-ons --------------------------------------------------------------------------------------------------------


async def test_a_program_that_fails_is_started_again(house: House) -> None:
    """With a launch of its own."""
    before = house.launch().id
    end(house, 1)
    await house.settles(lambda: house.state() is AddonState.STARTED and house.launch().id != before)


async def test_a_program_that_failed_while_nobody_watched(tmp_path: Path) -> None:
    """Our own restart, say: its state is told before the watchdog is at work."""
    house = await House.build(tmp_path, FakeCluster())
    async with house.living():
        await house.install()
        await house.settings.set_user(SLUG, watchdog=True)
        await house.start()
        before = house.launch().id
        end(house, 1)
        await house.settles(lambda: house.state() is AddonState.ERROR)
        async with watched(house, LIMITS):
            await house.settles(partial(started_anew, house, before))


async def test_a_program_that_ends_well_stays_ended(house: House) -> None:
    end(house, 0)
    await rest()
    assert house.state() is AddonState.STOPPED


async def test_an_addon_that_is_not_watched_stays_as_it_is(house: House) -> None:
    await house.settings.set_user(SLUG, watchdog=False)
    end(house, 1)
    await rest()
    assert house.state() is AddonState.ERROR


async def test_an_addon_that_the_user_stopped_stays_stopped(house: House) -> None:
    """Whatever its program says at its end."""
    await house.stop()
    await rest()
    assert house.state() is AddonState.STOPPED


async def test_one_that_fails_at_each_start_is_given_up(house: House) -> None:
    """After as many attempts as the limits allow."""
    house.cluster.behaviours[IMAGE] = Behaviour(exit_code=1)
    launches = {house.launch().id}

    def count() -> bool:
        launches.add(house.launch().id)
        return len(launches) > LIMITS.attempts

    end(house, 1)
    await house.settles(count)
    await rest()
    count()
    assert (len(launches), house.state()) == (LIMITS.attempts + 1, AddonState.ERROR)


async def test_an_attempt_that_is_refused_is_no_reason_to_give_up(house: House) -> None:
    """Its start is withdrawn, and the next one may find what this one missed."""
    house.cluster.refused["Secret"] = "exceeded quota"
    end(house, 1)
    await house.settles(lambda: "quota" in (house.records.addons[SLUG].intent.failure or ""))
    house.cluster.refused.clear()
    await house.settles(lambda: house.state() is AddonState.STARTED)


async def test_an_attempt_that_meets_a_fault_that_passes(house: House) -> None:
    """The kubelet goes on trying: the watchdog neither ends that nor makes launch after launch."""
    before = house.launch().id
    house.cluster.behaviours[IMAGE] = Behaviour(pull_error="no such host")
    end(house, 1)
    await house.settles(lambda: house.launch().id != before and house.state() is AddonState.ERROR)
    waiting = house.launch().id
    await rest()
    del house.cluster.behaviours[IMAGE]
    house.cluster.run_pod(house.pods()[0]["metadata"]["name"])
    await house.settles(lambda: house.state() is AddonState.STARTED)
    assert house.launch().id == waiting


def started_anew(house: House, before: str) -> bool:
    return house.state() is AddonState.STARTED and house.launch().id != before


# Who fails before a rescue is over takes one of its attempts: those must not end first.
@pytest.mark.parametrize("house", [replace(LIMITS, attempts=LIMITS.rescues + 1)], indirect=True)
async def test_one_that_fails_again_and_again_is_left_alone(house: House) -> None:
    """However well each of its starts went."""
    for _ in range(LIMITS.rescues):
        before = house.launch().id
        end(house, 1)
        await house.settles(partial(started_anew, house, before))
    end(house, 1)
    await rest()
    assert house.state() is AddonState.ERROR


async def test_one_that_does_not_answer_is_started_again(house: House) -> None:
    """It runs, and nobody listens where its manifest says."""
    before = house.launch().id
    (pod,) = house.pods()
    late = {"type": "Ready", "status": "False", "lastTransitionTime": "2099-01-01T00:00:00Z"}
    house.cluster.set_status("Pod", pod["metadata"]["name"], conditions=[late])
    assert house.state() is AddonState.STARTED
    await house.settles(lambda: house.launch().id != before)
    await house.settles(lambda: house.addons.status(house.addons.get(SLUG)).ready)


async def test_a_fault_that_nobody_foresaw_is_a_failed_attempt(tmp_path: Path) -> None:
    """Of the start that a rescue asks for; all else goes on."""
    house, tried = await House.build(tmp_path, FakeCluster()), 0

    async def restart(_slug: str) -> None:
        nonlocal tried
        tried += 1
        raise OSError(28, "no space left")

    async with house.living(), watched(house, LIMITS, restart):
        await house.install()
        await house.settings.set_user(SLUG, watchdog=True)
        await house.start()
        end(house, 1)
        await house.settles(lambda: tried == LIMITS.attempts)


async def test_a_removal_that_meets_what_nobody_foresaw(tmp_path: Path) -> None:
    """Whoever ends what was begun goes on living: other add-ons are looked after."""

    class Broken(House):
        async def _forget(self, slug: str) -> None:
            self.forgotten.append(slug)
            raise OSError(28, "no space left")

    house = await Broken.build(tmp_path, FakeCluster())
    async with house.living():
        await house.install()
        with pytest.raises(OSError, match="no space"):
            await house.uninstall()
        await house.settles(lambda: len(house.forgotten) > 1)
        await house.jobs.idle(job_group(SLUG))
        await rest()
        await house.install(slug="other", name="Other")


# --- Core -----------------------------------------------------------------------------------------------------------


class Core:
    """Core as its watchdog sees it."""

    def __init__(self) -> None:
        self.instance: str | None = "pod/0"
        self.wanted, self.up, self.asked, self.restarts = True, True, 0, 0
        self.fault: Exception | None = None
        """Of a restart."""
        self.unforeseen: Exception | None = None
        """When it is asked."""
        self.meanwhile: Callable[[], None] = lambda: None
        """What happens while it is asked."""

    async def answers(self) -> bool:
        self.asked += 1
        self.meanwhile()
        if self.unforeseen:
            raise self.unforeseen
        return self.up

    async def restart(self) -> None:
        self.restarts += 1
        if self.fault:
            raise self.fault
        self.instance = f"pod{self.restarts}/0"

    async def looked(self, times: int) -> None:
        """Wait for so many looks more."""
        until = self.asked + times
        async with asyncio.timeout(10):
            while self.asked < until:
                await asyncio.sleep(0.001)


@pytest.fixture
async def core() -> AsyncIterator[Core]:
    core, jobs = Core(), Jobs()
    dog = CoreWatchdog(
        jobs=jobs,
        instance=lambda: core.instance,
        wanted=lambda: core.wanted,
        answers=core.answers,
        restart=core.restart,
        look_every=0.005,
    )
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(jobs.run()), group.create_task(dog.run())]
        yield core
        for task in tasks:
            task.cancel()


async def test_a_core_that_hangs_is_started_anew_once(core: Core) -> None:
    """After two looks that find it silent; the new one is judged when it has answered."""
    await core.looked(1)
    core.up = False
    await core.looked(6)
    assert core.restarts == 1


async def test_a_core_that_never_answered_is_waited_for(core: Core) -> None:
    """A long start is no fault; nor is one after its program ended."""
    core.up = False
    await core.looked(5)
    core.up = True
    await core.looked(1)
    core.up, core.instance = False, "pod/1"
    await core.looked(5)
    assert core.restarts == 0


async def test_a_core_that_is_not_to_be_watched(core: Core) -> None:
    """Stopped, or with its watchdog off."""
    await core.looked(1)
    core.up, core.wanted = False, False
    await rest()
    assert core.restarts == 0


@pytest.mark.parametrize("fault", [CoreStartError("no"), OSError(28, "no space left")])
async def test_a_restart_that_fails_is_no_end_of_the_watch(core: Core, fault: Exception) -> None:
    await core.looked(1)
    core.up, core.fault = False, fault
    await core.looked(6)
    assert core.restarts > 1


async def test_a_look_that_meets_what_nobody_foresaw(core: Core) -> None:
    """It says nothing about Core, and the watch goes on."""
    await core.looked(1)
    core.unforeseen = OSError(24, "too many open files")
    await core.looked(5)
    assert core.restarts == 0
    core.unforeseen, core.up = None, False
    await core.looked(6)
    assert core.restarts == 1


async def test_a_core_that_is_stopped_while_it_is_asked(core: Core) -> None:
    """Its silence is then what the user wants."""

    def stop() -> None:
        core.wanted = core.asked < until

    await core.looked(1)
    until = core.asked + 2
    core.up, core.meanwhile = False, stop
    await core.looked(2)
    await rest()
    assert core.restarts == 0
