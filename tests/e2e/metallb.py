"""MetalLB in the cluster for a while: its controller and its speaker as programs of this node, and its definitions. The
speaker answers on the LAN's wire for the addresses that the controller has given.
"""

import json
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.cluster import versions
from tests.cluster.metallb import DEFINITIONS, directory
from tests.cluster.paths import from_environment
from tests.free_ports import free_port
from tests.talk import talking

from .house import Kubectl

NAMESPACE = "metallb-system"
_CONTROLLER = ("--webhook-mode=disabled", "--disable-cert-rotation")
_SPEAKER = (
    f"--node-name={versions.NODE_NAME}",
    "--host=127.0.0.1",
    "--ml-bindaddr=127.0.0.1",
    "--ml-labels=app=metallb",
)
"""It answers for an address when it is one of those that know one another, be it the only one."""


@asynccontextmanager
async def metallb(addresses: str, logs: Path) -> AsyncIterator[None]:
    """It gives `addresses`, such as 192.168.77.130-192.168.77.139; what its programs say goes below `logs`."""
    folder = directory(from_environment())
    kubectl, definitions = Kubectl(NAMESPACE), str(folder / DEFINITIONS)
    try:
        await kubectl.run("create", "namespace", NAMESPACE)
        await kubectl.run("apply", "--server-side", "-f", definitions)
        await kubectl.run("wait", "--for=condition=Established", "--timeout=60s", "-f", definitions)
        for kind, spec in (("IPAddressPool", {"addresses": [addresses]}), ("L2Advertisement", {})):
            await kubectl.run("create", "-f", "-", stdin=json.dumps(_named(kind, spec)))
        async with (
            _running(folder / "controller", logs, *_CONTROLLER),
            _running(folder / "speaker", logs, *_SPEAKER, f"--ml-bindport={free_port()}"),
        ):
            yield
    finally:
        for what in (("-f", definitions), ("namespace", NAMESPACE)):
            await kubectl.run("delete", "--ignore-not-found", "--timeout=60s", *what)


def _running(program: Path, logs: Path, *arguments: str) -> AbstractAsyncContextManager[Any]:
    """By a shell, for its output: a pipe that nobody reads would stop it."""
    log, ours = logs / f"{program.name}.log", (f"--namespace={NAMESPACE}", f"--port={free_port()}")
    shell = ("sh", "-c", 'KUBECONFIG=$1; export KUBECONFIG; log=$2; shift 2; exec "$@" >"$log" 2>&1', "sh")
    return talking(*shell, str(from_environment().kubeconfig), str(log), str(program), *ours, *arguments)


def _named(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "lan", "namespace": NAMESPACE}
    return {"apiVersion": "metallb.io/v1beta1", "kind": kind, "metadata": metadata, "spec": spec}
