"""Browsers at pages of add-ons, by way of the nginx before our API, in houses with our real Supervisor."""

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.docker_network import LINK_PORT
from supervisor_k8s.model.desired.link import KeyPair, LinkKeys
from tests.cluster.packages import nginx_program
from tests.cluster.steps import Context
from tests.contract.house import Answer, Home
from tests.contract.page import Page
from tests.fake_core import server_context

SLUG = "core_panel"
SPELLINGS = {
    "x-remote-user-id": "admin", "X_Remote_User_Id": "admin", "X_REMOTE_USER_NAME": "root",
    "X-Remote_User-Name": "root", "X-REMOTE-USER-DISPLAY-NAME": "Root", "x_remote_user_display-name": "Root",
    "X_Supervisor_Token": "t", "X-Supervisor-Token": "t", "X-Hassio-Key": "k", "X_Hassio-Key": "k",
}  # fmt: skip
"""What add-ons sign people in by, as nobody but us may say it."""
TRUSTED = 3.0
"""Seconds after which nobody is let in by an earlier answer any more."""


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

    async def answers(self, status: int) -> Answer:
        """The first answer with this status: who was let in a moment ago is not asked about at once."""
        async with asyncio.timeout(TRUSTED):
            while (answer := await self.ask("GET", "/start")).status != status:
                await asyncio.sleep(0.05)
        return answer

    @asynccontextmanager
    async def socket(self, path: str = "/socket", **options: Any) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        url = f"{self.home.url}{self.base}{path}"
        async with self.home.http.ws_connect(url, headers=self.cookie, **options) as socket:
            yield socket


async def with_page(home: Home) -> Home:
    """An add-on that runs, at an address that can be dialled."""
    home.core.answers["config/auth/list"] = [{"id": "1", "username": "ann", "name": "Ann\nOther"}]
    await home.install(SLUG, start=True)
    to_be_dialled(home, SLUG)
    await home.raw("POST", "/ingress/session", json={"user_id": "1"})
    return home


def to_be_dialled(home: Home, slug: str) -> None:
    """The add-on's pod has an address of this machine."""
    address = f"127.78.{secrets.randbelow(250) + 1}.{secrets.randbelow(250) + 1}"
    (pod,) = home.cluster.select("Pod", {naming.LABEL_ADDON: slug})
    home.cluster.set_status("Pod", pod["metadata"]["name"], podIP=address, podIPs=[{"ip": address}])


def link_keys(home: Home, slug: str = SLUG) -> LinkKeys:
    """What the link in the add-on's pod reads from the launch's Secret."""
    launch = home.house.records.addons[slug].intent.launch
    assert launch is not None
    secret = home.cluster.get("Secret", naming.launch_secret(naming.addon_name(slug), launch.id))
    assert secret is not None
    entries = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    return LinkKeys(KeyPair(entries["ca.crt"]), KeyPair(entries["tls.crt"], entries["tls.key"]), KeyPair(""))


@asynccontextmanager
async def browsing(home: Home, slug: str = SLUG) -> AsyncIterator[Browser]:
    """The add-on serves its page; the session is that of the user `1`."""
    (pod,) = home.cluster.select("Pod", {naming.LABEL_ADDON: slug})
    tls = server_context(link_keys(home, slug))
    async with Page(pod["status"]["podIP"], LINK_PORT, tls) as page:
        yield await at_page(home, page, slug)


async def at_page(home: Home, page: Page, slug: str = SLUG) -> Browser:
    (session,) = home.house.records.ingress["sessions"]
    entry = (await home.raw("GET", f"/addons/{slug}/info")).data["ingress_entry"]
    return Browser(home, page, entry.replace("/api/hassio_ingress", "/ingress"), session["id"])


async def in_pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    """A body of unsaid length."""
    for piece in pieces:
        yield piece


@pytest.fixture(scope="module")
def around(context: Context) -> dict[str, Any]:
    """With nginx before our API, as in our image: it serves the pages."""
    return {"nginx": str(nginx_program(context.paths))}


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
