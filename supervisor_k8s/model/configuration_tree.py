"""Home Assistant's configuration.yaml as YAML's node tree: what it says, and where. Pure.

Nothing is resolved: a tag such as `!include` or `!secret` is a node like any other. Text that a person must look at
himself (no YAML, no text at all, written as nobody can edit it) is a ConfigurationNotEditableError.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import yaml

from supervisor_k8s.errors import ConfigurationNotEditableError

LARGEST = 512 * 1024
"""Bytes. The parser holds the interpreter meanwhile, a second for as much."""
DEEPEST = 64
"""Levels. PyYAML makes nodes by recursion in C: sixty thousand brackets would end the process."""
MOST = 100_000
"""Values that it may stand for, with what aliases repeat."""
BREAK = re.compile(r"\r\n|\n|\r")
STRING, _NULL = "tag:yaml.org,2002:str", "tag:yaml.org,2002:null"
_BOM = "\ufeff"
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

type Entry = tuple[yaml.Node, yaml.Node]
"""Key and value."""
type Flat = tuple[tuple[Any, ...], ...]
"""A node with all that is in it, as values that can be compared."""


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping's entries in order; `node` None for none at all."""

    node: yaml.MappingNode | None

    @property
    def pairs(self) -> Sequence[Entry]:
        return self.node.value if self.node else ()

    @classmethod
    def of(cls, node: yaml.Node) -> Self:
        """Of what is no mapping: of nothing."""
        return cls(node if isinstance(node, yaml.MappingNode) else None)

    def named(self, name: str) -> Sequence[Entry]:
        return [(key, value) for key, value in self.pairs if is_name(key, name)]

    def merges(self, name: str) -> bool:
        """Whether a merge key brings an entry of this name."""
        brought = [value for key, value in self.pairs if isinstance(key, yaml.ScalarNode) and key.value == "<<"]
        sources = [
            one for value in brought for one in (value.value if isinstance(value, yaml.SequenceNode) else [value])
        ]
        return any(isinstance(one, yaml.MappingNode) and bool(Section(one).named(name)) for one in sources)

    def one(self, name: str) -> Entry | None:
        """The entry of this name. ConfigurationNotEditableError when there are several, or it is written elsewhere."""
        found = self.named(name)
        if len(found) > 1:
            lines = " and ".join(str(key.start_mark.line + 1) for key, _ in found)
            raise refusal(f"it has `{name}:` more than once, in lines {lines}")
        if self.merges(name):
            raise refusal(f"its `{name}:` comes by a merge key (`<<`)")
        if found and found[0][1].start_mark.index < found[0][0].end_mark.index:
            raise refusal(f"its `{name}:` is an alias of something further up, in line {number(found[0][0])}")
        return found[0] if found else None

    def below(self, name: str) -> "Section":
        """What is in the entry of this name."""
        found = self.one(name)
        return Section(None) if found is None else Section.of(found[1])


def decoded(content: bytes) -> tuple[str, str]:
    """Text, and the byte order mark that was before it."""
    if len(content) > LARGEST:
        raise refusal(f"it has more than {LARGEST // 1024} kB")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise refusal(f"it is no text in UTF-8, see byte {error.start}") from error
    return (text[1:], _BOM) if text.startswith(_BOM) else (text, "")


def read(text: str) -> Section:
    """What is in the file. ConfigurationNotEditableError unless that is a mapping in YAML's block style, or nothing."""
    try:
        _check_depth(yaml.parse(text, Loader=_LOADER))
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        raise refusal(_complaint(text, error)) from error
    except yaml.YAMLError as error:
        raise refusal(f"it has characters that YAML does not allow: {error}") from error
    if node is None or is_nothing(node):
        return Section(None)
    if not isinstance(node, yaml.MappingNode):
        raise refusal("it holds no settings by name, but " + (tag_of(node) or "something else"))
    if node.flow_style:
        raise refusal("it is written with braces, as one `{…}`")
    return Section(node)


def _check_depth(events: Iterable[Any]) -> None:
    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise refusal(f"it is nested more than {DEEPEST} levels deep, in line {event.start_mark.line + 1}")


def _complaint(text: str, error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return f"it is no YAML: {error.problem}"
    lines = BREAK.split(text)
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return f"line {mark.line + 1} is indented with a tab, which YAML does not allow: use blanks"
    return f"it is no YAML: {error.problem}, line {mark.line + 1}, column {mark.column + 1}"


def is_name(key: yaml.Node, name: str) -> bool:
    return isinstance(key, yaml.ScalarNode) and key.tag == STRING and key.value == name


def is_nothing(node: yaml.Node) -> bool:
    """Whether there is nothing at all between this key and the next one: no `null`, no tag, no anchor."""
    return node.tag == _NULL and node.start_mark.index == node.end_mark.index


def tag_of(node: yaml.Node) -> str:
    """`!include some.yaml` and the like, as it stands there; else nothing."""
    return f"`{node.tag} {node.value}`" if node.tag.startswith("!") and isinstance(node.value, str) else ""


def number(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def refusal(reason: str) -> ConfigurationNotEditableError:
    return ConfigurationNotEditableError(reason=reason)


def others(section: Section, names: Collection[str]) -> list[tuple[Flat, Flat]]:
    """All entries but those of these names, to be compared."""
    found, amount = [], 0
    for key, value in section.pairs:
        if not any(is_name(key, name) for name in names):
            found.append((flat(key), flat(value)))
            amount += len(found[-1][1])
        if amount > MOST:
            raise refusal(f"it stands for more than {MOST} values")
    return found


def flat(node: yaml.Node) -> Flat:
    """A node with all that is in it. Without recursion, for it may hold itself."""
    found: list[tuple[Any, ...]] = []
    seen: dict[int, int] = {}
    left = [node]
    while left:
        one = left.pop()
        if id(one) in seen:
            found.append(("again", seen[id(one)]))
            continue
        seen[id(one)] = len(seen)
        if isinstance(one, yaml.ScalarNode):
            found.append((one.tag, one.value))
        else:
            parts = [part for item in one.value for part in (item if isinstance(item, tuple) else (item,))]
            found.append((one.tag, len(parts)))
            left.extend(reversed(parts))
    return tuple(found)
