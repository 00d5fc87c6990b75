"""A cluster of the caller's: the one that KUBECONFIG names, and only with CLUSTER=external.

Nothing is built and nothing is made on this machine, but that `packages` installs what tests need: the manifests go in
as they are, images by their names. OVERLAY is the folder of a kustomization (`manifests/base` when it is not given);
the namespace is the one that it renders. What is taken down is found by label, in that namespace only; what the overlay
grants outside of it, by name. Claims stay unless CONFIRM=yes, the namespace stays always.
"""

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import binaries, packages, product
from .paths import Paths
from .product import Address, House
from .steps import Console, Context, Failed, Step

BASE = Path("manifests") / "base"
LABEL = "app.kubernetes.io/part-of=home-assistant"
"""On everything that the manifests install and that the Supervisor makes."""
WORKLOADS = "deployments,statefulsets,jobs,pods"
REST = "services,configmaps,secrets,leases,rolebindings,roles,serviceaccounts"
ROUTES = frozenset({"gateways", "httproutes", "tcproutes", "udproutes"})
"""What the Supervisor makes with the component `gateway`, as far as the cluster knows them."""
GATEWAY_API = "gateway.networking.k8s.io"
END_WAIT = 330
"""Seconds until all pods are gone: Core may take 260 to stop."""
FORWARD_WAIT = 15.0
"""Seconds until a way to a pod is open."""
FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


def wanted(environment: Mapping[str, str]) -> bool:
    """Whether the caller's cluster is meant; Failed for a word that means neither."""
    match environment.get("CLUSTER") or "local":
        case "local":
            return False
        case "external":
            return True
        case other:
            raise Failed(f"CLUSTER is {other!r}; it must be local (a cluster of this machine) or external (yours)")


def kubeconfig(environment: Mapping[str, str]) -> Path:
    """The file that names the cluster. It must be said each time: the default one may name another that matters."""
    given = environment.get("KUBECONFIG", "")
    if not given:
        raise Failed("CLUSTER=external needs KUBECONFIG: the file that names the cluster to use")
    if not Path(given).is_file():
        raise Failed(f"KUBECONFIG is {given!r}; it must be one file that exists")
    return Path(given).absolute()


def run(command: str, ctx: Context, environment: Mapping[str, str]) -> int:
    """One command of the command line; 0 when it worked. Failed or StepFailed when it cannot."""
    if command in ("stop", "start"):
        raise Failed(f"{command!r} is for the local cluster only: an external one is not ours to switch off")
    if command == "packages":
        packages.install(ctx, for_tests=True)
        return 0
    access = kubeconfig(environment)
    program = shutil.which("kubectl") or str(binaries.program(ctx.paths, "kubectl"))
    if not Path(program).exists():
        raise Failed("kubectl is not installed")
    # Given twice, by option and by environment: neither can be forgotten.
    reached = (program, f"--kubeconfig={access}")
    overlay = Path(environment.get("OVERLAY") or ctx.paths.repository / BASE).absolute()
    documents = _rendered(ctx, reached, overlay)
    house = _house(ctx, reached, overlay, documents)
    if command == "env":
        print(f"export CLUSTER=external KUBECONFIG={access} OVERLAY={overlay} HOUSE_NAMESPACE={house.namespace}")
        print(f'export PATH="{Path(program).parent}:$PATH"')
        return 0
    confirmed = environment.get("CONFIRM") == "yes"
    commands: dict[str, Callable[[], int]] = {
        "up": lambda: _up(house),
        "down": lambda: _down(house, _beyond(documents), _routed(documents), confirmed=confirmed),
        "status": lambda: _status(house),
    }
    return commands[command]()


def _rendered(ctx: Context, reached: tuple[str, ...], overlay: Path) -> Sequence[Mapping[str, Any]]:
    """The objects that the overlay installs."""
    if not (overlay / "kustomization.yaml").is_file():
        raise Failed(f"OVERLAY is {str(overlay)!r}; it must be a folder with a kustomization.yaml")
    step = Step("overlay", _log(ctx, "overlay"))
    try:
        text = step.run([*reached, "create", "-k", overlay, "--dry-run=client", "-o", "json"], timeout=60)
    except Failed as error:
        raise Failed(f"The overlay cannot be rendered, or the cluster does not answer: see {step.log}") from error
    return tuple(_documents(text))


def _beyond(documents: Sequence[Mapping[str, Any]]) -> Sequence[str]:
    """What an overlay with the optional components grants outside of its namespace."""
    kinds = ("ClusterRole", "ClusterRoleBinding")
    return [f"{item['kind'].lower()}/{item['metadata']['name']}" for item in documents if item["kind"] in kinds]


