"""`/core/…`: Home Assistant Core as a workload."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest
from aiohasupervisor import SupervisorBadRequestError
from aiohasupervisor.models import (
    HomeAssistantOptions,
    HomeAssistantRestartOptions,
    HomeAssistantStopOptions,
    HomeAssistantUpdateOptions,
)

from supervisor_k8s.model.desired.config_check import NAME as CHECK
from tests.contract.house import CLI_TOKEN, Home
from tests.fakes import Behaviour

IMAGE = "ghcr.io/home-assistant/generic-x86-64-homeassistant"


def uid(home: Home) -> str:
    pod = home.cluster.get("Pod", "homeassistant-0")
    assert pod is not None
    return str(pod["metadata"]["uid"])


async def test_info(shared: Home) -> None:
    """Version, address and the rest; also by the old name."""
    info = await shared.client().homeassistant.info()
    assert (info.version, info.version_latest, info.update_available) == ("2026.11.0", "2026.11.0", False)
    assert (str(info.ip_address), info.image, info.machine) == (shared.core_address, IMAGE, "generic-x86-64")
    assert (info.boot, info.ssl, info.watchdog, info.port) == (True, False, True, 80)
    assert (await shared.raw("GET", "/homeassistant/info")).data == (await shared.raw("GET", "/core/info")).data


async def test_options_are_kept(home: Home) -> None:
    """Null resets where null is allowed; nothing is restarted."""
    before = uid(home)
    await home.client().homeassistant.set_options(
        HomeAssistantOptions(boot=False, watchdog=False, audio_input="mic", backups_exclude_database=True)
    )
    info = await home.client().homeassistant.info()
    assert (info.boot, info.watchdog, info.audio_input, info.backups_exclude_database) == (False, False, "mic", True)
    await home.raw("POST", "/homeassistant/options", json={"audio_input": None, "refresh_token": None})
    assert (await home.client().homeassistant.info()).audio_input is None
    assert uid(home) == before


async def test_stop_and_start(home: Home) -> None:
    """Stop answers when the pod is gone, start when Core runs; while it is away there are no figures."""
    cli = home.client(CLI_TOKEN).homeassistant
    await cli.stop(HomeAssistantStopOptions(force=True))
    assert home.cluster.get("Pod", "homeassistant-0") is None
    assert str((await cli.info()).ip_address) == "0.0.0.0"
    with pytest.raises(SupervisorBadRequestError):
        await cli.stats()
    await cli.start()
    assert home.cluster.get("Pod", "homeassistant-0") is not None
    assert (await cli.stats()).cpu_percent == 0.0


async def test_restart(home: Home) -> None:
    """A new pod, and only after the old one is gone. Core itself asks without any body."""
    before = uid(home)
    await home.client().homeassistant.restart()
    assert uid(home) != before
    before = uid(home)
    await home.client(CLI_TOKEN).homeassistant.restart(HomeAssistantRestartOptions(safe_mode=True))
    assert uid(home) != before
    assert (home.share / "homeassistant" / "safe-mode").exists()


async def test_rebuild(home: Home) -> None:
    """A new pod too."""
    before = uid(home)
    await home.client().homeassistant.rebuild()
    assert uid(home) != before


async def test_one_operation_at_a_time(home: Home) -> None:
    """A second one is refused with upstream's text while the first goes on."""
    home.cluster.slow_stop = True
    stopping = asyncio.ensure_future(home.raw("POST", "/core/stop", token=CLI_TOKEN))
    await home.cluster.stopping("homeassistant-0")
    answer = await home.raw("POST", "/core/restart", token=CLI_TOKEN)
    assert (answer.status, answer.message) == (400, "Another job is running for job group home_assistant_core")
    home.cluster.end("homeassistant-0")
    assert (await stopping).status == 200


async def test_update(home: Home) -> None:
    """Another version comes with its image; the same one is refused by its key."""
    core = home.client(CLI_TOKEN).homeassistant
    await core.update(HomeAssistantUpdateOptions(version="2026.11.1"))
    assert (await core.info()).version == "2026.11.1"
    answer = await home.raw("POST", "/core/update", token=CLI_TOKEN, json={"version": "2026.11.1"})
    assert answer.json["error_key"] == "homeassistant_update_already_installed_error"
    assert answer.status == 400


async def test_update_with_an_image_that_does_not_exist(home: Home) -> None:
    """The error names the image; Core runs on as it was."""
    home.cluster.behaviours[f"{IMAGE}:9.9.9"] = Behaviour(pull_error="manifest unknown")
    before = uid(home)
    answer = await home.raw("POST", "/core/update", json={"version": "9.9.9"})
    assert answer.status == 400
    assert f"{IMAGE}:9.9.9" in answer.message
    assert "manifest unknown" in answer.message
    assert uid(home) == before
    assert (await home.client().homeassistant.info()).version == "2026.11.0"


