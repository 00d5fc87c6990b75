"""The calls that add-ons' scripts make with bashio: always a JSON body, also with GET; status exactly 200; `result`
first, `data` an object or a list and never null. Anything else ends the script; a refusal is a sentence in `message`.

The table has every route that a function of bashio asks (0.13 to 0.19), by the token of an add-on
that may: most by the manager's role, some by none at all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.contract.house import Answer, Home

SLUG = "core_mosquitto"
MANAGER = "core_panel"
OTHER = f"/addons/{SLUG}"
LOGS = ("core", "supervisor", "dns", "addons/self", f"addons/{SLUG}")


@dataclass(frozen=True, slots=True)
class Call:
    """`refused` is a part of the sentence of a refusal with `status`; `text` an answer outside the envelope."""

    method: str
    path: str
    body: Mapping[str, Any] = field(default_factory=dict)
    refused: str | None = None
    status: int = 200
    text: bool = False


def get(path: str) -> Call:
    return Call("GET", path)


def post(path: str, /, **body: Any) -> Call:
    return Call("POST", path, body)


def text(path: str) -> Call:
    return Call("GET", path, text=True)


def no(method: str, path: str, refused: str, status: int = 400, /, **body: Any) -> Call:
    return Call(method, path, body, refused, status)


BY_ANYBODY = (
    get("/supervisor/ping"),
    get("/info"),
    get("/addons/self/info"),
    get("/addons/self/options/config"),
    get("/addons/self/stats"),
    text("/addons/self/logs"),
    post("/addons/self/options", options={"logins": [], "require_certificate": True}),
    no("POST", "/addons/self/rebuild", "Can't rebuild"),
    get("/services"),
    no("GET", "/services/mqtt", "Service not enabled"),
    no("GET", "/services/mysql", "No access to mysql service!", 403),
    post("/services/mqtt", host="core-mosquitto", port=1883),
    get("/services/mqtt"),
    Call("DELETE", "/services/mqtt"),
    post("/discovery", service="mqtt", config={"host": "core-mosquitto", "port": 1883}),
    no("DELETE", "/discovery/0123", "Discovery message not found", 404),
)
"""With the token of an add-on that has no role."""

INFO = tuple(
    get(f"/{group}/info")
    for group in (
        "supervisor", "core", "host", "network", "dns", "audio", "multicast", "cli", "observer", "os", "hardware",
        "docker", "jobs", "resolution", "security", "backups", f"addons/{SLUG}", "network/interface/default",
    )
)  # fmt: skip
"""With the least role."""

READ = (
    get("/addons"),
    get("/store"),
    get("/store/addons"),
    get(f"/store/addons/{SLUG}"),
    get("/store/repositories"),
    get("/available_updates"),
    get(f"{OTHER}/stats"),
    text(f"{OTHER}/changelog"),
    text(f"{OTHER}/documentation"),
    *(text(f"/{group}/logs") for group in LOGS),
    *(get(f"/{group}/stats") for group in ("core", "supervisor", "audio", "cli", "dns", "multicast", "observer")),
    *(
        Call("GET", f"/{group}/logs", refused="No systemd-journal", status=400, text=True)
        for group in ("host", "audio", "multicast")
    ),
    text("/host/logs/identifiers/homeassistant"),
    get("/host/logs/identifiers"),
    get("/host/logs/boots"),
    get("/host/services"),
    get("/hardware/audio"),
    get("/docker/registries"),
    get("/backups"),
    get("/mounts"),
)
WRITE = (
    post("/addons/reload"),
    post("/store/reload"),
    post("/refresh_updates"),
    post(f"{OTHER}/options", boot="manual"),
    post(f"{OTHER}/restart"),
    post(f"{OTHER}/stop"),
    post(f"{OTHER}/start"),
    post(f"{OTHER}/uninstall"),
    post(f"{OTHER}/install"),
    no("POST", f"{OTHER}/install", "already installed"),
    no("POST", f"{OTHER}/update", "No update available"),
    no("POST", f"{OTHER}/rebuild", "Can't rebuild"),
    no("POST", f"/store/addons/{SLUG}/install", "already installed"),
    no("POST", f"/store/addons/{SLUG}/update", "No update available"),
    no("POST", "/store/addons/none_such/install", "does not exist in the store", 404),
    post("/supervisor/options", auto_update=False),
    post("/supervisor/reload"),
    post("/supervisor/repair"),
    no("POST", "/supervisor/update", "No supervisor update available"),
    post("/core/options", watchdog=True),
    post("/core/start"),
    post("/host/reload"),
    no("POST", "/host/reboot", "No reboot D-Bus connection available"),
    no("POST", "/host/shutdown", "No shutdown D-Bus connection available"),
    no("POST", "/host/options", "No hostname D-Bus connection available", hostname="other"),
    no("POST", "/network/reload", "No network D-Bus connection available"),
    no("POST", "/network/interface/wlan7/update", "Interface wlan7 does not exist", 404),
    no("POST", "/os/update", "no Home Assistant OS available"),
    no("POST", "/os/config/sync", "no Home Assistant OS available"),
    post("/jobs/options", ignore_conditions=[]),
    post("/jobs/reset"),
    post("/resolution/healthcheck"),
    post("/resolution/check/free_space/run"),
    no("POST", "/resolution/suggestion/0123", "Suggestion 0123 does not exist", 404),
    no("DELETE", "/resolution/issue/0123", "Issue 0123 does not exist", 404),
    no("GET", "/jobs/0123", "Job does not exist", 404),
    no("DELETE", "/jobs/0123", "Job does not exist", 404),
    post("/security/options", pwned=False),
    no("POST", "/security/integrity", "has been removed", 410),
    post("/backups/reload"),
    no("POST", "/backups/new/full", "Backups"),
    Call("DELETE", "/auth/cache"),
    *(
        no("POST", f"/{plugin}/update", "nothing to control")
        for plugin in ("audio", "cli", "dns", "multicast", "observer")
    ),
    *(no("POST", f"/{plugin}/restart", "nothing to control") for plugin in ("audio", "multicast")),
    *(
        no("POST", f"/audio/{rest}", "No PulseAudio server available", **body)
        for rest, body in (
            ("reload", {}),
            ("profile", {"card": "0", "name": "stereo"}),
            ("default/output", {"name": "0"}),
            ("mute/input", {"index": 0, "active": True}),
            ("volume/output/application", {"index": 0, "volume": 0.5}),
        )
    ),
    post("/dns/options", servers=[]),
    post("/dns/reset"),
    post("/dns/restart"),
    no("POST", "/mounts", "mounting not supported", name="nas", type="nfs", usage="media", server="n", path="/m"),
    no("DELETE", "/mounts/nas", "No mount exists with name nas", 404),
    post("/core/restart"),
    post("/core/stop"),
    no("GET", "/core/stats", "Home Assistant is not running"),
    post("/core/rebuild"),
    post("/supervisor/restart"),
)
"""With the manager's role; the last one is our own end."""


