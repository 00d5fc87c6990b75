"""Log routes: plain text, live from the pod."""

import asyncio
import re
from datetime import datetime
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from supervisor_k8s.model.status import current_pod
from tests import builders
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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(standing: Home) -> Home:
    return await with_a_log(standing)


async def lines(home: Home, path: str, **options: Any) -> list[str]:
    answer = await home.raw("GET", path, **options)
    assert (answer.status, answer.content_type) == (200, "text/plain; charset=utf-8"), answer.text
    assert answer.headers["X-Accel-Buffering"] == "no"
    return answer.text.splitlines()


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


async def page(home: Home, path: str, ranged: str) -> tuple[list[str], str | None]:
    """Lines without colours, and the cursor of the first one."""
    answer = await home.raw("GET", f"{path}?no_colors", headers={"Range": ranged})
    assert (answer.status, answer.content_type) == (200, "text/plain; charset=utf-8"), answer.text
    return answer.text.splitlines(), answer.headers.get("X-First-Cursor")


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


async def stop(home: Home) -> None:
    """Through the API; the add-on says goodbye."""
    home.cluster.slow_stop = True
    (pod,) = home.cluster.pods(io__hass__addon=SLUG)
    stopping = asyncio.ensure_future(home.raw("POST", f"/addons/{SLUG}/stop"))
    async with asyncio.timeout(30):
        while "deletionTimestamp" not in home.cluster.pods(io__hass__addon=SLUG)[0]["metadata"]:
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    home.cluster.say(pod["metadata"]["name"], "addon", "goodbye")
    home.cluster.end(pod["metadata"]["name"])
    assert (await stopping).status == 200
    home.cluster.slow_stop = False


async def becomes(home: Home, path: str, last: str) -> list[str]:
    """Lines, once the last one is this."""
    async with asyncio.timeout(30):
        while (found := await lines(home, path))[-1:] != [last]:
            await asyncio.sleep(0.02)
    return found


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


async def test_boots_have_ids(talking: Home) -> None:
    """32 hex digits, as in the journal; those of the house are Core's runs, for every program by their number. Of an
    unknown one there is nothing.
    """
    core = talking.cluster.pods(**{"app__kubernetes__io/name": "homeassistant"})[0]["metadata"]["name"]
    talking.cluster.say(core, "homeassistant", "before")
    boots = (await talking.raw("GET", "/host/logs/boots")).data["boots"]
    assert list(boots) == ["0"]
    assert re.fullmatch("[0-9a-f]{32}", boots["0"])
    first = boots["0"]
    talking.cluster.restart(core, "homeassistant")
    talking.cluster.say(core, "homeassistant", "after")
    await stop(talking)
    assert (await talking.raw("POST", f"/addons/{SLUG}/start")).status == 200
    say(talking, "second run")
    boots = (await talking.raw("GET", "/host/logs/boots")).data["boots"]
    assert (sorted(boots), boots["-1"]) == (["-1", "0"], first)
    for boot, said in ((first, "before"), ("-1", "before"), (boots["0"], "after"), ("1", "before")):
        assert await lines(talking, f"/core/logs/boots/{boot}") == [said]
    assert await becomes(talking, f"/addons/{SLUG}/logs/boots/{first}", "goodbye")
    assert await lines(talking, f"/addons/{SLUG}/logs/boots/{boots['0']}") == ["second run"]
    assert await lines(talking, f"/core/logs/boots/{'f' * 32}") == []
    refused = await talking.raw("GET", "/core/logs/boots/-2")
    assert (refused.status, refused.text) == (400, "Logs only contain 2 boots")
    assert (await talking.raw("GET", "/core/logs/boots/last")).status == 400


async def test_a_restart_whose_old_pod_is_still_there(talking: Home) -> None:
    """The run before it can be read at once, from the old pod, and stays when that is gone."""
    path = f"/addons/{SLUG}/logs"
    talking.cluster.slow_stop = True
    (former,) = talking.cluster.pods(io__hass__addon=SLUG)
    name = former["metadata"]["name"]
    restarting = asyncio.ensure_future(talking.raw("POST", f"/addons/{SLUG}/restart"))
    await talking.cluster.stopping(name)
    talking.cluster.set_status("Pod", name, **builders.cleared_away(former)["status"])
    assert (await restarting).status == 200
    say(talking, "second run")
    assert len(await lines(talking, f"{path}/boots/-1")) == 100
    assert await lines(talking, f"{path}/boots/0") == await lines(talking, path) == ["second run"]
    talking.cluster.end(name)
    assert await becomes(talking, f"{path}/boots/-1?no_colors", "line 149")
    assert (await talking.raw("GET", f"{path}/boots/-2")).status == 400


