"""Every public method of three versions of Home Assistant's client: answered in the client's own models, or refused by
the exception its callers expect. What the answers mean is tested with one version beside this file.
"""

from collections.abc import Iterator
from uuid import UUID

import pytest

from supervisor_k8s import errors
from supervisor_k8s.api import envelope
from supervisor_k8s.model.issue import Context, Fault
from tests.contract.clients.client import VERSIONS, Client, Process, model
from tests.contract.house import CLI_TOKEN, Home

BROKER, PANEL = "core_mosquitto", "core_panel"
BAD, MISSING = "SupervisorBadRequestError", "SupervisorNotFoundError"
KINDS = {
    401: "SupervisorAuthenticationError",
    403: "SupervisorForbiddenError",
    404: MISSING,
    503: "SupervisorServiceUnavailableError",
}
"""Class that a client makes of a status."""
NOTHING = {"uuid": UUID(int=1).hex}

pytestmark = pytest.mark.timeout(300)  # the first time an environment is made


@pytest.fixture(scope="session", params=VERSIONS)
def process(request: pytest.FixtureRequest) -> Iterator[Process]:
    with Process(request.param) as process:
        assert process.version == request.param
        yield process


@pytest.fixture
def client(process: Process, home: Home) -> Client:
    return Client(process, home.url, home.core_token)


def test_keys_and_statuses_agree(process: Process) -> None:
    """A client chooses its exception by the error's key where it knows it, else by the status: callers that look for
    *not found* must find it either way.
    """
    ours = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, errors.SupervisorError)]
    pairs = {(cls.error_key, envelope.status(cls.__new__(cls))) for cls in ours if cls.error_key in process.keys}
    wrong = [pair for pair in pairs if pair[1] in KINDS and KINDS[pair[1]] not in process.keys[pair[0]]]
    assert wrong == []


async def test_supervisor(client: Client, home: Home) -> None:
    """Facts, options, the refused update, and our restart at the end."""
    info = await client.get("info")
    assert (info["supervisor"], info["homeassistant"], info["state"]) == ("2026.11.0", "2026.11.0", "running")
    assert info["hassos"] is None
    assert await client.get("available_updates") == []
    await client.get("reload_updates")
    await client.get("refresh_updates")
    await client.get("supervisor.ping")
    assert (await client.get("supervisor.info"))["channel"] == "stable"
    await client.get("supervisor.set_options", model("SupervisorOptions", channel="beta", timezone="Europe/Zurich"))
    info = await client.get("supervisor.info")
    assert (info["channel"], info["timezone"], info["healthy"]) == ("beta", "Europe/Zurich", True)
    assert (await client.get("supervisor.stats"))["cpu_percent"] == 0.0
    assert "No supervisor update available" in await client.refused(BAD, "supervisor.update")
    await client.get("supervisor.reload")
    await client.get("supervisor.repair")
    if client.has("supervisor.logs"):
        assert await client.get("supervisor.logs") == []
    await client.get("supervisor.restart")
    assert home.house.stage.name == "stopping"
    assert client.untried("", "supervisor") == []


async def test_core(client: Client, home: Home) -> None:
    """Facts, options and every verb of Core's life, with the command line's token: Core's own ends with each launch."""
    cli = Client(client.process, home.url, CLI_TOKEN)
    info = await cli.get("homeassistant.info")
    assert (info["version"], info["ip_address"], info["port"]) == ("2026.11.0", home.core_address, 80)
    await cli.get("homeassistant.set_options", model("HomeAssistantOptions", watchdog=False, audio_input=None))
    assert (await cli.get("homeassistant.info"))["watchdog"] is False
    assert (await cli.get("homeassistant.stats"))["memory_percent"] == 0.0
    await cli.refused(BAD, "homeassistant.check_config")
    if cli.has("homeassistant.logs"):
        assert await cli.get("homeassistant.logs") == []
    await cli.get("homeassistant.restart")
    await cli.get("homeassistant.rebuild", model("HomeAssistantRebuildOptions", safe_mode=True))
    await cli.get("homeassistant.update", model("HomeAssistantUpdateOptions", version="2026.11.1"))
    assert (await cli.get("homeassistant.info"))["version"] == "2026.11.1"
    await cli.get("homeassistant.stop", model("HomeAssistantStopOptions", force=True))
    await cli.refused(BAD, "homeassistant.stats")
    await cli.get("homeassistant.start")
    assert (await cli.get("homeassistant.info"))["ip_address"] == home.core_address
    assert cli.untried("homeassistant") == []


