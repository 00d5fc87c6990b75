"""Log routes: plain text, live from the pod."""

import asyncio
import re
from datetime import datetime

import aiohttp
import pytest
import pytest_asyncio

from tests.contract.house import Home

from .log_house import SLUG, lines, page, say, talking, with_a_log

__all__ = ["talking"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(standing: Home) -> Home:
    return await with_a_log(standing)


async def test_how_many_lines(shared: Home) -> None:
    """100 unless asked otherwise; at least two; nonsense is 100; `lines` wins over `Range`."""
    path = f"/addons/{SLUG}/logs"
    assert len(await lines(shared, path)) == 100
    assert await lines(shared, f"{path}?lines=3&no_colors") == ["line 147", "line 148", "line 149"]
    assert len(await lines(shared, f"{path}?lines=1")) == 2
    assert len(await lines(shared, f"{path}?lines=many")) == 100
    assert len(await lines(shared, f"{path}?lines=3", headers={"Range": "entries=:-9:10"})) == 3
    assert len(await lines(shared, path, headers={"Range": "entries=:-9:10"})) == 10
    assert len(await lines(shared, path, headers={"Range": "entries=:-9:"})) == 10


async def test_paging_backwards(shared: Home) -> None:
    """As the frontend does it: each page ends where the one after it began, and before the first line there is none."""
    path, seen = f"/addons/{SLUG}/logs", list[str]()
    found, cursor = await page(shared, path, "entries=:-39:40")
    while found:
        seen = found + seen
        found, cursor = await page(shared, path, f"entries={cursor}:-40:40")
    assert seen == [f"line {number}" for number in range(150)]
    assert cursor is None


async def test_a_cursor_keeps_its_meaning(talking: Home) -> None:
    """However much is said meanwhile, it names the same line; from it on, after it, and around it."""
    path = f"/addons/{SLUG}/logs"
    _, cursor = await page(talking, path, "entries=:-9:")
    say(talking, "later")
    assert (await page(talking, path, f"entries={cursor}::2"))[0] == ["line 140", "line 141"]
    assert (await page(talking, path, f"entries={cursor}:9:"))[0] == ["line 149", "later"]
    assert (await page(talking, path, f"entries={cursor}:-1:3"))[0] == ["line 139", "line 140", "line 141"]
    assert (await page(talking, path, "entries=abc:-100:100")) == ([], None)


async def test_following_from_a_cursor(talking: Home) -> None:
    """A follower that lost its connection goes on where it was."""
    path = f"/addons/{SLUG}/logs"
    _, cursor = await page(talking, path, "entries=:-1:")
    headers = {"Authorization": f"Bearer {talking.core_token}", "Range": f"entries={cursor}:1:"}
    async with talking.http.get(f"{talking.url}{path}/follow?no_colors", headers=headers) as reply:
        assert await reply.content.readline() == b"line 149\n"
        assert reply.headers["X-First-Cursor"] != cursor
        say(talking, "news")
        assert await reply.content.readline() == b"news\n"


async def test_a_follower_of_a_silent_program(home: Home) -> None:
    """Is answered before there is anything to say, and stays when the API server was away meanwhile."""
    await home.install(SLUG, start=True)
    url = f"{home.url}/addons/{SLUG}/logs/follow"
    async with (
        asyncio.timeout(30),
        home.http.get(url, headers={"Authorization": f"Bearer {home.core_token}"}) as reply,
    ):
        assert (reply.status, "X-First-Cursor" in reply.headers) == (200, False)
        home.cluster.cut(politely=False)
        say(home, "at last")
        assert await reply.content.readline() == b"at last\n"


async def test_with_time_and_name(shared: Home) -> None:
    """As the journal shows it, when `verbose` is asked for, or its own content type."""
    right = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} node addon_core_mosquitto: line 149"
    for query, accept in (("&verbose", "*/*"), ("&format=verbose", "*/*"), ("", "text/x-log")):
        answer = await lines(shared, f"/addons/{SLUG}/logs?no_colors&lines=2{query}", headers={"Accept": accept})
        assert re.fullmatch(right, answer[-1]), answer[-1]
    timed = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} line 149"
    answer = await lines(shared, f"/addons/{SLUG}/logs?no_colors&lines=2&format=timestamp")
    assert re.fullmatch(timed, answer[-1]), answer[-1]
    plain = await lines(shared, f"/addons/{SLUG}/logs?no_colors&verbose&lines=2&format=plain")
    assert plain == ["line 148", "line 149"]


