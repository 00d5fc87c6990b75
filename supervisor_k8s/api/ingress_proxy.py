"""`/ingress/{token}/…`: the pages of add-ons, through Core, in people's browsers.

The path is open to the middleware because its rules are its own: the cookie of an ingress session, then the add-on's
ingress token. Path and query go on as they came, redirects too, and there is no limit in time. Which headers are left
out and which are added is contract, because add-ons sign people in by them (`supervisor-api` §7). Bodies go through
piece by piece.
"""

import logging
from collections.abc import AsyncIterator, Iterable, Mapping

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

from supervisor_k8s.api.keys import STREAMING
from supervisor_k8s.api.relay import copy_body, relay
from supervisor_k8s.api.routes import Call, Route
from supervisor_k8s.api.streams import until_gone
from supervisor_k8s.errors import IngressSessionError
from supervisor_k8s.model.ingress import Session, user_headers
from supervisor_k8s.services.ingress_doors import Door

_LOGGER = logging.getLogger(__name__)
COOKIE = "ingress_session"
CONNECT_WAIT = 10.0
"""Seconds until an add-on must have taken the connection. What it does after that takes as long as it takes."""
SMALL = 64 * 1024
"""Bytes of an answer that goes on in one piece, for which one packet does where two were needed."""
SHORT = 4_194_000
"""Bytes of an answer from which on proxies in front of us are told not to gather it."""
LARGEST_MESSAGE = 16 * 1024 * 1024
"""Bytes of one websocket message."""
AHEAD = 256 * 1024
"""Bytes of an answer that are read before the browser takes them; at twice as many the add-on has to wait."""
FAREWELL_WAIT = 1.0
"""Seconds for a side to answer our closing."""

_OWN_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"}
)
"""Headers about one connection only; the next one has its own."""
LEFT_OUT = _OWN_HOP | {
    "content-length", "content-encoding", "sec-websocket-extensions", "sec-websocket-protocol",
    "sec-websocket-version", "sec-websocket-key", "x-supervisor-token", "x-hassio-key", "x-remote-user-id",
    "x-remote-user-name", "x-remote-user-display-name", "x-forwarded-for",
}  # fmt: skip
"""What an add-on does not get from the browser: our own tokens, and what it believes about who is there."""
KEPT_BACK = _OWN_HOP | {"content-length", "content-type", "content-encoding"}
"""What the browser does not get from the add-on as it is."""
EMPTY_STATUS = frozenset({204, 304})

type Body = aiohttp.StreamReader | bytes | None

PAGES: web.AppKey[aiohttp.ClientSession] = web.AppKey("PAGES", aiohttp.ClientSession)
"""Connections to add-ons' pages."""


async def connections(app: web.Application) -> AsyncIterator[None]:
    """Owns the connections while the application lives. Cookies are the browsers' own."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_WAIT)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=timeout,
        read_bufsize=AHEAD,
        skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
    ) as session:
        app[PAGES] = session
        yield


async def page(call: Call) -> web.StreamResponse:
    """401 without a session, 503 for an unknown token, 502 when the add-on does not answer. All in plain text."""
    session = await _session(call)
    slug = call.services.ingress.addon(call.part("token"))
    if slug is None:
        raise web.HTTPServiceUnavailable
    request, door = call.request, call.services.ingress_doors.of(slug)
    if door is None:
        _LOGGER.warning("Somebody wants the page of add-on %s, which does not run", slug)
        raise web.HTTPBadGateway
    headers = request_headers(request, session)
    if _wants_websocket(request):
        answer = await until_gone(request, _websocket(request, door, headers, slug))
    else:
        body = await _body(call, headers, slug) if request.can_read_body else None
        answer = await until_gone(request, _forward(request, door, headers, body, slug))
    if answer is not None:
        return answer
    if request.get(STREAMING):
        raise ConnectionAbortedError
    raise web.HTTPBadGateway


async def _session(call: Call) -> Session:
    try:
        return await call.services.ingress.use_session(call.request.cookies.get(COOKIE, ""))
    except IngressSessionError:
        raise web.HTTPUnauthorized from None


def _target(request: web.Request, door: Door) -> URL:
    """Path and query below the token, quoted as they came."""
    *_, path = request.rel_url.raw_path.split("/", 3)
    query = request.rel_url.raw_query_string
    return URL(f"{door.base}/{path}{'?' if query else ''}{query}", encoded=True)


def request_headers(request: web.Request, session: Session) -> CIMultiDict[str]:
    """What the add-on gets: the browser's headers, who the session belongs to, and who came here."""
    headers = CIMultiDict(user_headers(session))
    for name, value in _without(LEFT_OUT, request.headers.items()):
        headers.add(name, value)
    peer = request.transport.get_extra_info("peername") if request.transport else None
    way = [*request.headers.getall("X-Forwarded-For", ()), *(peer[:1] if peer else ())]
    if way:
        headers["X-Forwarded-For"] = ", ".join(way)
    return headers


