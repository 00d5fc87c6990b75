"""Doors to pages of add-ons: which way is taken, with whose keys, and what happens while doors are opened."""

import asyncio
from typing import Any

import pytest

from supervisor_k8s.errors import ClusterUnavailableError
from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.docker_network import LINK_PORT, TRIAL
from supervisor_k8s.remote.certificates import make_launch_keys, utc_now
from tests.contract.house import Home
from tests.contract.page import Page
from tests.fake_core import server_context

from .pages import (
    SLUG,
    SPELLINGS,
    TRUSTED,
    Browser,
    around,
    at_page,
    browsing,
    in_pieces,
    link_keys,
    mover,
    to_be_dialled,
    with_page,
)

__all__ = ["around", "mover"]

PORT = 8099


# --- by the link --------------------------------------------------------------------------------------------------


async def test_an_addon_that_started_without_a_link(home: Home) -> None:
    """What runs stays as it was started, over our restart with other settings: its own port is asked, until its next
    start.
    """
    home.docker_network = "off"
    await home.stop()
    await home.start()
    await with_page(home)
    (pod,) = home.cluster.select("Pod", {naming.LABEL_ADDON: SLUG})
    home.docker_network = "auto"
    await home.stop()
    await home.start()
    async with Page(pod["status"]["podIP"], PORT) as page:
        browser = await at_page(home, page)
        assert (await browser.ask("GET", "/start")).status == 200
        assert (await home.raw("POST", f"/addons/{SLUG}/restart")).status == 200
        await browser.answers(502)
    assert link_keys(home)


async def test_a_cluster_that_refuses_the_link(home: Home) -> None:
    """Pods are made without, the page is asked at its own port, and an issue says why; it goes with the refusal."""
    home.cluster.refusals[TRIAL] = 'violates PodSecurity "baseline:latest"'
    await home.stop()
    await home.start()
    await with_page(home)
    (pod,) = home.cluster.select("Pod", {naming.LABEL_ADDON: SLUG})
    async with Page(pod["status"]["podIP"], PORT) as page:
        assert (await (await at_page(home, page)).ask("GET", "/start")).status == 200
    said = {"reason": "docker_network_off", "message": 'violates PodSecurity "baseline:latest"'}
    assert ("system", said) in await issues(home)
    told = (await home.raw("GET", f"/store/addons/{SLUG}/compatibility")).data
    assert "without 172.30.32.2" in told["summary"]
    del home.cluster.refusals[TRIAL]
    assert ("system", said) not in await issues(home)
    assert (await home.raw("GET", f"/store/addons/{SLUG}/compatibility")).data["verdict"] == "runs"
    assert (await home.raw("POST", f"/addons/{SLUG}/restart")).status == 200
    assert link_keys(home)


async def test_a_cluster_that_does_not_say(home: Home) -> None:
    """We come up all the same, and an add-on that is started then gets what it would have got before."""
    await home.stop()
    for _ in ("the start", "the first round of checks"):
        home.cluster.fail("refusal", ClusterUnavailableError("overloaded"))
    await home.start()
    await with_page(home)
    assert link_keys(home)


async def issues(home: Home) -> list[tuple[str, Any]]:
    """What is wrong, looked at now: context and further facts."""
    assert (await home.raw("POST", "/resolution/healthcheck")).status == 200
    found = (await home.raw("GET", "/resolution/info")).data["issues"]
    return [(issue["context"], issue["reference_extra"]) for issue in found]


async def test_the_link_must_have_the_keys_of_this_launch(home: Home) -> None:
    """Whoever answers at the add-on's address with those of another one is not talked to."""
    await with_page(home)
    (pod,) = home.cluster.select("Pod", {naming.LABEL_ADDON: SLUG})
    async with Page(pod["status"]["podIP"], LINK_PORT, server_context(make_launch_keys(utc_now()))) as page:
        assert (await (await at_page(home, page)).ask("GET", "/start")).status == 502
    assert page.requests == []


# --- doors that open ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_once", [1, 8])
@pytest.mark.parametrize("body", [None, b"z" * 2**20], ids=["nothing", "1 MB"])
async def test_the_first_requests_of_all(mover: Browser, at_once: int, body: bytes | None) -> None:
    """Arrive as later ones do, whole and each once, also several at the same time."""
    method = "GET" if body is None else "POST"
    headers = {**SPELLINGS, "X-Forwarded-For": "192.0.2.7"}
    first = [mover.ask(method, f"/a%2Fb?c={number}", data=body, headers=headers) for number in range(at_once)]
    assert {answer.status for answer in await asyncio.gather(*first)} == {200}
    asked = [(method, f"/a%2Fb?c={number}", body or b"") for number in range(at_once)]
    assert sorted(mover.page.requests) == asked
    for seen in mover.page.headers:
        assert (seen["X-Remote-User-Id"], seen["X-Forwarded-For"]) == ("1", "192.0.2.7, 127.0.0.1")
        assert not set(SPELLINGS.values()) & set(seen.values())


async def test_a_page_cannot_lead_elsewhere(mover: Browser) -> None:
    """What proxies would do at an add-on's word is not done, neither for the first request nor for later ones: the word
    is for a proxy before us, as any header.
    """
    for to in ("/supervisor/ping", "/doors/unknown/gathered"):
        answer = await mover.ask("GET", f"/orders?to={to}")
        assert (answer.status, answer.text, answer.headers["X-Accel-Redirect"]) == (200, "mine", to)


async def test_the_first_request_has_a_body_of_unsaid_length(mover: Browser) -> None:
    """It is gathered as any other."""
    assert (await mover.ask("POST", "/upload", data=in_pieces(b"one", b"two"))).status == 200
    assert (mover.page.requests, mover.page.header["Content-Length"]) == ([("POST", "/upload", b"onetwo")], "6")


async def test_the_first_request_is_a_websocket(mover: Browser) -> None:
    async with mover.socket() as socket:
        await socket.send_str("hello")
        assert (await socket.receive()).data == "hello"


async def test_a_page_after_its_restart(mover: Browser) -> None:
    """The page of the next launch, with other keys at another address, is there a moment later."""
    assert (await mover.ask("GET", "/start")).status == 200
    assert (await mover.home.raw("POST", f"/addons/{SLUG}/restart")).status == 200
    to_be_dialled(mover.home, SLUG)
    async with browsing(mover.home) as again:
        await again.answers(200)
        async with asyncio.timeout(TRUSTED):
            while not again.page.requests:
                await again.ask("GET", "/start")
        mover.page.requests.clear()
        assert (await again.ask("GET", "/start")).status == 200
    assert mover.page.requests == []


async def test_a_second_page_while_the_first_is_open(mover: Browser) -> None:
    """The first one's websocket goes on, and so does its answer without an end."""
    home = mover.home
    assert (await home.raw("POST", "/store/repositories", json={"repository": f"{home.store}/other"})).status == 200
    (other,) = [slug for slug in home.house.services.repositories.catalogue.addons if slug.endswith("_one")]
    await home.install(other, start=True)
    to_be_dialled(home, other)
    events = f"{home.url}{mover.base}/events"
    async with mover.socket() as socket, home.http.get(events, headers=mover.cookie) as reply:
        async with browsing(home, other) as second:
            assert (await second.ask("GET", "/start")).status == 200
            assert second.page.requests == [("GET", "/start", b"")]
        assert (await mover.ask("GET", "/start")).status == 200
        for _ in range(5):
            await socket.send_str("still there")
            assert (await socket.receive()).data == "still there"
            assert await reply.content.readline() == b"data: tick\n"
            assert await reply.content.readline() == b"\n"
