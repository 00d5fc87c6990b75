"""Installing the product by `manifests/` alone, and waiting until Home Assistant is there."""

import base64
import http.client
import json
import socket
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from . import binaries, imports, versions
from .node import kubectl
from .paths import Paths
from .steps import Context, Failed, Step, until

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


def up(ctx: Context) -> None:
    """Apply the manifests, wait for Home Assistant, and say where it is."""
    with ctx.step("git server of the add-on store") as step:
        # Part of the surroundings, not of the product: elsewhere the store is on the internet.
        kubectl(ctx.paths, step, "apply", "-f", str(ctx.paths.repository / GIT_SERVER))
        _roll_out(ctx, step, GIT_SERVER_NAMESPACE, "git-server")
    with ctx.step("manifests", advice=f"try `kubectl apply -k {OVERLAY}`") as step:
        changed = kubectl(ctx.paths, step, "apply", "-k", str(ctx.paths.repository / OVERLAY))
        lines = changed.splitlines()
        step.note(f"{sum(not line.endswith('unchanged') for line in lines)} of {len(lines)} objects changed")
    with (
        ctx.step("supervisor", advice=_look("deployment/supervisor")) as step,
        _logs_of(ctx, step, "deployment/supervisor"),
    ):
        _roll_out(ctx, step, versions.NAMESPACE, "supervisor")
    with (
        ctx.step("Home Assistant Core", advice=_look("homeassistant-0 -c homeassistant")) as step,
        _logs_of(ctx, step, "statefulset/homeassistant"),
    ):
        until(lambda: _core_ready(ctx, step), within=CORE_WAIT, what="Core being ready", every=1.0)
    with (
        ctx.step("Core's Supervisor integration", advice=_look("homeassistant-0 -c homeassistant")) as step,
        _logs_of(ctx, step, "statefulset/homeassistant"),
    ):
        _await_entry(ctx, step)
    with ctx.step("addresses") as step:
        text = _where(ctx, step)
    ctx.console.say(text)


@contextmanager
def _logs_of(ctx: Context, step: Step, workload: str) -> Iterator[None]:
    """When the block fails, what the workload said last is in the log of the step."""
    try:
        yield
    except Failed:
        with suppress(Failed):
            _kubectl(ctx, step, "get", "pods", "-o", "wide")
            _kubectl(ctx, step, "logs", workload, "--all-containers", f"--tail={LOG_LINES}")
        raise


def _await_entry(ctx: Context, step: Step) -> None:
    """Wait until the config entry `hassio` is loaded."""
    seen = "nothing yet"

    def loaded() -> bool:
        nonlocal seen
        try:
            entries = _ask_core(ctx, step, ENTRIES)
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


def _ask_core(ctx: Context, step: Step, path: str) -> Any:
    """GET from Core over the core link, as the Supervisor does."""
    address = _kubectl(ctx, step, "get", "pod", "homeassistant-0", "-o", "jsonpath={.status.podIP}")
    secret = json.loads(_kubectl_quiet(ctx, step, "get", "secret", "core-link-client", "-o", "json"))["data"]
    context = ssl.create_default_context(cadata=base64.b64decode(secret["ca.crt"]).decode())
    with tempfile.NamedTemporaryFile() as pair:
        pair.write(base64.b64decode(secret["tls.crt"]) + b"\n" + base64.b64decode(secret["tls.key"]))
        pair.flush()
        context.load_cert_chain(pair.name)
    connection = http.client.HTTPConnection(LINK_NAME, timeout=LINK_WAIT)
    raw = socket.create_connection((address, LINK_PORT), timeout=LINK_WAIT)
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


def _core_ready(ctx: Context, step: Step) -> bool:
    count = "jsonpath={.status.readyReplicas}"
    # Not there yet is no failure: the Supervisor makes the StatefulSet when it has started.
    return _kubectl(ctx, step, "get", "statefulset", "homeassistant", "--ignore-not-found", "-o", count).strip() == "1"


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


def _where(ctx: Context, step: Step) -> str:
    address = "jsonpath={.spec.clusterIP}"
    core = _kubectl(ctx, step, "get", "service", "homeassistant", "-o", address)
    supervisor = _kubectl(ctx, step, "get", "service", "supervisor", "-o", address)
    program = f"{binaries.program(ctx.paths, 'kubectl')} --kubeconfig={ctx.paths.kubeconfig} -n {versions.NAMESPACE}"
    token = f"{program} get secret supervisor-cli -o jsonpath='{{.data.token}}' | base64 -d"
    return (
        f"\nHome Assistant:  http://{core}/\n\n"
        f'curl -sS -H "Authorization: Bearer $({token})" http://{supervisor}/supervisor/info\n\n'
        'For kubectl:     eval "$(make -s env)"'
    )


def _look(what: str) -> str:
    return f'eval "$(make -s env)"; kubectl get pods,events; kubectl logs {what}'


def _kubectl(ctx: Context, step: Step, *arguments: str) -> str:
    return kubectl(ctx.paths, step, "-n", versions.NAMESPACE, *arguments)


def _kubectl_quiet(ctx: Context, step: Step, *arguments: str) -> str:
    """As _kubectl, for answers that must not be written to a log."""
    program = binaries.program(ctx.paths, "kubectl")
    command: list[str | Path] = [program, f"--kubeconfig={ctx.paths.kubeconfig}", "-n", versions.NAMESPACE, *arguments]
    return step.run(command, secret=True)
