"""The Git pull add-on's page on a phone: real Chromium, with a phone's screen and a finger."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from playwright.async_api import Page

from git_pull.bell import Bell, Wish
from git_pull.history import SAID, Outcome, Run
from git_pull.page import View
from tests.e2e.browser import opened
from tests.unit.test_git_pull_web import BY_INGRESS, A, B, C, page_of, served

WIDE, HIGH = 390, 844
"""Of a phone, in the pixels that a page counts in; so are all sizes here."""
FINGER, BETWEEN = 40, 8
LONG = "a_name_that_has_no_place_to_break_" * 20
SAYS = f"Invalid config for 'x' at packages/{LONG}.yaml, line 7: expected {LONG}\n\n" * 20
VIEW = View(
    repository=f"https://git.example.com/{LONG}.git", branch=f"feature/{LONG}", live=B, held=C, busy=True, ours="",
    runs=(
        Run(at=1, until=1, trigger="webhook and page", before=A, commit=B, outcome=Outcome.LIVE, needs=LONG),
        Run(at=2, until=9e9, times=10**6, trigger="Home Assistant", before=B, commit=C, outcome=Outcome.INVALID,
            seconds=1e5, said=SAYS[:SAID]),
    ),
)  # fmt: skip


@asynccontextmanager
async def on_a_phone(bell: Bell) -> AsyncIterator[Page]:
    """The page, as ingress hands it on."""
    async with served(page_of(bell, VIEW)) as client, opened() as desk:
        browser = desk.context.browser
        assert browser is not None
        phone = await browser.new_page(
            viewport={"width": WIDE, "height": HIGH}, device_scale_factor=3, has_touch=True, is_mobile=True,
            extra_http_headers=BY_INGRESS,
        )  # fmt: skip
        answer = await phone.goto(str(client.make_url("/")))
        assert answer is not None
        assert answer.status == 200
        yield phone


async def test_it_fits() -> None:
    """However long names and the checker's sentences are, nothing is wider than the screen, nor is it made smaller."""
    async with on_a_phone(Bell()) as phone:
        assert LONG in await phone.locator("#last + pre").inner_text()
        assert await phone.evaluate("[innerWidth, document.documentElement.scrollWidth]") == [WIDE, WIDE]
        boxes = [await one.bounding_box() for one in await phone.locator("body *:visible").all()]
        assert all(box is not None and box["x"] >= 0 and box["x"] + box["width"] <= WIDE for box in boxes), boxes


@pytest.mark.parametrize(
    ("button", "wish"),
    [("Check now", Wish("page")), (f"Return to {C[:10]}", Wish("page", C)), (f"Return to {A[:10]}", Wish("page", A))],
)
async def test_a_finger_presses_its_buttons(button: str, wish: Wish) -> None:
    """Each is as high as a finger is wide, away from the next one, and does what it says."""
    bell = Bell()
    async with on_a_phone(bell) as phone:
        one = phone.get_by_role("button", name=button)
        boxes = [box for each in await phone.get_by_role("button").all() if (box := await each.bounding_box())]
        assert len(boxes) == 3
        assert all(min(box["height"], box["width"]) >= FINGER for box in boxes)
        assert all(above["y"] + above["height"] + BETWEEN <= below["y"] for above, below in pairwise(boxes)), boxes
        async with phone.expect_navigation():
            await one.tap()
        assert await phone.locator("#live").is_visible()
    assert await bell.wish(0) == wish
