"""Every public method of three versions of Home Assistant's client against the real thing: the same cases as in the
integration tier, but those that would take Core or us down.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator

import pytest

from tests.cluster import paths
from tests.contract.clients.cases import EVERYWHERE, SLUG, Scene, failures, write_addons
from tests.contract.clients.client import VERSIONS, Client, Process

from .house import Kubectl, Supervisor

REPOSITORY = "http://git-server.git-server.svc.cluster.local/core.git#master"
NAME = "addon-local-throwaway"

pytestmark = pytest.mark.skipif(
    os.environ.get("CLUSTER") == "external", reason="the program of the throw-away add-on is an image of this machine"
)


@pytest.fixture
async def throwaway(supervisor: Supervisor) -> AsyncIterator[None]:
    """The add-ons of the cases are in the store, and nothing is left of them afterwards."""
    local = paths.from_environment().volumes / "shared" / "addons" / "local"
    write_addons(local)
    try:
        await supervisor.post(f"/addons/{SLUG}/uninstall", remove_config=True)
        yield
        await supervisor.post(f"/addons/{SLUG}/uninstall", remove_config=True)
    finally:
        for name in ("throwaway", "elsewhere"):
            shutil.rmtree(local / name)
        await supervisor.post("/store/reload")


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_case(version: str, supervisor: Supervisor, kubectl: Kubectl, throwaway: None) -> None:
    """Answered in the client's models or refused by its exceptions, as with our doubles."""
    printenv = ("exec", "homeassistant-0", "-c", "homeassistant", "--", "printenv", "SUPERVISOR_TOKEN")
    of_core = (await kubectl.run(*printenv)).strip()

    async def token(whose: str) -> str:
        if whose == "addon":  # another one after each start
            pod = await kubectl.pod(f"io.hass.addon={SLUG}")
            return await kubectl.secret(f"{NAME}-{pod['metadata']['labels']['io.hass.launch']}", "token")
        return of_core

    core = (await supervisor.get("/core/info")).data["version"]
    process = await asyncio.to_thread(Process, version)
    with process:
        client = Client(process, supervisor.url)
        scene = Scene(client=client, tokens=token, core_version=core, repository=REPOSITORY)
        assert await failures(scene, EVERYWHERE) == []