async def test_colours(shared: Home) -> None:
    """Kept, unless told otherwise; never in `latest`, which has all of the present start."""
    assert (await lines(shared, f"/addons/{SLUG}/logs?lines=2"))[-1] == "\x1b[32mline 149\x1b[0m"
    latest = await lines(shared, f"/addons/{SLUG}/logs/latest")
    assert (len(latest), latest[0]) == (150, "line 0")
    assert len(await lines(shared, f"/addons/{SLUG}/logs/latest?lines=5")) == 5
    assert len(await lines(shared, f"/addons/{SLUG}/logs/latest", headers={"Range": "entries=:-9:10"})) == 150


async def test_accept_is_compared_exactly(shared: Home) -> None:
    """Anything but the known values is refused in plain text."""
    for accept in ("*/*", "text/plain", "text/x-log"):
        assert await lines(shared, f"/addons/{SLUG}/logs", headers={"Accept": accept})
    answer = await shared.raw("GET", f"/addons/{SLUG}/logs", headers={"Accept": "application/json"})
    assert (answer.status, answer.content_type) == (400, "text/plain; charset=utf-8")
    assert answer.text.startswith("Invalid content type requested.")


async def test_head(shared: Home) -> None:
    """The headers alone, also of a log that would never end; the connection is good for the next request."""
    for rest in ("", "/latest", "/follow", "/boots/0"):
        async with asyncio.timeout(30):
            answer = await shared.raw("HEAD", f"/addons/{SLUG}/logs{rest}")
        assert (answer.status, answer.content_type, answer.text) == (200, "text/plain; charset=utf-8", "")
    assert (await shared.raw("HEAD", f"/addons/{SLUG}/logs/boots/-9")).status == 400


async def test_follow(talking: Home) -> None:
    """History first, then what is said from now on; over the end of the program to its next start. A boot's own
    follower ends with it.
    """
    url = f"{talking.url}/addons/{SLUG}/logs/follow?lines=2&no_colors"
    async with talking.http.get(url, headers={"Authorization": f"Bearer {talking.core_token}"}) as reply:
        assert [await reply.content.readline() for _ in range(2)] == [b"line 148\n", b"line 149\n"]
        say(talking, "news")
        assert await reply.content.readline() == b"news\n"
        await talking.client().addons.stop_addon(SLUG)
        await talking.client().addons.start_addon(SLUG)
        say(talking, "second run")
        assert await reply.content.readline() == b"second run\n"
    url = f"{talking.url}/addons/{SLUG}/logs/boots/0/follow"
    async with talking.http.get(url, headers={"Authorization": f"Bearer {talking.core_token}"}) as reply:
        assert await reply.content.readline() == b"second run\n"
        await talking.client().addons.stop_addon(SLUG)
        assert await reply.content.readline() == b""


async def test_many_lines_at_once(talking: Home) -> None:
    """All of them come, in their order, and the last one of a rush without waiting for another."""
    url = f"{talking.url}/addons/{SLUG}/logs/follow?lines=2"
    async with (
        asyncio.timeout(60),
        talking.http.get(url, headers={"Authorization": f"Bearer {talking.core_token}"}) as reply,
    ):
        for _ in range(2):
            await reply.content.readline()
        for rush in range(3):
            said = [f"{rush} {number} {'x' * 100}" for number in range(3000)]
            say(talking, *said)
            assert [(await reply.content.readline()).decode().rstrip("\n") for _ in said] == said
            say(talking, "alone")
            assert await reply.content.readline() == b"alone\n"


