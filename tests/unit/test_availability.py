"""Whether an add-on can run here, and the reason when it cannot."""

from dataclasses import replace
from typing import Any

import pytest

from supervisor_k8s.errors import (
    AddonArchitectureError,
    AddonCoreVersionError,
    AddonMachineError,
    AddonNotSupportedError,
    SupervisorError,
)
from supervisor_k8s.model.availability import check_available, refusals
from tests.builders import addon, site


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"arch": ["aarch64", "armv7"]}, AddonArchitectureError),
        ({"machine": ["green"]}, AddonMachineError),
        ({"machine": ["!green"]}, AddonMachineError),
        ({"machine": ["generic-x86-64", "!generic-x86-64"]}, AddonMachineError),
        ({"homeassistant": "2026.12.0"}, AddonCoreVersionError),
        ({"host_network": True}, AddonNotSupportedError),
    ],
)
def test_an_addon_for_other_systems_is_refused(given: dict[str, Any], error: type[SupervisorError]) -> None:
    """Architecture, machine and Core's version are checked in upstream's order, with the keys clients know."""
    with pytest.raises(error):
        check_available(addon(**given), site(), core_version="2026.11.0")


@pytest.mark.parametrize(
    ("given", "core_version"),
    [
        ({}, "2026.11.0"),
        ({"machine": ["generic-x86-64", "!green"]}, "2026.11.0"),
        ({"homeassistant": "2026.11.0"}, "2026.11.0"),
        ({"homeassistant": "2026.11.0b1"}, "2026.11.0"),
        ({"homeassistant": "2026.12.0"}, None),
        ({"homeassistant": "next"}, "2026.11.0"),
        ({"homeassistant": "2026.12.0"}, "own-build"),
    ],
)
def test_an_addon_for_this_system_is_available(given: dict[str, Any], core_version: str | None) -> None:
    """Nothing is refused for what is not known, or cannot be compared."""
    check_available(addon(**given), site(), core_version=core_version)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"host_network": True}, "host_network (the node's own network)"),
        ({"host_pid": True}, "host_pid"),
        ({"host_ipc": True}, "host_ipc"),
        ({"full_access": True}, "full_access"),
        ({"docker_api": True}, "docker_api (a Docker daemon"),
        ({"kernel_modules": True}, "kernel_modules"),
        ({"journald": True}, "journald"),
        ({"privileged": ["SYS_ADMIN"]}, "the capability SYS_ADMIN"),
        ({"privileged": ["SYS_ADMIN", "NET_ADMIN"]}, "the capabilities NET_ADMIN, SYS_ADMIN"),
        ({"schema": {"port": "device(subsystem=tty)"}}, "a device of the node (option port)"),
        ({"schema": {"serial": {"port": "device"}}}, "a device of the node (option serial.port)"),
        ({"schema": {"ports": ["device"]}}, "a device of the node (option ports)"),
        ({"map": [{"type": "share", "path": "/"}]}, "a folder at '/'"),
        ({"map": [{"type": "share", "path": "relative"}]}, "a folder at 'relative'"),
        ({"map": [{"type": "share", "path": "/a:b"}]}, "a folder at '/a:b'"),
        ({"map": [{"type": "share", "path": ""}]}, "a folder at ''"),
    ],
)
def test_a_refusal_says_what_the_addon_asks_for(given: dict[str, Any], reason: str) -> None:
    """One sentence with the add-on and each thing that is not granted."""
    sentence = refusals(addon(**given))
    assert sentence is not None
    assert "App local_example cannot run on this cluster" in sentence
    assert reason in sentence


def test_an_addon_without_image_is_refused() -> None:
    """Images are not built here; that is said before anything is pulled."""
    assert "an image to be built" in (refusals(replace(addon(), image=None)) or "")


@pytest.mark.parametrize(
    "given",
    [
        dict.fromkeys(("udev", "usb", "uart", "gpio", "video", "audio", "devicetree", "host_dbus", "host_uts"), True),
        {"apparmor": False},
        {"realtime": True, "ulimits": {"nofile": 1}},
        {"devices": ["/dev/dri", "/dev/ttyUSB0"]},
        {"schema": {"port": "device(subsystem=tty)?"}},
        {"schema": {"ports": ["device?"], "many": [{"port": "device"}]}},
        {"schema": False},
    ],
)
def test_boilerplate_is_no_reason_to_refuse(given: dict[str, Any]) -> None:
    """What programs do without is dropped: they run, with one thing less."""
    assert refusals(addon(**given)) is None


def test_allowed_capabilities_are_granted() -> None:
    """The administrator's word covers the capabilities it names and no others."""
    config = addon(privileged=["NET_ADMIN", "SYS_ADMIN"])
    assert refusals(config, {"NET_ADMIN", "SYS_ADMIN"}) is None
    assert "the capability SYS_ADMIN" in (refusals(config, {"NET_ADMIN"}) or "")
