"""`/openapi.json`: what can be asked here and what is answered, made of the routes themselves.

Requests are described by the schemas that validate them, answers by the return types of the handlers or the table of
what is absent, who needs a token by the rules of access. Nothing is said a second time for this description; it is
made when the first administrator asks for it.
"""

import functools
import re
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson
import voluptuous as vol
from aiohttp import web

from supervisor_k8s.api import absent
from supervisor_k8s.api.absent import Absent
from supervisor_k8s.api.json_schema import NOTHING, PLAIN, JsonSchema, Types, of_value, of_voluptuous, one_of, only
from supervisor_k8s.api.routes import Call, Route, get
from supervisor_k8s.model.access import Decision, decide

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
"""What a route for every method stands for."""
JSON, TEXT, ANYTHING = "application/json", "text/plain", "*/*"
EVERYWHERE = (400, 401, 403)
ENVELOPED = frozenset({400, 401, 403, 404, 409, 410, 429, 500, 503})
BARE = frozenset({400, 401, 403, 404, 408, 413, 502})
"""Statuses with a line of text, given before there is a handler or by one that is a gate to somebody else."""
NOT_NOW = 503
PART = re.compile(r"\{(\w+)(?::[^}]*)?\}")
PARTS: Mapping[str, str] = {
    "app": "Slug of an add-on; `self` is the calling one where the path begins with `/addons`.",
    "bootid": "0 is the present start, -1 the one before it.",
    "path": "All the rest of the path, with its slashes.",
}
ABOUT = """The API of Home Assistant's Supervisor, served by the Supervisor for Kubernetes.

Every GET answers HEAD as well. A token goes into `Authorization: Bearer …` or `X-Supervisor-Token`. Data that are empty
are always `{}`. A body is read as JSON whatever its Content-Type says, and an empty one is `{}`."""


def own_route(routes: Callable[[], Iterable[Route]]) -> Route:
    """The route of the description of `routes`, which it is one of itself."""

    @functools.cache
    def written(version: str) -> bytes:
        return orjson.dumps(described(routes(), version))

    async def show(call: Call) -> web.Response:
        return web.Response(body=written(call.services.version), content_type=JSON)

    return get("/openapi.json", show, media=JSON)


def described(routes: Iterable[Route], version: str) -> dict[str, Any]:
    """The whole document. TypeError for a route that does not say what it takes or answers."""
    rows, answers = {(row.method, row.path): row for row in absent.TABLE}, Types()
    paths: dict[str, dict[str, Any]] = {}
    for route in sorted(routes, key=lambda route: (route.path, route.method)):
        path = PART.sub(r"{\1}", route.path)
        for method in METHODS if route.method == "*" else (route.method,):
            row = rows.get((route.method, route.path))
            paths.setdefault(path, {})[method.lower()] = _operation(route, method, path, row, answers)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Supervisor", "version": version, "description": ABOUT},
        "servers": [{"url": "http://supervisor"}],
        "security": [{"bearer": []}, {"header": []}],
        "paths": paths,
        "components": {
            "schemas": {**answers.named, "Error": _ERROR},
            "responses": {_name(status): _refusal(status, _kinds(status)) for status in sorted(ENVELOPED | BARE)},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-Supervisor-Token"},
            },
        },
    }


_ERROR: JsonSchema = only(
    {
        "result": {"const": "error"},
        "message": PLAIN[str],
        "job_id": PLAIN[str],
        "error_key": PLAIN[str],
        "extra_fields": {"type": "object", "description": "What the words of `error_key` are filled with."},
    },
    optional=("job_id", "error_key", "extra_fields"),
)


