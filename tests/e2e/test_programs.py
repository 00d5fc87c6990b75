"""Programs as they are behind the add-ons of the stores: a DNS server, a proxy with TLS, one that does its errand and
ends, one below a supervisor of its own, one that does not end, one that never gets ready.
"""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from supervisor_k8s.remote.certificates import make_keys, utc_now
from tests import dns
from tests.cluster import paths
from tests.dns import NOERROR, Reply
from tests.real_addons import entries

from .house import Kubectl, Supervisor, becomes

IMAGE = "localhost/addon-programs"
OWN = {"version": "1.0", "arch": ["amd64", "aarch64"], "init": False, "boot": "manual", "image": IMAGE}
REAL = {
    entry["config"]["slug"]: entry["config"] | OWN
    for entry in entries()
    if entry["full_slug"] in {"core_dnsmasq", "core_nginx_proxy"}
}
"""As Home Assistant's own store has them, but for the image."""
MADE: dict[str, dict[str, Any]] = {
    "errand": {"map": ["share:rw"], "hassio_api": True},
    "supervised": {},
    "stubborn": {"timeout": 10},
    "unready": {"watchdog": "tcp://[HOST]:4000"},
}
MANIFESTS = REAL | {
    slug: OWN | {"name": slug.title(), "slug": slug, "description": "A program, for tests"} | more
    for slug, more in MADE.items()
}
HOST, ADDRESS = "lamp.garden.example", "192.0.2.9"
LIMIT = 60.0
"""Seconds after which clients hang up."""

pytestmark = pytest.mark.skipif(
    os.environ.get("CLUSTER") == "external", reason="the programs are in an image of this machine"
)


@pytest.fixture
async def programs(supervisor: Supervisor) -> AsyncIterator[None]:
    """Installed, all of them; nothing of them stays."""
    shared = paths.from_environment().volumes / "shared"
    local = shared / "addons" / "local"
    for slug, manifest in MANIFESTS.items():
        (local / slug).mkdir(parents=True, exist_ok=True)
        (local / slug / "config.json").write_text(json.dumps(manifest))
    keys = make_keys(utc_now()).server
    certificate = {shared / "ssl" / "fullchain.pem": keys.certificate, shared / "ssl" / "privkey.pem": keys.key}
    for file, text in certificate.items():
        file.write_text(text)
    try:
        assert (await supervisor.post("/store/reload")).status == 200
        answers = await asyncio.gather(*(supervisor.post(f"/store/addons/local_{slug}/install") for slug in MANIFESTS))
        assert [answer.status for answer in answers] == [200] * len(MANIFESTS), answers
        yield
    finally:
        await asyncio.gather(*(supervisor.post(f"/addons/local_{slug}/uninstall") for slug in MANIFESTS))
        for slug in MANIFESTS:
            shutil.rmtree(local / slug)
        for file in certificate:
            file.unlink()
        (shared / "share" / "errand").unlink(missing_ok=True)
        await supervisor.post("/store/reload")


