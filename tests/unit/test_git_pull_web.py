"""The Git pull add-on's page, webhook and figures, as a browser, a forge and Prometheus see them."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from io import BytesIO

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from git_pull import webhook
from git_pull.bell import Bell, Wish
from git_pull.errors import HomeError
from git_pull.figures import Figures
from git_pull.history import Outcome, Run
from git_pull.page import POLICY, View, commits, render
from git_pull.web import Hooks, Page, figures_app
from tests.unit.test_git_pull_webhook import NOW, SECRET, github

A, B, C = ("a" * 40, "b" * 40, "c" * 40)
ENTRY = "/api/hassio_ingress/s3cret"
BY_INGRESS = {"X-Ingress-Path": ENTRY}
LIVE = Run(
    at=1, until=1, trigger="start", before=A, commit=B, outcome=Outcome.LIVE, needs="Home Assistant was restarted"
)
BAD = Run(
    at=2, until=2, trigger="webhook", before=B, commit=C, outcome=Outcome.INVALID, said="Integration <b>x</b> not found"
)
VIEW = View(
    repository="https://example.com/house.git", branch="main", live=B, held=None, busy=False, runs=(LIVE, BAD), ours=""
)

type Client = TestClient[web.Request, web.Application]


@asynccontextmanager
async def served(app: web.Application) -> AsyncIterator[Client]:
    async with TestClient(TestServer(app)) as client:
        yield client


def page_of(bell: Bell, view: View = VIEW, entry: str | None = ENTRY) -> web.Application:
    async def ask() -> str:
        if entry is None:
            raise HomeError("away")
        return entry

    return Page(bell=bell, view=lambda ours: replace(view, ours=ours), entry=ask).app()


async def proof(client: Client) -> str:
    """What the page's buttons have in them."""
    text = await (await client.get("/", headers=BY_INGRESS)).text()
    found = re.search('name="ours" value="([^"]+)"', text)
    assert found is not None
    return found[1]


# --- what the page says ---------------------------------------------------------------------------------------


def test_what_the_page_shows() -> None:
    """What is live, what waits, the checker's output of the last run readable, and the runs, the newest first."""
    text = render(VIEW)
    assert re.search(rf'id="live">Live: <code title="{B}">bbbbbbbbbb', text)
    assert re.search(rf'id="waits"><code title="{C}">cccccccccc</code> waits: invalid', text)
    assert "<pre>Integration &lt;b&gt;x&lt;/b&gt; not found</pre>" in text
    assert text.index("invalid</b>") < text.index("live</b>")
    assert "Home Assistant was restarted" in text
    assert "viewport" in text
    assert "https:" not in text.replace("https://example.com/house.git", "")
    assert "No run yet" in render(replace(VIEW, live=None, runs=()))


def test_what_one_can_return_to() -> None:
    """What was live and is not now; never what only failed. What waits by choice comes first."""
    assert commits(VIEW) == (A,)
    assert commits(replace(VIEW, live=A, held=B)) == (B,)
    assert commits(replace(VIEW, runs=())) == ()


# --- who is let in --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"X-Ingress-Path": "/api/hassio_ingress/guess"}, {"X-Ingress-Path": ""}])
async def test_nobody_but_ingress(headers: dict[str, str]) -> None:
    """Whoever cannot know the address of the page gets nothing of it and presses no button."""
    async with served(page_of(bell := Bell())) as client:
        ours = {"ours": await proof(client)}
        for answer in (await client.get("/", headers=headers), await client.post("/check", data=ours, headers=headers)):
            assert answer.status == 403
        answer = await client.get("/", headers=BY_INGRESS)
        assert (answer.status, answer.headers["Content-Security-Policy"]) == (200, POLICY)
    assert await bell.wish(0) == Wish("interval")


@pytest.mark.parametrize("entry", [None, ""])
async def test_while_the_address_is_not_known(entry: str | None) -> None:
    """The Supervisor is away, or knows no page of ours: then nobody is let in."""
    async with served(page_of(Bell(), entry=entry)) as client:
        assert (await client.get("/", headers={"X-Ingress-Path": entry or ""})).status == 403


# --- its buttons ----------------------------------------------------------------------------------------------


async def test_its_buttons() -> None:
    """Each wakes the add-on and leads back to the page."""
    async with served(page_of(bell := Bell())) as client:
        ours = await proof(client)
        for action, fields in (("/check", {}), ("/return", {"commit": A})):
            answer = await client.post(action, data={"ours": ours, **fields}, headers=BY_INGRESS, allow_redirects=False)
            assert (answer.status, answer.headers["Location"]) == (303, "./")
    assert await bell.wish(0) == Wish("page", A)


