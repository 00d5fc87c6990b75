"""Log routes over several runs of a program: boots, pages and followers."""

import asyncio
import re

from tests import builders
from tests.contract.house import Home

from .log_house import SLUG, lines, page, say, talking

__all__ = ["talking"]


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
    """Lines, once the last one is this. While the log of a pod that is gone is being written it is nowhere."""
    async with asyncio.timeout(30):
        while (answer := await home.raw("GET", path)).status != 200 or answer.text.splitlines()[-1:] != [last]:
            await asyncio.sleep(0.02)
    return answer.text.splitlines()


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
