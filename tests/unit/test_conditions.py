"""What hinders work from beginning."""

from collections.abc import Sequence
from typing import Any

import pytest

from supervisor_k8s.errors import RefusedError
from supervisor_k8s.services.conditions import Conditions
from supervisor_k8s.services.host import GIB, LOW_SPACE, Disk

INSTALL, RESTART, OWN_UPDATE = "app_manager_install", "supervisor_restart", "tasks_update_supervisor"


class World:
    """Everything is as it should be, but for what a test says."""

    def __init__(self, *, free: int = LOW_SPACE, ignored: Sequence[str] = (), **wrong: Any) -> None:
        self.free, self.ignored, self.wrong = free, ignored, wrong
        self.found_full = 0

    async def disk(self) -> Disk:
        return Disk(total=10 * GIB, used=10 * GIB - self.free, free=self.free)

    def full(self) -> None:
        self.found_full += 1

    async def refusal(self, job: str) -> str:
        """Of a job that needs something; empty when it may begin."""
        conditions = Conditions(
            ignored=lambda: self.ignored,
            unhealthy=lambda: self.wrong.get("unhealthy", ()),
            state=lambda: self.wrong.get("state", "running"),
            disk=self.disk,
            outdated=lambda: self.wrong.get("outdated", False),
            auto_update=lambda: self.wrong.get("auto_update", True),
            found_full=self.full,
        )
        try:
            await conditions.check(job)
        except RefusedError as refused:
            return str(refused)
        return ""


BLOCKED = "blocked from execution"


@pytest.mark.parametrize(
    ("job", "wrong", "condition", "said"),
    [
        (
            INSTALL,
            {"unhealthy": ["setup"]},
            "healthy",
            f"'AppManager.install' {BLOCKED}, system is not healthy - setup",
        ),
        (
            INSTALL,
            {"outdated": True},
            "supervisor_updated",
            f"'AppManager.install' {BLOCKED}, supervisor needs to be updated first",
        ),
        (
            INSTALL,
            {"free": LOW_SPACE - GIB // 2},
            "free_space",
            f"'AppManager.install' {BLOCKED}, not enough free space (1.5GB) left on the device",
        ),
        (
            RESTART,
            {"state": "startup"},
            "running",
            f"'Supervisor.restart' {BLOCKED}, system is not running - startup",
        ),
        (
            "tasks_update_apps",
            {"state": "startup"},
            "running",
            f"'Tasks._update_apps' {BLOCKED}, system is not running - startup",
        ),
        (
            OWN_UPDATE,
            {"auto_update": False},
            "auto_update",
            f"'Tasks._auto_update_supervisor' {BLOCKED}, supervisor auto updates disabled",
        ),
    ],
)
async def test_what_is_needed(job: str, wrong: dict[str, Any], condition: str, said: str) -> None:
    """A refusal has upstream's words; who has a condition ignored is not refused for it; all else does not matter."""
    assert await World(**wrong).refusal(job) == said
    assert await World(**wrong, ignored=["mount_available"]).refusal(job) == said
    assert await World(**wrong, ignored=[condition]).refusal(job) == ""
    assert await World(**wrong).refusal("app_start") == ""


async def test_too_little_space_is_an_issue_soon() -> None:
    """The check is asked to look, also when it last found enough; but not when it is ignored, or there is enough."""
    for world, looks in ((World(free=0), 1), (World(free=0, ignored=["free_space"]), 0), (World(), 0)):
        await world.refusal(INSTALL)
        assert world.found_full == looks
