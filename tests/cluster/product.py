"""Installing the product by `manifests/` alone, and waiting until Home Assistant is there.

The same on the local cluster and on one of the caller's (`external.py`): a `House` says where, and how to get there.
"""

import base64
import http.client
import json
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import binaries, imports, versions
from .node import kubectl
from .paths import Paths
from .steps import Context, Failed, Step, until

type Address = tuple[str, int]

OVERLAY = Path("manifests") / "overlays" / "local"
GIT_SERVER = Path("tests") / "images" / "git-server" / "manifests.yaml"
GIT_SERVER_NAMESPACE = "git-server"
ROLLOUT_WAIT = 180
"""Seconds until a Deployment is available."""
CORE_WAIT = 600.0
"""Seconds until Core's pod is ready: its first start migrates and compiles."""
ENTRY_WAIT = 300.0
"""Seconds until Core has set up its Supervisor integration; it retries with growing pauses."""
LOG_LINES = 10
"""Lines of each container that a failed step shows."""
LINK_PORT = 4381
LINK_NAME = "core-link"
LINK_WAIT = 10.0
ENTRIES = "/api/config/config_entries/entry?domain=hassio"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """One installation on one cluster."""

    ctx: Context
    kubectl: Sequence[str]
    """The program, with the option that names the cluster."""
    namespace: str
    overlay: Path
    """Folder of the kustomization that installs it."""
    door: Callable[[Step, str, int], AbstractContextManager[Address]]
    """The address at which a port of a pod is reached from here."""

    def run(self, step: Step, *arguments: str, secret: bool = False) -> str:
        """Kubectl in the namespace. The answer is not logged when it is `secret`."""
        return step.run([*self.kubectl, "-n", self.namespace, *arguments], secret=secret)


def local(ctx: Context) -> House:
    """The house of `make up`: its node is this machine, so pods are reached directly."""
    program = binaries.program(ctx.paths, "kubectl")

    @contextmanager
    def door(step: Step, pod: str, port: int) -> Iterator[Address]:
        yield house.run(step, "get", "pod", pod, "-o", "jsonpath={.status.podIP}"), port

    house = House(
        ctx=ctx,
        kubectl=(str(program), f"--kubeconfig={ctx.paths.kubeconfig}"),
        namespace=versions.NAMESPACE,
        overlay=ctx.paths.repository / OVERLAY,
        door=door,
    )
    return house


def up(ctx: Context) -> None:
    """Apply the manifests on the local cluster, wait for Home Assistant, and say where it is."""
    house = local(ctx)
    with ctx.step("git server of the add-on store") as step:
        # Part of the surroundings, not of the product: elsewhere the store is on the internet.
        kubectl(ctx.paths, step, "apply", "-f", str(ctx.paths.repository / GIT_SERVER))
        _roll_out(ctx, step, GIT_SERVER_NAMESPACE, "git-server")
    apply(house)
    with (
        ctx.step("supervisor", advice=_look("deployment/supervisor")) as step,
        _logs_of(house, step, "deployment/supervisor"),
    ):
        _roll_out(ctx, step, versions.NAMESPACE, "supervisor")
    await_core(house)
    with ctx.step("addresses") as step:
        text = _where(house, step)
    ctx.console.say(text)


def apply(house: House) -> None:
    """All of the manifests."""
    with house.ctx.step("manifests", advice=f"try `kubectl apply -k {house.overlay}`") as step:
        changed = house.run(step, "apply", "-k", str(house.overlay))
        lines = changed.splitlines()
        step.note(f"{sum(not line.endswith('unchanged') for line in lines)} of {len(lines)} objects changed")


def await_supervisor(house: House) -> None:
    """Until it is ready in the version of the manifests."""
    with (
        house.ctx.step("supervisor", advice=_look("deployment/supervisor")) as step,
        _logs_of(house, step, "deployment/supervisor"),
    ):
        house.run(step, "rollout", "status", "deployment/supervisor", f"--timeout={ROLLOUT_WAIT}s")


def await_core(house: House) -> None:
    """Until Core is ready and has let its Supervisor in."""
    advice = _look("homeassistant-0 -c homeassistant")
    with (
        house.ctx.step("Home Assistant Core", advice=advice) as step,
        _logs_of(house, step, "statefulset/homeassistant"),
    ):
        until(lambda: core_ready(house, step), within=CORE_WAIT, what="Core being ready", every=1.0)
    with (
        house.ctx.step("Core's Supervisor integration", advice=advice) as step,
        _logs_of(house, step, "statefulset/homeassistant"),
    ):
        _await_entry(house, step)


