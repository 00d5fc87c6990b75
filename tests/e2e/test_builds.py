"""An add-on without an image: built in the cluster, pushed to a registry beside it, pulled and run from there."""

import json
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.cluster import images, paths, versions
from tests.registry import Registry

from .house import Kubectl, Supervisor, becomes
from .registries import open_for

SLUG = "local_built"
PODS = f"io.hass.addon={SLUG}"
DOCKERFILE = """FROM scratch
ARG BUILD_ARCH
COPY busybox /bin/busybox
RUN ["/bin/busybox", "sh", "-c", "echo {word} for $BUILD_ARCH >/said && /bin/busybox chown 123:456 /said"]
CMD ["/bin/busybox", "sh", "-c", "/bin/busybox cat /said; trap exit TERM; /bin/busybox sleep 100000 & wait"]
"""
"""The command runs in the builder's chroot, as root, and gives a file away: what a builder must be able to do."""
BROKEN = DOCKERFILE.replace("/bin/busybox chown", "/bin/busybox no-such-applet")

pytestmark = [
    pytest.mark.skipif(
        os.environ.get("CLUSTER") == "external", reason="the registry serves nodes of this machine only"
    ),
    pytest.mark.timeout(600),
]


@pytest.fixture
def registry() -> Iterator[Registry]:
    """Empty; for nodes at 127.0.0.1, for pods at the node's address."""
    with open_for(Registry(login=("me", secrets.token_hex(16)), address="0.0.0.0")) as made:
        yield made


@pytest.fixture
async def folder(kubectl: Kubectl, supervisor: Supervisor, registry: Registry) -> AsyncIterator[Path]:
    """The add-on's, in a house that builds; the store has it. Nothing of this stays."""
    settings = {
        "SUPERVISOR_K8S_BUILD_REGISTRY": f"{registry.host}/home",
        "SUPERVISOR_K8S_BUILD_PUSH": f"http://{versions.NODE_ADDRESS}:{registry.port}/home",
        "SUPERVISOR_K8S_BUILD_IMAGE": images.BUILDER,
    }
    made = paths.from_environment().volumes / "shared" / "addons" / "local" / "built"
    manifest = {
        "name": "Built", "version": "1.0", "slug": "built", "description": "Says a word", "arch": ["amd64", "aarch64"],
        "init": False, "boot": "manual",
    }  # fmt: skip
    user, password = registry.login
    # Nodes and pods know the registry by two names.
    hosts = (registry.host, f"{versions.NODE_ADDRESS}:{registry.port}")
    logins = {host: {"username": user, "password": password} for host in hosts}
    made.mkdir(parents=True, exist_ok=True)
    (made / "config.json").write_text(json.dumps(manifest))
    shutil.copy(shutil.which("busybox") or "busybox", made / "busybox")
    write(made, "one")
    await kubectl.switch(*(f"{name}={value}" for name, value in settings.items()))
    try:
        await becomes(supervisor.is_up, what="the Supervisor with a registry")
        assert (await supervisor.send("/docker/registries", json.dumps(logins).encode())).status == 200
        assert (await supervisor.post("/store/reload")).status == 200
        yield made
    finally:
        await supervisor.post(f"/addons/{SLUG}/uninstall")
        for host in hosts:
            await supervisor.delete(f"/docker/registries/{host}")
        shutil.rmtree(made)
        await kubectl.switch(*(f"{name}-" for name in settings))
        await becomes(supervisor.is_up, what="the Supervisor as it was")
        await supervisor.post("/store/reload")


def write(folder: Path, word: str) -> None:
    (folder / "Dockerfile").write_text(DOCKERFILE.replace("{word}", word))


async def test_an_addon_is_built(kubectl: Kubectl, supervisor: Supervisor, registry: Registry, folder: Path) -> None:
    """At its installation and anew: what runs is what was built last, by its digest. A build that fails leaves it
    running, and says why; nothing of the builder stays, and the password is nowhere.
    """
    answer = await supervisor.post(f"/store/addons/{SLUG}/install")
    assert answer.status == 200, answer
    assert (await supervisor.post(f"/addons/{SLUG}/start")).status == 200
    first = await image(kubectl)
    assert first.startswith(f"{registry.host}/home/")
    assert ":1.0@sha256:" in first
    await says(kubectl, "one for ")
    write(folder, "two")
    answer = await supervisor.post(f"/addons/{SLUG}/rebuild")
    assert answer.status == 200, answer
    assert await image(kubectl) != first
    await says(kubectl, "two for ")
    (folder / "Dockerfile").write_text(BROKEN)
    answer = await supervisor.post(f"/addons/{SLUG}/rebuild")
    assert (answer.status, answer.body["error_key"]) == (500, "app_build_failed_unknown_error")
    assert "no-such-applet" in answer.body["message"]
    assert await supervisor.state(SLUG) == "started"
    assert "no-such-applet" in (await supervisor.get(f"/addons/{SLUG}/logs/boots/-1")).body["message"]
    await becomes(lambda: _nothing_left(kubectl), what="nothing of the builder is left")
    assert not list((folder.parents[1] / "build").iterdir())
    everything = await kubectl.run("get", "pods,jobs,deployments,events", "-o", "json")
    assert registry.login[1] not in everything + await kubectl.run("logs", "deployment/supervisor")


async def _nothing_left(kubectl: Kubectl) -> bool:
    return await kubectl.run("get", "jobs,pods", "-l", "io.hass.type=one-off", "-o", "name") == ""


async def image(kubectl: Kubectl) -> str:
    """Of the add-on's program."""
    containers = (await kubectl.pod(PODS))["spec"]["containers"]
    (found,) = (item["image"] for item in containers if item["name"] == "addon")
    return str(found)


async def says(kubectl: Kubectl, words: str) -> None:
    """The add-on's program, sooner or later."""

    async def said() -> bool:
        pod = (await kubectl.pod(PODS))["metadata"]["name"]
        return words in await kubectl.run("logs", pod, "-c", "addon")

    await becomes(said, what=words)
