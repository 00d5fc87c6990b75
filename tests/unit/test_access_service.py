"""Tokens to callers."""

import base64
from dataclasses import replace

from supervisor_k8s.model.access import CLI, CORE, Caller, CallerKind, Role
from supervisor_k8s.model.intent import CoreRecord, InstalledAddon, Intent, Launch, Wanted
from supervisor_k8s.model.token import digest
from supervisor_k8s.services.access import Access
from tests.fakes import FakeCluster

MANIFEST = {"name": "Mosquitto", "hassio_api": True, "hassio_role": "manager", "homeassistant_api": True}


def launch(token: str, **changes: object) -> Launch:
    return replace(Launch("0123abcd", "1", "image:1", digest(token)), **changes)  # type: ignore[arg-type]


def access(cluster: FakeCluster, addon: InstalledAddon | None = None, core: CoreRecord | None = None) -> Access:
    addons = {addon.slug: addon} if addon else {}
    return Access(cluster=cluster, namespace="home-assistant", core=lambda: core, addons=lambda: addons)


async def test_the_command_lines_token_is_made_once() -> None:
    """Secret `supervisor-cli`, key `token`, 112 hex digits; another process of ours keeps it."""
    cluster = FakeCluster()
    ours = access(cluster)
    await ours.prepare()
    first = cluster.get("Secret", "supervisor-cli")
    assert first is not None
    token = base64.b64decode(first["data"]["token"]).decode()
    await access(cluster).prepare()
    assert cluster.get("Secret", "supervisor-cli") == first
    assert len(bytes.fromhex(token)) == 56
    assert ours.caller(token) == CLI


async def test_a_token_changed_with_kubectl_counts_at_once() -> None:
    """The Secret is the truth, a line break at its end included."""
    cluster = FakeCluster()
    ours = access(cluster)
    await ours.prepare()
    secret = cluster.get("Secret", "supervisor-cli")
    assert secret is not None
    cluster.put({**secret, "data": {"token": base64.b64encode(b"mine\n").decode()}})
    assert ours.caller("mine") == CLI


def test_core_is_known_by_its_launch() -> None:
    """The token of the present launch, nobody else's."""
    core = CoreRecord(version="2026.11.0", intent=Intent(Wanted.RUNNING, launch("core-token")))
    ours = access(FakeCluster(), core=core)
    assert ours.caller("core-token") == CORE
    assert ours.caller("stale") is None
    assert ours.caller("") is None


def test_an_addon_has_the_rights_of_what_runs() -> None:
    """The launch's manifest decides: one that a later version brings does not widen a running add-on's rights."""
    record = InstalledAddon("core_mosquitto", {}, {**MANIFEST, "hassio_role": "admin"})
    frozen = replace(record, intent=Intent(Wanted.RUNNING, launch("t", config=MANIFEST)))
    assert access(FakeCluster(), frozen).caller("t") == Caller(
        kind=CallerKind.ADDON,
        slug="core_mosquitto",
        name="Mosquitto",
        role=Role.MANAGER,
        hassio_api=True,
        homeassistant_api=True,
    )


def test_a_retired_token_is_nobodys() -> None:
    """A stopped add-on keeps its launch with an empty digest; the empty token does not match it."""
    record = InstalledAddon("x_y", {}, MANIFEST, Intent(Wanted.STOPPED, replace(launch("t"), token_digest="")))
    ours = access(FakeCluster(), record)
    assert ours.caller("t") is None
    assert ours.caller("") is None
