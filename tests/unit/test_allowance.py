"""Which words of the setting reach which add-on."""

from typing import Any

import pytest

from supervisor_k8s.model.allowance import Allow, Grants, grants
from tests.builders import addon


@pytest.mark.parametrize(
    ("words", "given"),
    [
        (set(), Grants()),
        ({"capabilities", "host_paths"}, Grants(frozenset({Allow.CAPABILITIES, Allow.HOST_PATHS}))),
        ({"local_example=privileged", "local_other=host_network"}, Grants(frozenset({Allow.PRIVILEGED}))),
        ({"devices:a.example/x"}, Grants()),
        ({"local_example=devices:a.example/x"}, Grants(frozenset({Allow.DEVICES}), resources=("a.example/x",))),
        (
            {"local_example=devices:/dev/ttyUSB0", "local_example=devices:/dev/dri/card0", "devices:a.example/x"},
            Grants(frozenset({Allow.DEVICES}), paths=("/dev/dri/card0", "/dev/ttyUSB0")),
        ),
    ],
)
def test_words(words: set[str], given: Grants) -> None:
    """Without a slug for all, but devices only for those that ask for some; with one for this add-on alone."""
    assert grants(addon(), words) == given


@pytest.mark.parametrize(
    "asks",
    [
        {"uart": True},
        {"usb": True},
        {"video": True},
        {"gpio": True},
        {"devices": ["/dev/ttyAMA0"]},
        {"schema": {"device": "device(subsystem=tty)?"}},
        {"schema": {"serial": [{"port": "device"}]}},
    ],
)
def test_who_asks_for_devices(asks: dict[str, Any]) -> None:
    """Those devices that are for all reach who has a key, or an option, for devices."""
    assert grants(addon(**asks), {"devices:a.example/x"}).resources == ("a.example/x",)
