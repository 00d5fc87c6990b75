"""Pages of add-ons through ingress: who is let in, what goes through, and how it ends."""

import asyncio
import io

import aiohttp
import pytest
from aiohttp import WSMsgType
from yarl import URL

from tests.contract.page import LARGE

from .pages import SLUG, SPELLINGS, Browser, around, browser, in_pieces, mover, standing

__all__ = ["around", "browser", "mover", "standing"]


# --- who is let in ------------------------------------------------------------------------------------------------


async def test_without_a_session(browser: Browser) -> None:
    """401 in plain text, before anybody says whether the token leads anywhere; a token of the API is no way in."""
    for headers in ({}, {"Cookie": "ingress_session=no"}, {"Authorization": f"Bearer {browser.home.core_token}"}):
        for path in (f"{browser.base}/start", "/ingress/unknown/start"):
            answer = await browser.home.raw("GET", path, token=None, headers=headers)
            assert (answer.status, answer.text) == (401, "401: Unauthorized")
    assert browser.page.requests == []


async def test_unknown_token(mover: Browser) -> None:
    """503 in plain text; so too once the add-on is uninstalled."""
    answer = await mover.home.raw("GET", "/ingress/unknown/start", token=None, headers=mover.cookie)
    assert (answer.status, answer.text) == (503, "503: Service Unavailable")
    assert (await mover.ask("GET", "/start")).status == 200
    assert (await mover.home.raw("POST", f"/addons/{SLUG}/uninstall")).status == 200
    await mover.answers(503)


async def test_addon_that_does_not_answer(mover: Browser) -> None:
    """502 in plain text when nobody listens, and when it is stopped."""
    await mover.page.__aexit__()
    answer = await mover.ask("GET", "/start")
    assert (answer.status, answer.text) == (502, "502: Bad Gateway")
    assert (await mover.home.raw("POST", f"/addons/{SLUG}/stop")).status == 200
    await mover.answers(502)


async def test_inner_paths_of_the_front(browser: Browser) -> None:
    """Are nobody's, with a session or without."""
    assert (await browser.ask("GET", "/start")).status == 200
    for path in ("/gate", "/doors/door-1/as-it-comes", "/doors/door-1/gathered"):
        for headers in ({}, browser.cookie):
            assert (await browser.home.raw("GET", path, token=None, headers=headers)).status == 404
    assert [path for _, path, _ in browser.page.requests] == ["/start"]