async def test_addons(client: Client, home: Home) -> None:
    """From the store to a started add-on, its options and figures, and away again."""
    await client.get("store.install_addon", BROKER)
    await client.get("addons.start_addon", BROKER)
    info = await client.get("addons.addon_info", BROKER)
    assert (info["state"], info["hostname"], info["boot"]) == ("started", "core-mosquitto", "auto")
    assert [(addon["slug"], addon["state"]) for addon in await client.get("addons.list")] == [(BROKER, "started")]
    options = {"logins": [], "require_certificate": True}
    await client.get("addons.set_addon_options", BROKER, model("AddonsOptions", options=options, boot="manual"))
    info = await client.get("addons.addon_info", BROKER)
    assert (info["options"], info["boot"]) == (options, "manual")
    assert (await client.get("addons.addon_config_validate", BROKER, options))["valid"] is True
    await client.get("addons.set_addon_security", BROKER, model("AddonsSecurityOptions", protected=False))
    assert (await client.get("addons.addon_stats", BROKER))["memory_percent"] == 0.0
    own = await client.get("addons.addon_config", "self", token=home.addon_token(BROKER))
    assert own["require_certificate"] is True
    if client.has("addons.addon_logs"):
        assert await client.get("addons.addon_logs", BROKER) == []
    assert "stdin" in await client.refused(BAD, "addons.write_addon_stdin", BROKER, {"bytes": "x"})
    await client.get("store.install_addon", PANEL)
    assert "not running" in await client.refused(BAD, "addons.write_addon_stdin", PANEL, {"bytes": "x"})
    await client.get("addons.start_addon", PANEL)
    await client.get("addons.write_addon_stdin", PANEL, {"bytes": "x"})
    assert list(home.cluster.inputs.values()) == [b"x\n"]
    await client.get("addons.uninstall_addon", PANEL)
    await client.refused(BAD, "addons.rebuild_addon", BROKER)
    await client.get("addons.restart_addon", BROKER)
    await client.get("addons.stop_addon", BROKER)
    info = await client.get("addons.addon_info", BROKER)
    assert (info["state"], info["ip_address"]) == ("stopped", "0.0.0.0")
    await client.get("addons.uninstall_addon", BROKER, model("AddonsUninstall", remove_config=True))
    assert await client.get("addons.list") == []
    await client.refused(MISSING, "addons.addon_info", "none_such")
    assert client.untried("addons") == []


async def test_store(client: Client, home: Home) -> None:
    """What can be installed and from where."""
    assert [addon["slug"] for addon in (await client.get("store.info"))["addons"]] == [
        addon["slug"] for addon in await client.get("store.addons_list")
    ]
    info = await client.get("store.addon_info", BROKER)
    assert (info["name"], info["installed"], info["version"]) == ("Mosquitto broker", False, None)
    assert await client.get("store.addon_changelog", BROKER) == "# 7.1.0\n"
    assert await client.get("store.addon_documentation", BROKER) == "How to use it\n"
    await client.get("store.addon_availability", BROKER)
    for method in ("store.addon_availability", "store.install_addon"):
        await client.refused("AddonNotSupportedArchitectureError", method, "core_elsewhere")
    await client.get("store.install_addon", BROKER)
    assert (await client.get("store.addon_info", BROKER))["installed"] is True
    await client.refused(BAD, "store.update_addon", BROKER)
    await client.get("store.reload")
    await client.get("store.add_repository", model("StoreAddRepository", repository=f"{home.store}/other"))
    (other,) = [found for found in await client.get("store.repositories_list") if found["source"].endswith("/other")]
    assert (await client.get("store.repository_info", other["slug"]))["name"] == "Other"
    if client.has("store.repair_repository"):
        await client.get("store.repair_repository", other["slug"])
    await client.get("store.remove_repository", other["slug"])
    await client.refused(MISSING, "store.repository_info", other["slug"])
    assert client.untried("store") == []


