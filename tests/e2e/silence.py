"""A connection through a core-link on which nothing is said while the other tests run."""

import asyncio
import base64
import json
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

import pytest

from supervisor_k8s.model.desired.link import CORE_PORT, NAME, SOCKET, SOCKET_DIRECTORY, KeyPair, LinkKeys
from supervisor_k8s.remote.certificates import client_context

from .house import Kubectl

POD = "silent-link"
ECHO = f"""
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
socketserver.ThreadingUnixStreamServer({SOCKET!r}, Echo).serve_forever()
"""


@pytest.fixture(scope="session")
def silent() -> Iterator[tuple[ssl.SSLSocket, float]]:
    """The connection, and when it fell silent by the monotonic clock. It goes through a link of its own, made of what
    the real one is made of, because tests restart Core.
    """
    kubectl = Kubectl()
    connection = asyncio.run(_connect(kubectl))
    try:
        assert echo(connection, b"good night\n") == b"good night\n"
        yield connection, time.monotonic()
    finally:
        connection.close()
        asyncio.run(kubectl.run("delete", "pod", POD, "--grace-period=0", "--wait=false"))


def echo(connection: ssl.SSLSocket, line: bytes) -> bytes:
    connection.sendall(line)
    return connection.recv(len(line))


async def _connect(kubectl: Kubectl) -> ssl.SSLSocket:
    core = (await kubectl.json("get", "statefulset", "homeassistant"))["spec"]["template"]["spec"]
    await kubectl.run("delete", "pod", POD, "--ignore-not-found", "--grace-period=0")
    await kubectl.run("apply", "-f", "-", stdin=json.dumps(_pod(core)))
    await kubectl.run("wait", "--for=condition=Ready", f"pod/{POD}", "--timeout=60s")
    address = (await kubectl.json("get", "pod", POD))["status"]["podIP"]
    connection = await asyncio.to_thread(socket.create_connection, (address, CORE_PORT), timeout=30)
    context = client_context(await _keys(kubectl))
    return await asyncio.to_thread(context.wrap_socket, connection, server_hostname=NAME)


def _pod(core: dict[str, Any]) -> dict[str, Any]:
    """Core's link as it is, with somebody behind it who repeats what he hears."""
    (link,) = [item for item in core["initContainers"] if item["name"] == NAME]
    mounted = {mount["name"] for mount in link["volumeMounts"]}
    (run,) = [mount for mount in link["volumeMounts"] if mount["mountPath"] == SOCKET_DIRECTORY]
    heard = {"exec": {"command": ["test", "-S", SOCKET]}}
    echo = {**link, "name": "echo", "command": ["python3", "-c", ECHO], "volumeMounts": [run], "readinessProbe": heard}
    reached = {"tcpSocket": {"port": CORE_PORT}, "periodSeconds": 1}
    spec = {
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "securityContext": core["securityContext"],
        "containers": [
            {key: value for key, value in item.items() if key != "restartPolicy"}
            for item in ({**link, "readinessProbe": reached}, echo)
        ],
        "volumes": [volume for volume in core["volumes"] if volume["name"] in mounted],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec}


async def _keys(kubectl: Kubectl) -> LinkKeys:
    pairs = []
    for name in ("ca", "server", "client"):
        data = (await kubectl.json("get", "secret", f"{NAME}-{name}"))["data"]
        texts = [base64.b64decode(data[key]).decode() for key in ("tls.crt", "tls.key")]
        pairs.append(KeyPair(*texts))
    return LinkKeys(*pairs)
