"""Node, network and all the groups that have little or no meaning on Kubernetes."""

from uuid import UUID

import pytest
from aiohasupervisor import SupervisorBadRequestError, SupervisorNotFoundError
from aiohasupervisor.models import (
    FullBackupOptions,
    HostOptions,
    PartialBackupOptions,
    SetBootSlotOptions,
)
from aiohasupervisor.models.os import BootSlotName

from supervisor_k8s.api.absent import TABLE
from tests.contract.house import Home


async def test_host(shared: Home) -> None:
    """Facts of node and volume; nothing is claimed that cannot be done."""
    host = shared.client().host
    info = await host.info()
    assert (info.hostname, info.features, info.chassis) == ("node", [], None)
    assert info.kernel
    assert info.disk_total >= info.disk_free > 0
    assert await host.services() == []
    usage = await host.get_disk_usage(max_depth=3)
    assert (usage.id, usage.children is not None) == ("root", True)
    assert usage.total_bytes
    await host.reload()
    assert (await shared.raw("GET", "/host/disks/nas/usage")).status == 404


async def test_facts_of_the_node(home: Home) -> None:
    """Unknown without the right to ask for nodes; with it, as the kubelet says."""
    client = home.client()
    assert ((await client.host.info()).operating_system, (await client.info()).operating_system) == (None, None)
    facts = {
        "osImage": "Talos (v1.12.0)",
        "kernelVersion": "6.18.1-talos",
        "containerRuntimeVersion": "containerd://2.2.0",
    }
    home.node = {"metadata": {"name": "node"}, "status": {"nodeInfo": facts}}
    await home.stop()
    await home.start()
    host, info = await home.client().host.info(), await home.client().info()
    assert (host.operating_system, host.kernel) == ("Talos (v1.12.0)", "6.18.1-talos")
    assert (info.operating_system, info.docker) == ("Talos (v1.12.0)", "containerd://2.2.0")
    assert (await home.raw("GET", "/docker/info")).data["version"] == "containerd://2.2.0"


async def test_host_cannot_be_commanded(shared: Home) -> None:
    """Upstream's own texts for a machine without these services."""
    host = shared.client().host
    for call, text in (
        (host.reboot(), "No reboot D-Bus connection available"),
        (host.shutdown(), "No shutdown D-Bus connection available"),
        (host.set_options(HostOptions(hostname="x")), "No hostname D-Bus connection available"),
    ):
        with pytest.raises(SupervisorBadRequestError, match=text):
            await call


async def test_network(shared: Home) -> None:
    """The pod's own interface, which add-ons bind to; addresses are IPv4."""
    network = shared.client().network
    info = await network.info()
    assert info.docker.interface == "hassio"
    assert info.host_internet is None
    for interface in info.interfaces:
        assert (interface.primary, interface.enabled, interface.type) == (True, True, "ethernet")
        assert interface.ipv4 is not None
        assert interface.ipv4.address
        assert await network.interface_info("default") == interface
        assert await network.interface_info(interface.interface) == interface
    with pytest.raises(SupervisorNotFoundError, match="Interface wlan9 does not exist"):
        await network.interface_info("wlan9")
    with pytest.raises(SupervisorNotFoundError):
        await network.access_points("wlan9")


async def test_operating_system(shared: Home) -> None:
    """All unknown; every command refused as upstream does without Home Assistant OS."""
    system = shared.client().os
    info = await system.info()
    assert (info.version, info.version_latest, info.update_available, info.boot_slots) == (None, None, False, {})
    assert await system.list_data_disks() == []
    for call in (system.update(), system.config_sync(), system.wipe_data(), system.green_info(), system.yellow_info()):
        with pytest.raises(SupervisorBadRequestError):
            await call
    with pytest.raises(SupervisorBadRequestError, match=r"'OSManager\.set_boot_slot' blocked from execution"):
        await system.set_boot_slot(SetBootSlotOptions(boot_slot=BootSlotName.A))
    with pytest.raises(SupervisorNotFoundError, match=r"Home Assistant OS 15\.0 or newer"):
        await system.swap_info()
    assert (await shared.raw("GET", "/os/boards/banana")).message == "banana board is not in use"


async def test_backups(home: Home) -> None:
    """There are none, and making one is refused."""
    backups = home.client().backups
    assert await backups.list() == []
    assert (await backups.info()).days_until_stale == 30
    await home.raw("POST", "/backups/options", json={"days_until_stale": 7})
    assert (await backups.info()).days_until_stale == 7
    await backups.reload()
    for call in (
        backups.full_backup(FullBackupOptions(name="x")),
        backups.partial_backup(PartialBackupOptions(homeassistant=True)),
        backups.freeze(),
        backups.thaw(),
    ):
        with pytest.raises(SupervisorBadRequestError):
            await call
    with pytest.raises(SupervisorNotFoundError):
        await backups.backup_info("abcdef12")


async def test_mounts(shared: Home) -> None:
    """None, and none can be made."""
    mounts = shared.client().mounts
    assert (await mounts.info()).mounts == []
    answer = await shared.raw("POST", "/mounts", json={"name": "nas"})
    assert answer.message == "'MountManager.create_mount' blocked from execution, mounting not supported on system"
    for call in (mounts.delete_mount("nas"), mounts.reload_mount("nas")):
        with pytest.raises(SupervisorNotFoundError, match="No mount exists with name nas"):
            await call


async def test_plugins(shared: Home) -> None:
    """Their version is ours, so nothing offers an update."""
    for plugin in ("dns", "audio", "multicast", "cli", "observer"):
        info = (await shared.raw("GET", f"/{plugin}/info")).data
        assert (info["version"], info["version_latest"], info["update_available"]) == (
            "2026.11.0",
            "2026.11.0",
            False,
        )
        assert (await shared.raw("GET", f"/{plugin}/stats")).data["cpu_percent"] == 0.0
        assert (await shared.raw("POST", f"/{plugin}/update")).status == 400
    assert (await shared.raw("GET", "/dns/info")).data["host"]
    assert (await shared.raw("GET", "/audio/info")).data["audio"]["output"] == []


async def test_hardware_docker_and_security(home: Home) -> None:
    """Empty lists, and choices that are kept."""
    assert (await home.raw("GET", "/hardware/info")).data == {"devices": [], "drives": []}
    assert (await home.raw("GET", "/hardware/audio")).data == {"audio": {"input": {}, "output": {}}}
    assert (await home.raw("GET", "/docker/info")).data["version"] == "v1.36.2"
    assert (await home.raw("GET", "/docker/registries")).data == {"registries": {}}
    await home.raw("POST", "/security/options", json={"force_security": True})
    assert (await home.raw("GET", "/security/info")).data == {"pwned": True, "force_security": True}
    gone = await home.raw("POST", "/security/integrity")
    assert (gone.status, gone.message) == (410, "Integrity check feature has been removed.")


async def test_every_absent_route_answers_as_its_row_says(shared: Home) -> None:
    """Status and form of all of them, with made-up names in their paths."""
    for row in TABLE:
        path = row.path.replace("{", "").replace("}", "")
        answer = await shared.raw(row.method, path)
        if row.refusal is None:
            assert answer.data == row.data, path
        elif row.text:
            assert (answer.status, answer.content_type) == (row.status, "text/plain; charset=utf-8"), path
        else:
            assert answer.status == row.status, path
            assert "{" not in answer.message


async def test_an_id_of_nothing(shared: Home) -> None:
    """A dashed UUID is none of ours: ids have 32 hex digits."""
    assert (await shared.raw("GET", f"/jobs/{UUID(int=1)}")).status == 404
