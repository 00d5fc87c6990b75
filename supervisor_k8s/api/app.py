"""The application: all routes, the middlewares, the services."""

from collections import defaultdict
from collections.abc import Iterable
from functools import cache

from aiohttp import web

from supervisor_k8s.api import (
    absent,
    addons,
    auth,
    auth_users,
    backups,
    core_proxy,
    discovery,
    dns,
    envelope,
    homeassistant,
    host,
    host_logs,
    ingress,
    jobs,
    metrics,
    network,
    openapi,
    plugins,
    registries,
    resolution,
    root,
    security,
    services,
    store,
    supervisor,
)
from supervisor_k8s.api.keys import BODY_WAIT, SERVICES, STREAMS, Services
from supervisor_k8s.api.routes import Route, served
from supervisor_k8s.api.streams import end_streams

LARGEST_BODY = 16 * 1024 * 1024
"""Bytes of a request's body; more is answered with 413."""

LONGEST_BODY = 60.0
"""Seconds that it may take until it is here; more is answered with 408."""

AREAS = (
    root, supervisor, homeassistant, core_proxy, addons, store, services, discovery, ingress, jobs,
    resolution, host, host_logs, network, backups, security, registries, plugins, dns, auth_users,
)  # fmt: skip


def all_routes() -> tuple[Route, ...]:
    """Every route we serve, the ones with fixed paths first: `/mounts/options` is no mount of that name."""
    routes = [route for area in AREAS for route in area.ROUTES]
    return tuple(sorted((*routes, *absent.routes(), openapi.own_route(all_routes)), key=_variable_parts))


def create_app(own: Services, *, body_wait: float = LONGEST_BODY) -> web.Application:
    """The application, ready to be run; it starts nothing by itself."""
    app = web.Application(middlewares=(metrics.counted, auth.admit), client_max_size=LARGEST_BODY)
    app[SERVICES] = own
    app[STREAMS] = set()
    app[BODY_WAIT] = body_wait
    app.on_shutdown.append(end_streams)
    for resource in _resources():
        app.router.register_resource(resource)
    return app


def create_waiting_app(state: str) -> web.Application:
    """What answers before there is a Supervisor: as upstream in this state, every request is refused."""

    async def refuse(_: web.Request) -> web.Response:
        return envelope.refused(f"System is not ready with state: {state}")

    app = web.Application(client_max_size=LARGEST_BODY)
    app.router.add_route("*", "/{path:.*}", refuse)
    return app


@cache
def _resources() -> tuple[web.AbstractResource, ...]:
    """The routes as aiohttp has them, made once: no handler knows its application, all it needs is in the request."""
    router = web.UrlDispatcher()
    for path, routes in _by_path(all_routes()).items():
        resource = router.add_resource(path)
        for route in routes:
            handler = served(route)
            resource.add_route(route.method, handler)
            if route.method == "GET":
                resource.add_route("HEAD", handler)
    return tuple(router.resources())


def _by_path(routes: Iterable[Route]) -> dict[str, list[Route]]:
    found: dict[str, list[Route]] = defaultdict(list)
    for route in routes:
        found[route.path].append(route)
    return found


def _variable_parts(route: Route) -> tuple[bool, ...]:
    """For sorting: at each place of the path, a fixed word goes before a variable."""
    return tuple("{" in part for part in route.path.split("/"))
