"""The address of an add-on's own page."""

from typing import Any

import pytest

from supervisor_k8s.model.webui import webui_address


@pytest.mark.parametrize(
    ("template", "options", "ports", "expected"),
    [
        (None, {}, {}, None),
        ("http://[HOST]:[PORT:80]/admin", {}, {"80/tcp": 8080}, "http://[HOST]:8080/admin"),
        ("http://[HOST]:[PORT:80]", {}, {"80": 8080}, "http://[HOST]:8080"),
        ("[PROTO:ssl]://[HOST]:[PORT:80]/", {"ssl": True}, {"80/tcp": 443}, "https://[HOST]:443/"),
        ("[PROTO:ssl]://[HOST]:[PORT:80]/", {"ssl": False}, {"80/tcp": 81}, "http://[HOST]:81/"),
        ("[PROTO:ssl]://[HOST]:[PORT:80]/", {}, {"80/udp": 7}, "http://[HOST]:80/"),
        ("http://[HOST]:[PORT:80]/", {}, {"80/tcp": None}, None),
    ],
)
def test_webui(
    template: str | None, options: dict[str, Any], ports: dict[str, int | None], expected: str | None
) -> None:
    """The published port, the scheme by the option; none for a port that is not published."""
    assert webui_address(template, options=options, ports=ports) == expected
