"""A person at a browser: real Chromium, headless, driven by Playwright."""

import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, async_playwright

from .house import USER, Core

PATIENCE_MS = 60_000
"""Milliseconds that a page may take to show what is waited for: Playwright counts in these."""


@asynccontextmanager
async def at_home(core: Core) -> AsyncIterator[Page]:
    """Home Assistant's frontend, logged in as the owner by the form that everybody sees."""
    async with opened() as page:
        await page.goto(core.url)
        await log_in(page)
        yield page


@asynccontextmanager
async def opened(program: Path | None = None, arguments: Sequence[str] = ()) -> AsyncIterator[Page]:
    """An empty page of a browser that takes any certificate; `program` starts it elsewhere than here."""
    async with async_playwright() as playwright:
        # Chromium's own sandbox does not work as root.
        browser = await playwright.chromium.launch(
            executable_path=program or chromium(), args=["--no-sandbox", *arguments]
        )
        page = await browser.new_page(ignore_https_errors=True)
        page.set_default_timeout(PATIENCE_MS)
        yield page
        await browser.close()


def chromium() -> str:
    program = shutil.which("chromium")
    assert program, "there is no chromium: `make test` installs it"
    return program


async def log_in(page: Page) -> None:
    """By the form, as the owner, until the frontend shows what only the websocket tells."""
    await page.locator("input[name=username]").fill(USER["username"])
    await page.locator("input[name=password]").fill(USER["password"])
    await page.locator("input[name=password]").press("Enter")
    await page.locator("ha-sidebar").wait_for()
