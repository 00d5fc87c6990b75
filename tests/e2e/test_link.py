"""The core-link's door for the Supervisor: whoever gets through is an administrator of the house; nobody else may."""

import asyncio
import base64
import contextlib
import json
import ssl
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from supervisor_k8s.model.desired.link import CORE_PORT, NAME, READY_PORT, SUPERVISOR_PORT, KeyPair, LinkKeys
from supervisor_k8s.remote.certificates import LEAF_LIFE, client_context, make_keys, utc_now

from .house import Core, Kubectl, Supervisor, becomes

POD = "homeassistant-0"
SECRETS = {"authority": "core-link-ca", "server": "core-link-server", "client": "core-link-client"}
RELOAD_WAIT = 30.0
"""Seconds until the link shows new certificates. The kubelet alone would take about 70."""


async def stored(kubectl: Kubectl) -> LinkKeys:
    """The keys as the Secrets have them."""
    pairs = {}
    for field, name in SECRETS.items():
        data = {
            key: base64.b64decode(value) for key, value in (await kubectl.json("get", "secret", name))["data"].items()
        }
        pairs[field] = KeyPair(data["tls.crt"].decode(), data["tls.key"].decode())
    return LinkKeys(**pairs)


async def address(kubectl: Kubectl) -> str:
    ip: str = (await kubectl.json("get", "pod", POD))["status"]["podIP"]
    return ip


async def through(kubectl: Kubectl, session: aiohttp.ClientSession, context: ssl.SSLContext) -> int:
    """Status of a page of Core's by the link. aiohttp.ClientError when it does not let us in."""
    url = f"https://{await address(kubectl)}:{CORE_PORT}/manifest.json"
    async with session.get(url, ssl=context, server_hostname=NAME) as answer:
        return answer.status


def without(keys: LinkKeys) -> ssl.SSLContext:
    """Trusts the link and shows nothing."""
    return ssl.create_default_context(cadata=keys.authority.certificate)


def stranger(keys: LinkKeys) -> ssl.SSLContext:
    """Another authority's certificate, with the right name."""
    return client_context(LinkKeys(keys.authority, keys.server, make_keys(utc_now()).client))


def server(keys: LinkKeys) -> ssl.SSLContext:
    """The link's own certificate: it lies in Core's pod, and is no key to any door."""
    return client_context(LinkKeys(keys.authority, keys.server, keys.server))


def expired(keys: LinkKeys) -> ssl.SSLContext:
    """From our own authority, until yesterday."""
    old = make_keys(utc_now() - LEAF_LIFE - timedelta(days=1), keys.authority)
    return client_context(LinkKeys(keys.authority, keys.server, old.client))


async def test_the_supervisors_certificate_opens(kubectl: Kubectl, session: aiohttp.ClientSession) -> None:
    """Core answers to whoever holds it."""
    assert await through(kubectl, session, client_context(await stored(kubectl))) == 200


@pytest.mark.parametrize("wrong", [without, stranger, server, expired])
async def test_any_other_certificate_is_refused(
    kubectl: Kubectl, session: aiohttp.ClientSession, wrong: Callable[[LinkKeys], ssl.SSLContext]
) -> None:
    """No request reaches Core without a valid certificate made for this end."""
    with pytest.raises(aiohttp.ClientError):
        await through(kubectl, session, wrong(await stored(kubectl)))


async def test_another_pod_is_refused(kubectl: Kubectl, supervisor: Supervisor, mosquitto: str) -> None:
    """An add-on reaches the port and gets no answer from it; it does not reach Core's own way to the Supervisor at all,
    and of the kubelet's port only the readiness.
    """
    assert (await supervisor.post(f"/addons/{mosquitto}/start")).status == 200
    script = (
        "import ssl,sys,urllib.request as u,urllib.error as e\n"
        "c=ssl.create_default_context();c.check_hostname=False;c.verify_mode=ssl.CERT_NONE\n"
        "for url in sys.argv[1:]:\n"
        " try: print(u.urlopen(url,context=c,timeout=10).status)\n"
        " except e.HTTPError as error: print(error.code)\n"
        " except OSError as error: print(error)\n"
    )
    ip = await address(kubectl)
    urls = [
        f"https://{ip}:{CORE_PORT}/manifest.json",
        f"http://{ip}:{SUPERVISOR_PORT}/supervisor/ping",
        f"http://{ip}:{READY_PORT}/ready",
        f"http://{ip}:{READY_PORT}/port",
        f"http://{ip}:{READY_PORT}/manifest.json",
    ]
    command = ("exec", "deployment/addon-core-mosquitto", "-c", "addon", "--", "python3", "-c", script, *urls)
    link, supervisors, ready, *others = (await kubectl.run(*command)).splitlines()
    # OpenSSL may say it in the handshake, or nginx hangs up after it; either way before a byte went to Core.
    assert "certificate required" in link or "without response" in link, link
    assert "refused" in supervisors, supervisors
    assert [ready, *others] == ["204", "404", "404"]


