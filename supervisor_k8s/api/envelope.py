"""What goes over the wire: the success envelope, the error envelope, the body of a request.

Home Assistant's contract (Supervisor 2026.08, aiohasupervisor 0.8.1 `models/base.py`): `data` is always there on
success and never on an error; nothing, `true` and an empty list are all `{}`; almost every refusal is a 400.
"""

import asyncio
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import PurePath
from typing import Any

import orjson
import voluptuous as vol
from aiohttp import web
from voluptuous.humanize import humanize_error

from supervisor_k8s.api.keys import BODY_WAIT
from supervisor_k8s.errors import (
    UNKNOWN,
    ConflictError,
    ForbiddenError,
    GoneError,
    NotFoundError,
    NotReadyError,
    RateLimitError,
    RefusedError,
    SupervisorError,
    UnauthorizedError,
    UnknownError,
)

SECRETS = frozenset({"password", "refresh_token", "options", "config"})
"""Keys of bodies whose values no answer repeats: they are secrets, or may have some in them."""

STATUS: tuple[tuple[type[SupervisorError], int], ...] = (
    (UnauthorizedError, 401),
    (ForbiddenError, 403),
    (NotFoundError, 404),
    (ConflictError, 409),
    (GoneError, 410),
    (RateLimitError, 429),
    (UnknownError, 500),
    (NotReadyError, 503),
    (SupervisorError, 400),
)
"""Kind of error to status; the first row that fits. What is not here is no error of ours and becomes a plain 500."""


def ok(data: Any = None) -> web.Response:
    """Status 200 with `data`; whatever is empty or no JSON container becomes `{}`."""
    shown = data if isinstance(data, (dict, list, tuple, orjson.Fragment, Mapping)) and data else {}
    return _json({"result": "ok", "data": shown}, 200)


def failed(error: SupervisorError, *, job: str | None = None) -> web.Response:
    """The error as JSON, with the keys by which clients translate it where it has any."""
    answer: dict[str, Any] = {"result": "error", "message": words(error)}
    if job:
        answer["job_id"] = job
    if error.error_key:
        answer["error_key"] = error.error_key
    if error.extra_fields:
        answer["extra_fields"] = error.extra_fields
    return _json(answer, status(error))


def failed_raw(error: SupervisorError, content_type: str) -> web.Response:
    """The error's words alone: routes that answer with text or an image do not use the envelope."""
    charset = "utf-8" if content_type.startswith("text/") else None
    return web.Response(body=words(error).encode(), status=status(error), content_type=content_type, charset=charset)


def refused(message: str, code: int = 400) -> web.Response:
    """An error without a class of its own."""
    return _json({"result": "error", "message": message}, code)


def status(error: SupervisorError) -> int:
    return next(code for kind, code in STATUS if isinstance(error, kind))


def words(error: BaseException) -> str:
    """The first text along the chain of causes."""
    current: BaseException | None = error
    while current is not None:
        if str(current):
            return str(current)
        current = current.__cause__ or current.__context__
    return UNKNOWN


async def content(request: web.Request) -> bytes:
    """The whole body of the request. RefusedError when it is not what its headers say; HTTPRequestTimeout."""
    try:
        async with asyncio.timeout(request.app[BODY_WAIT]):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except web.RequestPayloadError:
        raise RefusedError("The body cannot be read") from None


async def body(request: web.Request) -> Any:
    """The request's JSON, whatever its Content-Type says; an empty body is `{}`. RefusedError when it is no JSON."""
    given = await content(request)
    if not given.strip():
        return {}
    try:
        return orjson.loads(given)
    except orjson.JSONDecodeError:
        raise RefusedError("Invalid json") from None


def validated(schema: vol.Schema, value: Any, *, secret: bool = False) -> dict[str, Any]:
    """`value` as the schema makes it. RefusedError with one line for each fault, in voluptuous' own words; they quote
    the value that is wrong, unless it is a secret, or everything is.
    """
    try:
        result: dict[str, Any] = schema(value)
    except vol.Invalid as error:
        faults = error.errors if isinstance(error, vol.MultipleInvalid) else [error]
        raise RefusedError(
            "\n".join(sorted(str(fault) if secret else _explained(value, fault) for fault in faults))
        ) from None
    return result


def _explained(value: Any, fault: vol.Invalid) -> str:
    found = value
    for step in fault.path:
        found = found.get(step) if isinstance(found, Mapping) else None
    secret = not SECRETS.isdisjoint(fault.path) or _has_secret(found)
    return str(fault) if secret else humanize_error(value, fault)


def _has_secret(value: Any) -> bool:
    if isinstance(value, Mapping):
        return not SECRETS.isdisjoint(value) or any(_has_secret(item) for item in value.values())
    return isinstance(value, list) and any(_has_secret(item) for item in value)


def written(value: Any) -> orjson.Fragment:
    """A part of an answer, or its data, that is needed as it is more than once. Not for what may be empty."""
    return orjson.Fragment(_dumped(value))


def _json(value: Any, code: int) -> web.Response:
    return web.Response(body=_dumped(value), status=code, content_type="application/json", charset="utf-8")


def _dumped(value: Any) -> bytes:
    try:
        return orjson.dumps(value, default=_plain)
    except TypeError:  # keys that are numbers, as an add-on's options may have: slower by far, so only then
        return orjson.dumps(value, default=_plain, option=orjson.OPT_NON_STR_KEYS)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (AbstractSet, tuple)):
        return list(value)
    if isinstance(value, PurePath):
        return value.as_posix()
    raise TypeError(f"{type(value).__name__} cannot be shown as JSON")
