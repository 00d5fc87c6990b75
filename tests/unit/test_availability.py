"""Whether an add-on can run here, and the reason when it cannot."""

from typing import Any

import pytest

from supervisor_k8s.errors import (
    AddonArchitectureError,
    AddonCoreVersionError,
    AddonMachineError,
    AddonNotSupportedError,
    SupervisorError,
)
from supervisor_k8s.model.availability import check_available
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