async def ask(home: Home, call: Call, slug: str) -> Answer:
    """As bashio does it."""
    return await home.raw(call.method, call.path, token=home.addon_token(slug), json=dict(call.body))


def fault(call: Call, answer: Answer) -> str | None:
    """What bashio, or a script that uses it, would stumble over."""
    if answer.status != call.status:
        return f"status {answer.status}: {answer.text}"
    if call.text:
        plain = answer.content_type == "text/plain; charset=utf-8" and (call.refused or "") in answer.text
        return None if plain else f"{answer.content_type}: {answer.text}"
    expected = "ok" if call.refused is None else "error"
    if next(iter(answer.json.items())) != ("result", expected):
        return f"not {expected}: {answer.text}"
    if call.refused is None:
        return None if isinstance(answer.json.get("data"), dict | list) else f"data is {answer.text}"
    return None if call.refused in answer.json["message"] else answer.json["message"]


async def test_every_call(home: Home) -> None:
    """In one house, in the order of the table."""
    await home.install(SLUG, start=True)
    await home.install(MANAGER, start=True)
    by = {SLUG: BY_ANYBODY, MANAGER: (*INFO, *READ, *WRITE)}
    asked = [(call, slug) for slug, calls in by.items() for call in calls]
    faults = [(call.method, call.path, fault(call, await ask(home, call, slug))) for call, slug in asked]
    assert [found for found in faults if found[2]] == []


async def test_first_answers_are_complete(home: Home) -> None:
    """A script keeps what it heard first for the life of the container."""
    await home.install(SLUG, start=True)
    info = (await home.raw("GET", "/addons/self/info", token=home.addon_token(SLUG), json={})).data
    assert info["network"]["1883/tcp"] == 1883
    assert info["ip_address"] not in ("", "0.0.0.0")


async def test_read_modify_write_of_own_options(home: Home) -> None:
    """`bashio::addon.option`: read all, change one, post all."""
    await home.install(SLUG, start=True)
    token = home.addon_token(SLUG)
    options = (await home.raw("GET", "/addons/self/info", token=token, json={})).data["options"]
    options["require_certificate"] = True
    assert (await home.raw("POST", "/addons/self/options", token=token, json={"options": options})).data == {}
    assert (await home.raw("GET", "/addons/self/info", token=token, json={})).data["options"] == options


async def test_addon_restarts_and_stops_itself(home: Home) -> None:
    """With its own token, which is worthless afterwards; who asked may be gone by the answer."""
    await home.install(SLUG, start=True)
    assert (await home.raw("POST", "/addons/self/restart", token=home.addon_token(SLUG), json={})).data == {}
    assert (await home.raw("POST", "/addons/self/stop", token=home.addon_token(SLUG), json={})).data == {}
    assert (await home.client().addons.addon_info(SLUG)).state == "stopped"
