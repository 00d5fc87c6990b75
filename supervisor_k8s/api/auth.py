"""Who may come in: what upstream's middlewares ask, in their order.

1. An exception nobody foresaw is logged once with its traceback and answered with a bare 500.
2. `refuse_bad`: paths and queries that only an attacker writes. 400.
3. `USABLE`: nothing is answered before start-up and during shutdown. 400 in the envelope.
4. `identify`: token to caller, and whether that caller may use this path. 401 and 403.

One middleware of aiohttp's asks all: each further one would cost as much as what is asked in it. It runs before a route
is looked for, so an unknown path without a token is a 401. Its refusals are aiohttp's plain texts, never the envelope;
clients tell the two apart (`supervisor-api` §1.2, §2.3).
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
from supervisor_k8s.model.access import Caller, Decision, decide
from supervisor_k8s.services.access import Access

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
async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        refuse_bad(request)
        services = request.app[SERVICES]
        state = services.state()
        if state not in USABLE:
            return envelope.refused(f"System is not ready with state: {state}")
        request[CALLER] = identify(request, services.access)
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


def refuse_bad(request: web.Request) -> None:
    """HTTPBadRequest for a path or a query that only an attacker writes."""
    path, asks, _ = request.raw_path.partition("?")
    if is_bad(path) or (asks and is_bad(request.query_string)):
        _LOGGER.warning("A malicious request to %s was refused", request.rel_url.raw_path)
        raise web.HTTPBadRequest


def identify(request: web.Request, access: Access) -> Caller | None:
    """Who asks, None where nobody in particular may. HTTPUnauthorized, HTTPForbidden."""
    given = token_of(request)
    caller = access.caller(given) if given else None
    decision, raw = decide(request.path, caller, token=bool(given)), request.raw_path
    if decision is Decision.ALLOWED and "%" in raw:  # what was decoded must not grant more than the route
        raw = raw.partition("?")[0]
        if "%2f" in raw.lower():
            decision = decide(raw, caller, token=bool(given))
    if decision is Decision.UNAUTHORIZED:
        raise web.HTTPUnauthorized
    if decision is Decision.FORBIDDEN:
        _LOGGER.warning("%s may not use %s", caller.name if caller else "An unknown token", request.rel_url.raw_path)
        raise web.HTTPForbidden
    return caller


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
