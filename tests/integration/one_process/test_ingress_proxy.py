"""Pages of add-ons through ingress: who is let in, what goes through, and how it ends."""

import asyncio
import base64
import io
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import WSMsgType
from yarl import URL

from supervisor_k8s.errors import ClusterUnavailableError
from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.docker_network import LINK_PORT, TRIAL
from supervisor_k8s.model.desired.link import KeyPair, LinkKeys
from supervisor_k8s.remote.certificates import make_launch_keys, utc_now
from tests.contract.house import Answer, Home
from tests.contract.page import LARGE, Page
from tests.fake_core import server_context

SLUG = "core_panel"
PORT = 8099


@dataclass
class Browser:
    """A person at an add-on's page, by way of Core."""

    home: Home
    page: Page
    base: str
    session: str

    @property
    def cookie(self) -> dict[str, str]:
        return {"Cookie": f"other=1; ingress_session={self.session}"}

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        headers = {**self.cookie, **options.pop("headers", {})}
        return await self.home.raw(
            method, f"{self.base}{path}", token=None, headers=headers, allow_redirects=False, **options
        )

    @asynccontextmanager
    async def socket(self, path: str = "/socket", **options: Any) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        url = f"{self.home.url}{self.base}{path}"
        async with self.home.http.ws_connect(url, headers=self.cookie, **options) as socket:
            yield socket


async def with_page(home: Home) -> Home:
    """An add-on that runs, at an address that can be dialled."""
    home.core.answers["config/auth/list"] = [{"id": "1", "username": "ann", "name": "Ann\nOther"}]
    await home.install(SLUG, start=True)
    address = f"127.78.{secrets.randbelow(250) + 1}.{secrets.randbelow(250) + 1}"
    (pod,) = home.cluster.select("Pod", {naming.LABEL_ADDON: SLUG})
    home.cluster.set_status("Pod", pod["metadata"]["name"], podIP=address, podIPs=[{"ip": address}])
    await home.raw("POST", "/ingress/session", json={"user_id": "1"})
    return home


def link_keys(home: Home) -> LinkKeys:
    """What the link in the add-on's pod reads from the launch's Secret."""
    launch = home.house.records.addons[SLUG].intent.launch
    assert launch is not None
    secret = home.cluster.get("Secret", naming.launch_secret(naming.addon_name(SLUG), launch.id))
    assert secret is not None
    entries = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    return LinkKeys(KeyPair(entries["ca.crt"]), KeyPair(entries["tls.crt"], entries["tls.key"]), KeyPair(""))


@asynccontextmanager
async def browsing(home: Home) -> AsyncIterator[Browser]:
    """The add-on serves its page; the session is that of the user `1`."""
    (pod,) = home.cluster.select("Pod", {naming.LABEL_ADDON: SLUG})
    tls = server_context(link_keys(home))
    async with Page(pod["status"]["podIP"], LINK_PORT, tls) as page:
        yield await at_page(home, page)


async def at_page(home: Home, page: Page) -> Browser:
    (session,) = home.house.records.ingress["sessions"]
    entry = (await home.raw("GET", f"/addons/{SLUG}/info")).data["ingress_entry"]
    return Browser(home, page, entry.replace("/api/hassio_ingress", "/ingress"), session["id"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(standing: Home) -> Home:
    return await with_page(standing)


@pytest_asyncio.fixture(loop_scope="module")
async def browser(shared: Home) -> AsyncIterator[Browser]:
    async with browsing(shared) as browser:
        yield browser


@pytest.fixture
async def mover(home: Home) -> AsyncIterator[Browser]:
    """A browser in a house of its own, for who changes something there."""
    async with browsing(await with_page(home)) as browser:
        yield browser


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
    assert (await mover.ask("GET", "/start")).status == 503


async def test_addon_that_does_not_answer(mover: Browser) -> None:
    """502 in plain text when nobody listens, and when it is stopped."""
    await mover.page.__aexit__()
    answer = await mover.ask("GET", "/start")
    assert (answer.status, answer.text) == (502, "502: Bad Gateway")
    assert (await mover.home.raw("POST", f"/addons/{SLUG}/stop")).status == 200
    assert (await mover.ask("GET", "/start")).status == 502


async def test_a_use_prolongs_the_session(mover: Browser) -> None:
    """Each use adds its quarter of an hour, and what it added survives our restart after a minute at the latest."""
    await mover.ask("GET", "/start")
    await mover.home.stop()
    await mover.home.start()
    answer = await mover.ask("GET", "/start")
    assert answer.status in (200, 502)  # the session is known, whatever the add-on says


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
        assert (await browser.ask("GET", "/start")).status == 502
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
            "X-Forwarded-For": "192.0.2.7", "Host": "house.test", "X-Supervisor-Token": "t", "X-Hassio-Key": "k",
            "x-remote-user-id": "admin", "X_Remote_User_Name": "root", "X-REMOTE-USER-DISPLAY-NAME": "Root",
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
    for name in ("X-Supervisor-Token", "X-Hassio-Key", "X_Remote_User_Name"):
        assert name not in seen


async def test_a_session_without_a_user(mover: Browser) -> None:
    """The add-on is told nobody, also when the mover says who it is."""
    mover.session = (await mover.home.raw("POST", "/ingress/session", json={})).data["session"]
    await mover.ask("GET", "/start", headers={"X-Remote-User-Id": "1"})
    assert not [name for name in mover.page.header if "remote-user" in name.lower()]


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


async def test_a_packed_answer_arrives_unpacked(browser: Browser) -> None:
    answer = await browser.ask("GET", "/packed", headers={"Accept-Encoding": "gzip"})
    assert (answer.text, "Content-Encoding" in answer.headers) == ("word " * 100, False)


async def test_large_bodies(browser: Browser) -> None:
    """More than the API takes goes up; what comes down is not to be gathered by proxies."""
    sent = b"y" * (20 * 2**20)
    assert (await browser.ask("POST", "/upload", data=io.BytesIO(sent))).status == 200
    assert browser.page.requests[-1] == ("POST", "/upload", sent)
    answer = await browser.ask("GET", "/large")
    assert (len(answer.text), answer.headers["X-Accel-Buffering"]) == (LARGE, "no")


async def test_a_body_of_unsaid_length_arrives_with_its_length(browser: Browser) -> None:
    """Many add-ons' servers make nothing of pieces."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    assert (await browser.ask("PUT", "/upload", data=pieces())).status == 200
    assert browser.page.requests[-1] == ("PUT", "/upload", b"onetwo")
    assert browser.page.header["Content-Length"] == "6"


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
    """A large one breaks off, of a small one nothing is shown."""
    with pytest.raises(aiohttp.ClientError):
        await browser.ask("GET", f"/cut?of={LARGE}")
    assert (await browser.ask("GET", "/cut?of=1000")).status == 502
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
    """502 instead of an open websocket that nobody serves."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        async with browser.socket("/closed"):
            pass
    assert caught.value.status == 502


async def test_our_end_ends_websockets(mover: Browser) -> None:
    """An open page does not hold up our stop."""
    async with mover.socket() as socket:
        await socket.send_str("hello")
        await socket.receive()
        async with asyncio.timeout(5):
            await mover.home.stop()
        assert (await socket.receive()).type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR)
    await mover.home.start()
