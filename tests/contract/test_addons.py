"""`/addons/…`: an installed add-on's life."""

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest
from aiohasupervisor import SupervisorBadRequestError, SupervisorNotFoundError
from aiohasupervisor.models import (
    AddonBoot,
    AddonsOptions,
    AddonsRebuild,
    AddonsSecurityOptions,
    AddonsUninstall,
)

from supervisor_k8s.errors import ClusterUnavailableError
from tests import builders
from tests.contract.house import Home
from tests.fakes import Behaviour

SLUG = "core_mosquitto"
PANEL = "core_panel"
"""Has no ports: nothing but its own objects is written when it starts."""
IMAGE = "example.test/amd64-app-mosquitto:7.1.0"


def pods(home: Home, slug: str = SLUG) -> list[str]:
    return [pod["metadata"]["name"] for pod in home.cluster.pods(io__hass__addon=slug)]


async def test_info(home: Home) -> None:
    """The whole page of an add-on, in the client's model."""
    await home.install(SLUG, start=True)
    info = await home.client().addons.addon_info(SLUG)
    assert (info.state, info.hostname, info.dns) == (
        "started",
        "core-mosquitto",
        ["core-mosquitto.local.hass.io"],
    )
    assert str(info.ip_address).startswith("10.42.0.")
    assert (info.options, info.network) == (
        {"logins": [], "require_certificate": False},
        {"1883/tcp": 1883, "8883/tcp": None},
    )
    assert info.schema is not None
    assert [node["name"] for node in info.schema] == ["logins", "require_certificate"]
    assert info.translations["en"]["configuration"]["logins"]["name"] == "Logins"
    assert (info.boot, info.boot_config, info.protected, info.watchdog, info.auto_update) == (
        "auto",
        "auto",
        True,
        False,
        False,
    )
    assert (info.services, info.discovery, info.startup) == (["mqtt:provide"], ["mqtt"], "system")
    assert (info.ingress, info.ingress_entry, info.ingress_port, info.ingress_panel) == (False, None, None, None)
    assert (info.long_description, info.changelog, info.documentation) == ("A broker\n", True, True)


async def test_who_am_i_in_the_first_second(home: Home) -> None:
    """An add-on asks before its kubelet has said where it is: it is told where, and on which interface."""
    await home.install("core_panel", start=True)
    (pod,) = pods(home, "core_panel")
    home.cluster.set_status("Pod", pod, podIP=None, podIPs=None)
    token = home.addon_token("core_panel")
    async with asyncio.TaskGroup() as asking:
        info = asking.create_task(home.raw("GET", "/addons/self/info", token=token))
        network = asking.create_task(home.raw("GET", "/network/info", token=token))
        assert (await home.client().addons.addon_info("core_panel")).ip_address.compressed == "0.0.0.0"
        await asyncio.wait({info, network}, timeout=0.1)
        assert not info.done()
        home.cluster.set_status("Pod", pod, podIP="10.42.9.9", podIPs=[{"ip": "10.42.9.9"}])
    assert info.result().data["ip_address"] == "10.42.9.9"
    for interface in network.result().data["interfaces"]:
        assert [address.partition("/")[0] for address in interface["ipv4"]["address"]] == ["10.42.9.9"]
        assert interface["ipv4"]["nameservers"] == [network.result().data["docker"]["dns"]]


async def test_info_of_one_that_is_only_in_the_store(shared: Home) -> None:
    """The frontend shows its page from the same route: `installed` is false and the state unknown."""
    answer = (await shared.raw("GET", f"/addons/{SLUG}/info")).data
    assert (answer["installed"], answer["state"], answer["version"]) == (False, "unknown", None)
    assert answer["options"] == {"logins": [], "require_certificate": False}
    with pytest.raises(SupervisorNotFoundError):
        await shared.client().addons.addon_info(SLUG)


