"""Log routes: plain text, live from the pod."""

import asyncio
from typing import Any

import pytest

from tests.contract.house import Home

SLUG = "core_mosquitto"


def say(home: Home, *lines: str) -> None:
    (pod,) = home.cluster.pods(io__hass__addon=SLUG)
    home.cluster.say(pod["metadata"]["name"], "addon", *lines)


@pytest.fixture
async def talking(home: Home) -> Home:
    """An add-on with 150 lines of log."""
    await home.install(SLUG, start=True)
    say(home, *(f"\x1b[32mline {number}\x1b[0m" for number in range(150)))
    return home


async def lines(home: Home, path: str, **options: Any) -> list[str]:
    answer = await home.raw("GET", path, **options)
    assert (answer.status, answer.content_type) == (200, "text/plain; charset=utf-8"), answer.text
    assert answer.headers["X-Accel-Buffering"] == "no"
    return answer.text.splitlines()


async def test_how_many_lines(talking: Home) -> None:
    """100 unless asked otherwise; at least two; nonsense is 100; `lines` wins over `Range`."""
    path = f"/addons/{SLUG}/logs"
    assert len(await lines(talking, path)) == 100
    assert await lines(talking, f"{path}?lines=3&no_colors") == ["line 147", "line 148", "line 149"]
    assert len(await lines(talking, f"{path}?lines=1")) == 2
    assert len(await lines(talking, f"{path}?lines=many")) == 100
    assert len(await lines(talking, f"{path}?lines=3", headers={"Range": "entries=:-9:10"})) == 3
    assert len(await lines(talking, path, headers={"Range": "entries=:-9:10"})) == 10
    assert len(await lines(talking, path, headers={"Range": "entries=:-9:"})) == 10


async def test_cursor_is_the_beginning(talking: Home) -> None:
    """Nothing is kept before what is shown: an empty answer, at which the frontend stops asking."""
    answer = await talking.raw("GET", f"/addons/{SLUG}/logs", headers={"Range": "entries=abc:-100:100"})
    assert (answer.status, answer.text) == (200, "")


async def test_colours(talking: Home) -> None:
    """Kept, unless told otherwise; never in `latest`, which has all of the present start."""
    assert (await lines(talking, f"/addons/{SLUG}/logs?lines=2"))[-1] == "\x1b[32mline 149\x1b[0m"
    latest = await lines(talking, f"/addons/{SLUG}/logs/latest")
    assert (len(latest), latest[0]) == (150, "line 0")
    assert len(await lines(talking, f"/addons/{SLUG}/logs/latest?lines=5")) == 5


async def test_accept_is_compared_exactly(talking: Home) -> None:
    """Anything but the known values is refused in plain text."""
    for accept in ("*/*", "text/plain", "text/x-log"):
        assert await lines(talking, f"/addons/{SLUG}/logs", headers={"Accept": accept})
    answer = await talking.raw("GET", f"/addons/{SLUG}/logs", headers={"Accept": "application/json"})
    assert (answer.status, answer.content_type) == (400, "text/plain; charset=utf-8")
    assert answer.text.startswith("Invalid content type requested.")


async def test_follow(talking: Home) -> None:
    """History first, then what is said from now on; ends when the pod does."""
    url = f"{talking.url}/addons/{SLUG}/logs/follow?lines=2&no_colors"
    async with talking.http.get(url, headers={"Authorization": f"Bearer {talking.core_token}"}) as reply:
        assert [await reply.content.readline() for _ in range(2)] == [b"line 148\n", b"line 149\n"]
        say(talking, "news")
        assert await reply.content.readline() == b"news\n"
        await talking.client().addons.stop_addon(SLUG)
        assert await reply.content.readline() == b""


async def test_follower_that_leaves(talking: Home) -> None:
    """Nothing is logged as an error, and we can still stop."""
    url = f"{talking.url}/addons/{SLUG}/logs/follow"
    async with talking.http.get(url, headers={"Authorization": f"Bearer {talking.core_token}"}) as reply:
        await reply.content.readline()
    say(talking, "to nobody")
    await asyncio.sleep(0.05)
    assert (await talking.raw("GET", "/supervisor/ping")).status == 200


async def test_whose_log(home: Home) -> None:
    """Core's and our own; both names of Core's."""
    home.cluster.say("homeassistant-0", "homeassistant", "from Core")
    home.cluster.say("supervisor-0", "supervisor", "from us")
    for path in ("/core/logs", "/homeassistant/logs", "/core/logs/latest?lines=100", "/core/logs/boots/0"):
        assert await lines(home, path) == ["from Core"]
    assert await lines(home, "/supervisor/logs") == ["from us"]


async def test_without_a_log(home: Home) -> None:
    """Stopped is empty; unknown is 404 and not installed 400, both in plain text; only boot 0 is there."""
    await home.install(SLUG)
    assert await lines(home, f"/addons/{SLUG}/logs") == []
    for path, status in (("none_such", 404), ("core_panel", 400)):
        answer = await home.raw("GET", f"/addons/{path}/logs")
        assert (answer.status, answer.content_type) == (status, "text/plain; charset=utf-8")
    assert (await home.raw("GET", "/core/logs/boots/-1")).status == 400
