"""First light once more, with Core 2026.2.3 and its ways: a refresh token, TCP through the core-link, port 8123."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import yaml

from tests.e2e.house import Core, Kubectl, Supervisor, becomes
from tests.e2e.test_core_port import (  # its test, with this Core's way to other settings
    FOLDER,
    Change,
    as_before,
    certificate,
    test_we_follow_cores_port_and_certificate,
    write,
)
from tests.e2e.test_first_light import *  # noqa: F403 - its tests, with this house's fixtures
from tests.e2e.test_logins import *  # noqa: F403 - this Core believes 127.0.0.2 alone, which the core-link gives us

from .second_house import CORE_VERSION

__all__ = ["certificate", "test_we_follow_cores_port_and_certificate"]

POD = "homeassistant-0"


@pytest.fixture
async def change(kubectl: Kubectl, supervisor: Supervisor, certificate: None) -> AsyncIterator[Change]:
    """In configuration.yaml, and a restart."""

    async def configure(settings: Mapping[str, Any]) -> None:
        await write(kubectl, f"{FOLDER}/configuration.yaml", yaml.safe_dump({"default_config": None, "http": settings}))
        assert (await supervisor.post("/core/restart")).status == 200

    yield configure
    await as_before(kubectl, supervisor)


async def let_in(supervisor: Supervisor) -> list[dict[str, Any]]:
    """Core's users, as soon as the Supervisor's websocket to Core is up."""
    return list(await becomes(supervisor.users, what="the websocket to Core is up") or ())


async def test_it_is_the_older_core_on_its_own_port(kubectl: Kubectl, core: Core, supervisor: Supervisor) -> None:
    """Version and port are Core's own, no socket is offered to it, and the Service leads people to 8123."""
    info = (await supervisor.get("/core/info")).data
    assert (info["version"], info["port"], info["ssl"]) == (CORE_VERSION, 8123, False)
    assert (await core.get("/api/config"))["version"] == CORE_VERSION
    service = await kubectl.json("get", "service", "homeassistant")
    assert {8123} == {port["targetPort"] for port in service["spec"]["ports"]}
    pod = await kubectl.json("get", "pod", POD)
    (container,) = pod["spec"]["containers"]
    assert "SUPERVISOR_CORE_API_SOCKET" not in {item["name"] for item in container["env"]}


async def test_the_websocket_is_up_by_the_refresh_token(core: Core, supervisor: Supervisor) -> None:
    """Core tells it who its users are, which only administrators learn."""
    assert ["owner"] == [user["username"] for user in await let_in(supervisor)]


async def test_our_restart_keeps_the_refresh_token(core: Core, kubectl: Kubectl, supervisor: Supervisor) -> None:
    """Core posts its token once per start of its own: ours is kept on our volume and Core is left alone."""
    await let_in(supervisor)
    before = (await kubectl.json("get", "pod", POD))["metadata"]["uid"]
    await kubectl.run("rollout", "restart", "deployment/supervisor")
    await kubectl.run("rollout", "status", "deployment/supervisor", "--timeout=90s")
    await let_in(supervisor)
    assert before == (await kubectl.json("get", "pod", POD))["metadata"]["uid"]


async def test_a_restarted_core_lets_us_in_again(core: Core, supervisor: Supervisor) -> None:
    """The access token of the Core before is worth nothing; a new one is fetched."""
    assert (await supervisor.post("/core/restart")).status == 200
    await let_in(supervisor)