async def test_unknown_and_not_installed(shared: Home) -> None:
    """404 for one that nobody knows, without a key, of which clients would make a bad request; 400 without a name for
    one that is only in the store.
    """
    posts = ("start", "stop", "restart", "uninstall", "options", "security", "options/validate")
    for method, path in (*(("POST", path) for path in posts), ("GET", "stats")):
        answer = await shared.raw(method, f"/addons/none_such/{path}")
        assert (answer.status, answer.message) == (404, "App none_such does not exist")
        assert "error_key" not in answer.json
        answer = await shared.raw(method, f"/addons/{SLUG}/{path}")
        assert (answer.status, answer.message) == (400, "App is not installed")


async def test_self_is_an_addon(shared: Home) -> None:
    """`self` of anybody else is refused."""
    answer = await shared.raw("GET", "/addons/self/info")
    assert (answer.status, answer.message) == (400, "Self is not an App")


async def test_start_and_stop(home: Home) -> None:
    """One pod after the start, none after the stop; both may be asked twice; Core hears each state."""
    addons = home.client().addons
    await home.install(SLUG)
    await addons.start_addon(SLUG)
    await addons.start_addon(SLUG)
    assert len(pods(home)) == 1
    await addons.stop_addon(SLUG)
    await addons.stop_addon(SLUG)
    assert pods(home) == []
    assert (await addons.addon_info(SLUG)).state == "stopped"
    assert str((await addons.addon_info(SLUG)).ip_address) == "0.0.0.0"
    await asyncio.sleep(0.05)
    states = [event["state"] for event in home.core.events if event["event"] == "addon" and event["slug"] == SLUG]
    assert states[-1] == "stopped"
    assert "started" in states


async def test_restart(home: Home) -> None:
    """Another pod, one at a time."""
    await home.install(SLUG, start=True)
    before = pods(home)
    await home.client().addons.restart_addon(SLUG)
    assert len(pods(home)) == 1
    assert pods(home) != before


async def test_start_with_invalid_options(home: Home) -> None:
    """Refused with the option's name, and nothing is started: a manifest whose default is no valid value."""
    folder = home.share / "addons" / "local" / "needy"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(
        "name: Needy\nversion: 1\nslug: needy\ndescription: Needs a choice\narch: [amd64]\nimage: example.test/needy\n"
        "options: {password: null}\nschema: {password: password}\n"
    )
    await home.client().store.reload()
    await home.install("local_needy")
    answer = await home.raw("POST", "/addons/local_needy/start")
    assert (answer.status, answer.json["error_key"]) == (400, "app_configuration_invalid_error")
    assert "password" in answer.message
    assert pods(home, "local_needy") == []
    assert (await home.client().addons.addon_info("local_needy")).state == "stopped"
    own = await home.client().addons.addon_config_validate("local_needy", {})
    assert not own.valid


async def test_image_that_is_gone_at_the_start(home: Home) -> None:
    """The error names the image, the state is `error`, no pod is left; a later start may succeed."""
    await home.install(SLUG)
    home.cluster.behaviours[IMAGE] = Behaviour(pull_error=f'failed to pull "{IMAGE}": not found')
    with pytest.raises(SupervisorBadRequestError, match=IMAGE):
        await home.client().addons.start_addon(SLUG)
    assert (await home.client().addons.addon_info(SLUG)).state == "error"
    assert pods(home) == []
    del home.cluster.behaviours[IMAGE]
    await home.client().addons.start_addon(SLUG)
    assert (await home.client().addons.addon_info(SLUG)).state == "started"


async def test_program_that_ends_at_once(home: Home) -> None:
    """Exit code 0 is stopped, another one an error that is said; neither is started again."""
    await home.install(SLUG)
    home.cluster.behaviours[IMAGE] = Behaviour(exit_code=3)
    with pytest.raises(SupervisorBadRequestError, match="3"):
        await home.client().addons.start_addon(SLUG)
    assert (await home.client().addons.addon_info(SLUG)).state == "error"
    home.cluster.behaviours[IMAGE] = Behaviour(exit_code=0)
    await home.client().addons.start_addon(SLUG)
    assert (await home.client().addons.addon_info(SLUG)).state == "stopped"


