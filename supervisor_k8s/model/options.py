"""The language in which add-ons describe their options: grammar, validation, and the form the frontend draws. Pure.

A schema maps names to elements: a type word with an optional `?`, a list of one element, or a mapping of elements.
Behaviour is that of Supervisor 2026.08, oddities included: programs were written against it. Reasons name the option
and what is expected, never the value, which may be a password.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import voluptuous as vol

from supervisor_k8s.errors import AddonOptionsInvalidError
from supervisor_k8s.model.allowance import NO_GRANTS, Grants
from supervisor_k8s.model.plain import NUMBERS

type Schema = Mapping[str, Any]

DEEPEST = 100
"""Levels of mappings and lists in options, also in what no schema knows: our files could not hold many more."""
SECRET = "!secret "  # noqa: S105 - the marker of a reference, no secret

_ARGUMENTS = {
    "": "",
    "bool": "",
    "email": "",
    "url": "",
    "port": "",
    "device": r"(?:\(subsystem=[a-z]+\))?",
    "str": r"(?:\((?P<low>\d+)?,(?P<high>\d+)?\))?",
    "password": r"(?:\((?P<low>\d+)?,(?P<high>\d+)?\))?",
    "int": r"(?:\((?P<low>-?\d+)?,(?P<high>-?\d+)?\))?",
    "float": r"(?:\((?P<low>-?\d*\.?\d+)?,(?P<high>-?\d*\.?\d+)?\))?",
    "match": r"\((?P<text>.*)\)",
    "list": r"\((?P<text>.+)\)",
}
_GRAMMAR = {kind: re.compile(kind + arguments) for kind, arguments in _ARGUMENTS.items()}


@dataclass(frozen=True, slots=True)
class Element:
    """One type word, read. `low` and `high` limit a text's length or a number; `text` is the pattern or the choices."""

    kind: str
    optional: bool = False
    low: float | None = None
    high: float | None = None
    text: str = ""

    @property
    def choices(self) -> list[str]:
        return self.text.split("|")


class _MisfitError(ValueError):
    """An option does not fit; the text says which and why."""


def parse(word: str) -> Element | None:
    """Read a type word such as `int(1,65535)?`; None when it is not of the language.

    The empty word (and a lone `?`) belongs to the language, but no value fits it. A line end after the word, which
    YAML's folded texts leave, is no part of it.
    """
    body = word.removesuffix("\n").removesuffix("?")
    for kind, grammar in _GRAMMAR.items():
        if match := grammar.fullmatch(body):
            found = match.groupdict()
            return Element(
                kind,
                optional=word.endswith("?"),
                low=float(found["low"]) if found.get("low") else None,
                high=float(found["high"]) if found.get("high") else None,
                text=found.get("text") or "",
            )
    return None


