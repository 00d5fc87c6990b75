"""Core's REST API for add-ons: who may, what goes through, and how it ends."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from tests.contract.house import Answer, Home

SLUG, OTHER = "core_panel", "core_mosquitto"
PATHS = ("/core/api/config", "/core/api/", "/core/api/stream", "/homeassistant/api/config", "/homeassistant/api/")


async def with_two(home: Home) -> Home:
    """Two add-ons that run; the first one has `homeassistant_api`."""
    await home.install(SLUG, start=True)
    await home.install(OTHER, start=True)
    home.core.forget()
    return home


@pytest.fixture
async def used(home: Home) -> Home:
    return await with_two(home)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(standing: Home) -> Home:
    return await with_two(standing)


def bearer(home: Home, slug: str = SLUG) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {home.addon_token(slug)}"}


async def ask(home: Home, method: str, path: str, **options: Any) -> Answer:
    return await home.raw(method, path, token=home.addon_token(SLUG), **options)


async def dismiss(home: Home) -> None:
    """Core is not running from now on."""
    home.core.state = "STOPPING"
    await home.core.hang_up()
    async with asyncio.timeout(5):
        while home.house.home_assistant.connected:
            await asyncio.sleep(0.01)


# --- who may ------------------------------------------------------------------------------------------------------


async def test_only_addons_with_the_right(shared: Home) -> None:
    """401 in plain text for no token, Core's own, the command line's, an add-on's without `homeassistant_api`, a wrong
    one, and for a good one in the header that counts everywhere else.
    """
    for path in PATHS:
        good = shared.addon_token(SLUG)
        for headers in (
            {},
            {"Authorization": f"Bearer {shared.core_token}"},
            {"Authorization": "Bearer " + "c1" * 56},
            bearer(shared, OTHER),
            {"Authorization": "Bearer nobody"},
            {"Authorization": "", "X-Ha-Access": good},
            {"X-Supervisor-Token": good},
        ):
            answer = await shared.raw("GET", path, token=None, headers=dict(headers))
            assert (answer.status, answer.text) == (401, "401: Unauthorized")
        assert shared.core.requests == []


async def test_where_the_token_stands(shared: Home) -> None:
    """The last word of `Authorization`, whatever the scheme; else `X-Ha-Access`."""
    token = shared.addon_token(SLUG)
    for headers in ({"Authorization": token}, {"Authorization": f"Some scheme {token}"}, {"X-Ha-Access": token}):
        answer = await shared.raw("GET", "/core/api/config", token=None, headers=headers)
        assert (answer.status, answer.json) == (200, {"ok": True})


async def test_a_token_of_an_earlier_launch(used: Home) -> None:
    """Worth nothing after the add-on was started again."""
    old = used.addon_token(SLUG)
    assert (await used.raw("POST", f"/addons/{SLUG}/restart")).status == 200
    answer = await used.raw("GET", "/core/api/config", token=None, headers={"X-Ha-Access": old})
    assert answer.status == 401
    assert (await ask(used, "GET", "/core/api/config")).status == 200


async def test_closed_paths(shared: Home) -> None:
    """What Core grants its Supervisor alone is closed to add-ons, however the path is written."""
    for path in (
        "hassio/app/entrypoint.js",
        "hassio_auth",
        "hassio_push/panel/x",
        "%68assio/x",
        "%2568assio_auth",
        "hassio%2Fx",
        "/hassio/x",
        "%2Fhassio/x",
    ):
        for prefix in ("/core/api/", "/homeassistant/api/"):
            target = URL(f"{shared.url}{prefix}{path}", encoded=True)
            async with shared.http.get(target, headers=bearer(shared)) as reply:
                assert reply.status == 403
        assert shared.core.requests == []


async def test_paths_with_dots(shared: Home) -> None:
    """Refused: a peer that resolves them would end somewhere else than we looked."""
    for path in ("./hassio/x", "%2e/hassio/x", "a/../hassio/x", "a/%2E%2e/hassio/x", "%252e/hassio/x"):
        async with shared.http.get(URL(f"{shared.url}/core/api/{path}", encoded=True), headers=bearer(shared)) as reply:
            assert reply.status in (400, 403)
        assert shared.core.requests == []


async def test_methods(shared: Home) -> None:
    """GET, POST and DELETE, the last one not by the older name; no PUT; the API's root needs its slash."""
    for method in ("GET", "POST", "DELETE", "HEAD"):
        assert (await ask(shared, method, "/core/api/states/light.one")).status == 200
    assert [request[:2] for request in shared.core.requests] == [
        (method, "/api/states/light.one") for method in ("GET", "POST", "DELETE", "HEAD")
    ]
    for method, path in (("PUT", "/core/api/states"), ("DELETE", "/homeassistant/api/states")):
        assert (await ask(shared, method, path)).status == 405
    assert (await ask(shared, "GET", "/core/api")).status in (403, 404)


