"""The address of an add-on's own page."""

from typing import Any

import pytest

from supervisor_k8s.model.webui import webui_address

LAN = "192.168.1.9"


@pytest.mark.parametrize(
    ("template", "options", "ports", "host", "expected"),
    [
        (None, {}, {}, LAN, None),
        ("http://[HOST]:[PORT:80]/admin", {}, {"80/tcp": 8080}, LAN, "http://192.168.1.9:8080/admin"),
        ("http://[HOST]:[PORT:80]", {}, {"80": 8080}, None, "http://[HOST]:8080"),
        ("[PROTO:ssl]://[HOST]:[PORT:80]/", {"ssl": True}, {"80/tcp": 443}, LAN, "https://192.168.1.9:443/"),
        ("[PROTO:ssl]://[HOST]:[PORT:80]/", {"ssl": False}, {"80/tcp": 81}, LAN, "http://192.168.1.9:81/"),
        ("[PROTO:ssl]://[HOST]:[PORT:80]/", {}, {"80/udp": 7}, None, "http://[HOST]:80/"),
        ("http://[HOST]:[PORT:80]/", {}, {"80/tcp": None}, LAN, None),
    ],
)
def test_webui(
    template: str | None, options: dict[str, Any], ports: dict[str, int | None], host: str | None, expected: str | None
) -> None:
    """The published port, the scheme by the option, the LAN's address where it is known; none for a port that nobody
    can reach.
    """
    assert webui_address(template, options=options, ports=ports, host=host) == expected
