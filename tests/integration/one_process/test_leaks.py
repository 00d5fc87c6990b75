"""Passwords that are known to have leaked: what is said of add-ons' options, with a double of the service on a port."""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from supervisor_k8s.model.desired.link import LinkKeys
from tests.contract.house import Home

SLUG = "core_mosquitto"
LEAKED, OTHER = "123456", "a-better-one"


def sha1(password: str) -> str:
    return hashlib.sha1(password.encode()).hexdigest().upper()


@dataclass
class Service:
    """Knows LEAKED; of OTHER it has a line that is only padding."""

    status: int = 200
    asked: list[str] = field(default_factory=list)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def page(self, request: web.Request) -> web.Response:
        assert request.headers["Add-Padding"] == "true"
        self.asked.append(request.match_info["prefix"])
        await self.answers.wait()
        lines = ["0" * 35 + ":1", f"{sha1(LEAKED)[5:]}:37359195", f"{sha1(OTHER)[5:]}:0", "no line"]
        return web.Response(status=self.status, text="\r\n".join(lines))


@pytest.fixture
async def service() -> Service:
    made = Service()
    made.answers.set()
    return made


@pytest.fixture
async def home(tmp_path: Path, store: str, clone: Path, link_keys: LinkKeys, service: Service) -> AsyncIterator[Home]:
    """A Supervisor that is up and can ask the service."""
    app = web.Application()
    app.router.add_get("/range/{prefix}", service.page)
    shutil.copytree(clone, tmp_path / "state" / "store" / "core")
    async with TestServer(app) as server:
        url = f"{str(server.make_url('/')).rstrip('/')}/range/{{prefix}}"
        async with Home(tmp_path, store, link_keys, leaks_url=url).living() as home:
            await home.install(SLUG)
            yield home
            service.answers.set()


def options(*passwords: str) -> dict[str, Any]:
    logins = [{"username": "me", "password": password} for password in passwords]
    return {"logins": logins, "require_certificate": False}


async def judged(home: Home, *passwords: str) -> tuple[bool, bool | None]:
    """Whether options with these passwords are valid, and whether one leaked."""
    answer = (await home.raw("POST", f"/addons/{SLUG}/options/validate", json=options(*passwords))).data
    return answer["valid"], answer["pwned"]


async def test_verdicts(home: Home, service: Service) -> None:
    """True, false, and false without a question where there is no password; five digits are all that is told."""
    assert await judged(home) == (True, False)
    assert service.asked == []
    assert await judged(home, OTHER, LEAKED) == (True, True)
    assert await judged(home, OTHER) == (True, False)
    assert sorted(service.asked) == sorted([sha1(OTHER)[:5], sha1(LEAKED)[:5]])
    found = await home.client().addons.addon_config_validate(SLUG, options(LEAKED))
    assert (found.valid, found.pwned, found.message) == (True, True, "")


async def test_secrets_count(home: Home, service: Service) -> None:
    """What `!secret` stands for is what is asked about; the stored options are looked at where none are given."""
    (home.share / "homeassistant").mkdir(exist_ok=True)
    (home.share / "homeassistant" / "secrets.yaml").write_text(f"mqtt: '{LEAKED}'\n")
    assert await judged(home, "!secret mqtt") == (True, True)
    assert (await home.raw("POST", f"/addons/{SLUG}/options", json={"options": options("!secret mqtt")})).data == {}
    assert (await home.raw("POST", f"/addons/{SLUG}/options/validate", json={})).data["pwned"] is True


async def test_unknown(home: Home, service: Service) -> None:
    """Null where the service fails; it is then left alone for a while. Everything else goes on."""
    service.status = 503
    assert await judged(home, LEAKED) == (True, None)
    service.status = 200
    assert await judged(home, LEAKED) == (True, None)
    assert len(service.asked) == 1
    assert (await home.raw("POST", f"/addons/{SLUG}/options", json={"options": options(LEAKED)})).data == {}
    assert (await home.raw("POST", f"/addons/{SLUG}/start")).data == {}


async def test_silence(home: Home, service: Service) -> None:
    """A service that does not answer holds up nobody for long; when it does after all, the answer is there."""
    service.answers.clear()
    async with asyncio.timeout(30):
        assert await judged(home, LEAKED) == (True, None)
    service.answers.set()
    async with asyncio.timeout(30):
        while await judged(home, LEAKED) != (True, True):
            await asyncio.sleep(0.05)
    assert len(service.asked) == 1


async def test_switched_off(home: Home, service: Service) -> None:
    """Nothing is asked when the user does not want it."""
    await home.raw("POST", "/security/options", json={"pwned": False, "force_security": True})
    assert await judged(home, LEAKED) == (True, False)
    await home.raw("POST", "/resolution/healthcheck")
    assert service.asked == []


async def test_forced(home: Home, service: Service) -> None:
    """With `force_security` a leaked password is a fault, and so is one of which nothing can be known."""
    await home.raw("POST", "/security/options", json={"force_security": True})
    path = f"/addons/{SLUG}/options/validate"
    found = (await home.raw("POST", path, json=options(LEAKED))).data
    assert found == {"message": "App uses pwned secrets!", "valid": False, "pwned": True}
    assert await judged(home, OTHER) == (True, False)
    service.status = 500
    found = (await home.raw("POST", path, json=options("another"))).data
    assert found == {"message": "Error happening on pwned secrets check!", "valid": False, "pwned": None}


async def test_check(home: Home, service: Service) -> None:
    """An installed add-on with a leaked password is an issue, which goes with the password."""
    path = f"/addons/{SLUG}/options"
    await home.raw("POST", path, json={"options": options(OTHER, LEAKED)})
    await home.raw("POST", "/resolution/check/addon_pwned/run")
    (issue,) = (await home.raw("GET", "/resolution/info")).data["issues"]
    assert (issue["type"], issue["context"], issue["reference"]) == ("pwned", "addon", SLUG)
    await home.raw("POST", path, json={"options": options(OTHER)})
    await home.raw("POST", "/resolution/check/addon_pwned/run")
    assert (await home.raw("GET", "/resolution/info")).data["issues"] == []


async def test_one_that_runs_can_be_stopped(home: Home, service: Service) -> None:
    """It is suggested, and done when the user says so; the password is still known to everybody then."""
    await home.raw("POST", f"/addons/{SLUG}/options", json={"options": options(LEAKED)})
    await home.raw("POST", f"/addons/{SLUG}/start")
    await home.raw("POST", "/resolution/check/addon_pwned/run")
    (stop,) = (await home.client().resolution.info()).suggestions
    assert (stop.type, stop.reference) == ("execute_stop", SLUG)
    await home.client().resolution.apply_suggestion(stop.uuid)
    assert (await home.raw("GET", f"/addons/{SLUG}/info")).data["state"] == "stopped"
    info = await home.client().resolution.info()
    assert ([issue.type for issue in info.issues], info.suggestions) == (["pwned"], [])


async def test_no_password_is_told(home: Home, service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the log nor an answer has one, nor its digest."""
    with caplog.at_level("DEBUG"):
        service.status = 500
        answer = await home.raw("POST", f"/addons/{SLUG}/options/validate", json=options(LEAKED))
    log = "".join(record.getMessage() for record in caplog.records if record.name.startswith("supervisor_k8s"))
    assert "cannot be asked: status 500" in log
    for text in (log, answer.text):
        assert LEAKED not in text
        assert sha1(LEAKED)[:5] not in text.upper()
