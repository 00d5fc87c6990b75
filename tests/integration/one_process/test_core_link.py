"""Our client of Home Assistant Core, against a server behind the link's mutual TLS."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from supervisor_k8s.errors import CoreAnswerError, CoreUnreachableError, TookTooLongError
from supervisor_k8s.model.desired.link import LinkKeys
from supervisor_k8s.remote.certificates import client_context, make_keys, utc_now
from supervisor_k8s.remote.core_api import Door
from supervisor_k8s.remote.home_assistant import HomeAssistant
from tests.fake_core import REFRESH_TOKEN, FakeCore

COMPLETE = {"event": "supervisor_update", "update_key": "supervisor", "data": {"startup": "complete"}}


@pytest.fixture(scope="module")
def keys() -> LinkKeys:
    return make_keys(utc_now())


@asynccontextmanager
async def client(core: FakeCore, keys: LinkKeys, door: Door | None = None) -> AsyncIterator[HomeAssistant]:
    context = client_context(keys)
    known = door or Door(address="127.0.0.1")
    async with HomeAssistant(door=lambda: known, tls=lambda: context, port=core.port) as ours:
        yield ours


@asynccontextmanager
async def running(ours: HomeAssistant) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(ours.run())
        try:
            yield
        finally:
            task.cancel()


async def test_requests_reach_core_without_a_token(keys: LinkKeys) -> None:
    """Today's Core knows us by its socket; a token would be wrong there."""
    async with FakeCore(keys) as core, client(core, keys) as ours:
        assert await ours.get("/api/config") == {"ok": True}
        assert await ours.post("/api/services/x", {"a": 1}) is None
        assert core.requests == [("GET", "/api/config", None), ("POST", "/api/services/x", {"a": 1})]


async def test_discovery_and_panels_are_pushed_as_core_expects(keys: LinkKeys) -> None:
    """Path and body as Core's hassio integration reads them."""
    async with FakeCore(keys) as core, client(core, keys) as ours:
        await ours.push_discovery("ab12", "core_mosquitto", "mqtt")
        await ours.delete_discovery("ab12", "core_mosquitto", "mqtt")
        await ours.push_panel("core_ssh", enabled=True)
        await ours.push_panel("core_ssh", enabled=False)
        message = {"addon": "core_mosquitto", "service": "mqtt", "uuid": "ab12"}
        assert core.requests == [
            ("POST", "/api/hassio_push/discovery/ab12", message),
            ("DELETE", "/api/hassio_push/discovery/ab12", message),
            ("POST", "/api/hassio_push/panel/core_ssh", None),
            ("DELETE", "/api/hassio_push/panel/core_ssh", None),
        ]


async def test_a_foreign_certificate_is_refused(keys: LinkKeys) -> None:
    """Whoever gets through is an administrator: another authority's holder does not, and does not trust Core either."""
    foreign = make_keys(utc_now())
    mixed = LinkKeys(keys.authority, foreign.server, foreign.client)
    async with FakeCore(keys) as core:
        for theirs in (foreign, mixed):
            async with client(core, theirs) as ours:
                with pytest.raises(CoreUnreachableError):
                    await ours.get("/api/config")
        assert core.requests == []


async def test_errors_say_what_core_said(keys: LinkKeys) -> None:
    """Status and text of Core's refusal are there for the caller."""
    async with FakeCore(keys) as core, client(core, keys) as ours:
        with pytest.raises(CoreAnswerError, match=r"GET /api/missing: 404: Not Found") as caught:
            await ours.get("/api/missing")
        assert caught.value.fields["status"] == 404


async def test_a_core_that_does_not_answer_is_not_waited_for(keys: LinkKeys) -> None:
    """Every request has a deadline."""
    async with FakeCore(keys) as core, client(core, keys) as ours:
        with pytest.raises(CoreUnreachableError, match="did not answer /api/slow within"):
            await ours.get("/api/slow", within=0.2)


async def test_without_a_pod_core_is_unreachable(keys: LinkKeys) -> None:
    """No address, no attempt."""
    async with HomeAssistant(door=lambda: None, tls=lambda: client_context(keys)) as ours:
        with pytest.raises(CoreUnreachableError, match="not running"):
            await ours.get("/api/config")


async def test_the_state_counts_an_offline_migration_as_up(keys: LinkKeys) -> None:
    """A Core that migrates its database answers nothing else for hours and is not broken."""
    async with FakeCore(keys) as core, client(core, keys) as ours:
        core.state, core.migrating = "STARTING", True
        assert (await ours.state()).up
        await ours.wait_up(within=5)
        core.migrating = False
        assert not (await ours.state()).up
        with pytest.raises(TookTooLongError):
            await ours.wait_up(within=0.2)


async def test_events_arrive_in_order_after_the_greeting(keys: LinkKeys) -> None:
    """Core first hears that the Supervisor is complete, then the events as they were sent."""
    async with FakeCore(keys) as core, client(core, keys) as ours, running(ours):
        await core.heard(1)
        for number in range(20):
            ours.send_event({"event": "job", "data": {"number": number}})
        assert await core.heard(21) == [
            COMPLETE, *({"event": "job", "data": {"number": number}} for number in range(20)),
        ]  # fmt: skip


async def test_the_websocket_comes_back(keys: LinkKeys) -> None:
    """After every reconnect Core hears `startup: complete` again; what happened meanwhile is not sent late."""
    async with FakeCore(keys) as core, client(core, keys) as ours, running(ours):
        await core.heard(1)
        await core.hang_up()
        async with asyncio.timeout(5):
            while ours.connected:
                await asyncio.sleep(0)
        ours.send_event({"event": "lost"})
        ours.wake()
        assert await core.heard(2) == [COMPLETE, COMPLETE]
        assert core.greeted == 2