def merge(defaults: Mapping[str, Any], chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The user's options over the manifest's: mappings key by key, everything else (lists too) replaced."""
    merged = dict(defaults)
    for key, value in chosen.items():
        default = merged.get(key)
        deeper = isinstance(default, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(default or {}, value) if deeper else value
    return merged


@dataclass(frozen=True, slots=True)
class Secrets:
    """What `!secret` refers to."""

    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    trouble: str = ""
    """Why there are none, where there should be some."""


def validate(
    schema: Schema | None, options: Mapping[str, Any], *, secrets: Secrets, app: str, given: Grants = NO_GRANTS
) -> dict[str, Any]:
    """Options as the add-on gets them: coerced, `!secret` filled in, unknown keys dropped (also inside mappings).

    `schema` None (`schema: false`) knows no option, so none remains; `given` are the devices that it may name.
    AddonOptionsInvalidError says what is wrong.
    """
    try:
        _refuse_deeper(options, DEEPEST)
        return _mapping(schema or {}, options, _Known(secrets, given), None)
    except _MisfitError as error:
        raise AddonOptionsInvalidError(app=app, validation_error=str(error)) from None


def unknown(schema: Schema, options: Mapping[str, Any], parent: str = "") -> Iterator[str]:
    """Names of options that the schema does not know, also inside mappings (`parent.name`), as often as they stand
    there: `validate` drops them.
    """
    for key, value in options.items():
        name = f"{parent}.{key}" if parent else str(key)
        if key in schema:
            yield from _unknown(schema[key], value, name)
        else:
            yield name


def _unknown(element: Any, value: Any, name: str) -> Iterator[str]:
    if isinstance(element, Mapping) and isinstance(value, Mapping):
        yield from unknown(element, value, name)
    elif isinstance(element, list) and element and isinstance(value, list):
        for item in value:
            yield from _unknown(element[0], item, name)


@dataclass(frozen=True, slots=True)
class _Known:
    """What values are held against."""

    secrets: Secrets
    given: Grants


def _refuse_deeper(value: Any, levels: int) -> None:
    """More levels of mappings and lists than these are too many."""
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else None
    if inner is not None and not levels:
        raise _MisfitError(f"The options are nested deeper than {DEEPEST} levels")
    for item in inner or ():
        _refuse_deeper(item, levels - 1)


def passwords(schema: Schema | None, options: Mapping[str, Any]) -> frozenset[str]:
    """The values of type `password` in validated options."""
    return frozenset(found for name, value in options.items() for found in _passwords((schema or {})[name], value))


def wants_password(element: Any) -> bool:
    """Whether a schema, or a part of one, has an option of type `password`."""
    if isinstance(element, Mapping):
        return any(map(wants_password, element.values()))
    if isinstance(element, list):
        return any(map(wants_password, element))
    return isinstance(element, str) and element.startswith("password")


def _passwords(element: Any, value: Any) -> Iterator[str]:
    if isinstance(element, Mapping):
        for name, inner in value.items():
            yield from _passwords(element[name], inner)
    elif isinstance(element, list):
        for item in value:
            yield from _passwords(element[0], item)
    elif value and (word := parse(element)) and word.kind == "password":
        yield value


def ui_schema(schema: Schema | None, given: Grants = NO_GRANTS) -> list[dict[str, Any]] | None:
    """The form of the options as the frontend reads it, with the devices to choose from; None for `schema: false`."""
    if schema is None:
        return None
    return [node for name, element in schema.items() for node in _form(name, element, given)]


# --- validation --------------------------------------------------------------------------------------------------


def _mapping(schema: Schema, given: Any, known: _Known, parent: str | None) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise _MisfitError(f"Option '{parent}' must be a mapping" if parent else "The options must be a mapping")
    accepted = {
        key: _element(schema[key], value, known, f"{parent}.{key}" if parent else key)
        for key, value in given.items()
        if key in schema
    }
    for name, element in schema.items():
        if name not in accepted and not _may_be_absent(element):
            raise _MisfitError(f"Missing option '{name}' in {parent or 'root'}")
    return accepted


def _may_be_absent(element: Any) -> bool:
    """A list is as optional as its items are; a mapping never is."""
    inner = element[0] if isinstance(element, list) and element else element
    return isinstance(inner, str) and inner.endswith("?")


def _element(element: Any, value: Any, known: _Known, key: str) -> Any:
    if isinstance(element, Mapping):
        return _mapping(element, value, known, key)
    if isinstance(element, list):
        if not element:
            raise _MisfitError(f"Type error for option '{key}': the app's schema gives no type for its items")
        if not isinstance(value, list):
            raise _MisfitError(f"Option '{key}' must be a list")
        return [_element(element[0], item, known, key) for item in value]
    return _value(element, value, known, key)


def _value(word: str, value: Any, known: _Known, key: str) -> Any:
    if value is None:
        raise _MisfitError(f"Missing required option '{key}'")
    if isinstance(value, str) and value.startswith(SECRET):
        name, secrets = value.removeprefix(SECRET), known.secrets
        value = secrets.values.get(name)
        if value is None or isinstance(value, (Mapping, list, set)):  # a secret is one word, number or time
            why = f": {secrets.trouble}" if secrets.trouble else ""
            raise _MisfitError(f"Unknown secret '{name}' in option '{key}'{why}")
    element = parse(word)
    if element and element.kind == "device":
        return _device(value, known.given, key)
    check = _CHECKS.get(element.kind) if element else None
    if element is None or check is None:
        raise _MisfitError(f"Fatal error for option '{key}': the app's schema has the unknown type '{word}'")
    try:
        return check(element)(value)
    except vol.Invalid as error:
        # voluptuous names the expectation, for example "expected str" or "value must be at least 1"
        raise _MisfitError(f"Option '{key}': {error.error_message}") from None
    except OverflowError:  # infinity is no whole number, and a number of many digits no float
        expected = "int" if element.kind == "int" else "a finite number"
        raise _MisfitError(f"Option '{key}': expected {expected}") from None
    except re.error:
        raise _MisfitError(f"Option '{key}' cannot be checked: the app's schema has a broken pattern") from None


def _text(element: Element) -> Callable[[Any], Any]:
    check: Callable[[Any], Any] = vol.Schema(vol.All(str, vol.Length(min=element.low, max=element.high)))
    return check


def _number(kind: type) -> Callable[[Element], Callable[[Any], Any]]:
    def build(element: Element) -> Callable[[Any], Any]:
        check: Callable[[Any], Any] = vol.Schema(
            vol.All(vol.Coerce(kind), _storable, vol.Range(min=element.low, max=element.high))
        )
        return check

    return build


def _storable(value: float) -> float:
    """Upstream takes every number; no JSON of ours could hold these."""
    if isinstance(value, int) and value not in NUMBERS:
        raise vol.Invalid("expected a whole number of at most 64 bits")
    if not math.isfinite(value):
        raise vol.Invalid("expected a finite number")
    return value


def _of_text(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Patterns and choices look at the value as text: 1 becomes "1", true becomes "True"."""
    return lambda value: inner(str(value))


def _device(value: Any, given: Grants, key: str) -> str:
    """A path of a device that the add-on has."""
    if not isinstance(value, str):
        raise _MisfitError(f"Option '{key}': expected str")
    if not given.has_device(value):
        there = f"it has {', '.join(given.paths)}" if given.paths else "it has no device of the node"
        raise _MisfitError(f"Option '{key}': the app is not given this device, {there} (SUPERVISOR_K8S_ALLOW)")
    return value


_CHECKS: Mapping[str, Callable[[Element], Callable[[Any], Any]]] = {
    "str": _text,
    "password": _text,
    "int": _number(int),
    "float": _number(float),
    "bool": lambda _: vol.Schema(vol.Boolean()),
    "email": lambda _: vol.Schema(vol.Email()),
    "url": lambda _: vol.Schema(vol.Url()),
    "port": lambda _: vol.Schema(vol.All(vol.Coerce(int), vol.Range(min=1, max=65535))),
    "match": lambda element: _of_text(vol.Match(element.text)),
    "list": lambda element: _of_text(vol.In(element.choices)),
}

# --- the form ----------------------------------------------------------------------------------------------------

_FORMS: Mapping[str, Mapping[str, Any]] = {
    "": {},
    "str": {"type": "string"},
    "password": {"type": "string", "format": "password"},
    "int": {"type": "integer"},
    "float": {"type": "float"},
    "bool": {"type": "boolean"},
    "email": {"type": "string", "format": "email"},
    "url": {"type": "string", "format": "url"},
    "port": {"type": "integer"},
    "match": {"type": "string"},
    "list": {"type": "select"},
    "device": {"type": "select"},
}


def _form(name: str, element: Any, given: Grants, *, multiple: bool = False) -> Sequence[dict[str, Any]]:
    """The node of one option; none for what cannot be drawn (a list without an item, a word of another language)."""
    if isinstance(element, list):
        return _form(name, element[0], given, multiple=True) if element else ()
    if isinstance(element, Mapping):
        inner = [node for key, value in element.items() for node in _form(key, value, given)]
        return ({"name": name, "type": "schema", "optional": True, "multiple": multiple, "schema": inner},)
    word = parse(element)
    if word is None:
        return ()
    node: dict[str, Any] = {"name": name}
    if multiple:
        node["multiple"] = True
    if word.low is not None:
        node["lengthMin"] = word.low
    if word.high is not None:
        node["lengthMax"] = word.high
    node["optional" if word.optional else "required"] = True
    node |= _FORMS[word.kind]
    if word.kind == "list":
        node["options"] = word.choices
    if word.kind == "device":
        # Where a plugin puts its devices is not known, so there is nothing to choose from.
        node |= {"type": "string"} if given.resources else {"options": list(given.paths)}
    return (node,)
