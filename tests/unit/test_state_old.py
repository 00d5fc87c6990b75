"""Files as earlier versions of ours wrote them, kept here for good: whoever changes a format brings them up to date.

A folder for each version of the format; what its files say never changes.
"""

import shutil
from pathlib import Path

import pytest

from supervisor_k8s.model.discovery import DiscoveryMessage
from supervisor_k8s.model.intent import Wanted
from supervisor_k8s.state.records import Records

FOLDERS = sorted(Path(__file__).parent.glob("state-of-version-*"))


@pytest.fixture(params=FOLDERS, ids=lambda folder: folder.name)
async def records(request: pytest.FixtureRequest, tmp_path: Path) -> Records:
    """What we make of a copy of these files."""
    shutil.copytree(request.param, tmp_path / "state")
    return await Records.load(tmp_path / "state")


def test_there_are_old_files() -> None:
    """At least those of the first version."""
    assert FOLDERS


async def test_nothing_is_damaged(records: Records) -> None:
    """Age is no damage."""
    assert records.damaged == ()


async def test_an_addon_is_what_it_was(records: Records) -> None:
    """It runs the launch it ran, with its token, objects and options, and has its user's choices."""
    (record,) = records.addons.values()
    assert (record.slug, record.user["version"], record.system["repository"]) == ("core_mosquitto", "6.4.1", "core")
    launch = record.intent.launch
    assert launch is not None
    assert (record.intent.wanted, launch.id, launch.token_digest) == (Wanted.RUNNING, "0a1b2c3d", "ab" * 32)
    assert [manifest["kind"] for manifest in launch.objects] == ["Deployment", "Service"]
    assert launch.options["logins"] == [{"username": "ä", "password": ""}]
    assert (launch.ports["1883/tcp"], launch.timezone) == (1883, "Europe/Berlin")


async def test_core_is_what_it_was(records: Records) -> None:
    """The same Core runs, and we still get in."""
    core = records.core
    assert core is not None
    assert core.intent.launch is not None
    assert (core.version, core.port, core.ssl, core.refresh_token) == ("2026.11.0", 80, True, "t")
    assert (core.intent.wanted, core.intent.launch.id) == (Wanted.RUNNING, "0a1b2c3d")


async def test_the_rest_is_what_it_was(records: Records) -> None:
    """Preferences, services, discovery and the user's repositories."""
    assert records.preferences == {"timezone": "Europe/Berlin"}
    assert records.services == {"mqtt": {"host": "core-mosquitto", "addon": "core_mosquitto"}}
    message = DiscoveryMessage("core_mosquitto", "mqtt", "1" * 32, {"host": "core-mosquitto", "port": 1883})
    assert records.discovery == (message,)
    assert records.repositories == ("https://git.example/a#next",)


async def test_what_is_saved_is_read_again(records: Records, tmp_path: Path) -> None:
    """Old content saved anew is of the present version and says the same."""
    for record in records.addons.values():
        await records.save_addon(record)
    assert (await Records.load(tmp_path / "state")).addons == records.addons
