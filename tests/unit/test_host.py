"""The host as far as a pod can see it: room on the shared volume."""

from pathlib import Path

import pytest

from supervisor_k8s.errors import RefusedError
from supervisor_k8s.model.issue import Cause, Context, Fault
from supervisor_k8s.services.host import LOW_SPACE, Host


def host(share: Path) -> Host:
    return Host(share=share, own_pod=lambda: None, own_node=lambda: None, kubernetes=lambda: "v1.36.3")


async def test_a_volume_without_room() -> None:
    """A file system that never has any is nearly full."""
    assert (await host(Path("/proc")).disk()).free < LOW_SPACE
    assert await host(Path("/proc")).check_space() == [Fault(Cause.FREE_SPACE, Context.SYSTEM)]


async def test_a_volume_with_room(tmp_path: Path) -> None:
    """It depends on the room alone."""
    free = (await host(tmp_path).disk()).free
    assert bool(await host(tmp_path).check_space()) is (free < LOW_SPACE)


async def test_a_volume_that_is_not_there(tmp_path: Path) -> None:
    """Cannot be looked at, which is no fault of its size."""
    with pytest.raises(RefusedError):
        await host(tmp_path / "none").check_space()
