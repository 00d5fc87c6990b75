"""On the local cluster with a house in it: an add-on's port straight from its pod, through a Service (which is what any
address of a LoadBalancer costs), and through the proxy for published ports behind one.
"""

import asyncio
import resource
import socket
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress

from tests.bench.figure import Figure, NotRun, progress, spread
from tests.bench.house import NOT_HERE, is_up_here, supervisor_of
from tests.bench.process import MEGABYTE
from tests.bench.ways import SMALL, Way, Ways, answering, each_in_turn, sending, times
from tests.bench.wire import CLIENTS
from tests.e2e.house import Kubectl, Supervisor, becomes
from tests.e2e.lan import SERVICE
from tests.e2e.pages import PAGES, installed

NAMES = (
    "ports: a TCP connection with one answer",
    "ports: round trip on a connection",
    "ports: 100 MB",
    "ports: a datagram and its answer, many at once",
    "ports: from the add-on's answer to that at a changed port",
    "ports: memory of the proxy with 4,400 idle connections",
)
PAGE, ECHO = 8099, 9002
"""Ports of the add-on."""
PUBLISHED = range(18000, 18100)
CONNECTIONS, DATAGRAMS = 200, 2000
"""For one run of each."""
IDLE = 4_400
"""Nearly all that one port of an add-on can have: so many source ports has the proxy."""
TIME_WAIT = 61.0
"""Seconds after which the source port of a connection that has ended is free again."""
WITHIN = 2.0
"""Seconds in which a new port is to answer."""