async def test_cluster_that_does_not_answer(home: Home) -> None:
    """503, and the start is done as soon as it answers again."""
    await home.install(PANEL)
    home.cluster.fail("apply", ClusterUnavailableError("The API server does not answer"))
    answer = await home.raw("POST", f"/addons/{PANEL}/start")
    assert (answer.status, answer.message) == (503, "The API server does not answer")
    async with asyncio.timeout(10):
        while (await home.client().addons.addon_info(PANEL)).state != "started":
            await asyncio.sleep(0.05)


async def test_options(home: Home) -> None:
    """Posted whole and shown; null resets; unknown ports are dropped; nothing restarts by itself."""
    addons = home.client().addons
    await home.install(SLUG, start=True)
    before = pods(home)
    await addons.set_addon_options(
        SLUG,
        AddonsOptions(
            config={"logins": [], "require_certificate": True},
            boot=AddonBoot.MANUAL,
            watchdog=True,
            auto_update=True,
            network={"1883/tcp": 11883, "9/tcp": 9},
            audio_input="mic",
        ),
    )
    info = await addons.addon_info(SLUG)
    assert info.options == {"logins": [], "require_certificate": True}
    assert (info.boot, info.watchdog, info.auto_update, info.audio_input) == ("manual", True, True, "mic")
    assert info.network == {"1883/tcp": 11883, "8883/tcp": None}
    await home.raw("POST", f"/addons/{SLUG}/options", json={"options": None, "network": None})
    info = await addons.addon_info(SLUG)
    assert (info.options, info.network) == (
        {"logins": [], "require_certificate": False},
        {"1883/tcp": 1883, "8883/tcp": None},
    )
    assert pods(home) == before


async def test_options_that_are_not_valid(home: Home) -> None:
    """Everything is checked before anything is stored."""
    await home.install(SLUG)
    body = {"boot": "manual", "options": {"logins": "nobody"}}
    answer = await home.raw("POST", f"/addons/{SLUG}/options", json=body)
    assert (answer.status, answer.json["error_key"]) == (400, "app_configuration_invalid_error")
    assert answer.json["extra_fields"]["app"] == SLUG
    assert (await home.client().addons.addon_info(SLUG)).boot == "auto"
    for wrong in ({"network": {"1883/tcp": 0}}, {"network": {"x": 1}}, {"boot": "never"}, {"wings": 1}):
        assert (await home.raw("POST", f"/addons/{SLUG}/options", json=wrong)).status == 400


async def test_options_that_are_huge(home: Home) -> None:
    """A text of a megabyte is stored, shown, and written for the program; options without end are refused."""
    await home.install(SLUG)
    huge = {"logins": [{"username": "x" * 1_000_000, "password": "y"}], "require_certificate": True}
    body = io.BytesIO(json.dumps({"options": huge}).encode())
    assert (await home.raw("POST", f"/addons/{SLUG}/options", data=body)).status == 200
    assert (await home.raw("POST", f"/addons/{SLUG}/start")).status == 200
    assert (await home.raw("GET", f"/addons/{SLUG}/info")).data["options"] == huge
    assert json.loads((home.share / "addons" / "data" / SLUG / "options.json").read_text()) == huge
    deep = f'{{"options": {{"logins": [], "require_certificate": true, "x": {"[" * 900}{"]" * 900}}}}}'
    answer = await home.raw("POST", f"/addons/{SLUG}/options", data=deep.encode())
    assert (answer.status, answer.json["error_key"]) == (400, "app_configuration_invalid_error")
    answer = await home.raw("POST", f"/addons/{SLUG}/options/validate", data=deep.encode())
    assert answer.data["valid"] is False


async def test_validate(home: Home) -> None:
    """Always 200; `{}` asks about what is stored."""
    await home.install(SLUG)
    addons = home.client().addons
    assert (await addons.addon_config_validate(SLUG, {})).valid
    found = await addons.addon_config_validate(SLUG, {"logins": [{"username": "me"}]})
    assert not found.valid
    assert "password" in found.message


