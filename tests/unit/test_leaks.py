"""What is remembered of leaked passwords, and for how long; which answers of strangers count."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from supervisor_k8s.errors import LeaksUnavailableError
from supervisor_k8s.model.leak import digest, leaked
from supervisor_k8s.model.options import passwords, wants_password
from supervisor_k8s.remote.leaked_passwords import LARGEST, LeakedPasswords
from supervisor_k8s.services.leaks import PAUSE, REMEMBERED, Leaks

HASH = digest("123456")


class World:
    """A service that knows one password, and a clock."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.away = False
        self.now = 1000.0
        self.given: dict[str, list[str]] = {}
        self.leaks = Leaks(fetch=self.fetch, enabled=lambda: True, passwords=self.passwords, clock=lambda: self.now)

    async def fetch(self, prefix: str) -> Collection[str]:
        self.asked.append(prefix)
        if self.away:
            raise LeaksUnavailableError(reason="no connection")
        return {HASH}

    async def passwords(self) -> Mapping[str, Collection[str]]:
        return self.given

    async def verdict(self, *given: str) -> bool | None:
        return await self.leaks.any_leaked(given, within=5)

    @asynccontextmanager
    async def living(self) -> AsyncIterator["World"]:
        task = asyncio.create_task(self.leaks.run())
        await asyncio.sleep(0)
        yield self
        task.cancel()


def test_digest() -> None:
    """The service's own example for `password`."""
    assert digest("password") == "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8"


def test_page() -> None:
    """Lines of any case and line end; padding has leaked never; what is no line is passed over."""
    rest = HASH[5:]
    for page in (f"{rest}:3", f"x\r\n{rest.lower()}:1\r\n", f"{'0' * 35}:2\n {rest}:10 \n"):
        assert HASH in leaked(HASH[:5], page)
    for page in (f"{rest}:0", f"{rest}:00", rest, f"{rest}:", f"A{rest}:1", "", "<html>"):
        assert leaked(HASH[:5], page) == frozenset()


def test_which_options_are_passwords() -> None:
    """By their type, however deep, and never empty ones."""
    schema = {
        "a": "password", "b": "str", "c": ["password(1,)"], "d": [{"e": "password?", "f": "int"}],
        "g": {"h": "password"},
    }  # fmt: skip
    options = {"a": "1", "b": "2", "c": ["3", "4"], "d": [{"e": "5", "f": 6}, {"f": 6}], "g": {"h": ""}}
    assert passwords(schema, options) == {"1", "3", "4", "5"}
    assert passwords(None, {}) == frozenset()
    assert [wants_password(part) for part in (*schema.values(), schema)] == [True, False, True, True, True, True]
    assert not wants_password(False)


async def test_an_answer_counts_for_a_day() -> None:
    """Both kinds of answers, and then they are asked for again."""
    async with World().living() as world:
        for _ in range(3):
            assert (await world.verdict("123456"), await world.verdict("good")) == (True, False)
        assert len(world.asked) == 2
        world.now += REMEMBERED
        assert (await world.verdict("123456"), await world.verdict("good")) == (True, False)
        assert len(world.asked) == 4


async def test_where_nobody_answers_there_is_a_pause() -> None:
    """What is known stays known meanwhile."""
    async with World().living() as world:
        assert await world.verdict("good") is False
        world.away = True
        assert [await world.verdict("123456") for _ in range(3)] == [None] * 3
        assert await world.verdict("good", "123456") is None
        assert await world.verdict("good") is False
        assert len(world.asked) == 2
        world.away, world.now = False, world.now + PAUSE
        assert await world.verdict("123456") is True


async def test_many_at_once() -> None:
    """Each is asked for once, whoever wants to know it."""
    async with World().living() as world:
        several = [f"password {number}" for number in range(50)]
        verdicts = await asyncio.gather(*(world.verdict(*several) for _ in range(20)))
        assert set(verdicts) == {False}
        assert len(world.asked) == len(set(world.asked)) == 50


async def test_check() -> None:
    """Add-ons by name, with one question for a password that two have."""
    async with World().living() as world:
        world.given = {"a": ["123456"], "b": ["good", "123456"], "c": ["good"], "d": []}
        assert [fault.reference for fault in await world.leaks.check()] == ["a", "b"]
        assert len(world.asked) == 2
        world.given["b"] = ["good"]
        assert [fault.reference for fault in await world.leaks.check()] == ["a"]


async def test_before_our_start() -> None:
    """Nobody asks yet, so nothing is known."""
    assert await World().verdict("123456") is None


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [(429, b"", "status 429"), (200, b"x" * (LARGEST + 1), "larger than 1024 kB"), (301, b"", "status 404|broken")],
)
async def test_answers_that_are_none(status: int, body: bytes, reason: str) -> None:
    """Their reason is said without what was asked."""

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/elsewhere":
            return web.Response(status=404)
        return web.Response(status=status, body=body, headers={"Location": "/elsewhere"} if status == 301 else {})

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    async with TestServer(app) as server:
        with pytest.raises(LeaksUnavailableError, match=reason) as caught:
            await LeakedPasswords(url=f"{server.make_url('/')}{{prefix}}").fetch("ABCDE")
    assert "ABCDE" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/{prefix}", "nonsense", "http://[::1/{prefix}"])
async def test_nobody_there(url: str) -> None:
    """An outage, and an address that is none."""
    with pytest.raises(LeaksUnavailableError) as caught:
        await LeakedPasswords(url=url).fetch("ABCDE")
    assert "ABCDE" not in str(caught.value)
