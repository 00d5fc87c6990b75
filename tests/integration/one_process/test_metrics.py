"""`/metrics` as Prometheus reads it: on its own port, without a token, with series that cannot grow without end."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from supervisor_k8s.api.app import all_routes
from tests.contract.house import Home

BROKER, PANEL = "core_mosquitto", "core_panel"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"

type Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scrape(home: Home, about: str = "supervisor_") -> Series:
    """Value by name and labels, of the series whose names begin so."""
    async with home.http.get(home.metrics_url) as answer:
        assert answer.status == 200
        lines = (await answer.text()).splitlines(keepends=True)
    text = "".join(line for line in lines if line.removeprefix("# HELP ").removeprefix("# TYPE ").startswith(about))
    samples = [sample for family in parse(text) for sample in family.samples]
    return {(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples}


def value(series: Series, name: str, **labels: str) -> float:
    """0 for a series that is not there: of what was counted never."""
    return series.get((name, frozenset(labels.items())), 0)


async def calls(home: Home, **labels: str) -> float:
    name = "supervisor_api_requests_total"
    return value(await scrape(home, name), name, **labels)


async def test_workloads_by_state(home: Home) -> None:
    """Core and add-ons by their states, as they are when somebody asks; a state without workloads says 0."""
    await home.install(BROKER, start=True)
    await home.install(PANEL)
    series = await scrape(home)
    addons = {
        state: value(series, "supervisor_workloads", type="addon", state=state)
        for state in ("started", "stopped", "error", "startup", "unknown")
    }
    assert addons == {"started": 1, "stopped": 1, "error": 0, "startup": 0, "unknown": 0}
    assert value(series, "supervisor_workloads", type="core", state="started") == 1
    await home.raw("POST", f"/addons/{BROKER}/stop")
    assert value(await scrape(home, "supervisor_workloads"), "supervisor_workloads", type="addon", state="stopped") == 2


async def test_calls_by_route_and_status(shared: Home) -> None:
    """The template of the route is counted, whatever stands in its place, with the status that was answered."""
    counted = {"method": "GET", "route": "/addons/{app}/info"}
    before = [await calls(shared, **counted, status=status) for status in ("404", "401")]
    for slug in ("nothing", "else"):
        await shared.raw("GET", f"/addons/{slug}/info")
    await shared.raw("GET", "/addons/nothing/info", token=None)
    after = [await calls(shared, **counted, status=status) for status in ("404", "401")]
    assert (before[0] + 2, before[1] + 1) == tuple(after)


async def test_duration(shared: Home) -> None:
    """Number and sum of the durations by route."""
    await shared.raw("GET", "/supervisor/ping")
    series = await scrape(shared)
    assert value(series, "supervisor_api_request_seconds_count", method="GET", route="/supervisor/ping") >= 1
    assert 0 < value(series, "supervisor_api_request_seconds_sum", method="GET", route="/supervisor/ping") < 60


async def test_what_callers_make_up_is_no_label(shared: Home) -> None:
    """Unknown paths and methods share a series, and so do the paths of a proxy: nobody fills our memory with them."""
    before = await calls(shared, method="other", route="unknown", status="401")
    for number, method in enumerate(("PROPFIND", "MKCOL", "SEARCH", "LOCK", "REPORT")):
        await shared.raw(method, f"/none/{number}", token=None)
        await shared.raw("GET", f"/core/api/none/{number}", token=None)
    series = await scrape(shared)
    assert await calls(shared, method="other", route="unknown", status="401") == before + 5
    router = web.UrlDispatcher()
    known = {router.add_resource(route.path).canonical for route in all_routes()}
    labels = [dict(pairs) for name, pairs in series if name.startswith("supervisor_api_request")]
    assert {entry["route"] for entry in labels} <= known | {"unknown"}
    assert "/core/api/{path}" in known


async def test_converges(home: Home) -> None:
    """Converges by their result, and how long they took."""
    before = value(await scrape(home, "supervisor_converges_total"), "supervisor_converges_total", result="ok")
    await home.install(BROKER, start=True)
    series = await scrape(home)
    assert value(series, "supervisor_converges_total", result="ok") > before
    assert value(series, "supervisor_converge_seconds_count") >= 1


async def test_follower_is_no_duration(home: Home) -> None:
    """A followed log is counted when it ends, and its hours are not taken for a slow answer."""
    await home.install(BROKER, start=True)
    labels = {"method": "GET", "route": "/addons/{app}/logs/follow"}
    before = value(
        await scrape(home, "supervisor_api_request_seconds_count"), "supervisor_api_request_seconds_count", **labels
    )
    headers = {"Authorization": f"Bearer {home.core_token}"}
    async with home.http.get(f"{home.url}/addons/{BROKER}/logs/follow", headers=headers) as answer:
        assert answer.status == 200
    await home.raw("POST", f"/addons/{BROKER}/stop")
    async with asyncio.timeout(10):
        while await calls(home, **labels, status="200") + await calls(home, **labels, status="none") == 0:
            await asyncio.sleep(0.05)
    assert (
        value(
            await scrape(home, "supervisor_api_request_seconds_count"), "supervisor_api_request_seconds_count", **labels
        )
        == before
    )


async def test_it_is_elsewhere(shared: Home) -> None:
    """The API has no /metrics, and the port of /metrics no API; a program can read it as OpenMetrics, too."""
    assert (await shared.raw("GET", "/metrics")).status in {403, 404}
    async with shared.http.get(shared.metrics_url.replace("/metrics", "/supervisor/info")) as answer:
        assert answer.status == 404
    async with shared.http.get(shared.metrics_url, headers={"Accept": OPENMETRICS}) as answer:
        names = {family.name for family in parse_openmetrics(await answer.text())}  # type: ignore[no-untyped-call]
    wanted = {"supervisor_workloads", "supervisor_build_info", "supervisor_api_requests", "supervisor_watch_restarts"}
    assert wanted <= names
    assert "supervisor_cluster_requests" in names


@pytest.fixture
async def level() -> AsyncIterator[logging.Logger]:
    """Our log's level afterwards is as before."""
    ours = logging.getLogger("supervisor_k8s")
    before = ours.level
    yield ours
    ours.setLevel(before)


async def test_level_by_the_api(home: Home, level: logging.Logger) -> None:
    """The level that was chosen is in force at once, and again after our restart; libraries keep theirs."""
    await home.raw("POST", "/supervisor/options", json={"logging": "error"})
    assert level.getEffectiveLevel() == logging.ERROR
    await home.stop()
    level.setLevel(logging.INFO)
    await home.start()
    assert level.getEffectiveLevel() == logging.ERROR
    assert logging.getLogger("aiohttp").getEffectiveLevel() == logging.WARNING