async def test_follower_that_leaves(talking: Home, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is logged as an error, also when it leaves a silent program; and we can still stop."""
    headers, before = {"Authorization": f"Bearer {talking.core_token}"}, talking.cluster.followers
    talking.cluster.say("homeassistant-0", "homeassistant", "nothing more")
    for program in ("core", f"addons/{SLUG}"):
        url = f"{talking.url}/{program}/logs/follow"
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as reply:
            await reply.content.readline()
            assert talking.cluster.followers > before
    say(talking, "to nobody")
    async with asyncio.timeout(20):
        while talking.cluster.followers > before:
            await asyncio.sleep(0.05)
    assert (await talking.raw("GET", "/supervisor/ping")).status == 200
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_whose_log(home: Home) -> None:
    """Core's and our own; both names of Core's."""
    home.cluster.say("homeassistant-0", "homeassistant", "from Core")
    home.cluster.say("supervisor-0", "supervisor", "from us")
    for path in ("/core/logs", "/homeassistant/logs", "/core/logs/latest?lines=100", "/core/logs/boots/0"):
        assert await lines(home, path) == ["from Core"]
    assert await lines(home, "/supervisor/logs") == ["from us"]


@pytest.mark.parametrize("politely", [True, False])
async def test_a_follower_whose_connection_to_the_cluster_ends(talking: Home, politely: bool) -> None:
    """Hears each line once: what was said already is left out when the API server is asked again."""
    url = f"{talking.url}/addons/{SLUG}/logs/follow?lines=2&no_colors"
    async with (
        asyncio.timeout(30),
        talking.http.get(url, headers={"Authorization": f"Bearer {talking.core_token}"}) as reply,
    ):
        for expected in (b"line 148\n", b"line 149\n"):
            assert await reply.content.readline() == expected
        for news in ("news", "more news"):
            talking.cluster.cut(politely=politely)
            say(talking, news)
            assert (await reply.content.readline()).decode() == f"{news}\n"


async def test_the_journal_of_the_house(shared: Home) -> None:
    """By the names that programs have there; the node's own is not ours to read."""
    identifiers = (await shared.raw("GET", "/host/logs/identifiers")).data["identifiers"]
    assert identifiers == [f"addon_{SLUG}", "hassio_dns", "hassio_supervisor", "homeassistant"]
    for name in (f"addon_{SLUG}", f"app_{SLUG}"):
        for path in (f"/host/logs/identifiers/{name}", f"/host/logs/boots/0/identifiers/{name}"):
            assert (await lines(shared, f"{path}?no_colors"))[-1] == "line 149"
    assert await lines(shared, "/host/logs/identifiers/sshd") == []
    for path in ("", "/follow", "/boots/0", "/boots/0/follow"):
        answer = await shared.raw("GET", f"/host/logs{path}")
        assert (answer.status, answer.text) == (400, "No systemd-journal-gatewayd Unix socket available")


async def test_of_plugins_time_and_name_are_told_unasked(home: Home) -> None:
    """As upstream: on their own path, not when the journal is asked for them."""
    pod = home.cluster.pods(io__hass__type="dns")[0]
    home.cluster.say(pod["metadata"]["name"], pod["spec"]["containers"][0]["name"], "a name")
    for path in ("/dns/logs", "/dns/logs/boots/0", "/dns/logs/latest"):
        (line,) = await lines(home, path)
        assert line.endswith(" hassio_dns: a name")
    assert await lines(home, "/dns/logs?format=plain") == ["a name"]
    assert await lines(home, "/host/logs/identifiers/hassio_dns") == ["a name"]


async def test_lines_of_a_time(shared: Home) -> None:
    """`Range: realtime=` gives what was said between two moments, both included."""
    verbose = await lines(shared, f"/addons/{SLUG}/logs?verbose&lines=3")
    first, last = (int(datetime.fromisoformat(f"{line[:19]}+00:00").timestamp()) for line in verbose[:2])
    found, _ = await page(shared, f"/addons/{SLUG}/logs", f"realtime={first}:{last}")
    assert found == ["line 147", "line 148"]
    assert (await page(shared, f"/addons/{SLUG}/logs", f"realtime={first}::2:5"))[0] == ["line 149"]


async def test_without_a_log(home: Home) -> None:
    """Stopped is empty; unknown is 404 and not installed 400, both in plain text; only boot 0 is there."""
    await home.install(SLUG)
    assert await lines(home, f"/addons/{SLUG}/logs") == []
    for path, status in (("none_such", 404), ("core_panel", 400)):
        answer = await home.raw("GET", f"/addons/{path}/logs")
        assert (answer.status, answer.content_type) == (status, "text/plain; charset=utf-8")
    assert (await home.raw("GET", "/core/logs/boots/-1")).status == 400
