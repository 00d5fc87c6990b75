"""On the local cluster with a house in it: look-ups of our names against the cluster's own by its own DNS."""

import statistics
import time

from tests import dns
from tests.bench.figure import Figure, NotRun, Pairs, in_turn, spread
from tests.bench.house import NOT_HERE, is_up_here
from tests.cluster import versions
from tests.e2e.house import Kubectl

NAMES = ("names: a look-up of ours, by the cluster's DNS", "names: a look-up of the cluster's through us")
LOOKUPS = 200
"""One after the other, for one run's median."""
OUR_NAME = "supervisor.local.hass.io"
CLUSTERS_NAME = f"kubernetes.default.svc.{versions.CLUSTER_DOMAIN}"
AIM = 0.3
"""Milliseconds that a look-up may take longer than one of the cluster's DNS."""


async def looking_up(*, rounds: int) -> list[Figure | NotRun]:
    """From the node: both servers are pods on it."""
    kubectl = Kubectl()
    if not await is_up_here(kubectl):
        return [NotRun(names=NAMES, why=NOT_HERE)]
    ours = await kubectl.address("supervisor-dns")
    figures: list[Figure | NotRun] = []
    for figure, name in zip(NAMES, (OUR_NAME, CLUSTERS_NAME), strict=True):
        pairs = await in_turn(
            lambda: _median(versions.DNS_SERVICE_ADDRESS, CLUSTERS_NAME),
            lambda asked=name: _median(ours, asked),  # type: ignore[misc] # a lambda with a default
            rounds=rounds,
            say="names",
        )
        figures.append(_longer(figure, pairs))
    return figures


def _longer(name: str, pairs: Pairs) -> Figure:
    differences = [mine - theirs for theirs, mine in zip(pairs.baseline, pairs.ours, strict=True)]
    sides = {"baseline": pairs.baseline, "ours": pairs.ours}
    medians = {side: f"{statistics.median(values):.2f} ms" for side, values in sides.items()}
    return spread(name, differences, unit="ms", aim=AIM, **medians)


async def _median(server: str, name: str) -> float:
    """Milliseconds of a look-up."""
    taken = []
    for _ in range(LOOKUPS):
        began = time.perf_counter()
        reply = await dns.ask(server, name)
        taken.append(1000 * (time.perf_counter() - began))
        assert reply is not None, f"{server} does not answer"
        assert reply.addresses, f"{server} has no address of {name}"
    return statistics.median(taken)
