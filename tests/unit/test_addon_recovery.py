"""What comes up again after its node went down, and what meets a fault that passes while it does.

A user's start is answered, with the cause where it fails. Here nobody waits for an answer: what the user had running
comes up as soon as it can.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from supervisor_k8s.errors import AddonStartError
from supervisor_k8s.model import naming
from supervisor_k8s.model.intent import Wanted, addon_key
from supervisor_k8s.model.status import AddonState
from tests.addon_house import IMAGE, SLUG, House
from tests.fakes import Behaviour, FakeCluster

ABSENT = Behaviour(pull_error="no such host")
BROKEN = Behaviour(start_error="failed to create shim task")


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """With one add-on that runs."""
    made = await House.build(tmp_path, FakeCluster())
    async with made.living():
        await made.install()
        await made.start()
        yield made


def lose(house: House, behaviour: Behaviour) -> None:
    """Its node restarts, and from then on this happens to its program."""
    house.cluster.behaviours[IMAGE] = behaviour
    (pod,) = house.pods()
    house.cluster.exit(pod["metadata"]["name"], naming.HOLD_CONTAINER, 0)


def heal(house: House) -> None:
    """What hindered it is over, and the kubelet tries again."""
    del house.cluster.behaviours[IMAGE]
    (pod,) = house.pods()
    house.cluster.run_pod(pod["metadata"]["name"])


async def in_error_anew(house: House, before: str) -> str:
    """Wait until another launch is in error; which."""
    await house.settles(lambda: house.launch().id != before and house.state() is AddonState.ERROR)
    return house.launch().id


async def test_a_fault_that_passes_does_not_stop_it(house: House) -> None:
    """No registry, say: the state is error for so long, and it runs when the kubelet's next try works."""
    before = house.launch().id
    lose(house, ABSENT)
    waiting = await in_error_anew(house, before)
    await asyncio.sleep(0.1)
    assert (house.state(), house.records.addons[SLUG].intent.wanted) == (AddonState.ERROR, Wanted.RUNNING)
    heal(house)
    await house.settles(lambda: house.state() is AddonState.STARTED)
    assert house.launch().id == waiting


async def test_one_that_waits_can_be_stopped(house: House) -> None:
    """By the user, and is stopped then."""
    before = house.launch().id
    lose(house, ABSENT)
    await in_error_anew(house, before)
    await house.stop()
    assert (house.state(), house.pods()) == (AddonState.STOPPED, [])


async def test_one_that_waits_is_started_by_its_user(house: House) -> None:
    """Who is told why it cannot start: that start is withdrawn as always."""
    before = house.launch().id
    lose(house, ABSENT)
    await in_error_anew(house, before)
    with pytest.raises(AddonStartError, match="no such host"):
        await house.start()
    assert (house.state(), house.pods()) == (AddonState.ERROR, [])
    assert house.records.addons[SLUG].intent.wanted is Wanted.STOPPED


async def test_a_pod_in_which_nobody_tries_again_is_replaced(house: House) -> None:
    """The runtime could not execute the program, and the kubelet leaves it at that: a new launch may."""
    launches = [house.launch().id]
    lose(house, BROKEN)
    for _ in range(2):
        launches.append(await in_error_anew(house, launches[-1]))
    del house.cluster.behaviours[IMAGE]
    await house.settles(lambda: house.state() is AddonState.STARTED)
    assert house.launch().id not in launches


async def test_a_pod_that_somebody_deleted_comes_up_whatever_its_boot_rule(house: House) -> None:
    """Its node is drained: the cluster makes a new pod, and the runtime there fails once."""
    await house.settings.set_user(SLUG, boot="manual")
    house.cluster.behaviours[IMAGE] = BROKEN
    house.cluster.remove("Pod", house.pods()[0]["metadata"]["name"])
    await house.settles(lambda: house.state() is AddonState.ERROR)
    del house.cluster.behaviours[IMAGE]
    await house.settles(lambda: house.state() is AddonState.STARTED)


async def test_a_restart_that_our_end_interrupted(tmp_path: Path) -> None:
    """Its user has no answer any more: our next process goes on until it runs."""
    cluster = FakeCluster()
    house = await House.build(tmp_path, cluster)
    async with house.living():
        await house.install()
        await house.start()
        before, cluster.slow_stop = house.launch().id, True
        restart = asyncio.create_task(house.restart())
        await cluster.stopping(house.pods()[0]["metadata"]["name"])
    await asyncio.gather(restart, return_exceptions=True)
    cluster.behaviours[IMAGE] = ABSENT
    cluster.end(house.pods()[0]["metadata"]["name"])
    house = await House.build(tmp_path, cluster)
    async with house.living():
        await in_error_anew(house, before)
        await asyncio.sleep(0.1)
        heal(house)
        await house.settles(lambda: house.state() is AddonState.STARTED)


async def test_an_end_that_cannot_be_noted(tmp_path: Path) -> None:
    """For a reason that nobody foresaw: the ends of other programs are noted all the same."""

    class Broken(House):
        def _render(self, key: str) -> Any:
            if key == addon_key(SLUG) and self.records.addons[SLUG].intent.wanted is Wanted.EXITED:
                raise OSError(24, "too many open files")
            return super()._render(key)

    house = await Broken.build(tmp_path, FakeCluster())
    async with house.living():
        for slug in (await house.install(), await house.install(slug="other", name="Other")):
            await house.start(slug)
            house.cluster.exit(house.pods(slug)[0]["metadata"]["name"], naming.ADDON_CONTAINER, 0)
            await house.settles(partial(has_exited, house, slug))
        await asyncio.sleep(0.1)
        await house.start("local_other")


def has_exited(house: House, slug: str) -> bool:
    return house.records.addons[slug].intent.wanted is Wanted.EXITED