# --- what goes through ----------------------------------------------------------------------------------------------


async def test_request_and_answer(shared: Home) -> None:
    """Path and query as they came, the body, the headers that are named in the contract; and so back."""
    headers = {
        "X-Speech-Content": "format=wav", "Accept": "application/json", "Last-Event-ID": "7", "Mcp-Session-Id": "one",
        "MCP-Protocol-Version": "2025-06-18", "X-Forwarded-For": "10.0.0.9", "Cookie": "a=b", "X-Hass-Source": "me",
    }  # fmt: skip
    answer = await ask(
        shared, "GET", "/core/api/history/a%20b?filter=x%26y&filter=z&flag", headers=headers, json={"with": "body"}
    )
    assert (answer.status, answer.json, answer.content_type) == (200, {"ok": True}, "application/json")
    assert (answer.headers["Cache-Control"], answer.headers["Mcp-Session-Id"]) == ("no-store", "session")
    assert "X-Of-Core" not in answer.headers
    assert shared.core.requests == [("GET", "/api/history/a%20b?filter=x%26y&filter=z&flag", {"with": "body"})]
    (seen,) = shared.core.headers
    assert {name: seen.get(name) for name in list(headers)[:5]} == {name: headers[name] for name in list(headers)[:5]}
    assert seen["Content-Type"] == "application/json"
    for name in ("X-Forwarded-For", "Cookie", "X-Hass-Source", "Authorization"):
        assert name not in seen


async def test_statuses_of_core(used: Home) -> None:
    """Core's own refusals are the answer; that it does not know us is our failure."""
    answer = await ask(used, "GET", "/core/api/missing")
    assert (answer.status, answer.text) == (404, "404: Not Found")
    used.core.refusals = {"/api/states": 405, "/api/events": 401, "/api/elsewhere": 302}
    assert (await ask(used, "GET", "/core/api/states")).status == 405
    assert (await ask(used, "GET", "/core/api/events")).status == 502
    async with used.http.get(f"{used.url}/core/api/elsewhere", headers=bearer(used), allow_redirects=False) as reply:
        assert reply.status == 302


async def test_a_large_body_both_ways(shared: Home) -> None:
    """Sixty times what we keep of a request body at once, sent and answered piece by piece."""
    piece, number = b"x" * 2**20, 60

    async def body() -> AsyncIterator[bytes]:
        for _ in range(number):
            yield piece

    received = 0
    headers = {**bearer(shared), "Content-Type": "audio/wav; rate=16000"}
    async with shared.http.post(f"{shared.url}/core/api/echo", headers=headers, data=body()) as reply:
        assert (reply.status, reply.headers["Content-Type"]) == (201, "audio/wav")
        async for part in reply.content.iter_any():
            received += len(part)
    assert received == number * len(piece)


