"""What Home Assistant needs after a commit of the Git pull add-on: nothing, a reload, a restart; and the way back from
one that it does not come up with.
"""

import itertools
from typing import Any

from .git_pull_house import FIRST, Houseful, around, house, texts

__all__ = ["around", "house"]


async def test_restarts(house: Houseful) -> None:
    """With `auto_restart` for all files but ignored ones, once for each change."""
    await house.set(auto_restart=True, restart_ignore=["packages"])
    pods = [house.core_pod()]
    for change in ({}, {}, {"packages/a.yaml": "a: {}\n"}, {"configuration.yaml": "b:\n"}, {}):
        house.repository.commit({**change})
        assert await house.run() == 0
        pods.append(house.core_pod())
    assert [before != after for before, after in itertools.pairwise(pods)] == [True, False, False, True, False]


INCLUDED = {**FIRST, "configuration.yaml": "automation: !include automations.yaml\nscript: !include scripts.yaml\n"}
CAN = [{"domain": "automation", "services": {"reload": {}}}]


def acted(house: Houseful) -> list[str]:
    """What Home Assistant was asked to do, but for notifications."""
    asked = [at.removeprefix("/api/services/") for method, at, _ in house.home.core.requests if method == "POST"]
    return [action for action in asked if not action.startswith("persistent_notification/")]


async def test_a_reload_is_enough(house: Houseful) -> None:
    """For an included file whose domain can be reloaded: Core stays up, also with `auto_restart`; else it restarts."""
    house.home.core.documents["/api/services"] = CAN
    await house.set(auto_restart=True)
    house.repository.commit({**INCLUDED})
    assert await house.run() == 0
    house.home.core.forget()
    pod = house.core_pod()
    for change in ({"automations.yaml": "- a\n", "README.md": "x"}, {"README.md": "y"}):
        house.repository.commit({**change})
        assert await house.run() == 0
    assert await house.run() == 0
    assert acted(house) == ["automation/reload"]
    assert house.core_pod() == pod
    house.repository.commit({"automations.yaml": "- b\n", "scripts.yaml": "{}\n"})
    assert await house.run() == 0
    assert acted(house) == ["automation/reload"]
    assert house.core_pod() != pod


async def test_a_reload_that_fails(house: Houseful) -> None:
    """It is told, and asked for again by the next pass; without `auto_reload` it is left to the user."""
    core = house.home.core
    core.documents["/api/services"] = CAN
    house.repository.commit({**INCLUDED})
    assert await house.run() == 0
    core.refusals["/api/services/automation/reload"] = 500
    house.repository.commit({"automations.yaml": "- a\n"})
    assert await house.run() == 1
    said = str(house.notifications()[-1])
    assert "Home Assistant has not read yet what is live: /services/automation/reload was answered with 500" in said
    core.forget()
    core.refusals.clear()
    assert await house.run() == 0
    assert acted(house) == ["automation/reload"]
    assert house.notifications() == [None]
    await house.set(auto_reload=False)
    house.repository.commit({"automations.yaml": "- b\n"})
    assert await house.run() == 0
    assert acted(house) == ["automation/reload"]
    assert "has to be restarted for: automations.yaml" in str(house.notifications()[-1])


async def test_a_restart_that_is_owed(house: Houseful) -> None:
    """Core is busy with its database: the restart is asked for again by the next pass."""
    await house.set(auto_restart=True)
    pod = house.core_pod()
    house.home.core.migrating = True
    assert await house.run() == 1
    assert texts(house.live) == FIRST
    assert house.core_pod() == pod
    house.home.core.migrating = False
    assert await house.run() == 0
    assert house.core_pod() != pod


def recovers_with(house: Houseful, word: str) -> None:
    """Core comes up in recovery mode with this word in its configuration, which its checker does not mind."""

    def config() -> dict[str, Any]:
        return {"recovery_mode": word in (house.live / "configuration.yaml").read_text()}

    house.home.core.documents["/api/config"] = config


async def test_a_commit_that_core_does_not_come_up_with(house: Houseful) -> None:
    """The one before is live again and runs, told and not tried again; another file of the user's is another try."""
    await house.set(auto_restart=True)
    recovers_with(house, "crash")
    await house.run()
    good, bad = house.core_pod(), house.repository.commit({"configuration.yaml": "crash:\n", "new.yaml": "{}\n"})
    assert await house.run() == 1
    assert texts(house.live) == FIRST
    assert house.core_pod() != good
    shown = str(house.notifications()[-1])
    assert shown.startswith(f"{bad[:10]} is not live, because with it Home Assistant did not come up")
    assert "recovery mode" in shown
    good = house.core_pod()
    assert await house.run() == 1
    assert house.core_pod() == good
    assert [outcome for outcome, _ in house.runs()] == ["live", "returned", "invalid"]
    (house.live / "packages" / "mine.yaml").write_text("{}\n")
    assert await house.run() == 1
    assert house.core_pod() != good
    (house.live / "packages" / "mine.yaml").unlink()
    good = house.core_pod()
    house.repository.commit({"configuration.yaml": "works:\n"})
    assert await house.run() == 0
    assert house.core_pod() != good
    assert texts(house.live) == {**FIRST, "configuration.yaml": "works:\n", "new.yaml": "{}\n"}


async def test_nothing_to_return_to(house: Houseful) -> None:
    """Core does not come up with the first commit: it is told, and all stays as it is."""
    await house.set(auto_restart=True)
    recovers_with(house, "default_config")
    assert await house.run() == 1
    assert texts(house.live) == FIRST
    assert "No earlier commit is known" in str(house.notifications()[-1])
    assert await house.run() == 0


async def test_a_restart_that_somebody_else_keeps_from_us(house: Houseful) -> None:
    """Core was not restarted, so nothing is known about the commit: it stays, and the restart is asked for again."""
    await house.set(auto_restart=True)
    await house.run()
    pod = house.core_pod()
    house.repository.commit({"configuration.yaml": "b:\n"})
    house.home.core.migrating = True
    assert await house.run() == 1
    house.repository.commit({"configuration.yaml": "nonsense:\n"})
    house.home.core.migrating = False
    assert await house.run() == 1
    assert house.core_pod() != pod
    assert (house.live / "configuration.yaml").read_text() == "b:\n"
