"""`/core/api/…` and `/homeassistant/api/…`: Core's own REST API for add-ons, as the Supervisor's user.

These paths are open to the middleware, because their rules are their own: the token of an add-on that has
`homeassistant_api`, and nobody else's. Core takes whoever comes through for an administrator, so its routes for the
Supervisor itself are closed here again, whatever way the path is written. Bodies go through piece by piece, at the pace
of the slower side. Contract: `supervisor-api` §6.
"""

import asyncio
import logging
import re
from contextlib import AbstractAsyncContextManager

import aiohttp
from aiohttp import web

from supervisor_k8s.api.auth import decoded
from supervisor_k8s.api.core_socket import websocket
from supervisor_k8s.api.envelope import content
from supervisor_k8s.api.keys import STREAMING
from supervisor_k8s.api.relay import copy_body
from supervisor_k8s.api.routes import Call, Route
from supervisor_k8s.api.streams import until_gone
from supervisor_k8s.errors import CoreAnswerError, CoreUnreachableError

_LOGGER = logging.getLogger(__name__)
ANSWER_WAIT = 300.0
"""Seconds until Core's answer must begin, and that may pass between two pieces of it. Event streams may be quiet."""
REPEATABLE = 1024 * 1024
"""Bytes of a body that is kept until Core has answered, so that a request with an outdated token can be repeated."""
PASSED_ON = ("Accept", "Content-Type", "Last-Event-ID", "Mcp-Session-Id", "MCP-Protocol-Version", "X-Speech-Content")
GIVEN_BACK = ("Cache-Control", "Mcp-Session-Id")
EVENTS = "text/event-stream"

_CLOSED = re.compile(r"/*hassio[/_]")
_DOTS = re.compile(r"(^|/)\.{1,2}(/|$)")


async def rest(call: Call) -> web.StreamResponse:
    """One request and its answer, or an event stream where Core answers with one."""
    slug = admitted(call)
    path = core_path(call.request)
    return await _forward(call, slug, path)


async def stream(call: Call) -> web.StreamResponse:
    """Core's event bus as an endless stream. As upstream answers it, with the content type of the request."""
    slug = admitted(call)
    return await _forward(call, slug, "/api/stream", content_type=call.request.headers.get("Content-Type"))


def admitted(call: Call) -> str:
    """Slug of the add-on whose token the request has. 401 for every other token: Core's own and the command line's too.

    Other than everywhere else, `X-Supervisor-Token` is not looked at.
    """
    headers = call.request.headers
    token = headers["Authorization"].split(" ")[-1] if "Authorization" in headers else headers.get("X-Ha-Access", "")
    caller = call.services.access.caller(token) if token else None
    if caller is None or caller.slug is None or not caller.homeassistant_api:
        _LOGGER.warning("%s may not use Home Assistant's API", caller.name if caller else "An unknown token")
        raise web.HTTPUnauthorized
    return caller.slug


def core_path(request: web.Request) -> str:
    """Path and query for Core, quoted as they came. 403 for what is closed, 400 for a path that could be read twice."""
    *_, raw = request.rel_url.raw_path.split("/", 3)
    plain = decoded(raw)
    if _DOTS.search(plain):
        raise web.HTTPBadRequest
    if _CLOSED.match(plain):
        raise web.HTTPForbidden
    query = request.rel_url.raw_query_string
    return f"/api/{raw}?{query}" if query else f"/api/{raw}"


async def _forward(call: Call, slug: str, path: str, *, content_type: str | None = None) -> web.StreamResponse:
    """Core's answer. 502 when Core is not running, cannot be reached, does not answer in time or does not know us."""
    request, core = call.request, call.services.home_assistant
    if not await core.is_up():
        raise web.HTTPBadGateway
    headers = {name: request.headers[name] for name in PASSED_ON if name in request.headers}
    headers["Accept-Encoding"] = "identity"
    again = (request.content_length or 0) <= REPEATABLE and "chunked" not in request.headers.get(
        "Transfer-Encoding", ""
    )
    body = (await content(request) if again else request.content) if request.can_read_body else None
    asked = core.request(
        request.method, path, within=None, again=again, headers=headers, data=body, allow_redirects=False
    )
    what = f"Add-on {slug}: {request.method} {path.partition('?')[0]}"
    answer = await until_gone(request, _exchange(request, asked, what, content_type), endless=False)
    if answer is not None:
        return answer
    if request.get(STREAMING) or request.transport is None:
        raise ConnectionAbortedError
    raise web.HTTPBadGateway


async def _exchange(
    request: web.Request,
    asked: AbstractAsyncContextManager[aiohttp.ClientResponse],
    what: str,
    content_type: str | None,
) -> web.StreamResponse | None:
    """Core's answer, None without one: our log says why."""
    try:
        async with asyncio.timeout(ANSWER_WAIT) as limit, asked as reply:
            if reply.status != web.HTTPUnauthorized.status_code:
                return await _answer(request, reply, limit, content_type)
            why: object = "Core does not know us"
    except TimeoutError:
        why = f"no answer within {ANSWER_WAIT:.0f} s"
    except (CoreUnreachableError, CoreAnswerError) as error:
        why = error
    _LOGGER.error("%s of Home Assistant failed: %s", what, why)
    return None


async def _answer(
    request: web.Request, reply: aiohttp.ClientResponse, limit: asyncio.Timeout, content_type: str | None
) -> web.StreamResponse:
    """Pass Core's answer on. An answer that breaks off breaks off here too: half of it must not look whole."""
    events = content_type is not None or reply.content_type == EVENTS
    response = web.StreamResponse(status=reply.status)
    response.headers.update({name: reply.headers[name] for name in GIVEN_BACK if name in reply.headers})
    response.headers["Content-Type"] = content_type or reply.content_type
    if events:
        response.headers["X-Accel-Buffering"] = "no"
    elif reply.content_length is not None and "Content-Encoding" not in reply.headers:
        response.content_length = reply.content_length
    request[STREAMING] = True
    await response.prepare(request)
    if events:
        limit.reschedule(None)
        whole = await until_gone(request, copy_body(reply, response))
    else:
        now = asyncio.get_running_loop().time
        whole = await copy_body(reply, response, lambda: limit.reschedule(now() + ANSWER_WAIT))
    if whole is False and request.transport is not None:
        request.transport.abort()
    return response


def _below(prefix: str, methods: tuple[str, ...]) -> tuple[Route, ...]:
    sockets = (f"{prefix}/websocket", f"{prefix}/api/websocket")
    return (
        *(Route(method="GET", path=path, handler=websocket, fails=(502,)) for path in sockets),
        Route(method="GET", path=f"{prefix}/api/stream", handler=stream, media="*/*"),
        Route(method="GET", path=f"{prefix}/api/", handler=rest, media="*/*"),
        *(Route(method=method, path=f"{prefix}/api/{{path:.+}}", handler=rest, media="*/*") for method in methods),
    )


ROUTES: tuple[Route, ...] = (
    *_below("/core", ("GET", "POST", "DELETE")),
    *_below("/homeassistant", ("GET", "POST")),
)