async def test_nobody_waits_for_the_end_of_a_body(shared: Home) -> None:
    """What Core answers while the add-on still speaks reaches it at once: so works speech."""
    spoken = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"hello"
        await spoken.wait()

    headers = {**bearer(shared), "Content-Type": "audio/wav"}
    async with (
        asyncio.timeout(5),
        shared.http.post(f"{shared.url}/homeassistant/api/echo", headers=headers, data=body()) as reply,
    ):
        assert await reply.content.read(5) == b"hello"
        spoken.set()
        assert await reply.content.read() == b""


async def test_a_client_that_leaves_halfway(shared: Home) -> None:
    """Core sees a request that breaks off, in the middle of its body or of the wait for the answer, and we go on."""

    async def body() -> AsyncIterator[bytes]:
        yield b"hello"
        await asyncio.sleep(60)

    headers = {**bearer(shared), "Content-Type": "audio/wav"}
    async with shared.http.post(f"{shared.url}/core/api/echo", headers=headers, data=body()) as reply:
        assert await reply.content.read(5) == b"hello"
    asking = asyncio.ensure_future(ask(shared, "GET", "/core/api/slow"))
    async with asyncio.timeout(10):
        while not shared.core.requests:
            await asyncio.sleep(0.01)
        asking.cancel()
        while len(shared.core.broken_off) < 2:
            await asyncio.sleep(0.01)
    assert set(shared.core.broken_off) == {"/api/echo", "/api/slow"}
    assert (await ask(shared, "GET", "/core/api/config")).status == 200


async def test_half_an_answer_does_not_look_whole(shared: Home) -> None:
    """When Core breaks off, so do we."""
    with pytest.raises(aiohttp.ClientError):
        await ask(shared, "GET", "/core/api/cut")
    assert (await ask(shared, "GET", "/core/api/config")).status == 200


# --- event streams --------------------------------------------------------------------------------------------------


async def test_event_stream(shared: Home) -> None:
    """Events arrive as they happen, under the content type of the request, which the contract wants, or Core's own."""
    for path in ("/core/api/stream", "/homeassistant/api/stream"):
        for given, shown in ((None, "text/event-stream"), ("application/json", "application/json")):
            headers = {**bearer(shared), **({"Content-Type": given} if given else {})}
            async with shared.http.get(f"{shared.url}{path}", headers=headers) as reply:
                assert await reply.content.readline() == b"data: ping\n"
                assert (reply.status, reply.content_type, reply.headers["X-Accel-Buffering"]) == (200, shown, "no")


async def test_listener_that_leaves(shared: Home) -> None:
    """Core's side ends too, without a word of error, though nothing is sent meanwhile."""
    before = set(shared.core.listeners)
    async with shared.http.get(f"{shared.url}/core/api/stream", headers=bearer(shared)) as reply:
        await reply.content.readline()
        (listener,) = shared.core.listeners - before
    async with asyncio.timeout(10):
        while listener in shared.core.listeners:
            await asyncio.sleep(0.05)


async def test_our_end_ends_streams(used: Home) -> None:
    """An open stream does not hold up our stop."""
    async with used.http.get(f"{used.url}/core/api/stream", headers=bearer(used)) as reply:
        await reply.content.readline()
        async with asyncio.timeout(3):
            await used.stop()
        assert await reply.content.read() == b"\n"
    await used.start()


# --- Core away ------------------------------------------------------------------------------------------------------


async def test_core_that_does_not_run(used: Home) -> None:
    """502 in plain text, and 401 before it for who may not even ask. An offline migration of its database counts as
    running.
    """
    await dismiss(used)
    for path in PATHS:
        answer = await ask(used, "GET", path)
        assert (answer.status, answer.text) == (502, "502: Bad Gateway")
    assert (await used.raw("GET", "/core/api/config", token=None)).status == 401
    used.core.migrating = True
    assert (await ask(used, "GET", "/core/api/config")).status == 200


async def test_core_that_is_stopped(used: Home) -> None:
    """502 while there is no pod to ask."""
    await used.client().homeassistant.stop()
    assert (await ask(used, "GET", "/core/api/config")).status == 502
