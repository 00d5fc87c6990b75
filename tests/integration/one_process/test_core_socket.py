"""Core's websocket for add-ons: our greeting, the relay, and what is not relayed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import ClientWebSocketResponse, WSMsgType

from tests.contract.house import Home
from tests.integration.one_process.test_core_proxy import OTHER, SLUG, dismiss, with_two

PATHS = ("/core/websocket", "/core/api/websocket", "/homeassistant/websocket", "/homeassistant/api/websocket")


@pytest.fixture
async def used(home: Home) -> Home:
    return await with_two(home)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def standing(standing: Home) -> Home:
    return await with_two(standing)


def connect(home: Home, path: str = "/core/websocket") -> Any:
    """A websocket without any header of ours."""
    return home.http.ws_connect(f"{home.url}{path}")


@asynccontextmanager
async def speaking(home: Home) -> AsyncIterator[ClientWebSocketResponse]:
    """A websocket that was let in."""
    async with asyncio.timeout(20), connect(home) as socket:
        await socket.receive_json()
        await socket.send_json({"type": "auth", "access_token": home.addon_token(SLUG)})
        assert (await socket.receive_json())["type"] == "auth_ok"
        yield socket


async def test_greeting(shared: Home) -> None:
    """As Core greets, with Core's version; then Core answers commands with the numbers that the add-on gave them."""
    for path in PATHS:
        version = (await shared.client().homeassistant.info()).version
        for key in ("access_token", "api_password"):
            async with connect(shared, path) as socket:
                assert await socket.receive_json() == {"type": "auth_required", "ha_version": version}
                await socket.send_json({"type": "auth", key: shared.addon_token(SLUG)})
                assert await socket.receive_json() == {"type": "auth_ok", "ha_version": version}
                await socket.send_json({"id": 41, "type": "config/auth/list"})
                answer = await socket.receive_json()
                assert (answer["id"], answer["success"], answer["result"][0]["name"]) == (41, True, "Supervisor")


async def test_who_is_not_let_in(shared: Home) -> None:
    """Every token but that of an add-on with `homeassistant_api`; a header is no token here."""
    before = shared.core.greeted
    for token in (shared.core_token, "c1" * 56, shared.addon_token(OTHER), "nobody", "", None, 7, ["x"]):
        async with connect(shared) as socket:
            await socket.receive_json()
            await socket.send_json({"type": "auth", "access_token": token})
            assert await socket.receive_json() == {"type": "auth_invalid", "message": "Invalid access"}
            assert (await socket.receive()).type is WSMsgType.CLOSE
    assert shared.core.greeted == before


async def test_nonsense_for_a_token(shared: Home) -> None:
    """Is no token either."""
    for word in ("no JSON", "[]", "7", "null", '{"type": "auth"}'):
        async with connect(shared) as socket:
            await socket.receive_json()
            await socket.send_str(word)
            assert (await socket.receive_json())["type"] == "auth_invalid"


async def test_core_that_does_not_run(used: Home) -> None:
    """502 before the upgrade."""
    await dismiss(used)
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await connect(used)
    assert caught.value.status == 502


async def test_core_that_goes_away_meanwhile(used: Home) -> None:
    """The add-on was let in by us already: its connection is closed, with a code that says whose fault it was."""
    async with connect(used) as socket:
        await socket.receive_json()
        used.core.refusals["/api/websocket"] = 503
        await socket.send_json({"type": "auth", "access_token": used.addon_token(SLUG)})
        assert (await socket.receive_json())["type"] == "auth_ok"
        assert (await socket.receive()).type is WSMsgType.CLOSE
        assert socket.close_code == 1011


async def test_messages_both_ways(shared: Home) -> None:
    """Text that is no command, binary, and a message larger than what fits into a packet, in order."""
    large = "x" * (3 * 2**20)
    async with speaking(shared) as socket:
        await socket.send_str("no JSON at all")
        assert await socket.receive_str() == "no JSON at all"
        await socket.send_bytes(b"\x01binary")
        assert await socket.receive_bytes() == b"\x01binary"
        await socket.send_str(large)
        assert await socket.receive_str() == large


