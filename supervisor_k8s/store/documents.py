"""YAML and JSON of strangers as plain values, within limits.

The fast YAML parser builds its tree by recursion in C: a file of sixty thousand brackets ends the whole process (seen
with PyYAML 6.0). A few anchors can stand for billions of values. Both are refused here, before anybody walks the tree.
"""

import re
from typing import Any

import orjson
import yaml

SIZE_LIMIT = 256 * 1024
"""Bytes of a manifest; the largest in the surveyed stores has 30 kB. The parser holds the interpreter meanwhile."""
_DEPTH_LIMIT = 64
_VALUE_LIMIT = 50_000
_TOO_DEEP = f"it is nested more than {_DEPTH_LIMIT} levels deep"
_TOO_MANY = f"it stands for more than {_VALUE_LIMIT} values"
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CROWDED = re.compile(r"(?:[-?:][ \t]+){8}|^[ \t]{64}", re.MULTILINE)
"""Many levels that begin on one line, or a deep indentation: the block style's ways to nest."""
_MISFITS = (LookupError, AttributeError, TypeError, ArithmeticError, RecursionError)
"""What PyYAML lets through, in this order, for `!!bool maybe`, `!!timestamp abc`, `!!timestamp {=: {=: 1}}`,
`1:00:00…` without end and `&a {=: *a}`.
"""


class _Loader(_BASE):  # type: ignore[misc]  # the stubs do not know which of the two it is
    """Counts what merge keys (`<<`) bring together: that is done in lists, before there is a value to count."""

    _merged = 0

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        self._merged += len(node.value)
        if self._merged > _VALUE_LIMIT:
            raise ValueError(_TOO_MANY)


def parse(content: bytes, suffix: str) -> Any:
    """The values in a `.json`, `.yaml` or `.yml` file. ValueError says what is wrong with it."""
    if len(content) > SIZE_LIMIT:
        raise ValueError(f"it is larger than {SIZE_LIMIT // 1024} kB")
    value = orjson.loads(content) if suffix == ".json" else _parse_yaml(content.decode("utf-8-sig"))
    _check_amount(value)
    return value


def _parse_yaml(text: str) -> Any:
    try:
        _check_depth(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a safe loader, which the rule does not see
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
    except _MISFITS as error:
        raise ValueError(f"a value is not of the type it claims to be ({type(error).__name__})") from error


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= _DEPTH_LIMIT and not _CROWDED.search(text):
        return
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEPTH_LIMIT:
            raise ValueError(_TOO_DEEP)


def _check_amount(value: Any) -> None:
    """Count as a walk would, so a part that anchors repeat counts each time."""
    waiting, seen = [(value, 0)], 0
    while waiting:
        item, depth = waiting.pop()
        seen += 1
        if seen + len(waiting) > _VALUE_LIMIT:
            raise ValueError(_TOO_MANY)
        if depth > _DEPTH_LIMIT:
            raise ValueError(_TOO_DEEP)
        if isinstance(item, dict):
            waiting.extend((inner, depth + 1) for inner in item.values())
        elif isinstance(item, (list, tuple, set)):
            waiting.extend((inner, depth + 1) for inner in item)
