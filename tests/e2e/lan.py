"""A client on the LAN: in a network namespace of its own, behind a router that is this node.

Nobody gives addresses to Services in this cluster: tests do what a provider does, and write one into the status.
"""

import asyncio
import json
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.talk import talking

from .house import Kubectl, Supervisor, becomes

SERVICE, ADDRESS = "ha-internal", "192.0.2.130"
NAME = "home-lan"
"""Of the namespace, and of the router's end of the wire."""
ROUTER, CLIENT = "192.168.77.1", "192.168.77.2"
_INSIDE = ("/usr/bin/nsenter", f"--net=/run/netns/{NAME}")

# A session of MQTT 3.1.1 that lives as long as its input: for each line a PINGREQ, and what came back.
_SESSION = """
import socket, sys
address, port, name, password = sys.argv[1:]
def text(value):
    return len(value).to_bytes(2, "big") + value.encode()
body = text("MQTT") + bytes([4, 0xC2, 0, 0]) + text("lan") + text(name) + text(password)
with socket.create_connection((address, int(port)), timeout=30) as broker:
    broker.sendall(bytes([0x10, len(body)]) + body)
    print(broker.recv(4).hex(), flush=True)
    for _ in sys.stdin:
        broker.sendall(bytes([0xC0, 0]))
        print(broker.recv(2).hex(), flush=True)
"""
# A flow of datagrams: for each line one, and what came back; nothing when nothing did.
_FLOW = """
import socket, sys
address, port = sys.argv[1:]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flow:
    flow.settimeout(2)
    for line in sys.stdin:
        flow.sendto(line.strip().encode(), (address, int(port)))
        try:
            print(flow.recv(100).decode(), flush=True)
        except OSError:
            print("", flush=True)
"""
CONNECTED, ALIVE = "20020000", "d000"
"""CONNACK and PINGRESP."""
USER, PASSWORD = "sensor", "measures-in-the-garden"
"""Of the client, at the broker."""


class Talk:
    """A program there that answers line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def say(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        return await self.hear()

    async def hear(self) -> str:
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            return (await self._process.stdout.readline()).decode().strip()


class Lan:
    """Programs of a machine of the house beside the node, with the address CLIENT."""

    async def run(self, *command: str) -> str:
        """Output of a program there."""
        return await _run(*_INSIDE, *command)

    def starter(self, program: str, folder: Path) -> Path:
        """A file in this folder that starts a program there, for who can start but a file."""
        made = folder / f"{Path(program).name}-{NAME}"
        made.write_text(f'#!/bin/sh\nexec {shlex.join((*_INSIDE, program))} "$@"\n')
        made.chmod(0o755)
        return made

    @asynccontextmanager
    async def session(self, address: str) -> AsyncIterator[Talk]:
        """A connection to the broker of `start_broker`; the first thing heard is its CONNACK."""
        async with self._talk(_SESSION, address, "1883", USER, PASSWORD) as talk:
            yield talk

    async def connects(self, address: str) -> bool:
        """Whether the broker takes a session."""
        async with self.session(address) as session:
            return await session.hear() == CONNECTED

    @asynccontextmanager
    async def flow(self, address: str, port: int) -> AsyncIterator[Talk]:
        """Datagrams from one port of ours."""
        async with self._talk(_FLOW, address, str(port)) as talk:
            yield talk

    @asynccontextmanager
    async def _talk(self, script: str, *arguments: str) -> AsyncIterator[Talk]:
        async with talking(*_INSIDE, sys.executable, "-c", script, *arguments) as process:
            yield Talk(process)


@asynccontextmanager
async def lan() -> AsyncIterator[Lan]:
    """With a route to everything through this machine."""
    if Path("/run/netns", NAME).exists():  # an earlier run was killed
        await _run("ip", "netns", "delete", NAME)
    await _run("ip", "netns", "add", NAME)
    try:
        await _run("ip", "link", "add", NAME, "type", "veth", "peer", "name", "eth0", "netns", NAME)
        await _run("ip", "address", "add", f"{ROUTER}/24", "dev", NAME)
        await _run("ip", "link", "set", NAME, "up")
        await _run(*_INSIDE, "ip", "address", "add", f"{CLIENT}/24", "dev", "eth0")
        await _run(*_INSIDE, "ip", "link", "set", "eth0", "up")
        await _run(*_INSIDE, "ip", "route", "add", "default", "via", ROUTER)
        yield Lan()
    finally:
        await _run("ip", "netns", "delete", NAME)  # with it goes the wire, its other end too


async def start_broker(supervisor: Supervisor, slug: str) -> None:
    """With a login for the client."""
    options = (await supervisor.get(f"/addons/{slug}/info")).data["options"]
    login = {"username": USER, "password": PASSWORD}
    assert (await supervisor.post(f"/addons/{slug}/options", options=options | {"logins": [login]})).status == 200
    assert (await supervisor.post(f"/addons/{slug}/start")).status == 200


async def ports(kubectl: Kubectl, service: str = SERVICE) -> dict[str, int]:
    """Published ports of the Service with those of the pod; none while it is not there."""
    found = await kubectl.run("get", "service", service, "--ignore-not-found", "-o", "json")
    return {f"{port['port']}/{port['protocol']}": port["targetPort"] for port in _spec(found).get("ports", ())}


def _spec(found: str) -> Any:
    return json.loads(found)["spec"] if found else {}


async def give_address(kubectl: Kubectl, service: str = SERVICE, address: str = ADDRESS) -> None:
    """What a provider of LoadBalancers does."""
    status = {"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}
    await becomes(lambda: ports(kubectl, service), what="a Service for published ports")
    await kubectl.run("patch", "service", service, "--subresource=status", "--type=merge", "-p", json.dumps(status))


async def _run(*command: str) -> str:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=pipe)
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    assert process.returncode == 0, f"{' '.join(command)}: {err.decode()}"
    return out.decode()