async def test_too_large_a_message(shared: Home) -> None:
    """More than 4 MiB at once from an add-on ends its connection, and nobody else's."""
    async with speaking(shared) as other, speaking(shared) as socket:
        await socket.send_str("x" * (4 * 2**20 + 1))
        assert (await socket.receive()).type in (WSMsgType.CLOSE, WSMsgType.CLOSED)
        assert socket.close_code == 1009
        await other.send_str("still here")
        assert await other.receive_str() == "still here"


async def test_closed_commands(shared: Home) -> None:
    """Answered by us; the connection remains usable and Core hears nothing of it."""
    for kind in ("supervisor/api", "supervisor/subscribe", "hassio/update/addon", "supervisor/"):
        async with speaking(shared) as socket:
            await socket.send_json({"id": 3, "type": kind, "endpoint": "/supervisor/options", "method": "post"})
            assert await socket.receive_json() == {
                "id": 3,
                "type": "result",
                "success": False,
                "error": {"code": "unauthorized", "message": "Unauthorized"},
            }
            await socket.send_json({"id": 4, "type": "config/auth/list"})
            assert (await socket.receive_json())["id"] == 4


async def test_closed_commands_in_a_list(shared: Home) -> None:
    """Core takes a list for several commands: the closed ones are taken out, the others go on."""
    closed = {"id": 3, "type": "supervisor/api", "endpoint": "/addons"}
    async with speaking(shared) as socket:
        await socket.send_json([closed, {"id": 4, "type": "get_states"}, "text"])
        assert (await socket.receive_json())["id"] == 3
        assert await socket.receive_str() == '[{"id":4,"type":"get_states"},"text"]'
        await socket.send_json([closed])
        assert (await socket.receive_json())["error"]["code"] == "unauthorized"
    assert shared.core.spoken == ['[{"id":4,"type":"get_states"},"text"]']


async def test_core_closes(shared: Home) -> None:
    """Its code reaches the add-on."""
    async with speaking(shared) as socket:
        await socket.send_str("close 4321")
        assert (await socket.receive()).type is WSMsgType.CLOSE
        assert socket.close_code == 4321


async def test_addon_closes(shared: Home) -> None:
    """Core sees the end, with the add-on's code."""
    async with speaking(shared) as socket:
        await socket.close(code=4001)
    async with asyncio.timeout(5):
        while 4001 not in shared.core.closed_with:
            await asyncio.sleep(0.01)


async def test_addon_that_vanishes(shared: Home) -> None:
    """Without a word, as a killed container: Core's side ends too."""
    async with aiohttp.ClientSession() as session:
        socket = await session.ws_connect(f"{shared.url}/core/websocket")
        await socket.receive_json()
        await socket.send_json({"type": "auth", "access_token": shared.addon_token(SLUG)})
        await socket.receive_json()
        await socket.send_str("hello")
        assert await socket.receive_str() == "hello"
        before = len(shared.core.closed_with)
    async with asyncio.timeout(5):
        while len(shared.core.closed_with) == before:
            await asyncio.sleep(0.01)


async def test_slow_reader_makes_core_wait(shared: Home) -> None:
    """What an add-on does not read stays with Core; we do not pile it up."""
    async with speaking(shared) as socket:
        await socket.send_str("flood 120")
        await asyncio.sleep(0.5)
        sent = shared.core.flooded
        assert sent < 60, "MiB went somewhere without anybody reading"
        total = 0
        while total < 120:
            total += len(await socket.receive_str()) // 2**20
    assert shared.core.flooded == 120


async def test_our_end(used: Home) -> None:
    """An open websocket does not hold up our stop; it is told that we go away."""
    async with speaking(used) as socket:
        async with asyncio.timeout(3):
            await used.stop()
        farewell = await socket.receive()
        assert (farewell.type, farewell.data) == (WSMsgType.CLOSE, 1001)
    await used.start()
