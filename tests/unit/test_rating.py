"""The security rating as the store shows it."""

from typing import Any

import pytest

from supervisor_k8s.model.allowance import NO_GRANTS, grants
from supervisor_k8s.model.rating import security_rating
from tests.builders import addon


@pytest.mark.parametrize(
    ("given", "rating"),
    [
        ({}, 5),
        ({"apparmor": False}, 4),
        ({"ingress": True}, 7),
        ({"auth_api": True}, 6),
        ({"ingress": True, "auth_api": True}, 7),
        ({"privileged": ["NET_ADMIN", "SYS_ADMIN"]}, 4),
        ({"privileged": ["SYS_TIME"]}, 5),
        ({"kernel_modules": True}, 4),
        ({"privileged": ["SYS_RAWIO"], "kernel_modules": True}, 4),
        ({"hassio_role": "manager"}, 4),
        ({"hassio_role": "admin"}, 3),
        ({"host_network": True}, 4),
        ({"host_pid": True}, 3),
        ({"host_uts": True}, 5),
        ({"host_uts": True, "privileged": ["SYS_ADMIN"]}, 3),
        ({"docker_api": True, "ingress": True}, 1),
        ({"full_access": True, "ingress": True}, 1),
        ({"hassio_role": "admin", "host_pid": True, "host_network": True, "apparmor": False}, 1),
    ],
)
def test_the_rating_counts_what_the_manifest_asks_for(given: dict[str, Any], rating: int) -> None:
    """Upstream's points, added up and kept between 1 and 8."""
    assert security_rating(addon(**given), NO_GRANTS) == rating


@pytest.mark.parametrize(
    ("word", "rating"), [("devices:/dev/ttyUSB0", 1), ("devices:/dev/net/tun", 5), ("devices:squat.ai/serial", 5)]
)
def test_a_device_that_takes_a_privileged_container_is_full_access(word: str, rating: int) -> None:
    """It is rated as what it comes to; a device plugin's, and what every container may open, is not."""
    config = addon(uart=True)
    assert security_rating(config, grants(config, {word})) == rating
