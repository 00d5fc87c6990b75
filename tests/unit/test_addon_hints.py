"""What authors are told of manifests that are valid."""

from typing import Any

import pytest

from supervisor_k8s.model.addon_hints import hints
from tests.builders import addon


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, []),
        ({"full_access": True}, []),
        ({"uart": True, "devices": ["/dev/ttyAMA0"]}, []),
        (
            {"full_access": True, "uart": True, "devices": ["/dev/ttyAMA0"]},
            ["full_access has all devices, devices, uart with it has no effect"],
        ),
        ({"backup_pre": "stop"}, []),
        (
            {"backup": "cold", "backup_pre": "stop"},
            ["with backup: cold the app does not run, backup_pre has no effect"],
        ),
        ({"arch": ["amd64", "i386", "armv7"]}, ["arch has what Home Assistant runs on no more: armv7, i386"]),
        ({"machine": ["green", "!tinker"]}, ["machine has what Home Assistant runs on no more: tinker"]),
        ({"map": ["homeassistant_config", "app_config"]}, []),
        (
            {"map": ["config:rw", "addon_config"]},
            [
                "map has config, the old word for homeassistant_config",
                "map has config, addon_config with it has no effect",
                "map has addon_config, the old word for app_config",
            ],
        ),
    ],
)
def test_hints(given: dict[str, Any], said: list[str]) -> None:
    """Words beside others that make them useless, and words that are going."""
    assert list(hints(addon(**given))) == said
