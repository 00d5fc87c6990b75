"""What flows: the log of an add-on that writes all the time, and what Core hears when a pod changes.

No cluster is needed, as for `info`. The log comes over HTTP from a process of its own, as the kubelet's does by the API
server; of a pod's change the time is taken from where the watch tells it, up to Core's end of the websocket.
"""

import asyncio
import os
import socket
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

from supervisor_k8s.model.naming import ADDON_CONTAINER
from supervisor_k8s.remote.certificates import make_keys, utc_now
from tests import builders
from tests.bench.crowd import settle
from tests.bench.figure import Figure, progress, spread
from tests.bench.info import ADDONS, LARGE, server
from tests.bench.process import rolled_up
from tests.bench.serving import MOST_RUNNING, UP_WAIT, CachedCluster, until_settled
from tests.contract.house import Home

FOLLOWED = "/addons/local_crowd0000/logs/follow"
PIECE = 10 * 10**6
"""Bytes that are to flow within a second."""
STALL = 5.0
"""Seconds in which a client reads nothing."""
HEARD = 30.0
"""Seconds within which Core must have heard."""


async def flowing(*, rounds: int) -> list[Figure]:
    """A followed log: how fast it flows, and what memory that takes, also for a client that does not read on."""
    progress("log: a house comes up")
    async with server("loud") as (port, token, pid):
        return await asyncio.to_thread(_followed, port, token, pid, rounds)


def _followed(port: int, token: str, pid: int, rounds: int) -> list[Figure]:
    with socket.create_connection(("127.0.0.1", port), timeout=HEARD) as wire:
        before = _memory(pid)
        wire.sendall(f"GET {FOLLOWED} HTTP/1.1\r\nHost: s\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
        assert wire.recv(12) == b"HTTP/1.1 200"
        took, flowing, worked = [], [], []
        for number in range(rounds + 1):
            progress(f"log: {f'round {number} of {rounds}' if number else 'warm-up'}")
            began = _worked(pid)
            took.append(_read(wire, PIECE))
            worked.append(_worked(pid) - began)
            flowing.append(_memory(pid) - before)
        progress("log: a client that does not read")
        sleep(STALL)
        stalled = _memory(pid) - before
    return [
        spread(
            "log follow: time for 10 MB", took[1:], unit="s", aim=1, our_processor_time=f"{median(worked[1:]):.2f} s"
        ),
        spread("log follow: memory more than without", [*flowing, stalled], unit="MB", aim=20),
    ]


def _read(wire: socket.socket, wanted: int) -> float:
    """Seconds for so many bytes."""
    began = perf_counter()
    while wanted > 0:
        got = len(wire.recv(1 << 16))
        if not got:
            raise ConnectionError("the log has ended")
        wanted -= got
    return perf_counter() - began


def _worked(pid: int) -> float:
    """Seconds that a processor has worked for this process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> float:
    return rolled_up(Path(f"/proc/{pid}/smaps_rollup").read_text())["Rss"]


async def telling(*, rounds: int) -> list[Figure]:
    """From a pod's change to Core's end of the websocket, in a small house and in a large one."""
    return [await _told(addons, rounds) for addons in (ADDONS, LARGE)]


async def _told(addons: int, rounds: int) -> Figure:
    progress(f"event: a house with {addons} add-ons comes up")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        every = max(1, addons // MOST_RUNNING)
        states = await settle(addons, site=builders.site(), share=folder / "share", state=folder / "state", every=every)
        started = [slug for slug, state in states.items() if state == "started"]
        home = Home(folder, "", make_keys(utc_now()), cluster_kind=CachedCluster, up_wait=UP_WAIT)
        async with home.living():
            await until_settled(home, states)
            took = [await _ended(home, slug) for slug in started[:rounds]]
    return spread(f"pod change to Core's event, {addons} add-ons", [one * 1e3 for one in took], unit="ms", aim=100)


async def _ended(home: Home, slug: str) -> float:
    """Seconds from the end of an add-on's program until Core hears of it."""
    (pod,) = home.cluster.pods(io__hass__addon=slug)
    told, heard = len(home.core.events), None
    began = perf_counter()
    home.cluster.exit(pod["metadata"]["name"], ADDON_CONTAINER, 0)
    while heard is None:
        told += 1
        event = (await home.core.heard(told, within=HEARD))[-1]
        if event.get("slug") == slug and event["state"] == "stopped":
            heard = perf_counter() - began
    return heard
