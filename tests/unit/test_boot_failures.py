"""An add-on that was to come up by itself and did not."""

from pathlib import Path
from typing import Any

import pytest

from supervisor_k8s.model.intent import InstalledAddon, Intent, Wanted
from supervisor_k8s.model.issue import Cause, Context, Fault
from supervisor_k8s.model.status import AddonState
from supervisor_k8s.services.boot_failures import BootFailures
from tests.addon_house import IMAGE, SLUG, House
from tests.builders import addon, installed, intent
from tests.fakes import Behaviour, FakeCluster

FAULT = Fault(Cause.BOOT_FAIL, Context.ADDON, SLUG)


class Seen:
    """BootFailures of one add-on, and what it says."""

    def __init__(self, record: InstalledAddon | None, state: AddonState = AddonState.ERROR) -> None:
        self.record, self.state = record, state
        self.open: set[Fault] = set()
        self.failures = BootFailures(record=lambda _: self.record, state=lambda _: self.state, faults=self)

    def report(self, fault: Fault) -> None:
        self.open.add(fault)

    def settle(self, fault: Fault) -> None:
        self.open.remove(fault)


def record(wanted: Wanted, failure: str | None = None, **user: Any) -> InstalledAddon:
    return installed(wanted=intent(wanted, failure=failure), **user)


def test_one_that_is_not_meant_to_come_up() -> None:
    """By the user's choice, by its manifest, or because it is being removed."""
    once = installed(addon(startup="once"), wanted=intent(Wanted.RUNNING))
    for lost in (record(Wanted.RUNNING, boot="manual"), once, record(Wanted.REMOVED), None):
        seen = Seen(lost)
        seen.failures.failed(SLUG)
        assert seen.open == set()


@pytest.mark.parametrize(
    ("after", "state"),
    [
        (record(Wanted.RUNNING), AddonState.STARTED),
        (record(Wanted.STOPPED), AddonState.STOPPED),
        (record(Wanted.EXITED), AddonState.STOPPED),
        (record(Wanted.RUNNING, boot="manual"), AddonState.ERROR),
        (None, AddonState.UNKNOWN),
    ],
    ids=["runs", "stopped", "is done", "need not come up", "uninstalled"],
)
def test_its_end(after: InstalledAddon | None, state: AddonState) -> None:
    """It runs, or is not meant to any more."""
    seen = Seen(record(Wanted.RUNNING))
    seen.failures.failed(SLUG)
    seen.failures.look(SLUG)
    assert seen.open == {FAULT}
    seen.record, seen.state = after, state
    seen.failures.look(SLUG)
    seen.failures.look(SLUG)
    assert seen.open == set()


def test_further_tries_do_not_end_it() -> None:
    """Between two of them it has no pod, or one on its way."""
    seen = Seen(record(Wanted.RUNNING))
    seen.failures.failed(SLUG)
    tries = ((record(Wanted.RELAUNCH), AddonState.STOPPED), (record(Wanted.RUNNING), AddonState.STARTUP))
    for seen.record, seen.state in (*tries, (record(Wanted.EXITED, "code 1"), AddonState.ERROR)):
        seen.failures.look(SLUG)
        assert seen.open == {FAULT}


def test_after_our_start() -> None:
    """What could not be started is told again; what was never started, or ended by itself, is not."""
    for known, open_ in ((record(Wanted.STOPPED, "no image"), {FAULT}), (installed(wanted=Intent()), set())):
        seen = Seen(known)
        seen.failures.begin(SLUG)
        assert seen.open == open_
    seen = Seen(record(Wanted.EXITED, "code 1"))
    seen.failures.begin(SLUG)
    assert seen.open == set()


async def test_a_node_restarts_and_the_image_is_gone(tmp_path: Path) -> None:
    """Told when the add-on does not come up again, and over when it does."""
    house = await House.build(tmp_path, FakeCluster())
    seen = Seen(None)
    failures = BootFailures(
        record=lambda slug: house.records.addons.get(slug),  # noqa: PLW0108 - another mapping after each change
        state=house.addons.state,
        faults=seen,
    )
    house.recovery.failed.connect(failures.failed)
    house.states.looked.connect(failures.look)
    async with house.living():
        await house.install()
        await house.start()
        house.cluster.behaviours[IMAGE] = Behaviour(pull_error="no such host")
        (pod,) = house.pods()
        house.cluster.exit(pod["metadata"]["name"], "hold", 0)
        await house.settles(lambda: seen.open == {FAULT})
        del house.cluster.behaviours[IMAGE]
        (pod,) = house.pods()
        house.cluster.run_pod(pod["metadata"]["name"])
        await house.settles(lambda: house.state() is AddonState.STARTED)
        assert seen.open == set()
