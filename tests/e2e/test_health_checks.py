"""An add-on whose image says how its health is checked. Its registry has a certificate of the house's own authority."""

import asyncio
import json
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from tests.authority import certified
from tests.cluster import buildah, paths, versions
from tests.cluster.steps import Console, Context
from tests.registry import Registry

from .house import Kubectl, Supervisor, becomes, is_ready, program_runs
from .registries import open_for, trusted_by_the_node

SLUG = "local_healthy"
PODS = f"io.hass.addon={SLUG}"
TAG = "1.0"
COMPONENT = paths.REPOSITORY / "manifests" / "components" / "authorities" / "deployment.yaml"
CONFIG_MAP = "supervisor-authorities"
"""As the component names it."""
MANY = 4
"""Checks that failed one after the other; Docker calls a container unhealthy after two of this image's."""

pytestmark = pytest.mark.skipif(
    os.environ.get("CLUSTER") == "external", reason="the registry serves nodes of this machine only"
)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """It has the image. The node trusts it, and so does the Supervisor, which asks it while these tests run."""
    folder = tmp_path_factory.mktemp("registry")
    authority, tls = certified(folder / "authority", versions.NODE_ADDRESS)
    login = ("me", secrets.token_hex(16))
    made = Registry(login=login, address=versions.NODE_ADDRESS, tls=tls)
    made.load(image(folder), name="healthy", tag=TAG)
    with trusted_by_the_node(made.host, authority), trusted_by_the_supervisor(authority), open_for(made):
        yield made


def image(folder: Path) -> Path:
    """The add-on's, as it is built here, as an archive."""
    context = folder / "context"
    shutil.copytree(paths.REPOSITORY / "tests" / "images" / "addon-healthy", context)
    shutil.copy(shutil.which("busybox") or "busybox", context / "busybox")
    recipe = buildah.Recipe(name="localhost/addon-healthy:1.0", context=context, inputs=("busybox",))
    where, console = paths.from_environment(), Console()
    with Context(where, console).step(f"build {recipe.name}") as step:
        archive = buildah.build(where, step, recipe)
    console.close()
    return archive.path


@contextmanager
def trusted_by_the_supervisor(authority: Path) -> Iterator[None]:
    """By the component of the manifests. Registries of images are asked; in this cluster they are not otherwise."""
    kubectl = Kubectl()
    before: dict[str, Any] = asyncio.run(kubectl.json("get", "deployment", "supervisor"))["spec"]["template"]["spec"]
    try:
        asyncio.run(switch(kubectl, authority))
        yield
    finally:
        asyncio.run(switch_back(kubectl, before))


async def switch(kubectl: Kubectl, authority: Path) -> None:
    """As the README says."""
    patch = yaml.safe_load(COMPONENT.read_text())
    (container,) = patch["spec"]["template"]["spec"]["containers"]
    container["env"].append({"name": "SUPERVISOR_K8S_HEALTHCHECKS", "value": "true"})
    await kubectl.run("delete", "configmap", CONFIG_MAP, "--ignore-not-found")
    await kubectl.run("create", "configmap", CONFIG_MAP, f"--from-file=ca.crt={authority}")
    await kubectl.patch("strategic", patch)


async def switch_back(kubectl: Kubectl, before: dict[str, Any]) -> None:
    """To the former pod, in which the Supervisor is up again."""
    spec, container = "/spec/template/spec", before["containers"][0]
    former = {f"{spec}/containers/0/{name}": container[name] for name in ("env", "volumeMounts")}
    former[f"{spec}/volumes"] = before["volumes"]
    await kubectl.patch("json", [{"op": "replace", "path": path, "value": old} for path, old in former.items()])
    await kubectl.run("delete", "configmap", CONFIG_MAP, "--ignore-not-found")
    url, token = f"http://{await kubectl.address('supervisor')}", await kubectl.secret("supervisor-cli", "token")
    async with aiohttp.ClientSession() as session:
        await becomes(Supervisor(session, url, token).is_up, what="the Supervisor as it was")