def _routed(documents: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the overlay lets the Supervisor make Gateways."""
    groups = (group for item in documents for rule in item.get("rules") or () for group in rule.get("apiGroups", ()))
    return GATEWAY_API in groups


def _house(ctx: Context, reached: tuple[str, ...], overlay: Path, documents: Sequence[Mapping[str, Any]]) -> House:
    found = {item["metadata"]["namespace"] for item in documents if "namespace" in item["metadata"]}
    if len(found) != 1:
        raise Failed(f"{overlay} installs into {len(found)} namespaces ({', '.join(sorted(found))}); it must be one")

    @contextmanager
    def door(step: Step, pod: str, port: int) -> Iterator[Address]:
        with _forwarded(house, step, pod, port) as address:
            yield address

    house = House(ctx=ctx, kubectl=reached, namespace=found.pop(), overlay=overlay, door=door)
    return house


def _up(house: House) -> int:
    _say_where(house)
    product.apply(house)
    product.await_supervisor(house)
    product.await_core(house)
    program = f"kubectl -n {house.namespace}"
    house.ctx.console.say(
        f"\nHome Assistant:  {program} port-forward service/homeassistant 8123:80, then http://127.0.0.1:8123/\n"
        f"Supervisor:      {program} logs deployment/supervisor\n"
        'For kubectl:     eval "$(make -s env CLUSTER=external KUBECONFIG=…)"'
    )
    return 0


def _status(house: House) -> int:
    _say_where(house)
    with house.ctx.step("pods") as step:
        pods = _listed(house, step, "pods")
        ready = product.core_ready(house, step)
    supervisor = False
    for pod in pods:
        is_ready = any(
            condition["type"] == "Ready" and condition["status"] == "True"
            for condition in pod["status"].get("conditions", ())
        )
        supervisor |= is_ready and pod["metadata"]["labels"].get("app.kubernetes.io/name") == "supervisor"
        house.ctx.console.say(f"{'ready' if is_ready else pod['status']['phase']:>9}  {pod['metadata']['name']}")
    if supervisor and ready:
        return 0
    house.ctx.console.say("Home Assistant is not up. `make up CLUSTER=external` brings it up.")
    return 1


def _down(house: House, beyond: Sequence[str], routed: bool, *, confirmed: bool) -> int:
    _say_where(house)
    advice = "the same command continues where it stopped"
    with house.ctx.step("supervisor", advice=advice) as step:
        # First, and until it is gone: it would make again what we take away.
        by_name = "-l", f"{LABEL},app.kubernetes.io/name=supervisor"
        house.run(step, "delete", "deployments", *by_name)
        house.run(step, "wait", "--for=delete", "pods", *by_name, f"--timeout={END_WAIT}s")
    with house.ctx.step("Core and add-ons", advice=advice) as step:
        gone = house.run(step, "delete", WORKLOADS, "-l", LABEL, "--wait=false")
        house.run(step, "wait", "--for=delete", "pods", "-l", LABEL, f"--timeout={END_WAIT}s")
        known = house.run(step, "api-resources", f"--api-group={GATEWAY_API}", "-o", "name") if routed else ""
        routes = (name for name in known.split() if name.partition(".")[0] in ROUTES)
        gone += house.run(step, "delete", ",".join((REST, *routes)), "-l", LABEL)
        if beyond:
            gone += house.run(step, "delete", "--ignore-not-found", *beyond)
        step.note(f"{len(gone.splitlines())} objects")
    with house.ctx.step("claims") as step:
        claims = [claim["metadata"]["name"] for claim in _listed(house, step, "persistentvolumeclaims")]
        if confirmed and claims:
            house.run(step, "delete", "persistentvolumeclaims", *claims)
        step.note("none" if not claims else "removed" if confirmed else "kept")
    if claims and not confirmed:
        house.ctx.console.say(f"Kept with everything stored: {', '.join(claims)}. CONFIRM=yes removes claims, too.")
    house.ctx.console.say(f"The namespace is yours: kubectl delete namespace {house.namespace}")
    return 0


def _say_where(house: House) -> None:
    with house.ctx.step("cluster", advice="does KUBECONFIG name the right one, and is it reachable?") as step:
        server = json.loads(house.run(step, "version", "-o", "json"))["serverVersion"]["gitVersion"]
        view = json.loads(house.run(step, "config", "view", "--minify", "-o", "json"))
        step.note(f"{view['clusters'][0]['cluster']['server']}, {server}, namespace {house.namespace}")


def _listed(house: House, step: Step, kind: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(house.run(step, "get", kind, "-l", LABEL, "-o", "json"))["items"]
    return items


def _documents(text: str) -> Iterator[dict[str, Any]]:
    """The objects of one or several JSON documents, lists unpacked."""
    decoder, place = json.JSONDecoder(), 0
    while place < len(text.rstrip()):
        document, place = decoder.raw_decode(text, place)
        yield from document["items"] if document["kind"] == "List" else [document]
        while place < len(text) and text[place].isspace():
            place += 1


@contextmanager
def _forwarded(house: House, step: Step, pod: str, port: int) -> Iterator[Address]:
    """Pods of a foreign cluster have no address here: through its API server."""
    command = [*house.kubectl, "-n", house.namespace, "port-forward", f"pod/{pod}", f":{port}", "--address=127.0.0.1"]
    with step.log.open("a") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    patience = threading.Timer(FORWARD_WAIT, process.kill)
    patience.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        patience.cancel()
        found = FORWARDING.search(line)
        if found is None:
            raise ConnectionError(f"no way to {pod}: {line.strip() or 'kubectl port-forward ended'}")
        yield "127.0.0.1", int(found[1])
    finally:
        patience.cancel()
        process.terminate()
        process.communicate()


def _log(ctx: Context, name: str) -> Path:
    folder = ctx.log_directory or ctx.paths.logs
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / f"{name}.log"
    log.write_text("")
    return log


def context(paths: Paths, console: Console) -> Context:
    """Logs beside the caches: the state directory belongs to the local cluster."""
    return Context(paths, console, log_directory=paths.cache / "logs" / "external")
