"""Home Assistant behind a proxy: whose `X-Forwarded-For` real Core believes, and what its loader makes of our texts.

The proxy is whoever asks from here: Core says in its log which address that is. Any other pod is nobody's proxy.
"""

import base64
import contextlib
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from supervisor_k8s.model.http_config import PROXIES, USE, covered
from tests.unit.test_configuration_yaml import CASES, after, before
from tests.unit.test_configuration_yaml import PROXIES as EDITED_FOR

from .house import Core, Kubectl, Supervisor, becomes
from .test_core_port import RESTART_WAIT

SETTING = "SUPERVISOR_K8S_HA_TRUSTED_PROXIES"
VISITOR = "203.0.113.7"
REFUSED = re.compile(r"reverse proxy was received from ([0-9a-f.:]+), but")
CHANGED_HANDS = {"written-by-an-earlier-version.yaml", "user-wrote-below-ours.yaml"}
"""Where the text had proxies of ours."""
ASK = """
import sys, urllib.request as u, urllib.error as e
request = u.Request(sys.argv[1], headers={'X-Forwarded-For': sys.argv[2]})
try:
    print(u.urlopen(request, timeout=30).status)
except e.HTTPError as error:
    print(error.code)
"""
LOAD = """
import base64, json, re, sys, tempfile
from pathlib import Path
from homeassistant.util.yaml import loader

def load(text):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        content = base64.b64decode(text)
        named = content.decode('utf-8-sig')
        for path in re.findall(r'!include +(\\S+)', named):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text('{}')
        for path in re.findall(r'!include_dir_\\w+ +(\\S+)', named):
            (folder / path).mkdir(parents=True, exist_ok=True)
        secrets = {secret: 'hidden' for secret in re.findall(r'!secret +(\\S+)', named)}
        (folder / 'secrets.yaml').write_text(json.dumps(secrets))
        (folder / 'configuration.yaml').write_bytes(content)
        return loader.load_yaml_dict(str(folder / 'configuration.yaml'), loader.Secrets(folder))

print(json.dumps({name: [load(text) for text in texts] for name, texts in json.load(sys.stdin).items()}, default=str))
"""


async def status(session: aiohttp.ClientSession, core: Core) -> int | None:
    """Of a page of Core's that is asked for from here, as a proxy would for the visitor; None while it is not up."""
    with contextlib.suppress(aiohttp.ClientError):
        async with session.get(f"{core.url}/manifest.json", headers={"X-Forwarded-For": VISITOR}) as answer:
            return answer.status
    return None


@pytest.fixture
async def trusted(
    core: Core, kubectl: Kubectl, session: aiohttp.ClientSession, supervisor: Supervisor
) -> AsyncIterator[None]:
    """The administrator has Core trust whoever asks from here: Core names the proxy that it refuses. Later he has it
    trust nobody.
    """
    assert await status(session, core) == 400
    log = await kubectl.run("logs", "homeassistant-0", "-c", "homeassistant", "--tail=200")
    proxy = f"{REFUSED.findall(log)[-1]}/32"

    async def has(value: str, answer: int, proxies: list[str]) -> None:
        async def answers() -> bool:
            return await status(session, core) == answer

        async def for_good() -> bool:
            async with core.socket() as socket:
                told = (await socket.command("http/config"))["result"]
            return told["pending"] is None and (told["stable"].get(PROXIES) or []) == proxies

        await kubectl.run("set", "env", "deployment/supervisor", "--containers=supervisor", f"{SETTING}{value}")
        await kubectl.run("rollout", "status", "deployment/supervisor", "--timeout=110s")
        await becomes(answers, what=f"Core answers the proxy with {answer}", within=RESTART_WAIT)
        await becomes(supervisor.users, what="the websocket to Core is up", within=RESTART_WAIT)
        await becomes(for_good, what=f"Core trusts {proxies} for good")

    await has(f"={proxy}", 200, [proxy])
    yield
    await has("-", 400, [])


@pytest.mark.timeout(900)
async def test_a_proxy_is_believed_and_nobody_else(
    trusted: None, core: Core, kubectl: Kubectl, supervisor: Supervisor
) -> None:
    """Core shows the visitor's own address who comes through the proxy; another pod is refused."""
    async with aiohttp.ClientSession(headers={"X-Forwarded-For": VISITOR}) as visiting:
        visitor = Core(visiting, core.url)
        await visitor.enter()
        async with visitor.socket() as socket:
            tokens = (await socket.command("auth/refresh_tokens"))["result"]
    assert [token["last_used_ip"] for token in tokens if token["is_current"]] == [VISITOR]
    command = ("exec", "deployment/supervisor", "--", "python3", "-c", ASK, f"{core.url}/manifest.json", VISITOR)
    assert (await kubectl.run(*command)).strip() == "400"
    issues = (await supervisor.get("/resolution/info")).data["issues"]
    assert [issue for issue in issues if (issue["reference_extra"] or {}).get("reason") == "proxies_not_trusted"] == []


async def test_core_reads_every_text_as_it_was_meant(core: Core, kubectl: Kubectl) -> None:
    """All that the Supervisor's editor makes, by Core's own loader: the user's settings, and the proxies beside his."""
    texts = {case: [base64.b64encode(text(case)).decode() for text in (before, after)] for case in CASES}
    command = ("exec", "-i", "homeassistant-0", "-c", "homeassistant", "--", "python3", "-c", LOAD)
    loaded = json.loads(await kubectl.run(*command, stdin=json.dumps(texts)))
    assert len(loaded) >= 30
    for case, (former, edited) in loaded.items():
        http: dict[str, Any] = edited.pop("http")
        known: dict[str, Any] = former.pop("http", None) or {}
        assert edited == former, case
        assert str(http.pop(USE)).lower() in {"true", "yes", "on"}, case
        trusted, mine = http.pop(PROXIES), known.pop(PROXIES, None) or []
        assert all(covered(proxy, trusted) for proxy in EDITED_FOR), case
        assert trusted[len(trusted) - len(mine) :] == mine or case in CHANGED_HANDS, case
        known.pop(USE, None)
        assert http == known, case
