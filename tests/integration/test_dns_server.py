"""The real CoreDNS with the configuration that we render, and an upstream that writes down what it is asked."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from supervisor_k8s.model.desired.dns import DIRECTORY, Host, addon_hosts, dns_config, hosts_text, house_hosts
from tests import builders, dns
from tests.cluster import binaries
from tests.cluster.paths import from_environment
from tests.cluster.process import tied
from tests.cluster.steps import Console, Context
from tests.dns import AAAA, NOERROR, NXDOMAIN, Reply
from tests.free_ports import free_ports

PATIENCE = 30.0
PUBLIC = Reply(NOERROR, ("192.0.2.80",))
SITE = builders.site(cluster_domain="k8s.example")
LONG = "a" * 57
ADDONS = (
    ("core_mosquitto", "10.244.0.7"),
    ("5c53de3b_esphome", "10.244.0.8"),
    ("605cee21_wiki.js", "10.244.0.9"),
    (f"local_{LONG}", "10.244.0.10"),
)
NAMES = {
    "supervisor": "10.96.0.20",
    "hassio": "10.96.0.20",
    "homeassistant": "10.96.0.40",
    "home-assistant": "10.96.0.40",
    "dns": "10.96.0.30",
    "core-mosquitto": "10.244.0.7",
    "5c53de3b-esphome": "10.244.0.8",
    "605cee21-wiki.js": "10.244.0.9",
    "605cee21-wiki-js": "10.244.0.9",
    f"local-{LONG}": "10.244.0.10",
}


@dataclass
class Upstream(asyncio.DatagramProtocol):
    """A DNS server that answers every question with one address, while it is not silent."""

    asked: list[str] = field(default_factory=list)
    silent: bool = False
    _transport: asyncio.DatagramTransport = field(init=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.DatagramTransport)
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        name = dns.name_asked(data)
        if not self.silent:
            self.asked.append(name)
            end = 12 + len(name) + 2 + 4
            header = data[:2] + bytes.fromhex("8180 0001 0001 0000 0000")
            # A record of one second: what comes later can only be stale.
            record = bytes.fromhex("c00c 0001 0001 00000001 0004") + socket.inet_aton("192.0.2.80")
            self._transport.sendto(header + data[12:end] + record, addr)


@dataclass
class Server:
    """A CoreDNS that runs, with the files that the ConfigMap has in a pod."""

    folder: Path
    port: int
    upstream: Upstream

    def show(self, hosts: Sequence[Host]) -> None:
        """As the kubelet refreshes the volume: a new file in the place of the old one."""
        data = dns_config(SITE, hosts_text(hosts), ())["data"]
        ports = {":5300": f":{self.port}", ":5301": f":{self.port + 1}", ":8080": f":{self.port + 2}"}
        ports |= {
            ":8181": f":{self.port + 3}",
            DIRECTORY: str(self.folder),
            "/etc/resolv.conf": f"{self.folder}/resolv",
        }
        for name, text in data.items():
            for theirs, ours in ports.items():
                text = text.replace(theirs, ours)  # noqa: PLW2901 - the text for this machine
            fresh = self.folder / f"{name}.new"
            fresh.write_text(text.replace("lameduck 3s", "lameduck 0s"))
            fresh.replace(self.folder / name)

    async def ask(self, name: str, kind: int = dns.A) -> Reply | None:
        return await dns.ask("127.0.0.1", name, kind, port=self.port)

    async def becomes(self, name: str, wanted: Reply) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self.ask(name) != wanted:
                await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def program() -> Path:
    """What the local cluster runs, built when the cache does not have it."""
    paths, console = from_environment(), Console()
    binaries.ensure(Context(replace(paths), console), binaries.COREDNS)
    console.close()
    return binaries.program(paths, "coredns")


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[Upstream, int]]:
    transport, upstream = await asyncio.get_running_loop().create_datagram_endpoint(
        Upstream, local_addr=("127.0.0.1", 0)
    )
    try:
        yield upstream, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


@pytest.fixture
async def server(program: Path, tmp_path: Path) -> AsyncIterator[Server]:
    """Running, with four add-ons."""
    async with listening() as (upstream, port):
        # CoreDNS takes a server with a port where the file of a pod has an address alone.
        (tmp_path / "resolv").write_text("nameserver 127.0.0.1\n")
        made = Server(tmp_path, free_ports(4), upstream)
        made.show((*house_hosts(SITE, "10.96.0.40"), *addon_hosts(ADDONS)))
        corefile = tmp_path / "Corefile"
        corefile.write_text(corefile.read_text().replace(f"forward . {tmp_path}/resolv", f"forward . 127.0.0.1:{port}"))
        process = await asyncio.create_subprocess_exec(
            *tied((program, "-conf", corefile)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await made.becomes("supervisor", Reply(NOERROR, (NAMES["supervisor"],)))
            yield made
        finally:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("domain", ["", ".local.hass.io"])
async def test_every_name_has_its_address_and_no_other_kind(server: Server, domain: str) -> None:
    """A digit in front, dots, the longest label; IPv6 is answered with nothing, not with an error. Case is ignored."""
    for name, address in NAMES.items():
        assert await server.ask(f"{name}{domain}") == Reply(NOERROR, (address,)), name
        assert await server.ask(f"{name}{domain}", AAAA) == Reply(NOERROR), name
        assert await server.ask(f"{name}{domain}".upper()) == Reply(NOERROR, (address,)), name
    assert server.upstream.asked == []


async def test_nothing_of_the_house_leaves_it(server: Server) -> None:
    """Unknown names below the domain end here, of whatever kind; so do those of `hassio`."""
    for name in (
        "nobody.local.hass.io",
        "a.b.local.hass.io",
        "local.hass.io",
        "nobody.hassio",
        "_mqtt._tcp.local.hass.io",
    ):
        for kind in (dns.A, AAAA, dns.PTR):
            reply = await server.ask(name, kind)
            assert reply is not None
            assert reply == Reply(NOERROR if name == "local.hass.io" else NXDOMAIN), name
    assert server.upstream.asked == []


async def test_all_other_names_are_the_clusters(server: Server) -> None:
    """Services and the internet, by the cluster's DNS; what it said once is said again while it does not answer."""
    assert await server.ask("git.tools.svc.k8s.example") == PUBLIC
    assert await server.ask("www.example.org") == PUBLIC
    assert server.upstream.asked == ["git.tools.svc.k8s.example", "www.example.org"]
    server.upstream.silent = True
    await asyncio.sleep(1.5)  # beyond the record's second
    assert await dns.ask("127.0.0.1", "www.example.org", port=server.port, within=PATIENCE) == PUBLIC


async def test_names_of_the_house_need_nobody(server: Server) -> None:
    """The cluster's DNS may be away."""
    server.upstream.silent = True
    for name, address in NAMES.items():
        assert await server.ask(f"{name}.local.hass.io") == Reply(NOERROR, (address,)), name


async def test_a_restarted_addon_is_found_at_its_new_address(server: Server) -> None:
    """The file counts, and nothing is remembered of the one before; a stopped one is not found at all."""
    house = house_hosts(SITE, "10.96.0.40")
    server.show((*house, *addon_hosts([("core_mosquitto", "10.244.0.70")])))
    await server.becomes("core-mosquitto", Reply(NOERROR, ("10.244.0.70",)))
    server.show(house)
    await server.becomes("core-mosquitto.local.hass.io", Reply(NXDOMAIN))
    assert server.upstream.asked == []
    server.show((*house, *addon_hosts([("core_mosquitto", "10.244.0.71")])))
    await server.becomes("core-mosquitto.local.hass.io", Reply(NOERROR, ("10.244.0.71",)))
