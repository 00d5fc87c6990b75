"""Home Assistant at a public address that the Supervisor makes: a real data plane of the Gateway API, and a browser on
the LAN.
"""

import contextlib
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import aiohttp
import pytest

from supervisor_k8s.model.http_config import PROXIES
from tests.authority import server_pair
from tests.rights import GATEWAY as RIGHTS

from .browser import chromium, log_in, opened
from .house import Core, Kubectl, Supervisor, becomes
from .lan import CLIENT, lan
from .test_core_port import RESTART_WAIT
from .test_trusted_proxies import ASK, VISITOR
from .traefik import ADDRESS, NAME, Traefik, traefik

HOST, SECRET = "ha.example.com", "ha-example-com-tls"
GATEWAY = "Gateway home-assistant"
SETTINGS = {
    "SUPERVISOR_K8S_MANAGE_PUBLIC_GATEWAY": "true",
    "SUPERVISOR_K8S_GATEWAY_CLASS": NAME,
    "SUPERVISOR_K8S_GATEWAY_HOSTNAME": HOST,
    "SUPERVISOR_K8S_GATEWAY_TLS_SECRET": SECRET,
}
TRUSTED = "SUPERVISOR_K8S_HA_TRUSTED_PROXIES"

pytestmark = [
    pytest.mark.skipif(os.environ.get("CLUSTER") == "external", reason="a LAN client here is behind this node"),
    pytest.mark.timeout(900),
]


@pytest.fixture
async def data_plane(core: Core, kubectl: Kubectl, supervisor: Supervisor) -> AsyncIterator[Traefik]:
    """Traefik, which Home Assistant trusts, and settings for a Gateway of its, without a class and a certificate."""
    async with traefik() as made:
        await kubectl.run("delete", "secret", SECRET, "--ignore-not-found")
        await kubectl.run("apply", "-f", str(RIGHTS))
        proxy = f"{made.address}/32"
        try:
            await kubectl.switch(*(f"{name}={value}" for name, value in SETTINGS.items()), f"{TRUSTED}={proxy}")
            await _trusts(core, supervisor, [proxy])
            yield made
        finally:
            await kubectl.switch(*(f"{name}-" for name in (*SETTINGS, TRUSTED)))
            await becomes(supervisor.is_up, what="the Supervisor is up")
            assert not await kubectl.run("get", "gateways,httproutes", "-o", "name")
            await _trusts(core, supervisor, [])
            await kubectl.run("delete", "-f", str(RIGHTS))
            await kubectl.run("delete", "secret", SECRET, "--ignore-not-found")


async def _trusts(core: Core, supervisor: Supervisor, proxies: Sequence[str]) -> None:
    """Once it has restarted for it."""

    async def for_good() -> bool:
        with contextlib.suppress(aiohttp.ClientError, aiohttp.WSMessageTypeError):
            async with core.socket() as socket:
                told = (await socket.command("http/config"))["result"]
            return told["pending"] is None and (told["stable"].get(PROXIES) or []) == proxies
        return False

    await becomes(for_good, what=f"Core trusts {proxies} for good", within=RESTART_WAIT)
    await becomes(supervisor.users, what="the websocket to Core is up", within=RESTART_WAIT)


async def test_home_assistant_at_a_public_address(
    data_plane: Traefik, core: Core, kubectl: Kubectl, supervisor: Supervisor, tmp_path: Path
) -> None:
    """While there is no class and no certificate issues say so; then a browser on the LAN is led to HTTPS and logs in,
    and Home Assistant knows its address, which it would not have believed of another pod.
    """

    async def told() -> Mapping[str, str]:
        issues = (await supervisor.get("/resolution/info")).data["issues"]
        more = {issue["reference"]: issue["reference_extra"] or {} for issue in issues}
        return {about: extra["message"] for about, extra in more.items() if extra.get("reason") == "public_route"}

    async def both() -> Mapping[str, str]:
        now = await told()
        return now if now.keys() >= {GATEWAY, f"Secret {SECRET}"} else {}

    async def none() -> bool:
        return not await told()

    words = await becomes(both, what="issues about the class and the certificate")
    assert f"GatewayClass {NAME}" in words[GATEWAY]
    assert "does not exist" in words[f"Secret {SECRET}"]
    await data_plane.offer()
    _, pair = server_pair(tmp_path, names=[HOST])
    await kubectl.run("create", "secret", "tls", SECRET, f"--cert={pair.certificate}", f"--key={pair.key}")
    await becomes(none, what="the issues go")

    async with (
        lan() as client,
        opened(client.starter(chromium(), tmp_path), [f"--host-resolver-rules=MAP {HOST} {ADDRESS}"]) as page,
    ):

        async def served() -> bool:
            answer = await page.goto(f"http://{HOST}/")
            return answer is not None and answer.ok

        # It says a moment early that it does all.
        await becomes(served, what="Traefik leads to Home Assistant")
        assert page.url.startswith(f"https://{HOST}/")
        async with page.expect_websocket(lambda socket: socket.url == f"wss://{HOST}/api/websocket"):
            await log_in(page)
        async with core.socket() as socket:
            tokens = (await socket.command("auth/refresh_tokens"))["result"]
    assert {token["last_used_ip"] for token in tokens if token["client_id"] == f"https://{HOST}/"} == {CLIENT}
    ask = ("exec", "deployment/supervisor", "--", "python3", "-c", ASK, f"{core.url}/manifest.json", VISITOR)
    assert (await kubectl.run(*ask)).strip() == "400"