async def test_runs_in_one_pod_are_kept(home: Home) -> None:
    """Each time Core's container is started anew, what the former one said becomes a boot, oldest last."""
    for number in range(3):
        home.cluster.say("homeassistant-0", "homeassistant", f"run {number}")
        home.cluster.restart("homeassistant-0", "homeassistant")
        await becomes(home, "/core/logs/boots/-1", f"run {number}")
        # The kubelet has the log of one former run only: what is not saved by now may be lost with the next start.
        async with asyncio.timeout(30):
            while len(list((home.folder / "state").rglob("*.gz"))) <= number:
                await asyncio.sleep(0.02)
    assert await lines(home, "/core/logs/boots/1") == ["run 0"]
    assert len((await home.raw("GET", "/host/logs/boots")).data["boots"]) == 4


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


async def test_pages_go_back_over_starts(talking: Home) -> None:
    """The log begins where the oldest run that is kept does; that of a boot begins with it."""
    path = f"/addons/{SLUG}/logs"
    for number in range(2):
        await stop(talking)
        await becomes(talking, f"{path}?no_colors", "goodbye")
        assert (await talking.raw("POST", f"/addons/{SLUG}/start")).status == 200
        say(talking, f"start {number}")
    found, cursor = await page(talking, path, "entries=:-9:10")
    assert found == ["start 1"]
    assert (await page(talking, f"{path}/boots/0", f"entries={cursor}:-40:40"))[0] == []
    seen = found
    while found:
        found, cursor = await page(talking, path, f"entries={cursor}:-40:40")
        seen = found + seen
    everything = [f"line {number}" for number in range(150)]
    assert seen == [*everything, "goodbye", "start 0", "goodbye", "start 1"]


async def test_a_follower_that_comes_back_after_a_start(talking: Home) -> None:
    """It says where it was and how much it has seen since; what it has not seen is told, of both runs."""
    path = f"/addons/{SLUG}/logs"
    _, cursor = await page(talking, path, "entries=:-9:")
    await stop(talking)
    await becomes(talking, f"{path}?no_colors", "goodbye")
    assert (await talking.raw("POST", f"/addons/{SLUG}/start")).status == 200
    say(talking, "second run")
    headers = {"Authorization": f"Bearer {talking.core_token}", "Range": f"entries={cursor}:9:100"}
    async with talking.http.get(f"{talking.url}{path}/follow?no_colors", headers=headers) as reply:
        for expected in (b"line 149\n", b"goodbye\n", b"second run\n"):
            assert await reply.content.readline() == expected


async def test_the_log_of_a_stopped_addon(talking: Home) -> None:
    """Stays, to its last word, also over our restart; the next launch's comes before it; it goes with the add-on."""
    path = f"/addons/{SLUG}/logs"
    await stop(talking)
    await becomes(talking, f"{path}?no_colors", "goodbye")
    await talking.stop()
    await talking.start()
    assert len(await lines(talking, f"{path}/latest")) == 151
    found, cursor = await page(talking, path, "entries=:-9:10")
    assert (found[0], found[-1]) == ("line 141", "goodbye")
    assert (await page(talking, path, f"entries={cursor}:-2:2"))[0] == ["line 139", "line 140"]
    assert (await talking.raw("POST", f"/addons/{SLUG}/start")).status == 200
    say(talking, "second launch")
    assert await lines(talking, path) == ["second launch"]
    for boot in ("-1", "1"):
        assert (await lines(talking, f"{path}/boots/{boot}"))[-1] == "goodbye"
    assert await lines(talking, f"{path}/boots/0") == ["second launch"]
    for boot in ("-2", "3"):
        assert (await talking.raw("GET", f"{path}/boots/{boot}")).status == 400
    assert (await talking.raw("POST", f"/addons/{SLUG}/uninstall")).status == 200
    await talking.install(SLUG)
    assert await lines(talking, path) == []


async def test_without_a_log(home: Home) -> None:
    """Stopped is empty; unknown is 404 and not installed 400, both in plain text; only boot 0 is there."""
    await home.install(SLUG)
    assert await lines(home, f"/addons/{SLUG}/logs") == []
    for path, status in (("none_such", 404), ("core_panel", 400)):
        answer = await home.raw("GET", f"/addons/{path}/logs")
        assert (answer.status, answer.content_type) == (status, "text/plain; charset=utf-8")
    assert (await home.raw("GET", "/core/logs/boots/-1")).status == 400
