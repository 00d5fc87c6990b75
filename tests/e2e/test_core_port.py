"""A user gives Home Assistant another port, a certificate and a ban of misbehaving clients; we go on reaching it."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import aiohttp
import pytest

from supervisor_k8s.remote.certificates import make_keys, utc_now

from .house import USER, Core, Kubectl, Supervisor, becomes
from .test_logins import HOW, Door

PORT = 8124
FOLDER = "/data/homeassistant"
FILES = (".storage/http", "configuration.yaml", "ip_bans.yaml")
"""What a change of the port, or a ban, writes."""
CERTIFICATE = {"ssl_certificate": "/ssl/e2e/house.pem", "ssl_key": "/ssl/e2e/house.key"}
HTTP = {"server_port": PORT, **CERTIFICATE, "ip_ban_enabled": True, "login_attempts_threshold": 3}
RESTART_WAIT = 240.0
"""Seconds for Core to be back with other settings."""
MISBEHAVE = """
import ssl, sys, urllib.request as u, urllib.error as e
context = ssl._create_unverified_context()
for _ in range(6):
    try:
        u.urlopen(u.Request(sys.argv[1], headers={'Authorization': 'Bearer nonsense'}), context=context, timeout=30)
    except e.HTTPError as error:
        print(error.code)
"""

type Change = Callable[[Mapping[str, Any]], Awaitable[None]]
"""What a user does to have Core run with these settings of its `http` integration."""


async def shell(kubectl: Kubectl, script: str) -> None:
    """Run in the Supervisor's pod, which has the whole volume."""
    await kubectl.run("exec", "deployment/supervisor", "--", "sh", "-ec", script)


async def write(kubectl: Kubectl, path: str, text: str) -> None:
    content = base64.b64encode(text.encode()).decode()
    await shell(kubectl, f"mkdir -p $(dirname {path}) && echo {content} | base64 -d > {path}")


@pytest.fixture
async def certificate(kubectl: Kubectl) -> AsyncIterator[None]:
    """In the folder that Core sees; beside Core's own files lie copies of them, for `as_before`."""
    pair = make_keys(utc_now()).server
    for path, text in zip(CERTIFICATE.values(), (pair.certificate, pair.key), strict=True):
        await write(kubectl, f"/data{path}", text)
    await shell(kubectl, f"cd {FOLDER}; for f in {' '.join(FILES)}; do ! test -e $f || cp -p $f $f.kept; done")
    yield
    await shell(kubectl, "rm -r /data/ssl/e2e")


@pytest.fixture
async def change(core: Core, kubectl: Kubectl, supervisor: Supervisor, certificate: None) -> AsyncIterator[Change]:
    """In the frontend: Core restarts itself with them."""

    async def configure(settings: Mapping[str, Any]) -> None:
        async with core.socket() as socket:
            assert (await socket.command("http/config/configure", config=settings))["success"]

    yield configure
    await as_before(kubectl, supervisor)


async def as_before(kubectl: Kubectl, supervisor: Supervisor) -> None:
    """Core starts with the files that it had; it reports its port then, as at every start."""
    assert (await supervisor.post("/core/stop")).status == 200
    await shell(
        kubectl, f"cd {FOLDER}; for f in {' '.join(FILES)}; do rm -f $f; ! test -e $f.kept || mv $f.kept $f; done"
    )
    assert (await supervisor.post("/core/start")).status == 200

    async def plain() -> bool:
        return not (await supervisor.get("/core/info")).data["ssl"]

    await becomes(plain, what="Core is back on its own port", within=RESTART_WAIT)
    await becomes(supervisor.users, what="the websocket to Core is up", within=RESTART_WAIT)


@pytest.mark.timeout(600)
async def test_we_follow_cores_port_and_certificate(  # noqa: PLR0913, PLR0917 - fixtures
    core: Core,
    kubectl: Kubectl,
    session: aiohttp.ClientSession,
    supervisor: Supervisor,
    mosquitto: str,
    change: Change,
) -> None:
    """Add-ons are told the new port, the Service leads there, and our websocket works. Core bans an add-on that
    misbehaves, but not us, through whom the add-on asks about passwords, right ones and many wrong ones.
    """
    assert (await supervisor.post(f"/addons/{mosquitto}/start")).status == 200
    await change(HTTP)

    async def told() -> bool:
        info = (await supervisor.get("/core/info")).data
        return (info["port"], info["ssl"]) == (PORT, True)

    await becomes(told, what="Core told its new port", within=RESTART_WAIT)
    await becomes(lambda: ready(kubectl), what="Core's pod is ready by its new port", within=RESTART_WAIT)
    await becomes(supervisor.users, what="the websocket to Core is up", within=RESTART_WAIT)
    host = await kubectl.address("homeassistant")
    for port in (PORT, 80, 8123):
        async with session.get(f"https://{host}:{port}/manifest.json", ssl=False) as answer:
            assert answer.status == 200, port
    url = f"https://homeassistant:{PORT}/api/"
    command = ("exec", "deployment/addon-core-mosquitto", "-c", "addon", "--", "python3", "-c", MISBEHAVE, url)
    assert (await kubectl.run(*command)).split() == ["401"] * 3 + ["403"] * 3
    door = Door(kubectl)
    for how in HOW * 2:
        assert await door.asks(USER["username"], "not this one", how) == 401
    assert await door.asks(**USER) == 200
    assert await supervisor.users()
    assert await ready(kubectl)


async def ready(kubectl: Kubectl) -> bool:
    """Whether Core's pod is, which is asked of the port that Core told."""
    pod = await kubectl.json("get", "pod", "homeassistant-0")
    return any((item["type"], item["status"]) == ("Ready", "True") for item in pod["status"]["conditions"])