async def test_own_options(home: Home) -> None:
    """An add-on reads its own resolved options; nobody else does, not even Core."""
    (home.share / "homeassistant").mkdir(exist_ok=True)
    (home.share / "homeassistant" / "secrets.yaml").write_text("mqtt_password: hunter2\n")
    await home.install(SLUG)
    login = {"username": "me", "password": "!secret mqtt_password"}
    body = {"options": {"logins": [login], "require_certificate": False}}
    assert (await home.raw("POST", f"/addons/{SLUG}/options", json=body)).data == {}
    assert (await home.client().addons.addon_info(SLUG)).options == body["options"]
    assert (await home.raw("POST", f"/addons/{SLUG}/start")).data == {}
    own = await home.raw("GET", "/addons/self/options/config", token=home.addon_token(SLUG))
    assert own.data["logins"] == [{"username": "me", "password": "hunter2"}]
    assert await home.client(home.addon_token(SLUG)).addons.addon_config("self") == own.data
    answer = await home.raw("GET", f"/addons/{SLUG}/options/config")
    assert (answer.status, answer.message) == (403, "This can be only read by the app itself!")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "homeassistant/secrets.yaml on the shared volume cannot be used: a part of it is a symbolic link"),
        ("mqtt_password: *hunter2", "homeassistant/secrets.yaml is no plain YAML"),
        ("- mqtt_password", "homeassistant/secrets.yaml is no mapping of names to values"),
        ("mqtt_password: hunter2 #" + "x" * 300_000, "homeassistant/secrets.yaml is larger than 256 kB"),
    ],
)
async def test_secrets_that_cannot_be_read(home: Home, content: str | None, why: str) -> None:
    """Where an option refers to one, the refusal says what is wrong with the file, and nothing of what is in it."""
    file = home.share / "homeassistant" / "secrets.yaml"
    file.parent.mkdir(exist_ok=True)
    if content is None:
        (home.share / "elsewhere.yaml").write_text("mqtt_password: hunter2\n")
        file.symlink_to("../elsewhere.yaml")
    else:
        file.write_text(content)
    await home.install(SLUG)
    login = {"username": "me", "password": "!secret mqtt_password"}
    body = {"options": {"logins": [login], "require_certificate": False}}
    answer = await home.raw("POST", f"/addons/{SLUG}/options", json=body)
    assert answer.status == 400
    assert f"Unknown secret 'mqtt_password' in option 'logins.password': {why}" in answer.message
    assert "hunter2" not in answer.text
    assert (await home.raw("POST", f"/addons/{SLUG}/start")).data == {}


async def test_options_of_another_addon_are_hidden(home: Home) -> None:
    """Only managers see them."""
    await home.install(SLUG, start=True)
    await home.install("core_panel", start=True)
    shown = await home.raw("GET", f"/addons/{SLUG}/info", token=home.addon_token("core_panel"))
    assert shown.data["options"]
    own = await home.raw("GET", "/addons/self/info", token=home.addon_token(SLUG))
    assert own.data["options"]


async def test_protection(home: Home) -> None:
    """Kept and shown."""
    await home.install(SLUG)
    await home.client().addons.set_addon_security(SLUG, AddonsSecurityOptions(protected=False))
    assert (await home.client().addons.addon_info(SLUG)).protected is False


async def test_system_managed(home: Home) -> None:
    """Core marks the add-ons it manages; the entry goes with the mark."""
    await home.install(SLUG)
    body = {"system_managed": True, "system_managed_config_entry": "entry"}
    await home.raw("POST", f"/addons/{SLUG}/sys_options", json=body)
    info = await home.client().addons.addon_info(SLUG)
    assert (info.system_managed, info.system_managed_config_entry) == (True, "entry")
    await home.raw("POST", f"/addons/{SLUG}/sys_options", json={"system_managed": False})
    info = await home.client().addons.addon_info(SLUG)
    assert (info.system_managed, info.system_managed_config_entry) == (False, None)


