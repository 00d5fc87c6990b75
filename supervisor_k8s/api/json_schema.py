"""Two kinds of shapes, said as JSON Schema (2020-12, as OpenAPI 3.1 has it): voluptuous schemas, by which requests are
validated, and Python types, which say what is answered. Pure.

What cannot be said is a TypeError and not left out: a test describes every route.
"""

import functools
import types
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Literal, NotRequired, Required, Union, get_args, get_origin, get_type_hints, is_typeddict

import voluptuous as vol

type JsonSchema = dict[str, Any]

PLAIN: Mapping[Any, JsonSchema] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    dict: {"type": "object"},
    list: {"type": "array"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    object: {},
    Any: {},
}
NOTHING: JsonSchema = {"type": "object", "maxProperties": 0}


def only(properties: Mapping[str, JsonSchema], *, optional: Sequence[str] = ()) -> JsonSchema:
    """An object with these properties and no others."""
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": dict(properties),
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }


def one_of(shapes: Sequence[JsonSchema]) -> JsonSchema:
    return shapes[0] if len(shapes) == 1 else {"anyOf": list(shapes)}


# --- requests ----------------------------------------------------------------------------------------------------


def of_voluptuous(node: Any) -> JsonSchema:
    """What a client should send. More is let through, because voluptuous makes booleans and numbers of texts as well.

    A function of ours is described by its return type and the first line of its docstring.
    """
    if isinstance(node, Mapping):
        return _mapping(node)
    if isinstance(node, list):
        return {"type": "array", "items": one_of([of_voluptuous(item) for item in node])}
    if isinstance(node, vol.Schema):
        return of_voluptuous(node.schema)
    if isinstance(node, type) or node is None:
        return PLAIN[node]
    if type(node) in _VALIDATORS:
        return _VALIDATORS[type(node)](node)
    if getattr(node, "__name__", "") == vol.Boolean.__name__:
        return PLAIN[bool]
    if isinstance(node, types.FunctionType) and "return" in node.__annotations__:
        return {**Types().schema(get_type_hints(node)["return"]), "description": _first_line(node)}
    raise TypeError(f"{node!r} cannot be said as JSON Schema")


def _mapping(node: Mapping[Any, Any]) -> JsonSchema:
    properties: dict[str, JsonSchema] = {}
    optional: list[str] = []
    patterns: dict[str, JsonSchema] = {}
    others: JsonSchema | bool = False
    for marker, value in node.items():
        key, shape = marker.schema if isinstance(marker, vol.Marker) else marker, of_voluptuous(value)
        if key is str:
            others = shape
        elif isinstance(key, vol.Match):
            patterns[key.pattern.pattern] = shape
        else:
            properties[key] = {**shape, **_default(marker)}
            if not isinstance(marker, vol.Required):
                optional.append(key)
    return {
        **only(properties, optional=optional),
        **({"patternProperties": patterns} if patterns else {}),
        "additionalProperties": others,
    }


def _default(marker: Any) -> JsonSchema:
    default = getattr(marker, "default", vol.UNDEFINED)
    return {} if isinstance(default, vol.Undefined) else {"default": default()}


def _all(node: vol.All) -> JsonSchema:
    return functools.reduce(lambda known, more: {**known, **of_voluptuous(more)}, node.validators, {})


def _range(node: vol.Range) -> JsonSchema:
    return _limits(minimum=node.min, maximum=node.max)


def _length(node: vol.Length) -> JsonSchema:
    """Of texts and lists: each keyword matters for its own type only."""
    return _limits(minLength=node.min, minItems=node.min, maxLength=node.max, maxItems=node.max)


def _limits(**limits: Any) -> JsonSchema:
    return {name: limit for name, limit in limits.items() if limit is not None}


_VALIDATORS: Mapping[type, Callable[[Any], JsonSchema]] = {
    vol.All: _all,
    vol.Any: lambda node: one_of([of_voluptuous(item) for item in node.validators]),
    vol.In: lambda node: {"enum": list(node.container)},
    vol.Coerce: lambda node: PLAIN[node.type],
    vol.Range: _range,
    vol.Length: _length,
    vol.Match: lambda node: {"type": "string", "pattern": node.pattern.pattern},
}


def _first_line(thing: Any) -> str:
    return str(thing.__doc__ or "").partition("\n")[0]


# --- answers -----------------------------------------------------------------------------------------------------


class Types:
    """Describes types. A `TypedDict` is described once, in `named`, and referred to by its name."""

    def __init__(self) -> None:
        self.named: dict[str, JsonSchema] = {}

    def schema(self, kind: Any) -> JsonSchema:
        if is_typeddict(kind):
            return self._reference(kind)
        origin, arguments = get_origin(kind), get_args(kind)
        if origin in (Required, NotRequired):
            return self.schema(arguments[0])
        if origin in (Union, types.UnionType):
            return one_of([self.schema(one) for one in arguments])
        if origin is Literal:
            return {"enum": list(arguments)}
        if origin in (list, Sequence):
            return {"type": "array", "items": self.schema(arguments[0])}
        if origin in (dict, Mapping):
            return {"type": "object", "additionalProperties": self.schema(arguments[1])}
        if isinstance(kind, type) and issubclass(kind, StrEnum):
            return {"enum": [one.value for one in kind]}
        if kind in PLAIN:
            return PLAIN[kind]
        raise TypeError(f"{kind!r} cannot be said as JSON Schema")

    def _reference(self, kind: Any) -> JsonSchema:
        name = kind.__name__
        if name not in self.named:
            self.named[name] = {}  # a job has jobs in it
            hints = get_type_hints(kind, include_extras=True)
            optional = [key for key in hints if key in kind.__optional_keys__]
            self.named[name] = only({key: self.schema(hint) for key, hint in hints.items()}, optional=optional)
            if kind.__doc__:
                self.named[name]["description"] = " ".join(kind.__doc__.split())
        return {"$ref": f"#/components/schemas/{name}"}


def of_value(value: Any) -> JsonSchema:
    """Of data that are always the same."""
    if isinstance(value, Mapping):
        return only({key: of_value(item) for key, item in value.items()}) if value else NOTHING
    if isinstance(value, list):
        return {"type": "array", "items": one_of([of_value(item) for item in value])} if value else _EMPTY_LIST
    return PLAIN[type(value)]


_EMPTY_LIST: JsonSchema = {"type": "array", "maxItems": 0}
