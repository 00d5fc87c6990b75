"""Requests to Home Assistant Core's API through the core-link, and connections of one's own to its websocket.

Core since 2026.4 knows us by its Unix socket, where the link leads: no token, and the websocket says `auth_ok` at once.
Older Core gave us a refresh token, which is traded for an access token that lives in memory only.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
import orjson
from yarl import URL

from supervisor_k8s.errors import CoreAnswerError, CoreUnreachableError, TookTooLongError
from supervisor_k8s.model.desired.link import CORE_PORT, NAME
from supervisor_k8s.remote.core_websocket import CoreWebsocket

REQUEST_WAIT = 30.0
"""Seconds for one request, unless the caller knows better."""
PUSH_WAIT = 10.0
FIRST_PAUSE = 1.0
STATE_PAUSE = 5.0
HEARTBEAT = 30.0
"""Seconds between pings: a link whose other end is gone is noticed within a minute."""
LARGEST_MESSAGE = 64 * 1024 * 1024
_TOKEN_MARGIN = 60.0
_UNAUTHORIZED = 401
_FIRST_ERROR = 400
_UP = "RUNNING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Where Core is now and how it knows us."""

    address: str
    """IPv4 of Core's pod."""
    by_token: bool = False
    """Core is older than the Unix socket: requests need an access token."""
    refresh_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CoreState:
    """Core's own word for how far it is (NOT_RUNNING, STARTING, RUNNING, STOPPING, FINAL_WRITE, STOPPED)."""

    state: str
    migrating: bool
    """An offline database migration is under way: Core answers, and must not be stopped."""

    @property
    def up(self) -> bool:
        return self.state == _UP or self.migrating


