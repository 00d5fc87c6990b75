"""What the administrator lets add-ons have (`SUPERVISOR_K8S_ALLOW`), as users and their clients see it."""

from typing import Any

import pytest
import yaml

from tests import builders
from tests.contract.house import Home

ADDONS: dict[str, dict[str, Any]] = {
    "radio": {"uart": True, "options": {"port": None}, "schema": {"port": "device(subsystem=tty)"}},
    "doer": {"full_access": True},
    "finder": {"host_network": True},
}
WORDS = {"local_radio=devices:/dev/ttyUSB0", "local_radio=privileged", "local_doer=privileged", "host_network"}


@pytest.fixture(scope="module")
def around() -> dict[str, Any]:
    return {"allowed": frozenset(WORDS)}


@pytest.fixture
async def offering(home: Home) -> Home:
    """With these add-ons in the local store."""
    for slug, asked in ADDONS.items():
        folder = home.share / "addons" / "local" / slug
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(builders.manifest(slug=slug, **asked)))
    await home.raw("POST", "/store/reload")
    return home


def program(home: Home, slug: str) -> dict[str, Any]:
    """The container of what runs."""
    (pod,) = home.cluster.pods(io__hass__addon=slug)
    container: dict[str, Any] = pod["spec"]["containers"][0]
    return container


async def test_a_device_by_its_path(offering: Home) -> None:
    """It is offered in the form, taken as an option and mounted; no other one is. It is rated as full access."""
    await offering.install("local_radio")
    info = (await offering.raw("GET", "/addons/local_radio/info")).data
    assert info["schema"] == [{"name": "port", "required": True, "type": "select", "options": ["/dev/ttyUSB0"]}]
    assert info["rating"] == (await offering.raw("GET", "/store/addons/local_radio")).data["rating"] == 1
    other = await offering.raw("POST", "/addons/local_radio/options", json={"options": {"port": "/dev/ttyUSB1"}})
    assert (other.status, "it has /dev/ttyUSB0" in other.message) == (400, True)
    body = {"options": {"port": "/dev/ttyUSB0"}}
    assert (await offering.raw("POST", "/addons/local_radio/options", json=body)).status == 200
    assert (await offering.raw("POST", "/addons/local_radio/start")).status == 200
    container = program(offering, "local_radio")
    assert container["securityContext"] == {"privileged": True}
    assert "/dev/ttyUSB0" in {mount["mountPath"] for mount in container["volumeMounts"]}


async def test_full_access_with_the_protection_mode(offering: Home) -> None:
    """It may be installed, and has it from the start after somebody switched the mode off."""
    told = (await offering.raw("GET", "/store/addons/local_doer/compatibility")).data
    assert told["verdict"] == "runs_without"
    assert "until its protection mode is switched off" in told["summary"]
    await offering.install("local_doer", start=True)
    assert "securityContext" not in program(offering, "local_doer")
    await offering.raw("POST", "/addons/local_doer/security", json={"protected": False})
    await offering.raw("POST", "/addons/local_doer/restart")
    assert program(offering, "local_doer")["securityContext"] == {"privileged": True}


async def test_what_the_cluster_refuses(offering: Home) -> None:
    """Nobody can install what needs it, the store says why, and an issue tells the administrator; it goes by itself."""
    offering.cluster.refusals["allow-host-network-trial"] = "violates PodSecurity"
    assert ("allowed_in_vain", "host_network") in await issues(offering)
    refused = await offering.raw("POST", "/store/addons/local_finder/install")
    assert (refused.status, "which the cluster refuses: violates PodSecurity" in refused.message) == (400, True)
    shown = {addon["slug"]: addon["available"] for addon in (await offering.raw("GET", "/store/addons")).data["addons"]}
    assert (shown["local_finder"], shown["local_radio"]) == (False, True)
    offering.cluster.refusals.clear()
    assert await issues(offering) == []
    await offering.install("local_finder")


async def issues(home: Home) -> list[tuple[str, str]]:
    """Of this kind, after a look."""
    await home.raw("POST", "/resolution/healthcheck")
    found = (await home.raw("GET", "/resolution/info")).data["issues"]
    return [(extra["reason"], issue["reference"]) for issue in found if (extra := issue["reference_extra"])]
