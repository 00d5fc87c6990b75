"""`/metrics` for Prometheus, an application on a port of its own: no token, and nothing in it that would need one.

What happens is counted where it happens (`supervisor_k8s/metrics.py`). What *is* is looked up when somebody asks: a
gauge that is told of every change is wrong after the first change that nobody told.
"""

import platform
import time
from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from functools import cache

from aiohttp import web
from prometheus_client import REGISTRY, Counter, Summary
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from supervisor_k8s import metrics
from supervisor_k8s.api.keys import Services
from supervisor_k8s.errors import ClusterUnavailableError, NotReadyError
from supervisor_k8s.model.status import AddonState

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
LEFT = "none"
"""Status of a request whose client was gone before there was an answer."""

type Kind = str
"""`core` or `addon`."""
type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def counted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Count the request under the template of its route: what callers make up (paths, methods) is never a label."""
    began, answer = time.perf_counter(), None
    try:
        answer = await handler(request)
    except web.HTTPException as error:
        answer = error
        raise
    else:
        return answer
    finally:
        resource = request.match_info.route.resource
        route = resource.canonical if resource is not None else "unknown"
        method = request.method if request.method in METHODS else "other"
        requests, seconds = _series(method, route, LEFT if answer is None else answer.status)
        requests.inc()
        if isinstance(answer, web.Response):  # how long a stream or a websocket lasts is its client's affair
            seconds.observe(time.perf_counter() - began)


@cache
def _series(method: str, route: str, status: str | int) -> tuple[Counter, Summary]:
    """Both of these labels. To look them up by their labels costs more than to count; there are few, as of routes."""
    return (
        metrics.API_REQUESTS.labels(method=method, route=route, status=status),
        metrics.API_SECONDS.labels(method=method, route=route),
    )


def create_metrics_app(version: str, workloads: Callable[[], Iterable[tuple[Kind, AddonState]]]) -> web.Application:
    """`workloads` gives each workload's kind and present state; it is called for every scrape."""
    page = _Page(version, workloads)

    async def show(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(page), headers={"Content-Type": content_type})

    async def live(_: web.Request) -> web.Response:
        return web.Response(text="alive\n")

    app = web.Application()
    app.router.add_get("/metrics", show)
    # For the kubelet. Our API is no sign of life: it refuses everything for as long as another Supervisor is in charge.
    app.router.add_get("/alive", live)
    return app


def workload_states(services: Services) -> Iterator[tuple[Kind, AddonState]]:
    """Core and every installed add-on; nothing as long as nobody has told us what runs."""
    try:
        yield "core", services.core.status().state
        for record in services.addons.installed().values():
            yield "addon", services.addons.status(record).state
    except (NotReadyError, ClusterUnavailableError):
        return


class _Page(Collector):
    """All families: the counted ones, and those that are looked up."""

    def __init__(self, version: str, workloads: Callable[[], Iterable[tuple[Kind, AddonState]]]) -> None:
        self._version = version
        self._workloads = workloads

    def collect(self) -> Iterator[Metric]:
        yield from REGISTRY.collect()
        yield self._build()
        yield _states(Tally(self._workloads()))

    def _build(self) -> Metric:
        family = GaugeMetricFamily("supervisor_build_info", "What runs here; always 1.", labels=["version", "python"])
        family.add_metric([self._version, platform.python_version()], 1)
        return family


def _states(found: Mapping[tuple[Kind, AddonState], int]) -> Metric:
    """Every state has a series, also without a workload in it: one that comes and goes cannot be compared."""
    family = GaugeMetricFamily(
        "supervisor_workloads",
        "Workloads by their state now: Home Assistant Core and the installed add-ons.",
        labels=["type", "state"],
    )
    for kind in sorted({kind for kind, _ in found}):
        for state in AddonState:
            family.add_metric([kind, state.value], found.get((kind, state), 0))
    return family