class CoreApi:
    """Client of Core's API. Used as `async with`, which owns its connections."""

    def __init__(
        self, *, door: Callable[[], Door | None], tls: Callable[[], ssl.SSLContext], port: int = CORE_PORT
    ) -> None:
        """`door` says where Core is, None when it has no address; asked at every request. `port` is the link's."""
        self._door = door
        self._tls = tls
        self._port = port
        self._http: aiohttp.ClientSession | None = None
        self._token: tuple[str, str, float] | None = None

    async def __aenter__(self) -> Self:
        # Add-ons keep connections to Core through us, so their number has no limit; their cookies are nobody else's.
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            json_serialize=lambda value: orjson.dumps(value).decode(),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def get(self, path: str, *, within: float = REQUEST_WAIT) -> Any:
        """JSON of `GET path` (with leading slash). CoreUnreachableError; CoreAnswerError for a status from 400 on."""
        return await self._json("GET", path, None, within)

    async def post(self, path: str, body: Any = None, *, within: float = REQUEST_WAIT) -> Any:
        return await self._json("POST", path, body, within)

    async def delete(self, path: str, body: Any = None, *, within: float = REQUEST_WAIT) -> Any:
        return await self._json("DELETE", path, body, within)

    @contextlib.asynccontextmanager
    async def request(
        self, method: str, path: str, *, within: float | None = REQUEST_WAIT, again: bool = True, **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Core's answer, whatever its status; `options` go to aiohttp. CoreUnreachableError without an answer.

        `path` is sent as it is, so its special characters must be quoted. `within` is in seconds for everything until
        the block ends, None without limit (event streams). `again` False: the body can be read once only, so a request
        that Core refuses for its token is not repeated.
        """
        door = self._known_door()
        timeout = aiohttp.ClientTimeout(total=within, sock_connect=PUSH_WAIT)
        try:
            options["timeout"] = timeout
            response = await self._send(door, method, path, options)
            if response.status == _UNAUTHORIZED and door.by_token:
                self._token = None
            if response.status == _UNAUTHORIZED and door.by_token and again:
                response.release()
                response = await self._send(door, method, path, options)
            async with response:
                yield response
        except TimeoutError as error:
            raise CoreUnreachableError(f"Home Assistant Core did not answer {path} within {within} s") from error
        except aiohttp.ClientError as error:
            raise CoreUnreachableError(f"Home Assistant Core cannot be reached: {_why(error)}") from error

    async def state(self) -> CoreState:
        """How far Core is."""
        answer = await self.get("/api/core/state", within=PUSH_WAIT)
        recorder = (answer.get("recorder_state") or {}) if isinstance(answer, Mapping) else None
        if not isinstance(recorder, Mapping):
            raise CoreAnswerError(request="GET /api/core/state", reason="no state is named")
        migrating = bool(recorder.get("migration_in_progress")) and not recorder.get("migration_is_live")
        return CoreState(state=str(answer.get("state")), migrating=migrating)

    async def components(self) -> Collection[str]:
        """What Core has loaded. CoreUnreachableError, CoreAnswerError."""
        answer = await self.get("/api/config", within=PUSH_WAIT)
        found = answer.get("components") if isinstance(answer, Mapping) else None
        if not isinstance(found, list):
            raise CoreAnswerError(request="GET /api/config", reason="no components are named")
        return found

    async def wait_up(self, *, within: float) -> None:
        """Return when Core is running (or migrating its database offline). TookTooLongError after `within` seconds."""
        pause = FIRST_PAUSE
        try:
            async with asyncio.timeout(within):
                while True:
                    with contextlib.suppress(CoreUnreachableError, CoreAnswerError):
                        if (await self.state()).up:
                            return
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, STATE_PAUSE)
        except TimeoutError:
            raise TookTooLongError(f"Home Assistant Core was not running after {within:.0f} s") from None

    async def push_discovery(self, uuid: str, addon: str, service: str) -> None:
        """Tell Core of a new or changed discovery message; it asks back for the content."""
        await self.post(f"/api/hassio_push/discovery/{uuid}", _message(uuid, addon, service), within=PUSH_WAIT)

    async def delete_discovery(self, uuid: str, addon: str, service: str) -> None:
        """Tell Core that a discovery message is gone; it looks for itself and removes what came of it."""
        await self.delete(f"/api/hassio_push/discovery/{uuid}", _message(uuid, addon, service), within=PUSH_WAIT)

    async def push_panel(self, slug: str, *, enabled: bool) -> None:
        """Have an add-on's panel shown or hidden. Core answers 500 for one that it shows already."""
        method = self.post if enabled else self.delete
        await method(f"/api/hassio_push/panel/{slug}", within=PUSH_WAIT)

    @contextlib.asynccontextmanager
    async def dial(self) -> AsyncIterator[CoreWebsocket]:
        """A websocket of its own, let in by Core. CoreUnreachableError, CoreAnswerError."""
        door = self._known_door()
        try:
            async with asyncio.timeout(REQUEST_WAIT):
                token = await self._access_token(door)
                raw = await self._session().ws_connect(
                    self._url(door, "/api/websocket"),
                    ssl=self._tls(),
                    server_hostname=NAME,
                    heartbeat=HEARTBEAT,
                    max_msg_size=LARGEST_MESSAGE,
                )
        except TimeoutError as error:
            raise CoreUnreachableError("Home Assistant Core did not open a websocket") from error
        except aiohttp.ClientError as error:
            raise CoreUnreachableError(f"Home Assistant Core cannot be reached: {_why(error)}") from error
        async with raw:
            websocket = CoreWebsocket(raw)
            try:
                async with asyncio.timeout(PUSH_WAIT):
                    await websocket.authenticate(token)
            except TimeoutError as error:
                raise CoreUnreachableError("Home Assistant Core did not greet us") from error
            except CoreAnswerError:
                self._token = None
                raise
            yield websocket

    # --- steps -----------------------------------------------------------------------------------------------

    async def _json(self, method: str, path: str, body: Any, within: float) -> Any:
        options = {} if body is None else {"json": body}
        async with self.request(method, path, within=within, **options) as response:
            content = await response.read()
            if response.status >= _FIRST_ERROR:
                reason = content.decode(errors="replace")[:500] or response.reason
                raise CoreAnswerError(request=f"{method} {path}", status=response.status, reason=reason)
            if not content or response.content_type != "application/json":
                return None
            try:
                return orjson.loads(content)
            except orjson.JSONDecodeError as error:
                request = f"{method} {path}"
                raise CoreAnswerError(request=request, status=response.status, reason="no JSON") from error

    async def _send(self, door: Door, method: str, path: str, options: Mapping[str, Any]) -> aiohttp.ClientResponse:
        headers = dict(options.get("headers") or {})
        if token := await self._access_token(door):
            headers["Authorization"] = f"Bearer {token}"
        return await self._session().request(
            method,
            self._url(door, path),
            **{**options, "headers": headers, "ssl": self._tls(), "server_hostname": NAME},
        )

    async def _access_token(self, door: Door) -> str | None:
        """The access token where Core wants one. Kept in memory until shortly before it ends."""
        if not door.by_token:
            return None
        if door.refresh_token is None:
            raise CoreUnreachableError("Home Assistant Core has not given us a token yet")
        now = asyncio.get_running_loop().time()
        if self._token is not None and self._token[0] == door.refresh_token and now < self._token[2]:
            return self._token[1]
        form = {"grant_type": "refresh_token", "refresh_token": door.refresh_token}
        async with self._session().post(
            self._url(door, "/auth/token"),
            data=form,
            ssl=self._tls(),
            server_hostname=NAME,
            timeout=aiohttp.ClientTimeout(total=REQUEST_WAIT),
        ) as response:
            if response.status >= _FIRST_ERROR:
                raise CoreAnswerError(request="the token", status=response.status, reason="it does not know ours")
            content = await response.read()
        try:
            answer = orjson.loads(content)
            token, lasts = str(answer["access_token"]), float(answer["expires_in"])
        except (ValueError, TypeError, KeyError) as error:
            raise CoreAnswerError(request="the token", status=response.status, reason="no token") from error
        self._token = (door.refresh_token, token, now + max(lasts - _TOKEN_MARGIN, 0.0))
        return token

    def _known_door(self) -> Door:
        door = self._door()
        if door is None:
            raise CoreUnreachableError("Home Assistant Core has no address: it is not running")
        return door

    def _url(self, door: Door, path: str) -> URL:
        return URL(f"https://{door.address}:{self._port}{path}", encoded=True)

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            raise CoreUnreachableError("The connection to Home Assistant Core is closed")
        return self._http


def _message(uuid: str, addon: str, service: str) -> dict[str, str]:
    return {"addon": addon, "service": service, "uuid": uuid}


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__
