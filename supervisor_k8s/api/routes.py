"""A route as data, the call that its handler gets, and the one function that makes an aiohttp handler of both.

A handler takes a `Call` and returns the reply's `data` (or a response of its own). Reading the body, checking it and
turning errors into answers happens here, once.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

import voluptuous as vol
from aiohttp import web

from supervisor_k8s.api import envelope
from supervisor_k8s.api.keys import CALLER, SERVICES, Body, Services
from supervisor_k8s.errors import (
    ConflictError,
    ForbiddenError,
    GoneError,
    NotFoundError,
    RefusedError,
    SupervisorError,
    UnauthorizedError,
    UnknownError,
)
from supervisor_k8s.model.access import Caller, CallerKind

_LOGGER = logging.getLogger(__name__)
ASKED_FOR = (RefusedError, UnauthorizedError, ForbiddenError, NotFoundError, ConflictError, GoneError)
"""Errors that lie with the request: the client has them, our log need not. All others are logged here, once."""


@dataclass(slots=True)
class Call:
    """One request as a handler sees it. `body` is validated by the route's schema, empty without one.

    Not frozen, as one is made for each request and that takes three times as long then.
    """

    request: web.Request
    services: Services
    caller: Caller | None
    body: Body

    def part(self, name: str) -> str:
        """A variable part of the path."""
        return self.request.match_info[name]

    @property
    def addon(self) -> str:
        """The add-on the path names; `self` is the calling one."""
        slug = self.part("app")
        if slug != "self":
            return slug
        if self.caller is None or self.caller.slug is None:
            raise RefusedError("Self is not an App")
        return self.caller.slug

    def require_core(self) -> None:
        """Only Core's own token may go on; anybody else gets the 401 in plain text that upstream gives here."""
        if self.caller is None or self.caller.kind is not CallerKind.CORE:
            raise web.HTTPUnauthorized


Handler = Callable[[Call], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something that a client may ask for beside the path; `kind` is its type."""

    name: str
    place: Literal["query", "header"]
    kind: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """`schema` None means the body is not looked at here. `raw` is the content type of errors outside the envelope.

    The rest is for the description (`openapi`) alone. There the handler's return type is the answer's `data`.
    """

    method: str
    path: str
    handler: Handler
    schema: vol.Schema | None = None
    raw: str | None = None
    reads: vol.Schema | str | None = None
    """The body, where the handler reads it itself; a text is the content type of one that may be anything."""
    media: str | None = None
    """Content type of a success outside the envelope; `*/*` when everything but our refusals is somebody else's."""
    asks: tuple[Parameter, ...] = ()
    fails: tuple[int, ...] = ()
    """Statuses of errors that are not every route's."""


def get(path: str, handler: Handler, **more: Any) -> Route:
    return Route(method="GET", path=path, handler=handler, **more)


def post(path: str, handler: Handler, schema: dict[Any, Any] | vol.Schema | None = None, **more: Any) -> Route:
    """`schema` as plain dict refuses unknown keys, as upstream does; `{}` refuses every key."""
    return Route(method="POST", path=path, handler=handler, schema=_schema(schema), **more)


def delete(path: str, handler: Handler) -> Route:
    return Route(method="DELETE", path=path, handler=handler)


def served(route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The aiohttp handler of a route."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            body = {} if route.schema is None else envelope.validated(route.schema, await envelope.body(request))
            call = Call(request=request, services=request.app[SERVICES], caller=request[CALLER], body=body)
            answer = await route.handler(call)
        except SupervisorError as error:
            if isinstance(error, UnknownError):
                _LOGGER.exception("%s %s", request.method, request.rel_url.raw_path)
            elif not isinstance(error, ASKED_FOR):
                _LOGGER.error("%s %s: %s", request.method, request.rel_url.raw_path, envelope.words(error))  # noqa: TRY400
            job = getattr(error, "job", None)
            return envelope.failed_raw(error, route.raw) if route.raw else envelope.failed(error, job=job)
        return answer if isinstance(answer, web.StreamResponse) else envelope.ok(answer)

    return handle


def _schema(schema: dict[Any, Any] | vol.Schema | None) -> vol.Schema | None:
    return vol.Schema(schema) if isinstance(schema, dict) else schema
