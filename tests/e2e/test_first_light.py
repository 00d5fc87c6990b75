"""Home Assistant Core 2026.11, unmodified, with our Supervisor: what a person sees first."""

import asyncio
import json

import pytest

from .house import Core, Kubectl, Supervisor, becomes

CORE_POD = "homeassistant-0"
QUIET = 360
"""Seconds that Core is watched: its poll of the Supervisor's main data comes every five minutes."""


async def test_core_loads_its_supervisor_integration(core: Core) -> None:
    """The `hassio` config entry of the real Core is loaded: soon after its page answers, older ones make it late."""

    async def loaded() -> bool:
        entries = await core.get("/api/config/config_entries/entry?domain=hassio")
        return [entry["state"] for entry in entries] == ["loaded"]

    await becomes(loaded, what="one config entry of hassio, loaded")


async def test_info_answers_the_command_line_token(supervisor: Supervisor) -> None:
    """A person with the Secret's token reads the Supervisor's version and health."""
    info = (await supervisor.get("/supervisor/info")).data
    assert info["healthy"]
    assert info["supported"]
    assert info["version"]


async def test_curl_from_cores_pod_works_as_specified(kubectl: Kubectl) -> None:
    """`http://supervisor` is reachable from Core's pod with Core's own token."""
    command = 'curl -sf -H "Authorization: Bearer $SUPERVISOR_TOKEN" http://supervisor/supervisor/info'
    out = await kubectl.run("exec", CORE_POD, "-c", "homeassistant", "--", "sh", "-c", command)
    assert json.loads(out)["result"] == "ok"


async def test_only_the_expected_repair_is_shown(core: Core) -> None:
    """Core raises `deprecated_method` (we are no Home Assistant OS) and nothing else of the Supervisor's."""
    async with core.socket() as socket:
        issues = (await socket.command("repairs/list_issues"))["result"]["issues"]
    assert {"deprecated_method"} >= {issue["issue_id"] for issue in issues if issue["domain"] == "hassio"}


@pytest.mark.timeout(900)
async def test_core_has_no_trouble_with_the_supervisor(core: Core, kubectl: Kubectl, supervisor: Supervisor) -> None:
    """A freshly started Core logs neither error nor warning of the hassio integration for six minutes: past its first
    poll of everything. The Supervisor's websocket to it stays up meanwhile.
    """
    assert (await supervisor.post("/core/restart")).status == 200
    await asyncio.sleep(QUIET)
    log = await kubectl.run("logs", CORE_POD, "-c", "homeassistant", "--tail=-1")
    bad = [line for line in log.splitlines() if "hassio" in line and ("ERROR" in line or "WARNING" in line)]
    assert [] == bad
    since = await kubectl.run("logs", "deployment/supervisor", f"--since={QUIET - 60}s")
    assert "websocket to Home Assistant Core was closed" not in since


async def test_events_reach_cores_subscribers(core: Core, supervisor: Supervisor, mosquitto: str) -> None:
    """A frontend that subscribed to the Supervisor through Core hears that an add-on has started."""
    async with core.socket() as socket:
        assert (await socket.command("supervisor/subscribe"))["success"]
        await supervisor.post(f"/addons/{mosquitto}/start")
        heard = await socket.event(lambda event: event.get("event") == "addon" and event.get("state") == "started")
    assert heard["slug"] == mosquitto


async def test_the_link_refuses_everybody_else(kubectl: Kubectl) -> None:
    """Another pod without the Supervisor's certificate gets no answer from the link's port."""
    pod = await kubectl.json("get", "pod", CORE_POD)
    address = pod["status"]["podIP"]
    script = (
        "import ssl,urllib.request as u;"
        "c=ssl.create_default_context();c.check_hostname=False;c.verify_mode=ssl.CERT_NONE;"
        f"print(u.urlopen('https://{address}:4381/api/config',context=c,timeout=10).status)"
    )
    out = await kubectl.run("exec", "deployment/supervisor", "--", "python3", "-c", script, check=False)
    assert "200" not in out


async def test_core_restarts_with_a_new_pod(core: Core, kubectl: Kubectl, supervisor: Supervisor) -> None:
    """`POST /core/restart` answers when the new Core is running; the pod is another one."""
    before = (await kubectl.json("get", "pod", CORE_POD))["metadata"]["uid"]
    assert (await supervisor.post("/core/restart")).status == 200
    after = await kubectl.json("get", "pod", CORE_POD)
    assert before != after["metadata"]["uid"]
    assert all(status["ready"] for status in after["status"]["containerStatuses"])


async def test_core_stops_and_starts(kubectl: Kubectl, supervisor: Supervisor) -> None:
    """After `stop` there is no pod of Core, after `start` there is one that is ready, and its entry loads again."""
    assert (await supervisor.post("/core/stop")).status == 200
    assert [] == await kubectl.pods("app.kubernetes.io/name=homeassistant")
    assert (await supervisor.post("/core/start")).status == 200
    assert len(await kubectl.pods("app.kubernetes.io/name=homeassistant")) == 1


async def test_a_saved_timezone_does_not_restart_core(kubectl: Kubectl, supervisor: Supervisor) -> None:
    """Core's launch is frozen: what it posts during onboarding never rolls it."""
    before = (await kubectl.json("get", "pod", CORE_POD))["metadata"]["uid"]
    assert (await supervisor.post("/supervisor/options", timezone="Europe/Zurich")).status == 200

    async def told() -> bool:
        return bool((await supervisor.get("/info")).data["timezone"] == "Europe/Zurich")

    await becomes(told, what="the time zone in /info")
    assert before == (await kubectl.json("get", "pod", CORE_POD))["metadata"]["uid"]
