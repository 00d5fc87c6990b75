"""The init container of add-ons' pods: its program and our rule, on a real kernel, in network namespaces of its own."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from supervisor_k8s.model.desired.docker_network import setup_containers
from supervisor_k8s.model.desired.network import FROM_LAN
from tests import builders

SCRIPT = Path(__file__).parents[2] / "rootfs" / "usr" / "bin" / "docker-network"
POD, GATEWAY, NEIGHBOUR, LAN = "10.244.7.5", "10.244.7.1", "10.244.7.9", "192.168.79.2"
PAGE, DATABASE = 8099, 3306
SERVE = """
import asyncio
async def tell(_, writer):
    writer.write(writer.get_extra_info("peername")[0].encode())
    writer.close()
async def main():
    for port in (8099, 3306):
        await asyncio.start_server(tell, "0.0.0.0", port)
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
ASK = """
import socket, sys
own, start, other, port = sys.argv[1:]
with socket.socket() as connection:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one asks twice from the same port
    connection.settimeout(20)
    connection.bind((own, int(start)))
    connection.connect((other, int(port)))
    print(connection.makefile().read())
"""

pytestmark = pytest.mark.skipif(os.environ.get("CLUSTER") == "external", reason="makes network namespaces, as root")


@dataclass(frozen=True)
class Pod:
    """Two network namespaces: a pod's, and that of everybody else, among them its gateway."""

    inside: str
    outside: str

    async def set_up(self, *, ingress: bool, path: str | None = None) -> str:
        """Run what the init container of such an add-on would; what it says. `path`: where programs are."""
        site = builders.site(docker_network=True, pod_cidrs=("10.0.0.0/9", "10.244.0.0/16"))
        config = builders.addon(ingress=ingress, ingress_port=PAGE, services=["mysql:provide"])
        (container,) = setup_containers(config, site)
        command = (sys.executable, "-I", str(SCRIPT), *container["command"][1:])
        return await run(self.inside, *command, env={**os.environ, "PATH": path or os.environ["PATH"]})

    async def seen(self, own: str, port: int, start: int = 0) -> str:
        """Who a program in the pod takes somebody with this address, and this source port, for."""
        where = self.inside if own == POD else self.outside
        return (await run(where, sys.executable, "-c", ASK, own, str(start), POD, str(port))).strip()


async def run(namespace: str, *command: str, env: dict[str, str] | None = None) -> str:
    """Output of a program in a network namespace; all of it when it fails."""
    process = await asyncio.create_subprocess_exec(
        *("/usr/bin/nsenter", f"--net=/run/netns/{namespace}", *command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=env,
    )
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


async def ip(*arguments: str) -> None:
    process = await asyncio.create_subprocess_exec("ip", *arguments)
    async with asyncio.timeout(60):
        assert await process.wait() == 0, arguments


@pytest.fixture
async def pod() -> AsyncIterator[Pod]:
    name = uuid4().hex[:8]
    made = Pod(f"{name}-pod", f"{name}-out")
    try:
        for namespace in (made.inside, made.outside):
            await ip("netns", "add", namespace)
            await ip("-n", namespace, "link", "set", "lo", "up")
        other = ("peer", "name", "eth0", "netns", made.outside)
        await ip("-n", made.inside, "link", "add", "eth0", "type", "veth", *other)
        for namespace, *addresses in ((made.inside, POD), (made.outside, GATEWAY, NEIGHBOUR, LAN)):
            for address in addresses:
                await ip("-n", namespace, "address", "add", f"{address}/24", "dev", "eth0")
            await ip("-n", namespace, "link", "set", "eth0", "up")
        await ip("-n", made.inside, "route", "add", "default", "via", GATEWAY)
        yield made
    finally:
        for namespace in (made.inside, made.outside):
            await ip("netns", "delete", namespace)


@pytest.fixture
async def server(pod: Pod) -> AsyncIterator[None]:
    """Something in the pod that tells everybody who they are."""
    process = await asyncio.create_subprocess_exec(
        *("/usr/bin/nsenter", f"--net=/run/netns/{pod.inside}", sys.executable, "-c", SERVE),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    async with asyncio.timeout(60):
        assert await process.stdout.readline() == b"ready\n"
    yield
    process.terminate()
    await process.communicate()  # not `wait`: its pipe, too, is to be closed before the loop is


async def test_who_comes_from_where(pod: Pod, server: None) -> None:
    """Pods are neighbours but for the page; the node, a client of the LAN, and the proxy for published ports, which
    speaks for clients of the LAN, are who they are everywhere.
    """
    await pod.set_up(ingress=True)
    assert [await pod.seen(NEIGHBOUR, port) for port in (DATABASE, PAGE)] == ["172.30.33.2", NEIGHBOUR]
    for other in (GATEWAY, LAN, POD):
        assert [await pod.seen(other, port) for port in (DATABASE, PAGE)] == [other, other]
    for start in (FROM_LAN.start, FROM_LAN.stop - 1):
        assert [await pod.seen(NEIGHBOUR, port, start) for port in (DATABASE, PAGE)] == [NEIGHBOUR, NEIGHBOUR]
    assert await pod.seen(NEIGHBOUR, DATABASE, FROM_LAN.start - 1) == "172.30.33.2"


async def test_the_supervisors_address_is_the_pods_own(pod: Pod) -> None:
    """For a program there to take, and for no connection by itself. A second run changes nothing."""
    for _ in range(2):
        await pod.set_up(ingress=True)
    assert "172.30.32.2/32 scope host lo" in await run(pod.inside, "ip", "-4", "address", "show", "dev", "lo")
    assert "src 10.244.7.5" in await run(pod.inside, "ip", "route", "get", "192.0.2.1")
    assert (await run(pod.inside, "nft", "list", "table", "ip", "docker_network")).count("snat to 172.30.33.2") == 1


async def test_a_database_without_a_page(pod: Pod, server: None) -> None:
    """The rule holds for every port, and there is no address of the Supervisor's."""
    await pod.set_up(ingress=False)
    assert [await pod.seen(NEIGHBOUR, port) for port in (DATABASE, PAGE)] == ["172.30.33.2", "172.30.33.2"]
    assert "172.30.32.2" not in await run(pod.inside, "ip", "-4", "address", "show", "dev", "lo")


async def test_a_node_that_takes_no_rule(pod: Pod, server: None, tmp_path: Path) -> None:
    """It is said, and the add-on starts: ingress does not need the rule."""
    refuses = tmp_path / "nft"
    refuses.write_text("#!/bin/sh\necho 'Could not process rule: Operation not supported' >&2\nexit 1\n")
    refuses.chmod(0o755)
    said = await pod.set_up(ingress=True, path=f"{tmp_path}:{os.environ['PATH']}")
    assert "the rule was not loaded" in said
    assert "172.30.32.2/32" in await run(pod.inside, "ip", "-4", "address", "show", "dev", "lo")
    assert await pod.seen(NEIGHBOUR, DATABASE) == NEIGHBOUR
