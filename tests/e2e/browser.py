"""A person at a browser: real Chromium, headless, driven by Playwright."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from playwright.async_api import Page, async_playwright

from .house import USER, Core

PATIENCE_MS = 60_000
"""Milliseconds that a page may take to show what is waited for: Playwright counts in these."""


@asynccontextmanager
async def at_home(core: Core) -> AsyncIterator[Page]:
    """Home Assistant's frontend, logged in as the owner by the form that everybody sees."""
    program = shutil.which("chromium")
    assert program, "there is no chromium: `make test` installs it"
    async with async_playwright() as playwright:
        # Chromium's own sandbox does not work as root.
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = await browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        await page.goto(core.url)
        await page.locator("input[name=username]").fill(USER["username"])
        await page.locator("input[name=password]").fill(USER["password"])
        await page.locator("input[name=password]").press("Enter")
        await page.locator("ha-sidebar").wait_for()
        yield page
        await browser.close()