def _operation(route: Route, method: str, path: str, row: Absent | None, answers: Types) -> dict[str, Any]:
    parts: list[dict[str, Any]] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": PLAIN[str],
            **({"description": PARTS[name]} if name in PARTS else {}),
        }
        for name in PART.findall(route.path)
    ]
    asked: list[dict[str, Any]] = [
        {"name": asked.name, "in": asked.place, "schema": answers.schema(asked.kind)} for asked in route.asks
    ]
    body = route.schema or route.reads
    is_open = decide(PART.sub("x", route.path), None, token=False) is Decision.ALLOWED
    return {
        "operationId": "_".join([method.lower(), *re.findall(r"\w+", path.replace("-", "_"))]),
        "tags": [path.split("/")[1]],
        **({"parameters": [*parts, *asked]} if parts or asked else {}),
        **({} if body is None else {"requestBody": _body(body)}),
        "responses": _responses(route, row, answers),
        **({"security": []} if is_open else {}),
    }


def _body(content: vol.Schema | str) -> dict[str, Any]:
    if isinstance(content, str):
        return {"content": {content: {}}}
    shape = of_voluptuous(content)
    return {"required": "required" in shape, "content": {JSON: {"schema": shape}}}


def _responses(route: Route, row: Absent | None, answers: Types) -> dict[str, Any]:
    if route.media == ANYTHING:
        return {"default": {"description": "Another program's answer, or ours", "content": {ANYTHING: {}}}}
    errors = {*EVERYWHERE, *route.fails}
    if PART.search(route.path):
        errors.add(404)
    if route.schema or route.reads:
        errors |= {408, 413}
    if row is None:
        errors.add(NOT_NOW)
    elif row.refusal is not None:
        errors.add(row.status)
    text = TEXT if row is not None and row.text else route.raw
    return {
        **_success(route, row, answers),
        **{str(status): _error(status, text) for status in sorted(errors)},
    }


def _success(route: Route, row: Absent | None, answers: Types) -> dict[str, Any]:
    if row is not None:
        return {} if row.refusal is not None else {"200": _content("OK", {JSON: _enveloped(of_value(row.data))})}
    kind = get_type_hints(route.handler).get("return", Any)
    if kind is web.WebSocketResponse:
        return {"101": {"description": "A websocket"}}
    media = route.media or route.raw
    if media is not None:
        return {"200": _content("OK", {media: {} if media == JSON else PLAIN[str]})}
    if kind is Any:
        raise TypeError(f"{route.method} {route.path}: the handler's return type does not say what it answers")
    return {"200": _content("OK", {JSON: _enveloped(_data(kind, answers))})}


def _data(kind: Any, answers: Types) -> JsonSchema:
    """What is empty is an empty object, whatever it is empty of (`envelope.ok`)."""
    if kind is NoneType:
        return NOTHING
    if get_origin(kind) in (Union, UnionType):
        return one_of([_data(one, answers) for one in get_args(kind)])
    shape = answers.schema(kind)
    return one_of([{**shape, "minItems": 1}, NOTHING]) if shape.get("type") == "array" else shape


def _enveloped(data: JsonSchema) -> JsonSchema:
    return only({"result": {"const": "ok"}, "data": data})


def _error(status: int, raw: str | None) -> dict[str, Any]:
    """`raw` is the type of the route's own errors where they are no envelopes."""
    if raw is None:
        return {"$ref": f"#/components/responses/{_name(status)}"}
    return _refusal(status, (*_kinds(status), raw))


def _kinds(status: int) -> tuple[str, ...]:
    return (*((JSON,) if status in ENVELOPED else ()), *((TEXT,) if status in BARE else ()))


def _refusal(status: int, kinds: Iterable[str]) -> dict[str, Any]:
    shapes = {kind: {"$ref": "#/components/schemas/Error"} if kind == JSON else PLAIN[str] for kind in kinds}
    return _content(HTTPStatus(status).phrase, shapes)


def _content(description: str, shapes: Mapping[str, JsonSchema]) -> dict[str, Any]:
    return {"description": description, "content": {kind: {"schema": shape} for kind, shape in shapes.items()}}


def _name(status: int) -> str:
    return HTTPStatus(status).phrase.replace(" ", "")