def _without(left_out: frozenset[str], headers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """An underscore is no way around: many programs read `X_Remote_User_Id` as the header with dashes."""
    return ((name, value) for name, value in headers if name.lower().replace("_", "-") not in left_out)


def _wants_websocket(request: web.Request) -> bool:
    headers = request.headers
    return "upgrade" in headers.get("Connection", "").lower() and headers.get("Upgrade", "").lower() == "websocket"


# --- requests -----------------------------------------------------------------------------------------------------


async def _forward(
    request: web.Request, door: Door, headers: Mapping[str, str], body: Body, slug: str
) -> web.StreamResponse | None:
    """The add-on's answer, None without one."""
    try:
        async with request.app[PAGES].request(
            request.method,
            _target(request, door),
            headers=headers,
            data=body,
            allow_redirects=False,
            ssl=door.tls or True,
            server_hostname=door.name,
        ) as reply:
            return await _answer(request, reply)
    except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
        _LOGGER.warning("The page of add-on %s does not answer: %s", slug, error)
        return None


async def _body(call: Call, headers: CIMultiDict[str], slug: str) -> Body:
    """What is sent on. Of a body whose length is not said many add-ons' servers make nothing: it is gathered first,
    unless the manifest says `ingress_stream`. 413 when it is too large for that.
    """
    request = call.request
    if request.content_length is not None:
        headers["Content-Length"] = str(request.content_length)
        return request.content
    if request.method == "POST" and call.services.addons.config(slug).ingress_stream:
        return request.content
    try:
        return await request.read()
    except web.RequestPayloadError:
        raise web.HTTPBadRequest from None


async def _answer(request: web.Request, reply: aiohttp.ClientResponse) -> web.StreamResponse:
    """Pass the answer on. One that breaks off breaks off here too: half of it must not look whole."""
    headers = CIMultiDict(_without(KEPT_BACK, reply.headers.items()))
    empty = request.method == "HEAD" or reply.status in EMPTY_STATUS
    given = reply.headers.get("Content-Type", "").partition(";")[0].strip()
    if given or not empty:
        headers["Content-Type"] = given or "application/octet-stream"
    length = None if "Content-Encoding" in reply.headers else reply.content_length
    if not empty and length is not None and length <= SMALL:
        return web.Response(status=reply.status, headers=headers, body=await reply.read())
    response = web.StreamResponse(status=reply.status, headers=headers)
    if length is not None:
        response.content_length = length
    if not empty and (length is None or length >= SHORT):
        response.headers["X-Accel-Buffering"] = "no"
    request[STREAMING] = True
    await response.prepare(request)
    if not empty and not await copy_body(reply, response) and request.transport is not None:
        request.transport.abort()
    return response


# --- websockets ---------------------------------------------------------------------------------------------------


async def _websocket(
    request: web.Request, door: Door, headers: Mapping[str, str], slug: str
) -> web.StreamResponse | None:
    """Messages both ways until a side ends; pings are the two sides' own affair. None when the add-on does not take it,
    which is seen before the browser is told anything.
    """
    offered = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",") if name.strip()]
    try:
        async with request.app[PAGES].ws_connect(
            _target(request, door),
            headers=headers,
            ssl=door.tls or True,
            server_hostname=door.name,
            protocols=offered,
            autoping=False,
            max_msg_size=LARGEST_MESSAGE,
            timeout=aiohttp.ClientWSTimeout(ws_close=FAREWELL_WAIT),
        ) as addon:
            browser = web.WebSocketResponse(
                protocols=[addon.protocol] if addon.protocol else (),
                autoping=False,
                compress=False,
                timeout=FAREWELL_WAIT,
                max_msg_size=LARGEST_MESSAGE,
            )
            await browser.prepare(request)
            request[STREAMING] = True
            await relay(browser, addon)
            return browser
    except (aiohttp.ClientError, ConnectionError, TimeoutError) as error:
        _LOGGER.warning("A websocket of add-on %s failed: %s", slug, error)
        return None


ROUTES: tuple[Route, ...] = (Route(method="*", path="/ingress/{token}/{path:.*}", handler=page, media="*/*"),)