async def test_discovery_ingress_and_jobs(client: Client, home: Home) -> None:
    """What add-ons tell one another, what the frontend opens, and what is under way."""
    await client.get("store.install_addon", BROKER)
    await client.get("addons.start_addon", BROKER)
    message = model("DiscoveryConfig", service="mqtt", config={"host": "core-mosquitto", "port": 1883})
    token = home.addon_token(BROKER)
    uuid = {"uuid": await client.get("discovery.set", message, token=token)}
    assert (await client.get("discovery.get", uuid))["addon"] == BROKER
    assert [entry["uuid"] for entry in await client.get("discovery.list")] == [uuid["uuid"]]
    await client.get("discovery.delete", uuid, token=token)
    await client.refused(MISSING, "discovery.get", uuid)
    if client.has("ingress.panels"):
        await client.get("store.install_addon", PANEL)
        assert (await client.get("ingress.panels"))[PANEL]["title"] == "Panel"
        session = await client.get("ingress.create_session", model("CreateSessionOptions", user_id="1"))
        await client.get("ingress.validate_session", session)
        await client.refused("SupervisorAuthenticationError", "ingress.validate_session", "0" * 128)
    assert await client.get("jobs.info") == {"ignore_conditions": [], "jobs": []}
    await client.get("jobs.set_options", model("JobsOptions", ignore_conditions=["healthy"]))
    assert (await client.get("jobs.info"))["ignore_conditions"] == ["healthy"]
    await client.get("jobs.reset")
    assert (await client.get("jobs.info"))["ignore_conditions"] == []
    await client.refused(MISSING, "jobs.get_job", NOTHING)
    await client.refused(MISSING, "jobs.delete_job", NOTHING)
    assert client.untried("discovery", "ingress", "jobs") == []


async def test_resolution(client: Client, home: Home) -> None:
    """An issue with suggestions, from its report to its end."""
    fault = Fault("boot_fail", Context.ADDON, BROKER)
    home.house.services.resolution.report(fault, "execute_start", "disable_boot")
    info = await client.get("resolution.info")
    (issue,) = info["issues"]
    assert (issue["type"], issue["context"], issue["reference"]) == ("boot_fail", "addon", BROKER)
    known = {"uuid": issue["uuid"]}
    suggestions = await client.get("resolution.suggestions_for_issue", known)
    assert [suggestion["type"] for suggestion in suggestions] == ["execute_start", "disable_boot"]
    await client.refused(BAD, "resolution.apply_suggestion", {"uuid": suggestions[0]["uuid"]})
    await client.get("resolution.dismiss_suggestion", {"uuid": suggestions[0]["uuid"]})
    await client.get("resolution.dismiss_issue", known)
    await client.refused(MISSING, "resolution.dismiss_issue", known)
    await client.get("resolution.run_check", "free_space")
    await client.get("resolution.check_options", "free_space", model("CheckOptions", enabled=False))
    await client.get("resolution.healthcheck")
    info = await client.get("resolution.info")
    assert (info["issues"], info["checks"]) == ([], [{"enabled": False, "slug": "free_space"}])
    assert client.untried("resolution") == []


