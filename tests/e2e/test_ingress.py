"""An add-on's page in a person's browser: Chromium, Home Assistant's frontend, real Core, us, the add-on."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import FrameLocator, Page

from .browser import at_home
from .house import Core, Kubectl, Supervisor, becomes

UPLOAD = 200 * 1024 * 1024
FORGE = "value => { document.cookie = `ingress_session=${value};path=/api/hassio_ingress/;SameSite=Strict`; }"
"""In place of the session that the frontend has put there."""
FORGED = "0" * 128
SPARE = 40 * 1024
"""KiB that our process may take more while bodies many times as large go through it."""


@pytest.fixture
async def browser(core: Core) -> AsyncIterator[Page]:
    async with at_home(core) as page:
        yield page


async def opened(browser: Page) -> FrameLocator:
    """The page that the entry in the sidebar opens."""
    await browser.locator("ha-sidebar").get_by_text("Pages of a test").click()
    frame = browser.frame_locator("iframe")
    await frame.locator("h1").wait_for()
    return frame


async def shown(frame: FrameLocator, name: str) -> str:
    return await frame.locator(f"#{name}").inner_text()


async def moves(frame: FrameLocator, name: str) -> None:
    """What this line of the page says changes by itself."""
    before = await shown(frame, name)

    async def changed() -> bool:
        now = await shown(frame, name)
        return now not in ("", before, "closed")

    await becomes(changed, what=f"{name} of the page goes on after {before!r}")


async def greet(frame: FrameLocator, name: str) -> None:
    """Send the page's form; the add-on knows who did."""
    await frame.locator("input[name=name]").fill(name)
    await frame.get_by_role("button", name="Send").click()
    assert await shown(frame, "greeting") == f"Hello {name}, sent by Owner"


async def test_a_page_works_as_it_would_at_home(pages: str, browser: Page) -> None:
    """Files beside the page, events, a websocket and a form work below Home Assistant's address."""
    frame = await opened(browser)
    assert await becomes(lambda: shown(frame, "script"), what="the script has run") == "loaded"
    assert await frame.locator("h1").evaluate("one => getComputedStyle(one).color") == "rgb(1, 2, 3)"
    await moves(frame, "events")
    await moves(frame, "socket")
    await greet(frame, "Änne")
    await frame.locator("#back").click()
    await moves(frame, "socket")


async def test_a_large_upload_goes_through_us_and_not_into_us(
    pages: str, browser: Page, kubectl: Kubectl, tmp_path: Path
) -> None:
    """200 MB from a browser reach the add-on whole; our process does not grow with them."""
    file, digest = tmp_path / "large", hashlib.sha256()
    with file.open("wb") as out:
        for number in range(UPLOAD // 2**20):
            piece = bytes([number]) * 2**20
            out.write(piece)
            digest.update(piece)
    frame = await opened(browser)
    before = await peak(kubectl)
    await frame.locator("#file").set_input_files(file)

    async def done() -> str:
        text = await shown(frame, "upload")
        return "" if text == "under way" else text

    assert await becomes(done, what="the upload ends", within=180) == f"{UPLOAD} {digest.hexdigest()}"
    assert await peak(kubectl) - before < SPARE


async def peak(kubectl: Kubectl) -> int:
    """KiB of memory that our process ever had."""
    status = await kubectl.run("exec", "deployment/supervisor", "-c", "supervisor", "--", "cat", "/proc/1/status")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))


async def test_a_page_stays_open_over_our_restart(pages: str, browser: Page, supervisor: Supervisor) -> None:
    """The session is still known afterwards: a form of the open page is sent as if nothing had been."""
    frame = await opened(browser)
    await moves(frame, "socket")
    await supervisor.post("/supervisor/restart")
    await becomes(lambda: closed(frame), what="the page lost its connection to the old Supervisor")
    await becomes(supervisor.answers, what="the Supervisor answers")
    await greet(frame, "Ben")


async def closed(frame: FrameLocator) -> bool:
    return await shown(frame, "socket") == "closed"


async def test_who_is_there_is_said_by_us_alone(pages: str, core: Core, supervisor: Supervisor) -> None:
    """The add-on gets the session's user, whatever the browser claims, and neither our tokens nor somebody else's."""
    entry = (await supervisor.get(f"/addons/{pages}/info")).data["ingress_entry"]
    async with core.socket() as socket:
        session = (await socket.supervisor("post", "/ingress/session"))["session"]
        me = (await socket.command("auth/current_user"))["result"]
    forged = {"X-Remote-User-Id": "root", "X_Remote_User_Name": "root", "X-Ingress-Path": "/elsewhere"}
    status, pairs = await core.page(f"{entry}/headers", session, headers=forged)
    assert status == 200
    got = {name.lower(): value for name, value in pairs}
    assert len(got) == len(pairs)
    assert got["x-remote-user-id"] == me["id"]
    assert got["x-remote-user-display-name"] == "Owner"
    assert got["x-remote-user-name"] == "owner"
    assert got["x-ingress-path"] == entry
    assert "root" not in got.values()
    assert {"x-supervisor-token", "x-hassio-key", "authorization"}.isdisjoint(got)


async def test_no_session_no_page(pages: str, core: Core, supervisor: Supervisor) -> None:
    """Without a session, and with one that nobody made, the page is refused."""
    entry = (await supervisor.get(f"/addons/{pages}/info")).data["ingress_entry"]
    assert (await core.page(f"{entry}/headers", ""))[0] == 401
    assert (await core.page(f"{entry}/headers", FORGED))[0] == 401


async def test_a_page_whose_session_is_no_more_gets_a_new_one(pages: str, core: Core, browser: Page) -> None:
    """A session that we do not know is refused to the page, and to the frontend, which asks once a minute whether its
    own is still good; it is given another one then, and whenever the page is opened.
    """
    assert await asked(await opened(browser)) == 200
    await browser.evaluate(FORGE, FORGED)
    assert await asked(browser.frame_locator("iframe")) == 401
    async with core.socket() as socket:
        check = "supervisor/ingress/validate_session"
        assert not (await socket.command(check, session=FORGED))["success"]
        new = (await socket.command("supervisor/ingress/session", slug=pages))["result"]["session"]
        assert (await socket.command(check, session=new))["success"]
    await browser.reload()
    assert await asked(await opened(browser)) == 200


async def asked(frame: FrameLocator) -> int:
    """Status of a file that the page asks for."""
    status: int = await frame.locator("h1").evaluate("async () => (await fetch('headers')).status")
    return status


async def test_the_panel_follows_its_switch(pages: str, browser: Page, supervisor: Supervisor) -> None:
    """Off, and the entry leaves the sidebar of an open browser; on, and it is back."""
    entry = browser.locator("ha-sidebar").get_by_text("Pages of a test")
    await entry.wait_for()
    assert (await supervisor.post(f"/addons/{pages}/options", ingress_panel=False)).status == 200
    await entry.wait_for(state="detached")
    assert (await supervisor.post(f"/addons/{pages}/options", ingress_panel=True)).status == 200
    await entry.wait_for()
