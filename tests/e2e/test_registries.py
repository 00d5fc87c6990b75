"""An add-on from a registry that asks for a login: refused without, pulled and run with it, and nobody else hears."""

import json
import os
import platform
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.cluster import binaries, paths
from tests.registry import Registry

from .house import Kubectl, Supervisor
from .registries import open_for

SLUG = "local_private"
PODS = f"io.hass.addon={SLUG}"
TAG = "1.0"

pytestmark = pytest.mark.skipif(
    os.environ.get("CLUSTER") == "external", reason="the registry serves nodes of this machine only"
)


@pytest.fixture
def registry() -> Iterator[Registry]:
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
    program = binaries.program(paths.from_environment(), "coredns")
    login = ("me", secrets.token_hex(16))
    made = Registry(login=login)
    made.add(program, name="private", tag=TAG, architecture=architecture)
    with open_for(made):
        yield made


@pytest.fixture
async def addon(supervisor: Supervisor, registry: Registry) -> AsyncIterator[str]:
    """Slug of the add-on, in the store; neither it nor a login stays."""
    folder = paths.from_environment().volumes / "shared" / "addons" / "local" / "private"
    image = f"{registry.host}/private"
    manifest = {
        "name": "Private", "version": TAG, "slug": "private", "description": "Answers names", "image": image,
        "arch": ["amd64", "aarch64"], "boot": "manual",
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(manifest))
    try:
        assert (await supervisor.post("/store/reload")).status == 200
        yield SLUG
    finally:
        await supervisor.post(f"/addons/{SLUG}/uninstall")
        await supervisor.delete(f"/docker/registries/{registry.host}")
        shutil.rmtree(folder)
        await supervisor.post("/store/reload")


async def test_an_addon_from_a_private_registry(
    kubectl: Kubectl, supervisor: Supervisor, registry: Registry, addon: str
) -> None:
    """The login is all that it takes; running pods keep their identity, and its password is in one Secret only."""
    refused = await supervisor.post(f"/store/addons/{addon}/install")
    assert refused.status == 400
    assert f"{registry.host}/private:{TAG}" in refused.body["message"]
    assert registry.refused > 0
    before = await identities(kubectl)
    user, password = registry.login
    wrong = {registry.host: {"username": user, "password": secrets.token_hex(16)}}
    assert (await supervisor.send("/docker/registries", json.dumps(wrong).encode())).data == {}
    refused = await supervisor.post(f"/store/addons/{addon}/install")
    assert (refused.status, refused.body["error_key"]) == (400, "docker_registry_auth_error")
    assert registry.host in refused.body["message"]
    login = {registry.host: {"username": user, "password": password}}
    assert (await supervisor.send("/docker/registries", json.dumps(login).encode())).data == {}
    assert (await supervisor.get("/docker/registries")).data["registries"][registry.host] == {"username": user}
    for path in (f"/store/addons/{addon}/install", f"/addons/{addon}/start"):
        answer = await supervisor.post(path)
        assert answer.status == 200, answer
    assert await supervisor.state(addon) == "started"
    assert before.items() <= (await identities(kubectl)).items()
    everything = await kubectl.run("get", "pods,deployments,statefulsets,configmaps,events", "-o", "json")
    log = await kubectl.run("logs", "deployment/supervisor")
    assert password not in everything + log
    warnings = [
        event for event in json.loads(everything)["items"] if event.get("reason") == "FailedToRetrieveImagePullSecret"
    ]
    assert warnings == []


async def identities(kubectl: Kubectl) -> dict[str, tuple[str, int]]:
    """Name of each pod to what tells it, and its containers' starts, from another one."""
    pods = (await kubectl.json("get", "pods"))["items"]
    return {
        pod["metadata"]["name"]: (
            pod["metadata"]["uid"],
            sum(status["restartCount"] for status in pod["status"].get("containerStatuses", ())),
        )
        for pod in pods
    }