@pytest.mark.usefixtures("programs")
async def test_programs(kubectl: Kubectl, supervisor: Supervisor) -> None:
    """Each does what it is for, and each end of a program is told as what it is."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_serves_names(kubectl, supervisor))
        tasks.create_task(_shows_home_assistant(kubectl, supervisor))
        tasks.create_task(_does_its_errand(supervisor))
        tasks.create_task(_is_taken_down_in_order(kubectl, supervisor))
        tasks.create_task(_ends_all_the_same(kubectl, supervisor))
        tasks.create_task(_is_starting(supervisor))


async def _serves_names(kubectl: Kubectl, supervisor: Supervisor) -> None:
    """The names in its options, and others by whom they say."""
    names = await kubectl.address("supervisor-dns")
    options = (await supervisor.get("/addons/local_dnsmasq/info")).data["options"]
    options |= {"defaults": [], "hosts": [{"host": HOST, "ip": ADDRESS}]}
    options |= {"forwards": [{"domain": "local.hass.io", "server": names}]}
    await _started(supervisor, "local_dnsmasq", options)
    server = (await kubectl.pod("io.hass.addon=local_dnsmasq"))["status"]["podIP"]
    wanted = {HOST: ADDRESS, "supervisor.local.hass.io": await kubectl.address("supervisor")}

    async def answers() -> bool:
        found = [await dns.ask(server, name) for name in wanted]
        return found == [Reply(NOERROR, (address,)) for address in wanted.values()]

    await becomes(answers, what="dnsmasq answers")


async def _shows_home_assistant(kubectl: Kubectl, supervisor: Supervisor) -> None:
    """By TLS, found by the Supervisor's API and by name."""
    options = (await supervisor.get("/addons/local_nginx_proxy/info")).data["options"] | {"domain": "home.example"}
    await _started(supervisor, "local_nginx_proxy", options)
    address = (await kubectl.pod("io.hass.addon=local_nginx_proxy"))["status"]["podIP"]

    async def shown() -> dict[str, Any]:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            try:
                async with session.get(f"https://{address}/manifest.json", ssl=False) as answer:
                    found: dict[str, Any] = await answer.json(content_type=None) if answer.status == 200 else {}
                    return found and found | {"hsts": answer.headers["Strict-Transport-Security"]}
            except aiohttp.ClientError:
                return {}

    found = await becomes(shown, what="Home Assistant is shown by TLS")
    assert (found["name"], found["hsts"]) == ("Home Assistant", options["hsts"])


async def _does_its_errand(supervisor: Supervisor) -> None:
    """It ends with 0: that is a stop, and no fault."""
    assert (await supervisor.post("/addons/local_errand/start")).status == 200

    async def done() -> bool:
        return await supervisor.state("local_errand") == "stopped"

    await becomes(done, what="the errand is done")
    said = "run by local_errand\n"
    assert (paths.from_environment().volumes / "shared" / "share" / "errand").read_text() == said
    assert said in (await supervisor.get("/addons/local_errand/logs/latest")).body["message"]


async def _is_taken_down_in_order(kubectl: Kubectl, supervisor: Supervisor) -> None:
    """s6 is the first process, and its services end before it does."""
    assert (await supervisor.post("/addons/local_supervised/start")).status == 200
    await _says(kubectl, "local_supervised", "the clock begins")
    assert (await supervisor.post("/addons/local_supervised/stop")).status == 200
    assert await supervisor.state("local_supervised") == "stopped"

    async def said() -> list[str]:
        log = (await supervisor.get("/addons/local_supervised/logs/latest")).body["message"]
        return [line for line in log.splitlines() if line.startswith(("the clock", "everything"))]

    # The pod is gone; for a moment its log is still being written to our volume.
    lines = await becomes(said, what="the last log is kept")
    assert lines == ["the clock begins", "the clock has ended", "everything has ended"]


async def _ends_all_the_same(kubectl: Kubectl, supervisor: Supervisor) -> None:
    """After the seconds that its manifest has for it."""
    assert (await supervisor.post("/addons/local_stubborn/start")).status == 200
    await _says(kubectl, "local_stubborn", "here to stay")
    assert (await supervisor.post("/addons/local_stubborn/stop")).status == 200
    assert await supervisor.state("local_stubborn") == "stopped"
    assert not await kubectl.pods("io.hass.addon=local_stubborn")


async def _is_starting(supervisor: Supervisor) -> None:
    """The start is answered before clients hang up, and what it is then is told."""
    async with asyncio.timeout(LIMIT):
        assert (await supervisor.post("/addons/local_unready/start")).status == 200
    assert await supervisor.state("local_unready") == "startup"


async def _started(supervisor: Supervisor, slug: str, options: dict[str, Any]) -> None:
    assert (await supervisor.post(f"/addons/{slug}/options", options=options)).status == 200
    answer = await supervisor.post(f"/addons/{slug}/start")
    assert answer.status == 200, answer


async def _says(kubectl: Kubectl, slug: str, words: str) -> None:
    async def said() -> bool:
        pod = (await kubectl.pod(f"io.hass.addon={slug}"))["metadata"]["name"]
        return words in await kubectl.run("logs", pod, "-c", "addon", check=False)

    await becomes(said, what=words)
