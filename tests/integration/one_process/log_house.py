"""An add-on that has a log, and whoever reads it."""

from typing import Any

import pytest

from supervisor_k8s.model.status import current_pod
from tests.contract.house import Home

SLUG = "core_mosquitto"


def say(home: Home, *lines: str) -> None:
    pod = current_pod(home.cluster.pods(io__hass__addon=SLUG))
    assert pod is not None
    home.cluster.say(pod["metadata"]["name"], "addon", *lines)


async def with_a_log(home: Home) -> Home:
    """An add-on with 150 lines of log."""
    await home.install(SLUG, start=True)
    say(home, *(f"\x1b[32mline {number}\x1b[0m" for number in range(150)))
    return home


@pytest.fixture
async def talking(home: Home) -> Home:
    return await with_a_log(home)


async def lines(home: Home, path: str, **options: Any) -> list[str]:
    answer = await home.raw("GET", path, **options)
    assert (answer.status, answer.content_type) == (200, "text/plain; charset=utf-8"), answer.text
    assert answer.headers["X-Accel-Buffering"] == "no"
    return answer.text.splitlines()


async def page(home: Home, path: str, ranged: str) -> tuple[list[str], str | None]:
    """Lines without colours, and the cursor of the first one."""
    answer = await home.raw("GET", f"{path}?no_colors", headers={"Range": ranged})
    assert (answer.status, answer.content_type) == (200, "text/plain; charset=utf-8"), answer.text
    return answer.text.splitlines(), answer.headers.get("X-First-Cursor")