async def test_stats(home: Home) -> None:
    """Numbers while it runs, else a refusal with its key."""
    await home.install(SLUG)
    answer = await home.raw("GET", f"/addons/{SLUG}/stats")
    assert (answer.status, answer.json["error_key"]) == (400, "app_not_running_error")
    await home.client().addons.start_addon(SLUG)
    assert (await home.client().addons.addon_stats(SLUG)).memory_percent == 0.0


async def test_rebuild(home: Home) -> None:
    """Only by force, for its image is not built here; then a new pod."""
    await home.install(SLUG, start=True)
    before = pods(home)
    with pytest.raises(SupervisorBadRequestError):
        await home.client().addons.rebuild_addon(SLUG)
    assert pods(home) == before
    await home.client().addons.rebuild_addon(SLUG, AddonsRebuild(force=True))
    assert pods(home) != before


async def test_uninstall(home: Home) -> None:
    """Pods, objects and data are gone; it can be installed anew, with its defaults."""
    await home.install(SLUG, start=True)
    await home.raw("POST", f"/addons/{SLUG}/options", json={"boot": "manual"})
    assert (home.share / "addons" / "data" / SLUG).is_dir()
    await home.client().addons.uninstall_addon(SLUG, AddonsUninstall(remove_config=True))
    assert await home.client().addons.list() == []
    for kind in ("Pod", "Deployment", "Service", "Secret"):
        assert home.cluster.select(kind, {"io.hass.addon": SLUG}) == [], kind
    assert not (home.share / "addons" / "data" / SLUG).exists()
    await home.install(SLUG)
    assert (await home.client().addons.addon_info(SLUG)).boot == "auto"


async def local_addon(home: Home, slug: str, **manifest: Any) -> Path:
    """One that its user wrote; the folder with its manifest, which the store has read."""
    folder = home.share / "addons" / "local" / slug
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(builders.manifest(slug=slug, **manifest)))
    assert (await home.raw("POST", "/store/reload")).status == 200
    return folder


async def test_options_are_for_who_may_see_them(home: Home) -> None:
    """Another add-on without a role sees none, whoever asked before; an add-on sees its own."""
    await local_addon(home, "nosy", hassio_api=True)
    for slug in (SLUG, "local_nosy"):
        await home.install(slug, start=True)
    path, own = f"/addons/{SLUG}/info", {"logins": [], "require_certificate": False}
    for _ in range(2):
        assert (await home.raw("GET", path)).data["options"] == own
        assert (await home.raw("GET", path, token=home.addon_token("local_nosy"))).data["options"] == {}
        assert (await home.raw("GET", "/addons/self/info", token=home.addon_token(SLUG))).data["options"] == own


async def test_info_follows_every_change(home: Home) -> None:
    """Of the options, of the state, and of what lies beside the manifest once the store has been read again."""

    async def shown() -> dict[str, Any]:
        return dict((await home.raw("GET", "/addons/local_mine/info")).data)

    folder = await local_addon(home, "mine", options={"port": 1}, schema={"port": "int"})
    await home.install("local_mine")
    assert ((await shown())["long_description"], (await shown())["translations"]) == (None, {})
    (folder / "README.md").write_text("Mine")
    (folder / "translations").mkdir()
    (folder / "translations" / "en.yaml").write_text("configuration: {port: {name: Port}}")
    await home.raw("POST", "/store/reload")
    assert (await shown())["long_description"] == "Mine"
    assert (await shown())["translations"]["en"]["configuration"]["port"]["name"] == "Port"
    await home.raw("POST", "/addons/local_mine/options", json={"options": {"port": 2}})
    assert (await shown())["options"] == {"port": 2}
    await home.raw("POST", "/addons/local_mine/start")
    assert (await shown())["state"] == "started"
    await home.raw("POST", "/addons/local_mine/uninstall")
    assert (await shown())["installed"] is False