async def reaching(*, rounds: int) -> list[Figure | NotRun]:
    """All figures of published ports, from the node."""
    kubectl = Kubectl()
    if not await is_up_here(kubectl):
        return [NotRun(names=NAMES, why=NOT_HERE)]
    async with AsyncExitStack() as stack:
        supervisor = await stack.enter_async_context(supervisor_of(kubectl))
        tcp, udp = await stack.enter_async_context(_ways(kubectl, supervisor))
        connections = await each_in_turn(tcp, _connecting, rounds=rounds, say="ports, connections")
        trips = await each_in_turn(tcp, answering, rounds=rounds, say="ports, round trips")
        large = await each_in_turn(tcp, sending, rounds=max(3, rounds // 3), say="ports, 100 MB")
        datagrams = await each_in_turn(udp, _datagrams, rounds=rounds, say="ports, datagrams")
        progress("ports, idle connections: waits until those before have given their ports back")
        await asyncio.sleep(TIME_WAIT)
        memory = await _memory(kubectl, tcp[-1])
        changes = [await _change(kubectl, supervisor, number) for number in PUBLISHED[1 : rounds + 1]]
    return [
        times(NAMES[0], connections, unit="ms", scale=1000),
        times(NAMES[1], trips, unit="ms", scale=1000),
        times(NAMES[2], large, unit="s"),
        times(NAMES[3], datagrams, unit="ms", scale=1000),
        spread(NAMES[4], changes, unit="s", aim=WITHIN, p99=f"{_p99(changes):.2f} s"),
        memory,
    ]


@asynccontextmanager
async def _ways(kubectl: Kubectl, supervisor: Supervisor) -> AsyncIterator[tuple[Ways, Ways]]:
    """By TCP and by UDP, with the page's add-on published: direct, through a Service, through us."""
    number = PUBLISHED[0]
    async with installed(supervisor, ports={f"{PAGE}/tcp": number, f"{ECHO}/udp": number}):
        await becomes(lambda: _answers(kubectl, number), what="the published port answers")
        own = (await supervisor.get(f"/addons/{PAGES}/info")).data["ip_address"]
        service, ours = await kubectl.address("addon-local-pages"), await kubectl.address(SERVICE)
        yield (
            (Way(own, PAGE), Way(service, PAGE), Way(ours, number)),
            (Way(own, ECHO), Way(service, ECHO), Way(ours, number)),
        )


async def _answers(kubectl: Kubectl, number: int) -> bool:
    with suppress(AssertionError, OSError):
        way = Way(await kubectl.address(SERVICE), number)
        return await asyncio.to_thread(_is_there, way)
    return False


def _is_there(way: Way) -> bool:
    with suppress(OSError), way.wire(SMALL):
        return True
    return False


async def _connecting(way: Way) -> float:
    """A connection, one answer, its end; one after the other."""

    def connect() -> float:
        began = time.perf_counter()
        for _ in range(CONNECTIONS):
            with way.wire(SMALL):
                pass
        return (time.perf_counter() - began) / CONNECTIONS

    return await asyncio.to_thread(connect)


async def _datagrams(way: Way) -> float:
    """Seconds for each with CLIENTS under way at any time, from as many ports of ours."""

    def flow() -> float:
        with ExitStack() as stack:
            flows = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(CLIENTS)]
            for one in flows:
                one.settimeout(5)
                one.connect((way.host, way.port))
                one.send(b"temperature=21")
            began = time.perf_counter()
            for number in range(DATAGRAMS):
                one = flows[number % CLIENTS]
                assert one.recv(100) == b"temperature=21"
                one.send(b"temperature=21")
            taken = time.perf_counter() - began
            for one in flows:
                one.recv(100)
            return taken / DATAGRAMS

    return await asyncio.to_thread(flow)


async def _change(kubectl: Kubectl, supervisor: Supervisor, number: int) -> float:
    """Seconds from the restarted add-on's first answer at its own Service to the first one at its new number."""
    progress(f"ports, a change: to {number}")
    network = {f"{PAGE}/tcp": number}
    assert (await supervisor.post(f"/addons/{PAGES}/options", network=network)).status == 200
    service, ours = await kubectl.address("addon-local-pages"), await kubectl.address(SERVICE)
    restart = asyncio.create_task(supervisor.post(f"/addons/{PAGES}/restart"))
    async with asyncio.timeout(120):
        await asyncio.to_thread(_gone, Way(service, PAGE))
        both = (Way(service, PAGE), Way(ours, number))
        own, published = await asyncio.gather(*(asyncio.to_thread(_first_answer, way) for way in both))
        assert (await restart).status == 200
    return max(0.0, published - own)


def _gone(way: Way) -> None:
    """The add-on that had been there before the restart has ended."""
    end = time.monotonic() + 60
    while _is_there(way):
        assert time.monotonic() < end, "the add-on did not end"
        time.sleep(0.005)


def _first_answer(way: Way) -> float:
    """When it came, by the monotonic clock."""
    end = time.monotonic() + 60
    while not _is_there(way):
        assert time.monotonic() < end, f"{way.host}:{way.port} does not answer"
        time.sleep(0.005)
    return time.monotonic()


async def _memory(kubectl: Kubectl, way: Way) -> Figure:
    """Megabytes of the proxy's processes, by what is theirs alone of what they share."""
    before = await _proportional(kubectl)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with ExitStack() as stack:
        for number in range(IDLE):
            if number % 1000 == 0:
                progress(f"ports, idle connections: {number}")
            stack.enter_context(socket.create_connection((way.host, way.port), timeout=30))
        await asyncio.to_thread(_is_there, way)
        assert await asyncio.to_thread(_is_there, way), "the proxy takes no more connections"
        after = await _proportional(kubectl)
    each = (after - before) * 1000 / IDLE
    return spread(NAMES[5], [after], unit="MB", without=f"{before:.1f} MB", each=f"{each:.2f} kB")


async def _proportional(kubectl: Kubectl) -> float:
    show = "for one in /proc/[0-9]*; do grep -q nginx $one/comm && grep ^Pss: $one/smaps_rollup; done; true"
    lines = (await kubectl.run("exec", f"deployment/{SERVICE}", "--", "sh", "-c", show)).splitlines()
    return sum(int(line.split()[1]) for line in lines) * 1024 / MEGABYTE


def _p99(values: Sequence[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]