@pytest.mark.parametrize(
    ("fields", "headers", "status"),
    [
        ({"commit": A}, {}, 403), ({"commit": A, "ours": "guess"}, {}, 403), ({"commit": A, "ours": "ä"}, {}, 403),
        ({"commit": A, "ours": "right"}, {"Sec-Fetch-Site": "cross-site"}, 403),
        ({"commit": C, "ours": "right"}, {}, 400), ({"ours": "right"}, {}, 400),
        ({"commit": "--upload-pack=x", "ours": "right"}, {}, 400), ({"commit": A * 200, "ours": "right"}, {}, 413),
    ],
)  # fmt: skip
async def test_buttons_of_others(fields: dict[str, str], headers: dict[str, str], status: int) -> None:
    """Another site presses none, however it gets there; and nobody goes to what was never live."""
    async with served(page_of(bell := Bell())) as client:
        right = {"ours": await proof(client)} if fields.get("ours") == "right" else {}
        answer = await client.post("/return", data=fields | right, headers=BY_INGRESS | headers)
        assert answer.status == status
        assert (await client.get("/return", headers=BY_INGRESS)).status == 405
    assert await bell.wish(0) == Wish("interval")


async def test_wishes_are_merged() -> None:
    """A burst is one run; what comes during that run is for the next one. The last commit that was named is it."""
    bell = Bell()
    for wish in (Wish("webhook"), Wish("webhook"), Wish("page", A), Wish("page", B), Wish("page")):
        bell.ring(wish)
    assert await bell.wish(None) == Wish("webhook and page", B)
    assert await bell.wish(0) == Wish("interval")


# --- the webhook ----------------------------------------------------------------------------------------------


@asynccontextmanager
async def hooked(clock: Callable[[], float] = lambda: NOW) -> AsyncIterator[tuple[Client, Bell]]:
    bell = Bell()
    async with served(Hooks(bell=bell, secret=SECRET, branch="main", clock=clock).app()) as client:
        yield client, bell


async def test_a_delivery_and_its_replay() -> None:
    """The first one wakes us; the same again, by whomever, does nothing."""
    body = b'{"ref": "refs/heads/main"}'
    async with hooked() as (client, bell):
        assert (await client.post("/webhook", data=body, headers=github(body))).status == 202
        assert await bell.wish(0) == Wish("webhook")
        again = await client.post("/webhook", data=body, headers={**github(body), "X-GitHub-Delivery": "another"})
        assert (again.status, await again.text()) == (200, "has come before")
        other = body + b" "
        assert (await client.post("/webhook", data=other, headers=github(other))).status == 202
        assert await bell.wish(0) == Wish("webhook")


async def test_what_wakes_nobody() -> None:
    """Strangers, pings, other branches, other ways to ask."""
    async with hooked() as (client, bell):
        for body, headers, status in (
            (b"{}", {}, 401), (b"{}", github(b"[]"), 401), (b"{}", github(b"{}", "ping"), 200),
            (other := b'{"ref": "refs/heads/x"}', github(other), 200),
        ):  # fmt: skip
            answer = await client.post("/webhook", data=body, headers=headers)
            assert answer.status == status
            assert SECRET not in await answer.text()
        assert (await client.get("/webhook")).status == 405
        assert (await client.get("/")).status == 404
        assert await bell.wish(0) == Wish("interval")


async def test_bodies_that_are_too_large() -> None:
    """With a length they are not read at all; without one they are read so far."""

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(webhook.LARGEST // 2**16 + 2):
            yield bytes(2**16)

    async with hooked() as (client, bell):
        for body in (BytesIO(bytes(webhook.LARGEST + 1)), endless()):
            try:
                answer = await client.post("/webhook", data=body)
            except aiohttp.ClientConnectionError:  # it was cut before all was sent
                continue
            assert answer.status == 413
        assert await bell.wish(0) == Wish("interval")


# --- figures --------------------------------------------------------------------------------------------------


async def test_figures() -> None:
    """Of the runs so far: how many, how long, how the last one was, what is live, and since when it may be old."""
    now = [10.0]
    figures = Figures(lambda: now[0])
    async with served(figures_app(figures.text)) as client:

        async def lines() -> set[str]:
            return set((await (await client.get("/metrics")).text()).splitlines())

        assert 'git_pull_runs_total{outcome="live"} 0.0' in await lines()
        figures.add(replace(LIVE, until=10, seconds=2), B)
        assert {
            'git_pull_runs_total{outcome="live"} 1.0', "git_pull_run_seconds_sum 2.0", "git_pull_status 1.0",
            "git_pull_last_good_timestamp_seconds 10.0", "git_pull_lag_seconds 0.0",
            f'git_pull_live_info{{commit="{B}"}} 1.0',
        } <= await lines()  # fmt: skip
        now[0] = 40.0
        figures.add(replace(BAD, until=30), B)
        assert {
            'git_pull_runs_total{outcome="invalid"} 1.0', "git_pull_status 0.0", "git_pull_lag_seconds 30.0",
            "git_pull_last_run_timestamp_seconds 30.0", "git_pull_last_good_timestamp_seconds 10.0",
        } <= await lines()  # fmt: skip
