"""Records: what was saved is there after a restart, exactly, and damage is told and hurts nothing else."""

import asyncio
import dataclasses
from dataclasses import replace
from pathlib import Path

import pytest

from supervisor_k8s.errors import AddonNotInstalledError, StateFileError
from supervisor_k8s.model.discovery import DiscoveryMessage
from supervisor_k8s.model.intent import CoreRecord, InstalledAddon, Intent, Launch, Wanted
from supervisor_k8s.state.records import Records
from tests.builders import manifest

LAUNCH = Launch(
    id="0a1b2c3d",
    version="6.4.1",
    image="registry.example/mosquitto:6.4.1",
    token_digest="ab" * 32,
    objects=(
        {
            "kind": "Deployment",
            "metadata": {"name": "core-mosquitto"},
            "spec": {"replicas": 1, "empty": {}, "none": None, "half": 0.5},
        },
        {"kind": "Service", "metadata": {"name": "core-mosquitto"}},
    ),
    options={"logins": [{"username": "ä", "password": ""}], "n": 0},
    ports={"1883/tcp": 1883, "8883/tcp": None},
    timezone="Europe/Berlin",
    config={"slug": "mosquitto", "schema": {"logins": [{"username": "str"}]}},
)
ADDON = InstalledAddon(
    slug="core_mosquitto",
    user={"version": "6.4.1", "options": {}, "uuid": "0" * 32},
    system={
        **manifest(slug="mosquitto", map=[{"type": "ssl", "read_only": True, "path": None}]),
        "repository": "core",
    },
    intent=Intent(wanted=Wanted.RUNNING, launch=LAUNCH),
)
CORE = CoreRecord(version="2026.11.0", port=80, ssl=True, refresh_token="t", intent=Intent(failure="no node"))


async def test_a_new_installation_is_empty(tmp_path: Path) -> None:
    """An empty volume is no damage: nothing is installed, nothing is known."""
    records = await Records.load(tmp_path / "state")
    assert records.core is None
    assert (
        records.addons, records.preferences, records.services, records.discovery, records.repositories,
        records.ingress, records.link, records.damaged,
    ) == ({}, {}, {}, (), (), {}, {}, ())  # fmt: skip


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    """Each subject comes back equal to what was saved, of the same types."""
    message = DiscoveryMessage("core_mosquitto", "mqtt", "1" * 32, {"host": "core-mosquitto", "port": 1883})
    first = await Records.load(tmp_path)
    await first.save_addon(ADDON)
    await first.save_core(CORE)
    await first.save_preferences({"timezone": "UTC"})
    await first.save_services({"mqtt": {"host": "x", "addon": "core_mosquitto"}})
    await first.save_discovery((message,))
    await first.save_repositories(("https://git.example/a#next",))
    await first.save_ingress({"panels": {}})
    await first.save_link({"ca": "pem"})
    second = await Records.load(tmp_path)
    assert {"core_mosquitto": ADDON} == second.addons == first.addons
    assert CORE == second.core == first.core
    assert second.addons["core_mosquitto"].intent.wanted is Wanted.RUNNING
    assert {"timezone": "UTC"} == second.preferences == first.preferences
    assert {"mqtt": {"host": "x", "addon": "core_mosquitto"}} == second.services == first.services
    assert (message,) == second.discovery == first.discovery
    assert ("https://git.example/a#next",) == second.repositories == first.repositories
    assert {"panels": {}} == second.ingress == first.ingress
    assert {"ca": "pem"} == second.link == first.link
    assert second.damaged == ()


async def test_no_field_is_forgotten(tmp_path: Path) -> None:
    """Every field of every record survives: none is at its default here, so that a new one must be added."""
    core = replace(
        CORE, uuid="u", image="img", boot=False, watchdog=False, audio_input="i", audio_output="o",
        backups_exclude_database=True, duplicate_log_file=True, timezone="Europe/Berlin",
        intent=Intent(wanted=Wanted.EXITED, launch=LAUNCH, failure="gone", update={"user": {}, "system": {"a": 1}}),
    )  # fmt: skip
    for value in (core, core.intent, LAUNCH):
        for item in dataclasses.fields(value):
            assert getattr(value, item.name) != item.default, item.name
    await (await Records.load(tmp_path)).save_core(core)
    assert core == (await Records.load(tmp_path)).core


async def test_a_damaged_record_hurts_no_other(tmp_path: Path) -> None:
    """One broken file is named in `damaged`, also at the next start; the others are read."""
    first = await Records.load(tmp_path)
    await first.save_addon(ADDON)
    await first.save_addon(replace(ADDON, slug="local_x"))
    await first.save_core(CORE)
    (tmp_path / "core.json").write_bytes(b"{")
    (tmp_path / "addons" / "local_x.json").write_bytes(b'{"version": 1, "data": {"slug": "local_x", "user": {}}}')
    for _ in range(2):
        records = await Records.load(tmp_path)
        assert records.core is None
        assert records.addons == {"core_mosquitto": ADDON}
        assert records.damaged == ("addons/local_x.json.damaged-1", "core.json.damaged-1")


