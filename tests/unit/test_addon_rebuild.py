"""Records that are made anew of what the cluster shows."""

from pathlib import Path
from typing import Any

import pytest

from supervisor_k8s.model.access import Role
from supervisor_k8s.services.access import Access
from supervisor_k8s.services.addon_rebuild import AddonRebuild
from supervisor_k8s.services.service_registry import ServiceRegistry
from supervisor_k8s.state.records import Records
from tests import builders
from tests.fakes import FakeCluster


async def _no_file(path: str) -> bytes | None:
    return None


@pytest.mark.parametrize(
    ("offered", "has"),
    [
        ("1.0.0", (True, True, True, Role.MANAGER, ("mqtt:provide",), ("mqtt",))),
        ("2.0.0", (False, False, False, Role.DEFAULT, (), ())),
    ],
)
async def test_rights_of_a_rebuilt_launch(tmp_path: Path, offered: str, has: tuple[Any, ...]) -> None:
    """A program that runs gets the rights of its own version's manifest. When the store has another version's only,
    nobody knows them: it has none until its next start, and counts as no provider of services.
    """
    cluster, records = FakeCluster(), await Records.load(tmp_path / "state")
    for item in builders.launch(builders.addon(version="1.0.0")).objects:
        cluster.put(dict(item))
    rights: dict[str, Any] = {"hassio_api": True, "homeassistant_api": True, "auth_api": True, "hassio_role": "manager"}
    rights |= {"services": ["mqtt:provide"], "discovery": ["mqtt"]}
    store = {"local_example": builders.addon(version=offered, **rights)}
    rebuild = AddonRebuild(cluster=cluster, records=records, offered=lambda: store, read=_no_file)
    await rebuild.look()
    access = Access(cluster=cluster, namespace="home-assistant", core=lambda: None, addons=lambda: records.addons)
    caller = access.caller(builders.TOKEN)
    assert caller is not None
    assert (caller.name, records.addons["local_example"].user["version"]) == ("Example", "1.0.0")
    api = caller.hassio_api, caller.homeassistant_api, caller.auth_api, caller.role
    assert (*api, caller.services, caller.discovery) == has
    mqtt = next(entry for entry in ServiceRegistry(records=records).listing() if entry["slug"] == "mqtt")
    assert mqtt["providers"] == (["local_example"] if has[-1] else [])