def core_ready(house: House, step: Step) -> bool:
    """Whether Core's pod is ready."""
    count = "jsonpath={.status.readyReplicas}"
    # Not there yet is no failure: the Supervisor makes the StatefulSet when it has started.
    return house.run(step, "get", "statefulset", "homeassistant", "--ignore-not-found", "-o", count).strip() == "1"


@contextmanager
def _logs_of(house: House, step: Step, workload: str) -> Iterator[None]:
    """When the block fails, what the workload said last is in the log of the step."""
    try:
        yield
    except Failed:
        with suppress(Failed):
            house.run(step, "get", "pods", "-o", "wide")
            house.run(step, "logs", workload, "--all-containers", f"--tail={LOG_LINES}")
        raise


def _await_entry(house: House, step: Step) -> None:
    """Wait until the config entry `hassio` is loaded."""
    seen = "nothing yet"

    def loaded() -> bool:
        nonlocal seen
        try:
            entries = _ask_core(house, step, ENTRIES)
        except (OSError, http.client.HTTPException, ValueError) as error:
            seen = f"{type(error).__name__}: {error}"
        else:
            seen = ", ".join(f"{entry['state']} ({entry.get('reason')})" for entry in entries) or "no entry"
            if [entry["state"] for entry in entries] == ["loaded"]:
                return True
        step.write(seen)
        return False

    try:
        until(loaded, within=ENTRY_WAIT, what="loading", every=1.0)
    except Failed as error:
        raise Failed(f"Core's entry `hassio` is not loaded; last seen: {seen}") from error


def _ask_core(house: House, step: Step, path: str) -> Any:
    """GET from Core over the core link, as the Supervisor does."""
    secret = json.loads(house.run(step, "get", "secret", "core-link-client", "-o", "json", secret=True))["data"]
    context = ssl.create_default_context(cadata=base64.b64decode(secret["ca.crt"]).decode())
    with tempfile.NamedTemporaryFile() as pair:
        pair.write(base64.b64decode(secret["tls.crt"]) + b"\n" + base64.b64decode(secret["tls.key"]))
        pair.flush()
        context.load_cert_chain(pair.name)
    with house.door(step, "homeassistant-0", LINK_PORT) as address:
        connection = http.client.HTTPConnection(LINK_NAME, timeout=LINK_WAIT)
        raw = socket.create_connection(address, timeout=LINK_WAIT)
        connection.sock = context.wrap_socket(raw, server_hostname=LINK_NAME)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
    if answer.status != http.HTTPStatus.OK:
        raise ValueError(f"Core answered {answer.status} to {path}")
    return json.loads(body)


def _roll_out(ctx: Context, step: Step, namespace: str, name: str) -> None:
    """Wait until a Deployment is there, with the image that its image's name means now."""
    inside = ["-n", namespace, "rollout"]
    if _outdated(ctx.paths, step, namespace, name):
        kubectl(ctx.paths, step, *inside, "restart", f"deployment/{name}")
        step.note("new image")
    kubectl(ctx.paths, step, *inside, "status", f"deployment/{name}", f"--timeout={ROLLOUT_WAIT}s")


def _outdated(paths: Paths, step: Step, namespace: str, name: str) -> bool:
    """Whether a pod of the Deployment runs another image than the one its name means now."""
    listed = kubectl(paths, step, "-n", namespace, "get", "pods", "-o", "json")
    known = imports.configs(paths)
    statuses = [
        status
        for pod in json.loads(listed)["items"]
        if pod["metadata"]["name"].startswith(f"{name}-") and "deletionTimestamp" not in pod["metadata"]
        for status in pod["status"].get("containerStatuses", ())
    ]
    # A container that has not been made yet has no image id, and will get the right one.
    started = [status for status in statuses if status["imageID"] and status["image"] in known]
    return any(known[status["image"]] not in status["imageID"] for status in started)


def _where(house: House, step: Step) -> str:
    address = "jsonpath={.spec.clusterIP}"
    core = house.run(step, "get", "service", "homeassistant", "-o", address)
    supervisor = house.run(step, "get", "service", "supervisor", "-o", address)
    program = f"{' '.join(house.kubectl)} -n {house.namespace}"
    token = f"{program} get secret supervisor-cli -o jsonpath='{{.data.token}}' | base64 -d"
    return (
        f"\nHome Assistant:  http://{core}/\n\n"
        f'curl -sS -H "Authorization: Bearer $({token})" http://{supervisor}/supervisor/info\n\n'
        'For kubectl:     eval "$(make -s env)"'
    )


def _look(what: str) -> str:
    return f'eval "$(make -s env)"; kubectl get pods,events; kubectl logs {what}'