async def test_other_spellings_of_the_path(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    """Lead to no page, and nobody fails over them."""
    for path in (f"/x/..{browser.base}/start", f"/{browser.base}/start", f"/%69{browser.base[2:]}/start"):
        url = URL(f"{browser.home.url}{path}", encoded=True)
        for headers, status in (({}, 401), (browser.cookie, 503)):
            async with browser.home.http.get(url, headers=headers) as reply:
                assert reply.status == status, path
    assert browser.page.requests == []
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_use_prolongs_the_session(mover: Browser) -> None:
    """Each use adds its quarter of an hour, and what it added survives our restart after a minute at the latest."""
    await mover.ask("GET", "/start")
    await mover.home.stop()
    await mover.home.start()
    answer = await mover.ask("GET", "/start")
    assert answer.status in (200, 502)  # the session is known, whatever the add-on says


# --- what goes through --------------------------------------------------------------------------------------------


async def test_methods_and_bodies(browser: Browser) -> None:
    """Every method, with path, query and body as they came."""
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        browser.page.requests.clear()
        answer = await browser.ask(method, "/api/a%20b?c=d%26e&f=1&f=2&g", data=b"\x00body")
        assert (answer.status, answer.text) == (200, "<p>hello</p>")
        assert browser.page.requests == [(method, "/api/a%20b?c=d%26e&f=1&f=2&g", b"\x00body")]


async def test_a_quoted_slash_stays_quoted(browser: Browser) -> None:
    """`%2F` in a name is no other folder."""
    url = URL(f"{browser.home.url}{browser.base}/files/a%2Fb", encoded=True)
    async with browser.home.http.get(url, headers=browser.cookie) as reply:
        assert reply.status == 200
    assert browser.page.requests == [("GET", "/files/a%2Fb", b"")]


async def test_the_root_of_a_page(browser: Browser) -> None:
    assert (await browser.ask("GET", "/")).status == 200
    assert browser.page.requests == [("GET", "/", b"")]


async def test_headers_to_the_addon(browser: Browser) -> None:
    """The browser's own as they are; ours and those by which add-ons sign people in are never the browser's word, in
    whatever way they are spelled; added is who the session belongs to and who came here.
    """
    await browser.ask(
        "GET", "/start",
        headers={
            "Accept": "text/html", "Authorization": "Basic eDp5", "X-Ingress-Path": "/api/hassio_ingress/t",
            "X-Forwarded-For": "192.0.2.7", "Host": "house.test", **SPELLINGS,
        },
    )  # fmt: skip
    seen = browser.page.header
    assert seen["Accept"] == "text/html"
    assert seen["Authorization"] == "Basic eDp5"
    assert seen["Host"] == "house.test"
    assert seen["Cookie"] == browser.cookie["Cookie"]
    assert seen["X-Ingress-Path"] == "/api/hassio_ingress/t"
    assert seen["X-Forwarded-For"] == "192.0.2.7, 127.0.0.1"
    assert (seen["X-Remote-User-Id"], seen["X-Remote-User-Name"]) == ("1", "ann")
    assert seen["X-Remote-User-Display-Name"] == "AnnOther"
    assert not set(SPELLINGS.values()) & set(seen.values())
    assert not [name for name in seen if "_" in name]


async def test_a_session_without_a_user(mover: Browser) -> None:
    """The add-on is told nobody, also when the mover says who it is."""
    mover.session = (await mover.home.raw("POST", "/ingress/session", json={})).data["session"]
    await mover.ask("GET", "/start", headers=SPELLINGS)
    assert not [name for name in mover.page.header if "remote-user" in name.lower().replace("_", "-")]


async def test_headers_to_the_browser(browser: Browser) -> None:
    """The add-on's own, each as often as it said it, but for those of its connection; the type without parameters."""
    url = f"{browser.home.url}{browser.base}/start"
    async with browser.home.http.get(url, headers=browser.cookie) as reply:
        assert reply.headers.getall("Set-Cookie") == ["a=1", "b=2"]
        assert (reply.headers["Content-Type"], reply.headers["X-Of-Page"]) == ("text/html", "yes")
        assert (reply.headers["Content-Length"], await reply.text()) == ("12", "<p>hello</p>")
        assert "X-Accel-Buffering" not in reply.headers


async def test_redirects_are_the_browsers(browser: Browser) -> None:
    answer = await browser.ask("GET", "/away")
    assert (answer.status, answer.headers["Location"]) == (302, "/elsewhere?a=b#c")


async def test_answers_without_a_body(browser: Browser) -> None:
    """HEAD and 204: no body and no type that the add-on did not give."""
    answer = await browser.ask("GET", "/empty")
    assert (answer.status, answer.text, "Content-Type" in answer.headers) == (204, "", False)
    answer = await browser.ask("HEAD", "/start")
    assert (answer.status, answer.text, answer.headers["Content-Length"]) == (200, "", "12")


async def test_a_packed_answer(browser: Browser) -> None:
    """Arrives as the add-on packed it, and unpacked at who does not take it so."""
    for taken, kept in (("gzip", "gzip"), ("identity", None)):
        answer = await browser.ask("GET", "/packed", headers={"Accept-Encoding": taken})
        assert (answer.status, answer.text, answer.headers.get("Content-Encoding")) == (200, "word " * 100, kept)


async def test_large_bodies(browser: Browser) -> None:
    """More than the API takes goes up; what comes down is not to be gathered by proxies."""
    sent = b"y" * (20 * 2**20)
    assert (await browser.ask("POST", "/upload", data=io.BytesIO(sent))).status == 200
    assert browser.page.requests[-1] == ("POST", "/upload", sent)
    answer = await browser.ask("GET", "/large")
    assert (len(answer.text), answer.headers["X-Accel-Buffering"]) == (LARGE, "no")


async def test_a_body_of_unsaid_length_arrives_with_its_length(browser: Browser) -> None:
    """Many add-ons' servers make nothing of pieces."""
    assert (await browser.ask("PUT", "/upload", data=in_pieces(b"one", b"two"))).status == 200
    assert browser.page.requests[-1] == ("PUT", "/upload", b"onetwo")
    assert browser.page.header["Content-Length"] == "6"


async def test_no_more_than_16_mb_are_gathered(browser: Browser) -> None:
    """What is larger and does not say so is refused with 413, and the add-on hears nothing of it."""
    mb = b"x" * 2**20
    assert (await browser.ask("PUT", "/upload", data=in_pieces(*[mb] * 16))).status == 200
    assert browser.page.requests == [("PUT", "/upload", mb * 16)]
    answer = await browser.ask("PUT", "/upload", data=in_pieces(*[mb] * 16, b"y"))
    assert (answer.status, answer.text) == (413, "413: Request Entity Too Large")
    assert len(browser.page.requests) == 1


async def test_events_arrive_as_they_happen(browser: Browser, caplog: pytest.LogCaptureFixture) -> None:
    """An answer without an end; the add-on's side ends when the browser leaves, without a word of error."""
    url = f"{browser.home.url}{browser.base}/events"
    async with aiohttp.ClientSession() as session, session.get(url, headers=browser.cookie) as reply:
        assert await reply.content.readline() == b"data: tick\n"
        assert (reply.content_type, reply.headers["X-Accel-Buffering"]) == ("text/event-stream", "no")
    async with asyncio.timeout(20):
        await browser.page.gone.wait()
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []


async def test_half_an_answer_does_not_look_whole(browser: Browser) -> None:
    """It breaks off, a large one as a small one."""
    for length in (LARGE, 1000):
        with pytest.raises(aiohttp.ClientError):
            await browser.ask("GET", f"/cut?of={length}")
    assert (await browser.ask("GET", "/start")).status == 200


# --- websockets ---------------------------------------------------------------------------------------------------


async def test_messages_both_ways(browser: Browser) -> None:
    """Text, bytes and a message larger than usual; the add-on knows who is there."""
    async with browser.socket() as socket:
        await socket.send_str("hello")
        assert (await socket.receive()).data == "hello"
        await socket.send_bytes(b"\x00\x01")
        assert (await socket.receive()).data == b"\x00\x01"
    async with browser.socket(max_msg_size=0) as socket:
        await socket.send_str("x" * LARGE)
        assert len((await socket.receive()).data) == LARGE
    assert (browser.page.header["X-Remote-User-Id"], browser.page.header["Cookie"]) == ("1", browser.cookie["Cookie"])


async def test_the_addon_chooses_the_protocol(browser: Browser) -> None:
    """Of those that the browser offers; none when it offers none."""
    async with browser.socket(protocols=("first", "second")) as socket:
        assert socket.protocol == "second"
    async with browser.socket() as socket:
        assert socket.protocol is None


async def test_pings_are_the_two_sides_own(browser: Browser) -> None:
    """What is said in a ping arrives, and so does the answer."""
    async with browser.socket(autoping=False) as socket:
        await socket.ping(b"there?")
        message = await socket.receive()
        assert (message.type, bytes(message.data)) == (WSMsgType.PONG, b"there?")
    assert browser.page.pings == [b"there?"]


async def test_either_side_may_end(browser: Browser) -> None:
    """With the code that it gave."""
    async with browser.socket() as socket:
        await socket.send_str("bye")
        assert (await socket.receive()).type is WSMsgType.CLOSE
        assert socket.close_code == 4000
    async with browser.socket() as socket:
        await socket.close(code=4001)
    async with asyncio.timeout(10):
        while len(browser.page.closed_with) < 2:
            await asyncio.sleep(0.01)
    assert browser.page.closed_with[-1] == 4001


async def test_an_addon_that_refuses(browser: Browser) -> None:
    """Its own word instead of an open websocket that nobody serves."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        async with browser.socket("/closed"):
            pass
    assert caught.value.status == 403


async def test_our_end_ends_websockets(mover: Browser) -> None:
    """An open page does not hold up our stop."""
    async with mover.socket() as socket:
        await socket.send_str("hello")
        await socket.receive()
        async with asyncio.timeout(5):
            await mover.home.stop()
        assert (await socket.receive()).type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR)
    await mover.home.start()
