"""Holds answers that tests get against our own description of the API (`/openapi.json`).

A client session with `as_described` looks at every JSON answer of ours on its way to the test: that the description
knows its status, and that it has exactly the shape that is described.
"""

import json
import re
from functools import cache
from typing import Any

import aiohttp
import jsonschema_rs

from supervisor_k8s.api.app import all_routes
from supervisor_k8s.api.openapi import described

VERSION = "2026.11.0"
PLACE = "urn:openapi"


@cache
def document() -> dict[str, Any]:
    return described(all_routes(), VERSION)


@cache
def _operations() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """Fixed paths first, as the router has them."""
    pattern = {path: re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)) for path in document()["paths"]}
    paths = sorted(pattern, key=lambda path: ["{" in part for part in path.split("/")])
    return [(re.compile(pattern[path]), document()["paths"][path]) for path in paths]


@cache
def operation(method: str, path: str) -> dict[str, Any] | None:
    """None for what no route of ours answers, and for HEAD."""
    found = (
        operations[method.lower()]
        for pattern, operations in _operations()
        if pattern.fullmatch(path) and method.lower() in operations
    )
    return next(found, None)


def misfits(method: str, path: str, status: int, answer: Any) -> list[str]:
    """What is not as described in a JSON answer to an operation that is."""
    known = operation(method, path)
    assert known is not None
    if str(status) not in known["responses"]:
        return [f"{method} {path} is not said to answer {status}"]
    errors = _validator(known["operationId"], status).iter_errors(answer)
    return [f"{method} {path}: {error.message} at {error.instance_path}" for error in errors]


@cache
def _validator(name: str, status: int) -> Any:
    operations = (one for methods in document()["paths"].values() for one in methods.values())
    known = next(one for one in operations if one["operationId"] == name)
    response = known["responses"][str(status)]
    response = document()["components"]["responses"].get(response.get("$ref", "").rpartition("/")[2], response)
    shape = response["content"].get("application/json", {"schema": False})["schema"]
    text = json.dumps(shape).replace('"$ref": "#/', f'"$ref": "{PLACE}#/')
    return jsonschema_rs.Draft202012Validator(json.loads(text), registry=_registry())


@cache
def _registry() -> Any:
    """The whole document, read once for all validators: each takes from it what it refers to."""
    return jsonschema_rs.Registry([(PLACE, document())])


async def as_described(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Middleware of a client session."""
    reply = await handler(request)
    known = operation(request.method, request.url.raw_path)
    if reply.content_type == "application/json" and known is not None and "default" not in known["responses"]:
        found = misfits(request.method, request.url.raw_path, reply.status, await reply.json())
        assert found == [], found
    return reply