async def test_core_that_is_still_starting_is_left_alone(keys: LinkKeys) -> None:
    """No websocket before Core says it is running: its commands would be unknown."""
    async with FakeCore(keys) as core, client(core, keys) as ours:
        core.state = "STARTING"
        async with running(ours):
            with pytest.raises(CoreUnreachableError):
                await ours.command("config/auth/list", within=0.3)
            assert core.greeted == 0
            core.state = "RUNNING"
            ours.wake()
            assert await core.heard(1) == [COMPLETE]


async def test_commands_are_answered(keys: LinkKeys) -> None:
    """A command waits for the connection, then for its own answer; a refusal names Core's reason."""
    async with FakeCore(keys) as core, client(core, keys) as ours, running(ours):
        both = await asyncio.gather(ours.command("config/auth/list"), ours.command("config/auth/list"))
        assert list(both) == [[{"id": "1", "name": "Supervisor"}]] * 2
        with pytest.raises(CoreAnswerError, match="usb/scan: Unknown command") as caught:
            await ours.command("usb/scan")
        assert caught.value.fields["code"] == "unknown_command"


async def test_a_command_fails_when_the_connection_ends(keys: LinkKeys) -> None:
    """Nobody waits for an answer that cannot come."""
    async with FakeCore(keys) as core, client(core, keys) as ours, running(ours):
        await core.heard(1)
        core.silent = True
        waiting = asyncio.ensure_future(ours.command("config/auth/list"))
        await asyncio.sleep(0.1)
        await core.hang_up()
        with pytest.raises(CoreUnreachableError):
            await waiting


async def test_older_core_gets_an_access_token(keys: LinkKeys) -> None:
    """Before 2026.4: the refresh token is traded once and the access token used for requests and the websocket."""
    door = Door(address="127.0.0.1", by_token=True, refresh_token=REFRESH_TOKEN)
    async with FakeCore(keys, by_token=True) as core, client(core, keys, door) as ours, running(ours):
        assert await core.heard(1) == [COMPLETE]
        assert await ours.get("/api/config") == {"ok": True}
        assert core.access_tokens == ["access-0"]


async def test_an_access_token_that_core_forgot_is_renewed(keys: LinkKeys) -> None:
    """A restarted Core refuses the old one: it is traded anew, once, and the request repeated."""
    door = Door(address="127.0.0.1", by_token=True, refresh_token=REFRESH_TOKEN)
    async with FakeCore(keys, by_token=True) as core, client(core, keys, door) as ours:
        await ours.get("/api/config")
        core.access_tokens.append("unknown to us")
        assert await ours.get("/api/config") == {"ok": True}
        assert len(core.access_tokens) == 3


async def test_a_body_that_cannot_be_read_twice_is_not_sent_twice(keys: LinkKeys) -> None:
    """Core would else get the request with an empty body; the next request has a new token."""
    door = Door(address="127.0.0.1", by_token=True, refresh_token=REFRESH_TOKEN)
    async with FakeCore(keys, by_token=True) as core, client(core, keys, door) as ours:
        await ours.get("/api/config")
        core.access_tokens.append("unknown to us")
        async with ours.request("POST", "/api/events/x", again=False, data=b"{}") as answer:
            assert answer.status == 401
        await ours.post("/api/events/y")
        assert [path for _, path, _ in core.requests] == ["/api/config", "/api/events/y"]


async def test_a_refused_refresh_token_shows_nowhere(keys: LinkKeys, caplog: pytest.LogCaptureFixture) -> None:
    """The error says that Core does not know us; neither it nor the log has the token."""
    caplog.set_level("DEBUG")
    door = Door(address="127.0.0.1", by_token=True, refresh_token="very-secret")
    async with FakeCore(keys, by_token=True) as core, client(core, keys, door) as ours:
        with pytest.raises(CoreAnswerError) as caught:
            await ours.get("/api/config")
    assert "very-secret" not in str(caught.value) + repr(caught.value) + repr(door) + caplog.text


async def test_an_answer_is_a_sign_of_life(keys: LinkKeys) -> None:
    """Whatever it says: a Core that refuses us, or talks nonsense, does not hang."""
    stranger = Door(address="127.0.0.1", by_token=True, refresh_token="of another house")
    async with FakeCore(keys, by_token=True) as core, client(core, keys, stranger) as ours:
        assert await ours.answers()
    async with FakeCore(keys) as core, client(core, keys) as ours:
        for core.nonsense in ("", "[]", "no JSON", '{"recorder_state": 1}'):
            assert await ours.answers()
            assert not await ours.is_up()
    async with client(core, keys) as ours:
        assert not await ours.answers()


@pytest.mark.parametrize("nonsense", ["", "[]", '{"access_token": "a"}', '{"access_token": "a", "expires_in": "soon"}'])
async def test_a_token_that_is_none(keys: LinkKeys, nonsense: str) -> None:
    """Core's answer is no token: an error like any other of Core's."""
    door = Door(address="127.0.0.1", by_token=True, refresh_token=REFRESH_TOKEN)
    async with FakeCore(keys, by_token=True) as core, client(core, keys, door) as ours:
        core.nonsense = nonsense
        with pytest.raises(CoreAnswerError):
            await ours.get("/api/config")


async def test_an_older_core_without_a_token_is_unreachable(keys: LinkKeys) -> None:
    """It posts the token at its start; until then there is no way in."""
    door = Door(address="127.0.0.1", by_token=True)
    async with FakeCore(keys, by_token=True) as core, client(core, keys, door) as ours:
        with pytest.raises(CoreUnreachableError, match="has not given us a token"):
            await ours.get("/api/config")
