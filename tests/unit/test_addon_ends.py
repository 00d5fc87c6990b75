"""What becomes of an add-on whose program ends by itself."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from supervisor_k8s.model import naming
from supervisor_k8s.model.intent import Wanted
from supervisor_k8s.model.status import AddonState
from tests.addon_house import SLUG, House
from tests.fakes import FakeCluster


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    made = await House.build(tmp_path, FakeCluster())
    async with made.living():
        yield made


async def ended(house: House, code: int) -> str:
    """A start whose program has ended with this code; the name of its pod."""
    await house.start()
    pod: str = house.pods()[0]["metadata"]["name"]
    house.cluster.exit(pod, "addon", code)
    await house.settles(lambda: house.records.addons[SLUG].intent.wanted is Wanted.EXITED)
    return pod


async def test_a_program_that_ends(house: House) -> None:
    """Exit 0 is stopped, another code error with the code; the pod stays to be read and is not replaced. Its Secret
    does not stay: without it, nobody can run the program once more in that pod.
    """
    await house.install()
    for code, state in ((0, AddonState.STOPPED), (3, AddonState.ERROR)):
        pod = await ended(house, code)
        assert house.state() is state
        assert [pod["metadata"]["name"] for pod in house.pods()] == [pod]
        secret = naming.launch_secret(naming.addon_name(SLUG), house.launch().id)
        await house.settles(partial(_is_gone, house, secret))


def _is_gone(house: House, secret: str) -> bool:
    return house.cluster.get("Secret", secret) is None


async def test_the_pod_of_an_exited_addon_is_not_replaced(house: House) -> None:
    """Somebody deletes it: nothing runs, the state stays what it was."""
    await house.install()
    for code, state in ((0, AddonState.STOPPED), (3, AddonState.ERROR)):
        house.cluster.remove("Pod", await ended(house, code))
        await house.settles(lambda: not house.pods())
        assert house.state() is state


async def test_the_pod_of_an_exited_addon_goes_with_its_sandbox(house: House) -> None:
    """In a new sandbox the kubelet would run the program again, and say that it is at its end: so nothing stays there;
    the state is what it was.
    """
    await house.install()
    for code, state in ((0, AddonState.STOPPED), (3, AddonState.ERROR)):
        house.cluster.exit(await ended(house, code), "hold", 0)
        await house.settles(lambda: not house.pods())
        assert house.state() is state


async def test_a_late_exit_does_not_overrule_a_stop(house: House) -> None:
    """The program ends because it is being stopped: what the user wanted last stands."""
    await house.install()
    await house.start()
    record = house.records.addons[SLUG]
    house.cluster.exit(house.pods()[0]["metadata"]["name"], "addon", 0)
    await house.stop()
    await asyncio.sleep(0.02)
    assert record.intent.launch is not None
    assert house.records.addons[SLUG].intent.wanted is Wanted.STOPPED
    assert house.pods() == []
