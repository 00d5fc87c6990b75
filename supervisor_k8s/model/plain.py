"""Values of YAML as JSON has them: what a manifest says has to fit into our records, answers and options.json. Pure."""

import math
from collections.abc import Mapping
from datetime import date
from typing import Any

NUMBERS = range(-(2**63), 2**64)
"""Whole numbers that fit into our files."""


class NotPlainError(ValueError):
    """A value that JSON cannot hold: `value`, at `path` (keys and positions)."""

    def __init__(self, value: Any, path: tuple[str | int, ...]) -> None:
        super().__init__(f"{value!r} is no value of JSON")
        self.value = value
        self.path = path


def plain(value: Any, path: tuple[str | int, ...] = ()) -> Any:
    """The value in the types of JSON. Dates become text, and so do keys that are numbers, truth values or dates.
    NotPlainError for sets, bytes, numbers that are too large or none, and mappings in which two keys become one.
    """
    if value is None or isinstance(value, (str, bool)):  # first, for they are the most
        return value
    if isinstance(value, Mapping):
        inner = {_key(key, value, path): item for key, item in value.items()}
        if len(inner) < len(value):
            raise NotPlainError(value, path)
        return {key: plain(item, (*path, key)) for key, item in inner.items()}
    if isinstance(value, list | tuple):
        return [plain(item, (*path, position)) for position, item in enumerate(value)]
    if isinstance(value, date):
        return value.isoformat()
    if (isinstance(value, int) and value in NUMBERS) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise NotPlainError(value, path)


def _key(key: Any, mapping: Mapping[Any, Any], path: tuple[str | int, ...]) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, date):
        return key.isoformat()
    if isinstance(key, int) or (isinstance(key, float) and math.isfinite(key)):
        return str(key)
    raise NotPlainError(mapping, path)
