"""`/openapi.json`: every route, and what it really answers.

That real answers are as described is held all over this tier: `tests/described.py` looks at each of them.
"""

import re
from typing import Any

import jsonschema_rs
import pytest
import voluptuous as vol

from supervisor_k8s.api.app import all_routes, create_app
from supervisor_k8s.api.json_schema import Types, of_voluptuous
from supervisor_k8s.api.openapi import METHODS, described
from supervisor_k8s.api.routes import Call, get
from tests.contract.house import CLI_TOKEN, Home
from tests.described import document, misfits

REFERENCE = "#/components/"


async def test_what_the_router_serves_is_described_and_nothing_else(home: Home) -> None:
    """Path by path and method by method; HEAD is every GET's."""
    router = create_app(home.house.services).router
    served = {
        (method, resource.canonical)
        for resource in router.resources()
        for route in resource
        for method in (METHODS if route.method == "*" else (route.method,))
    }
    answer = await home.raw("GET", "/openapi.json", token=CLI_TOKEN)
    known = {(method.upper(), path) for path, methods in answer.json["paths"].items() for method in methods}
    assert known | {("HEAD", path) for method, path in known if method == "GET"} == served
    assert (answer.status, answer.content_type) == (200, "application/json")


async def test_only_administrators_may_read_it(home: Home) -> None:
    """It names what only they may do."""
    await home.install("core_panel", start=True)
    assert (await home.raw("GET", "/openapi.json", token=home.addon_token("core_panel"))).status == 403
    assert (await home.raw("GET", "/openapi.json", token=None)).status == 401


def test_every_reference_leads_somewhere_and_every_name_is_used() -> None:
    """Shapes that answers share are described once."""
    used = set(re.findall(rf"{REFERENCE}(\w+/\w+)", str(document())))
    there = {f"{kind}/{name}" for kind in ("schemas", "responses") for name in document()["components"][kind]}
    assert used == there


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [one["operationId"] for methods in document()["paths"].values() for one in methods.values()]
    assert len(names) == len(set(names)) > 246


def test_every_json_answer_has_a_shape() -> None:
    """Whatever answers JSON says what is in it, but the description itself."""
    shapeless = [
        (path, status)
        for path, methods in document()["paths"].items()
        for one in methods.values()
        for status, answer in one["responses"].items()
        if answer.get("content", {}).get("application/json", {"schema": True})["schema"] == {}
    ]
    assert shapeless == [("/openapi.json", "200")]


def test_a_request_is_described_by_what_validates_it() -> None:
    """Names, types, limits, defaults, what must be there, and that there may be nothing else."""
    operations = document()["paths"]
    (body,) = operations["/core/options"]["post"]["requestBody"]["content"].values()
    assert body["schema"]["properties"]["port"] == {"type": "integer", "minimum": 1, "maximum": 65535}
    assert body["schema"]["properties"]["audio_input"] == {"anyOf": [{"type": "null"}, {"type": "string"}]}
    assert body["schema"]["additionalProperties"] is False
    (body,) = operations["/store/repositories"]["post"]["requestBody"]["content"].values()
    assert body["schema"]["required"] == ["repository"]
    (body,) = operations["/core/restart"]["post"]["requestBody"]["content"].values()
    assert body["schema"]["properties"]["force"] == {"type": "boolean", "default": False}
    assert operations["/supervisor/ping"]["get"]["security"] == []
    assert "security" not in operations["/supervisor/info"]["get"]


def test_every_body_can_be_written_as_described() -> None:
    """What is described is valid JSON Schema, patterns included."""
    for methods in document()["paths"].values():
        for operation in methods.values():
            for content in operation.get("requestBody", {"content": {}})["content"].values():
                jsonschema_rs.Draft202012Validator(content.get("schema", True))


def test_a_wrong_answer_is_noticed() -> None:
    """A key too many, one too few, another type, a status nobody was told of."""
    session: dict[str, Any] = {"session": "abc"}
    path = "/ingress/session"
    assert misfits("POST", path, 200, {"result": "ok", "data": session}) == []
    assert misfits("POST", path, 200, {"result": "ok", "data": {}})
    assert misfits("POST", path, 200, {"result": "ok", "data": {"session": 5}})
    assert misfits("POST", path, 200, {"result": "ok", "data": {**session, "more": 1}})
    assert misfits("POST", path, 418, {"result": "error", "message": "No"})
    assert misfits("POST", path, 400, {"result": "error", "message": "No", "data": {}})


async def _silent(_call: Call) -> Any:
    return {}


def test_what_cannot_be_described_is_an_error() -> None:
    """A new route that does not say what it answers, a new kind of check, a type without a shape."""
    with pytest.raises(TypeError, match="GET /new: the handler's return type does not say"):
        described([*all_routes(), get("/new", _silent)], "1")
    with pytest.raises(TypeError, match="cannot be said"):
        of_voluptuous(vol.Email())
    with pytest.raises(TypeError, match="cannot be said"):
        Types().schema(complex)