async def test_host_and_network(client: Client) -> None:
    """What a pod can tell of its node; what would change the node is refused."""
    host = await client.get("host.info")
    assert host["disk_total"] > 0
    await client.get("host.reload")
    assert await client.get("host.services") == []
    assert (await client.get("host.get_disk_usage"))["used_bytes"] > 0
    await client.refused(BAD, "host.reboot")
    await client.refused(BAD, "host.shutdown")
    await client.refused(BAD, "host.set_options", model("HostOptions", hostname="other"))
    if client.has("host.logs"):
        await client.refused(BAD, "host.logs")
        assert "homeassistant" in await client.get("host.log_identifiers")
        assert list((await client.get("host.log_boots")).values()) != [""]
    network = await client.get("network.info")
    for interface in network["interfaces"]:
        assert (await client.get("network.interface_info", interface["interface"]))["connected"] is True
    await client.refused(BAD, "network.reload")
    await client.refused(MISSING, "network.interface_info", "none")
    await client.refused(MISSING, "network.update_interface", "none", model("NetworkInterfaceConfig", enabled=True))
    await client.refused(MISSING, "network.access_points", "none")
    await client.refused(MISSING, "network.save_vlan", "none", 7, model("VlanConfig", ipv4={"method": "auto"}))
    if client.has("time.info"):
        await client.refused(MISSING, "time.info")
        await client.refused(MISSING, "time.set_options", model("TimeOptions", servers=["a.test"]))
    assert client.untried("host", "network", "time") == []


async def test_operating_system(client: Client) -> None:
    """There is none, in upstream's words for a machine without it."""
    assert (await client.get("os.info"))["version"] is None
    assert await client.get("os.list_data_disks") == []
    for method in ("os.update", "os.config_sync", "os.wipe_data", "os.green_info", "os.yellow_info"):
        await client.refused(BAD, method)
    await client.refused(BAD, "os.migrate_data", model("MigrateDataOptions", device="sda"))
    await client.refused(BAD, "os.set_boot_slot", model("SetBootSlotOptions", boot_slot="A"))
    await client.refused(BAD, "os.set_green_options", model("GreenOptions", power_led=True))
    await client.refused(BAD, "os.set_yellow_options", model("YellowOptions", power_led=True))
    await client.refused(MISSING, "os.swap_info")
    await client.refused(MISSING, "os.set_swap_options", model("os.SwapOptions", swappiness=1))
    for method in ("os.raspberry_pi_firmware_info", "os.update_raspberry_pi_firmware"):
        if client.has(method):
            await client.refused(MISSING, method)
    if client.has("plugins.logs"):
        await client.refused(BAD, "plugins.logs", "audio")
    assert client.untried("os", "plugins") == []


async def test_mounts_and_backups(client: Client) -> None:
    """None, and none can be made yet."""
    assert await client.get("mounts.info") == {"default_backup_mount": None, "mounts": []}
    share = model("NFSMountRequest", usage="media", server="nas.test", path="/media")
    await client.refused(BAD, "mounts.create_mount", "nas", share)
    await client.refused(BAD, "mounts.options", model("MountsOptions", default_backup_mount=None))
    await client.refused(MISSING, "mounts.update_mount", "nas", share)
    await client.refused(MISSING, "mounts.delete_mount", "nas")
    await client.refused(MISSING, "mounts.reload_mount", "nas")
    assert await client.get("backups.list") == []
    await client.get("backups.set_options", model("BackupsOptions", days_until_stale=7))
    assert await client.get("backups.info") == {"backups": [], "days_until_stale": 7}
    await client.get("backups.reload")
    for method in ("backups.full_backup", "backups.freeze", "backups.thaw"):
        await client.refused(BAD, method)
    await client.refused(BAD, "backups.partial_backup", model("PartialBackupOptions", homeassistant=True))
    await client.refused(BAD, "backups.upload_backup", {"stream": "no archive"})
    for method in ("backups.backup_info", "backups.remove_backup", "backups.full_restore", "backups.download_backup"):
        await client.refused(MISSING, method, "0123abcd")
    part = model("PartialRestoreOptions", homeassistant=True)
    await client.refused(MISSING, "backups.partial_restore", "0123abcd", part)
    assert client.untried("mounts", "backups") == []