@pytest.fixture
async def addon(supervisor: Supervisor, registry: Registry) -> AsyncIterator[Path]:
    """Its data, where it is installed and has not been started; neither it nor the login stays."""
    shared = paths.from_environment().volumes / "shared"
    folder = shared / "addons" / "local" / "healthy"
    manifest = {
        "name": "Healthy", "version": TAG, "slug": "healthy", "description": "Says how it is", "init": False,
        "image": f"{registry.host}/healthy", "arch": ["amd64", "aarch64"], "boot": "manual",
    }  # fmt: skip
    user, password = registry.login
    login = {registry.host: {"username": user, "password": password}}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(manifest))
    await becomes(supervisor.is_up, what="the Supervisor with its authority")
    try:
        assert (await supervisor.send("/docker/registries", json.dumps(login).encode())).status == 200
        assert (await supervisor.post("/store/reload")).status == 200
        answer = await supervisor.post(f"/store/addons/{SLUG}/install")
        assert answer.status == 200, answer
        yield shared / "addons" / "data" / SLUG
    finally:
        await supervisor.post(f"/addons/{SLUG}/uninstall")
        await supervisor.delete(f"/docker/registries/{registry.host}")
        shutil.rmtree(folder)
        await supervisor.post("/store/reload")


async def test_its_check_says_when_it_is_started_and_ends_nothing(
    kubectl: Kubectl, supervisor: Supervisor, addon: Path
) -> None:
    """While the check fails it is starting, started when it succeeds. When it fails later on, its pod is not ready
    until it succeeds again, and the same program runs on.
    """
    healthy, checks = addon / "healthy", addon / "checks"

    async def ready(wanted: bool) -> dict[str, Any]:
        pod = await kubectl.pod(PODS)
        return pod if is_ready(pod) is wanted else {}

    async def checked() -> bool:
        return checks.exists() and len(checks.read_text().splitlines()) >= MANY

    async with asyncio.TaskGroup() as tasks:
        start = tasks.create_task(supervisor.post(f"/addons/{SLUG}/start"))
        await becomes(checked, what="its health has been checked")
        assert await supervisor.state(SLUG) == "startup"
        first = await kubectl.pod(PODS)
        assert (program_runs(first), is_ready(first), start.done()) == (True, False, False)
        healthy.touch()
    assert start.result().status == 200
    assert await supervisor.state(SLUG) == "started"
    assert probes(first) == {"readinessProbe"}

    await becomes(lambda: ready(True), what="the pod is ready")
    healthy.unlink()
    await becomes(lambda: ready(False), what="the pod is not ready")
    checks.unlink()
    await becomes(checked, what="its health has been checked again")
    assert await supervisor.state(SLUG) == "started"
    healthy.touch()
    last = await becomes(lambda: ready(True), what="the pod is ready again")
    assert program(last) == program(first)


async def test_its_git_trusts_that_authority(kubectl: Kubectl, registry: Registry) -> None:
    """The Supervisor's git, which fetches add-on stores, takes it beside the public ones."""
    ask = f"GIT_TERMINAL_PROMPT=0 GIT_CURL_VERBOSE=1 git ls-remote https://{registry.host}/x 2>&1 || true"
    said = await kubectl.run("exec", "deployment/supervisor", "--", "sh", "-c", ask)
    assert "server certificate verification OK" in said
    assert "certificates in /etc/ssl/certs" in said


def probes(pod: dict[str, Any]) -> set[str]:
    """Of the add-on's program."""
    (found,) = (one for one in pod["spec"]["containers"] if one["name"] == "addon")
    return {key for key in found if key.endswith("Probe")}


def program(pod: dict[str, Any]) -> tuple[str, str, int]:
    """What tells one run of the add-on's program from another: pod, container, restarts."""
    (status,) = (one for one in pod["status"]["containerStatuses"] if one["name"] == "addon")
    return pod["metadata"]["uid"], status["containerID"], status["restartCount"]
