"""Who may come in: the middlewares in upstream's order, outermost first.

1. `guard`: an exception nobody foresaw is logged once with its traceback and answered with a bare 500.
2. `bad_requests`: paths and queries that only an attacker writes. 400.
3. `system_state`: nothing is answered before start-up and during shutdown. 400 in the envelope.
4. `token`: token to caller, and whether that caller may use this path. 401 and 403.

All run before a route is looked for, so an unknown path without a token is a 401. Their refusals are aiohttp's plain
texts, never the envelope; clients tell the two apart (`supervisor-api` §1.2, §2.3).
"""

import logging
import re
from collections.abc import Awaitable, Callable
from functools import lru_cache
from urllib.parse import unquote

from aiohttp import web

from supervisor_k8s.api import envelope
from supervisor_k8s.api.keys import CALLER, SERVICES, STREAMING
from supervisor_k8s.api.streams import is_gone
from supervisor_k8s.model.access import Decision, decide

_LOGGER = logging.getLogger(__name__)
_MAX_DECODING = 10

USABLE = frozenset({"startup", "running", "freeze"})
"""States in which requests are answered."""

BAD = re.compile(
    r"proc/self/environ"
    r"|(<|%3C).*script.*(>|%3E)"
    r"|(\.\.//?)+"
    r"|[a-z0-9_]=/([a-z0-9_.]//?)+"
    r"|union.*select.*\("
    r"|union.*all.*select"
    r"|concat.*\(",
    re.IGNORECASE,
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except Exception as error:
        if isinstance(error, ConnectionError) and is_gone(request):
            raise  # there is nobody to answer; `listen` knows what to do
        _LOGGER.exception("%s %s failed", request.method, request.rel_url.raw_path)
        if request.get(STREAMING):
            raise
        return web.Response(text="500: Internal Server Error", status=500)


@web.middleware
async def bad_requests(request: web.Request, handler: Handler) -> web.StreamResponse:
    if is_bad(request.raw_path.partition("?")[0]) or is_bad(request.query_string):
        _LOGGER.warning("A malicious request to %s was refused", request.rel_url.raw_path)
        raise web.HTTPBadRequest
    return await handler(request)


@web.middleware
async def system_state(request: web.Request, handler: Handler) -> web.StreamResponse:
    state = request.app[SERVICES].state()
    if state not in USABLE:
        return envelope.refused(f"System is not ready with state: {state}")
    return await handler(request)


@web.middleware
async def token(request: web.Request, handler: Handler) -> web.StreamResponse:
    given = token_of(request)
    caller = request.app[SERVICES].access.caller(given) if given else None
    decision = decide(request.path, caller, token=bool(given))
    raw = request.raw_path.partition("?")[0]
    if decision is Decision.ALLOWED and "%2f" in raw.lower():  # what was decoded must not grant more than the route
        decision = decide(raw, caller, token=bool(given))
    if decision is Decision.UNAUTHORIZED:
        raise web.HTTPUnauthorized
    if decision is Decision.FORBIDDEN:
        _LOGGER.warning("%s may not use %s", caller.name if caller else "An unknown token", request.rel_url.raw_path)
        raise web.HTTPForbidden
    request[CALLER] = caller
    return await handler(request)


MIDDLEWARES = (guard, bad_requests, system_state, token)


def token_of(request: web.Request) -> str | None:
    """`X-Supervisor-Token`, else `X-Hassio-Key`, else the last word of `Authorization`, whatever its scheme."""
    headers = request.headers
    for name in ("X-Supervisor-Token", "X-Hassio-Key"):
        if headers.get(name):
            return headers[name]
    words = headers.get("Authorization", "").split(" ")
    return words[-1] or None


@lru_cache(maxsize=512)
def is_bad(text: str) -> bool:
    """Whether only an attacker writes this. Remembered: clients ask for the same few paths all day."""
    return BAD.search(decoded(text)) is not None


def decoded(text: str) -> str:
    """Percent-decoded until nothing changes: `%252e` must not hide a dot."""
    for _ in range(_MAX_DECODING):
        plain = unquote(text)
        if plain == text:
            break
        text = plain
    return text