@pytest.mark.parametrize("authority", [False, True], ids=["leaves", "authority"])
async def test_certificates_rotate_without_a_restart_of_core(  # noqa: PLR0913, PLR0917 - fixtures
    core: Core,
    kubectl: Kubectl,
    session: aiohttp.ClientSession,
    supervisor: Supervisor,
    mosquitto: str,
    authority: bool,
) -> None:
    """Leaves near their end are renewed when the Supervisor starts; keys that somebody deleted are made anew, with
    their authority. The link takes them over, Core's pod and its containers stay, and our websocket is there again.
    """
    old, before = await stored(kubectl), await kubectl.json("get", "pod", POD)
    await kubectl.run("scale", "deployment/supervisor", "--replicas=0")
    try:
        await kubectl.run("wait", "--for=delete", "pod", "-l", "app.kubernetes.io/name=supervisor", "--timeout=60s")
        await _let_them_end(kubectl, old, authority=authority)
    finally:
        await kubectl.run("scale", "deployment/supervisor", "--replicas=1")
    await kubectl.run("rollout", "status", "deployment/supervisor", "--timeout=90s")

    async def new_keys_work() -> bool:
        keys = await stored(kubectl)
        with contextlib.suppress(aiohttp.ClientError, OSError):
            shown = ssl.PEM_cert_to_DER_cert(keys.server.certificate)
            renewed = await through(kubectl, session, client_context(keys)) == 200
            return renewed and await _presented(kubectl, keys) == shown and keys.server != old.server
        return False

    await becomes(new_keys_work, what="the link shows the new certificate", within=RELOAD_WAIT)
    assert ((await stored(kubectl)).authority != old.authority) is authority
    async with core.socket() as socket:
        assert (await socket.command("supervisor/subscribe"))["success"]
        await becomes(supervisor.users, what="the websocket to Core is up")
        await supervisor.post(f"/addons/{mosquitto}/start")
        await socket.event(lambda event: event.get("event") == "addon" and event.get("state") == "started")
    after = await kubectl.json("get", "pod", POD)
    assert _containers(before) == _containers(after)


async def _let_them_end(kubectl: Kubectl, old: LinkKeys, *, authority: bool) -> None:
    """Delete all Secrets, or put leaves there that end in a week, as a year would."""
    if authority:
        await kubectl.run("delete", "secret", *SECRETS.values())
        return
    week = make_keys(utc_now() - LEAF_LIFE + timedelta(days=7), old.authority)
    for name, pair in ((SECRETS["server"], week.server), (SECRETS["client"], week.client)):
        secret = await kubectl.json("get", "secret", name)
        changed = {"tls.crt": pair.certificate, "tls.key": pair.key}
        secret["data"] |= {key: base64.b64encode(text.encode()).decode() for key, text in changed.items()}
        await kubectl.run("replace", "-f", "-", stdin=json.dumps(secret))


async def _presented(kubectl: Kubectl, keys: LinkKeys) -> bytes:
    """The certificate that the link shows now, DER."""
    address_now, context = await address(kubectl), client_context(keys)
    _, writer = await asyncio.open_connection(address_now, CORE_PORT, ssl=context, server_hostname=NAME)
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return shown


def _containers(pod: dict[str, Any]) -> dict[str, tuple[str, int]]:
    """Identity and restarts of each container of the pod."""
    status = pod["status"]
    every = [*status["initContainerStatuses"], *status["containerStatuses"]]
    found = {item["name"]: (item["containerID"], item["restartCount"]) for item in every}
    return {**found, "pod": (pod["metadata"]["uid"], 0)}