async def test_a_record_under_another_name_is_damage(tmp_path: Path) -> None:
    """A copied file does not make a second add-on of the first."""
    await (await Records.load(tmp_path)).save_addon(ADDON)
    (tmp_path / "addons" / "local_copy.json").write_bytes((tmp_path / "addons" / "core_mosquitto.json").read_bytes())
    records = await Records.load(tmp_path)
    assert list(records.addons) == ["core_mosquitto"]
    assert records.damaged == ("addons/local_copy.json.damaged-1",)


@pytest.mark.parametrize(
    ("whole", "broken"),
    [(b'"version": "1.0.0"', b'"release": "1.0.0"'), (b'"metadata"', b'"meta"'), (b'"path": null', b'"where": null')],
    ids=["a manifest without version", "an object without name", "a folder's unknown key"],
)
async def test_what_no_look_at_the_addons_would_survive_is_damage(tmp_path: Path, whole: bytes, broken: bytes) -> None:
    """A record that is JSON but no add-on's is set aside at the start, not met by whoever looks at it later."""
    await (await Records.load(tmp_path)).save_addon(ADDON)
    path = tmp_path / "addons" / "core_mosquitto.json"
    content = path.read_bytes()
    assert whole in content
    path.write_bytes(content.replace(whole, broken))
    records = await Records.load(tmp_path)
    assert records.addons == {}
    assert records.damaged == ("addons/core_mosquitto.json.damaged-1",)


async def test_keys_of_a_newer_version_are_no_damage(tmp_path: Path) -> None:
    """A key that this version does not know is dropped; going back one release keeps the add-on."""
    await (await Records.load(tmp_path)).save_addon(ADDON)
    path = tmp_path / "addons" / "core_mosquitto.json"
    path.write_bytes(path.read_bytes().replace(b'"wanted":', b'"later": 1,\n"wanted":'))
    assert (await Records.load(tmp_path)).addons == {"core_mosquitto": ADDON}


async def test_a_removed_addon_stays_removed(tmp_path: Path) -> None:
    """Removing forgets memory and disk; removing twice is fine."""
    first = await Records.load(tmp_path)
    await first.save_addon(ADDON)
    await first.remove_addon("core_mosquitto")
    await first.remove_addon("core_mosquitto")
    assert {} == first.addons == (await Records.load(tmp_path)).addons


async def test_two_changes_of_one_addon_both_count(tmp_path: Path) -> None:
    """Options saved while a start records its intent do not undo it, nor the other way round."""
    records = await Records.load(tmp_path)
    await records.save_addon(replace(ADDON, intent=Intent()))
    await asyncio.gather(
        records.update_addon("core_mosquitto", lambda r: replace(r, user={**r.user, "options": {"a": 1}})),
        records.update_addon("core_mosquitto", lambda r: replace(r, intent=Intent(wanted=Wanted.RUNNING))),
        records.update_addon("core_mosquitto", lambda r: replace(r, user={**r.user, "boot": "manual"})),
    )
    record = (await Records.load(tmp_path)).addons["core_mosquitto"]
    assert (
        record.user["options"],
        record.user["boot"],
        record.intent.wanted,
    ) == ({"a": 1}, "manual", Wanted.RUNNING)


async def test_what_is_not_there_cannot_be_changed(tmp_path: Path) -> None:
    """Changing an add-on that is not installed, or Core before it exists, is an error and writes nothing."""
    records = await Records.load(tmp_path)
    with pytest.raises(AddonNotInstalledError):
        await records.update_addon("local_x", lambda record: record)
    with pytest.raises(StateFileError):
        await records.update_core(lambda record: record)
    assert list((tmp_path / "addons").iterdir()) == []


async def test_the_refresh_token_is_not_shown() -> None:
    """A record in a log line carries no credential."""
    assert "refresh_token" not in repr(CORE)


async def test_a_thousand_addons_load(tmp_path: Path) -> None:
    """Our own restart with 1,000 add-ons finds every one of them."""
    records = await Records.load(tmp_path)
    await records.save_addon(replace(ADDON, slug="local_0"))
    content = (tmp_path / "addons" / "local_0.json").read_bytes()
    for number in range(1, 1000):
        copy = content.replace(b'"local_0"', f'"local_{number}"'.encode())
        (tmp_path / "addons" / f"local_{number}.json").write_bytes(copy)
    assert len((await Records.load(tmp_path)).addons) == 1000