async def test_update_with_a_backup_is_refused(shared: Home) -> None:
    """Who wants a backup first must not get an update without one."""
    answer = await shared.raw("POST", "/core/update", json={"version": "2026.11.1", "backup": True})
    assert answer.status == 400
    assert "backup" in answer.message


async def test_migration_is_not_interrupted(home: Home) -> None:
    """While Core migrates its database offline it is not stopped, unless forced: 503."""
    home.core.state, home.core.migrating = "STARTING", True
    answer = await home.raw("POST", "/core/restart")
    assert answer.status == 503
    assert "migration" in answer.message
    assert (await home.raw("POST", "/core/stop", json={"force": True})).status == 200


async def test_check(home: Home) -> None:
    """A pod with Core's image checks the files, whether Core runs or not; nothing of it stays."""
    images: list[str] = []

    def program(pod: Mapping[str, Any]) -> Behaviour:
        images.append(pod["spec"]["containers"][0]["image"])
        return Behaviour(exit_code=0, says=("Testing configuration at /config",))

    home.cluster.programs[CHECK] = program
    await home.client().homeassistant.check_config()
    await home.client(CLI_TOKEN).homeassistant.stop(HomeAssistantStopOptions(force=True))
    assert (await home.raw("POST", "/homeassistant/check", token=CLI_TOKEN)).data == {}
    assert images == [f"{IMAGE}:2026.11.0"] * 2
    assert home.cluster.select("Job", {}) == []


async def test_check_of_a_bad_configuration(home: Home) -> None:
    """400, and the message is all that the checker wrote, without colours."""
    says = ("\x1b[1;37mFailed config\x1b[0m", "  \x1b[1;31mGeneral Errors:\x1b[0m ", "    - why")
    home.cluster.programs[CHECK] = lambda _: Behaviour(exit_code=1, says=says)
    with pytest.raises(SupervisorBadRequestError, match="Failed config"):
        await home.client().homeassistant.check_config()
    answer = await home.raw("POST", "/core/check")
    assert (answer.status, answer.message) == (400, "Failed config\n  General Errors: \n    - why\n")
    assert "error_key" not in answer.json


async def test_one_check_at_a_time(home: Home) -> None:
    """The second one is refused in upstream's words; restarts of Core are not in its way."""
    home.cluster.programs[CHECK] = lambda _: Behaviour()
    checking = asyncio.ensure_future(home.raw("POST", "/core/check"))
    await home.cluster.until(lambda: home.cluster.get("Job", CHECK), within=10)
    answer = await home.raw("POST", "/core/check")
    assert (answer.status, answer.message) == (400, "Another job is running for job group container_homeassistant")
    (pod,) = [pod for pod in home.cluster.pods() if CHECK in pod["metadata"]["name"]]
    home.cluster.exit(pod["metadata"]["name"], "check", 0)
    assert (await checking).status == 200


async def test_check_of_a_candidate(home: Home) -> None:
    """What the live configuration warns of as well is told; what it does not is a refusal with its own key."""
    warnings = {"candidate": ["Invalid config for 'a' at configuration.yaml, line 3: bad"], "live": list[str]()}

    def program(pod: Mapping[str, Any]) -> Behaviour:
        which = "candidate" if "initContainers" in pod["spec"] else "live"
        result = {"errors": {}, "warnings": {"a": warnings[which]}, "components": []}
        return Behaviour(exit_code=0, says=tuple(json.dumps(result, indent=2).splitlines()))

    home.cluster.programs[CHECK] = program
    body = {"directory": "share/next", "without": ["packages/old.yaml"]}
    answer = await home.raw("POST", "/core/check", json=body)
    assert (answer.status, answer.message) == (400, warnings["candidate"][0])
    assert answer.json["error_key"] == "homeassistant_candidate_invalid_error"
    assert answer.json["extra_fields"] == {"errors": [], "warnings": warnings["candidate"]}
    warnings["live"] = ["Invalid config for 'a' at configuration.yaml, line 2: bad"]
    assert (await home.raw("POST", "/core/check", json=body)).data == {"warnings": warnings["candidate"]}


@pytest.mark.parametrize(
    "body",
    [
        {"directory": "homeassistant"}, {"directory": "share/../ssl"}, {"directory": "/etc"}, {"directory": 1},
        {"directory": "share/x", "without": ["../x"]}, {"without": ["x"]},
    ],
)  # fmt: skip
async def test_check_of_what_cannot_be_a_candidate(shared: Home, body: dict[str, Any]) -> None:
    """Refused before anything runs."""
    answer = await shared.raw("POST", "/core/check", json=body)
    assert answer.status == 400
    assert "error_key" not in answer.json
    assert ("apply", "Job", CHECK) not in shared.cluster.calls
