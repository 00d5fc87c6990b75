"""The host as far as a pod can see it: room on the shared volume, interfaces of pods."""

from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import pytest

from supervisor_k8s.errors import RefusedError
from supervisor_k8s.model.issue import Cause, Context, Fault
from supervisor_k8s.services.host import LOW_SPACE, NO_HARDWARE, Host, Interface, hardware_address


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


@pytest.mark.parametrize(
    ("own", "pod", "gateway"),
    [
        ("10.42.0.5/24", "10.42.0.9/24", IPv4Address("10.42.0.1")),
        ("10.42.0.5/24", "10.42.7.9/24", None),
        ("10.42.0.5/32", "10.42.7.9/32", IPv4Address("10.42.0.1")),
    ],
    ids=["on our node", "on another node", "every pod alone"],
)
def test_the_interface_of_another_pod(own: str, pod: str, gateway: IPv4Address | None) -> None:
    """Named and sized as ours; our gateway where it is that pod's too; its own hardware; the names' server it asks."""
    ours = Interface(
        name="eth0",
        mac="0a:58:0a:2a:00:05",
        address=IPv4Interface(own),
        gateway=IPv4Address("10.42.0.1"),
        nameservers=(IPv4Address("10.96.0.10"),),
    )
    assert ours.in_pod(pod.partition("/")[0], "0a:58:0a:2a:00:09", "10.96.0.30") == Interface(
        name="eth0",
        mac="0a:58:0a:2a:00:09",
        address=IPv4Interface(pod),
        gateway=gateway,
        nameservers=(IPv4Address("10.96.0.30"),),
    )


def test_a_hardware_address_is_a_neighbours() -> None:
    """Whoever is not there, or does not answer, has none."""
    table = """\
IP address       HW type     Flags       HW address            Mask     Device
10.42.0.9        0x1         0x2         0a:58:0a:2a:00:09     *        eth0
10.42.0.10       0x1         0x0         00:00:00:00:00:00     *        eth0
"""
    assert hardware_address(table, "10.42.0.9") == "0a:58:0a:2a:00:09"
    assert {hardware_address(table, address) for address in ("10.42.0.10", "10.42.0.1")} == {NO_HARDWARE}
