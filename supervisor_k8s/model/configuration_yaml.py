"""Trusted proxies in the text of Home Assistant's configuration.yaml. Pure.

The file is the user's: every byte stays but whole lines of ours, each of which ends with MARK. YAML's own node tree
says where they go and which of them are ours, so comments, tags, `!include`, quotes, anchors and line ends are never
written anew. What was made is read back and compared with what was there: where anything else would have become another
value, the text is refused and stays as it is.

Facts about Core before 2026.8, which reads these settings here: `use_x_forwarded_for` and `trusted_proxies` of `http:`
must be given together; of two `http:` keys the later one counts, so there must never be a second one; a package may
bring an `http:` of its own, which is merged.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

import yaml

from supervisor_k8s.errors import ConfigurationNotEditableError
from supervisor_k8s.model.configuration_tree import (
    BREAK,
    STRING,
    Entry,
    Flat,
    Section,
    decoded,
    flat,
    is_nothing,
    number,
    others,
    read,
    refusal,
    tag_of,
)
from supervisor_k8s.model.http_config import PROXIES, USE, covered

MARK = "# set by the Supervisor (SUPERVISOR_K8S_HA_TRUSTED_PROXIES)"
HTTP = "http"
OURS = (USE, PROXIES)
_TRUE = frozenset({"1", "true", "yes", "on", "enable"})
"""What Core's `cv.boolean` takes for true."""

type Insertion = tuple[int, str]
"""Where, and what."""


def with_trusted_proxies(content: bytes, proxies: Sequence[str]) -> bytes:
    """The file with these networks trusted by lines of ours, and none that was ours before; without any, the lines are
    gone. What the user's own lines trust already gets no line. The same again changes nothing.

    ConfigurationNotEditableError, whose text says why, where and what a person should write.
    """
    text, bom = decoded(content)
    edited = _without_ours(text)
    if proxies:
        edited = _with(edited, proxies)
    return (bom + edited).encode()


def proxies_of_ours(content: bytes) -> list[str]:
    """Networks that are trusted by lines of ours. ConfigurationNotEditableError."""
    text, _ = decoded(content)
    return [str(item.value) for item in _our_items(text, read(text))] if MARK in text else []


def snippet(proxies: Iterable[str]) -> str:
    """What a person should have in the file, below `http:`."""
    return "\n".join([f"  {USE}: true", f"  {PROXIES}:", *(f"    - {_quoted(proxy)}" for proxy in proxies)])


# --- lines of ours -----------------------------------------------------------------------------------------------


def _without_ours(text: str) -> str:
    """The text without our lines. A key of ours below which the user wrote something of his own is his from then on."""
    if MARK not in text:
        return text
    for choose in (_our_items, _our_list, _our_use, _our_http):
        root = read(text)
        gone = [_span(text, node) for node in choose(text, root)]
        for begin, end in reversed(gone):
            text = text[:begin] + text[end:]
        if gone and others(read(text), {HTTP}) != others(root, {HTTP}):
            raise refusal("without the Supervisor's lines another setting would become another one")
    return text


def _our_items(text: str, root: Section) -> Iterator[yaml.Node]:
    found = root.below(HTTP).one(PROXIES)
    items = found[1].value if found and isinstance(found[1], yaml.SequenceNode) else ()
    for item in items:
        if _line(text, item) in {_item(str(item.value)), _flow_item(str(item.value))}:
            yield item


def _our_list(text: str, root: Section) -> Iterator[yaml.Node]:
    found = root.below(HTTP).one(PROXIES)
    if found and is_nothing(found[1]) and _line(text, found[0]) == _key(PROXIES):
        yield found[0]


def _our_use(text: str, root: Section) -> Iterator[yaml.Node]:
    settings = root.below(HTTP)
    found = settings.one(USE)
    if found and not _parts(settings.one(PROXIES)) and _line(text, found[0]) == _key(USE, "true"):
        yield found[0]


def _our_http(text: str, root: Section) -> Iterator[yaml.Node]:
    found = root.one(HTTP)
    if found and is_nothing(found[1]) and _line(text, found[0]) == _key(HTTP):
        yield found[0]


def _span(text: str, node: yaml.Node) -> tuple[int, int]:
    """The line where the node begins, with its end."""
    index = node.start_mark.index
    found = BREAK.search(text, index)
    return max(text.rfind("\n", 0, index), text.rfind("\r", 0, index)) + 1, found.end() if found else len(text)


def _line(text: str, node: yaml.Node) -> str:
    """The line where the node begins, without blanks around it."""
    begin, end = _span(text, node)
    return text[begin:end].strip()


# --- writing -----------------------------------------------------------------------------------------------------


def _key(name: str, value: str = "") -> str:
    return f"{name}:{value and ' ' + value}  {MARK}"


def _item(proxy: str) -> str:
    return f"- {_quoted(proxy)}  {MARK}"


def _flow_item(proxy: str) -> str:
    return f"{_quoted(proxy)},  {MARK}"


def _list(proxies: Iterable[str]) -> list[str]:
    return [_key(PROXIES), *(f"  {_item(proxy)}" for proxy in proxies)]


def _quoted(proxy: str) -> str:
    return f'"{proxy}"' if ":" in proxy else proxy


def _with(text: str, proxies: Sequence[str]) -> str:
    """The text, in which no line is ours, with those that are needed."""
    root = read(text)
    _check_packages(root)
    entry, rest = root.one(HTTP), others(root, {HTTP})
    for way in _new_section(text, root, proxies) if entry is None else _in_section(text, *entry, proxies):
        edited = text
        for index, lines in sorted(way, reverse=True):
            edited = edited[:index] + lines + edited[index:]
        with suppress(ConfigurationNotEditableError):
            after = read(edited)
            if others(after, {HTTP}) == rest and _is_wanted(root.below(HTTP), after.below(HTTP), proxies):
                return edited
    raise refusal(f"{'its `http:`' if entry else 'it'} is written in a way that nothing can be added to safely")


def _check_packages(root: Section) -> None:
    """A package's `http:` is merged with the file's own, and what both have is refused by Core."""
    for key, package in root.below("homeassistant").below("packages").pairs:
        if Section.of(package).named(HTTP):
            raise refusal(f"its package `{key.value}` has the `http:`, in line {number(key)}")


def _new_section(text: str, root: Section, proxies: Sequence[str]) -> Iterator[Sequence[Insertion]]:
    """At the end, else (where the last value would become another one by it) at the beginning."""
    newline, node = _newline(text), root.node
    column = node.start_mark.column if node else 0
    lines = [_key(HTTP), f"  {_key(USE, 'true')}", *(f"  {line}" for line in _list(proxies))]
    block = "".join(" " * column + line + newline for line in lines)
    end = node.end_mark.index if node else len(text)
    yield [(end, _gap(text[:end], newline) + block)]
    if node:
        yield [(node.start_mark.index - column, block)]


def _gap(head: str, newline: str) -> str:
    """What makes an empty line behind a text."""
    whole = head.endswith(("\n", "\r"))
    if not head or (whole and head.removesuffix(newline).endswith(newline)):
        return ""
    return newline if whole else newline * 2


def _in_section(text: str, key: yaml.Node, node: yaml.Node, proxies: Sequence[str]) -> Iterator[Sequence[Insertion]]:
    """Behind the line of `http:`, and behind that of its list where it has one."""
    settings = Section.of(node)
    if tag := tag_of(node):
        raise refusal(f"its `http:` is {tag}, in line {number(key)}")
    if not is_nothing(node) and (settings.node is None or settings.node.flow_style):
        raise refusal(f"its `http:` in line {number(key)} is not written as indented lines")
    use, known = settings.one(USE), settings.one(PROXIES)
    if use and not _is_true(use[1]):
        raise refusal(f"its `{USE}` in line {number(use[0])} is not `true`")
    lines = ([] if use else [_key(USE, "true")]) + ([] if known else _list(proxies))
    way = []
    if lines:
        column = settings.pairs[0][0].start_mark.column if settings.pairs else key.start_mark.column + 2
        way.append(_below(text, key, column, lines))
    missing = [proxy for proxy in proxies if not covered(proxy, _plain_items(known[1]))] if known else ()
    if known and missing:
        way.append(_in_list(text, *known, missing))
    yield way


def _in_list(text: str, key: yaml.Node, node: yaml.Node, missing: Sequence[str]) -> Insertion:
    column = key.start_mark.column + 2
    if is_nothing(node):
        return _below(text, key, column, map(_item, missing))
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        begin, end = _span(text, node.value[0])
        column = end - begin - len(text[begin:end].lstrip())
        return _below(text, key, column, map(_item, missing))
    start = node.start_mark.index
    if not isinstance(node, yaml.SequenceNode) or text[start] != "[":
        raise refusal(f"its `{PROXIES}` in line {number(key)} is {tag_of(node) or 'not written as a list'}")
    _, end = _span(text, node)
    rest = text[start + 1 : end].strip()
    if not rest or rest.startswith("#"):
        return _below(text, node, column, map(_flow_item, missing))
    newline, indent = _newline(text), " " * column
    return start + 1, newline + "".join(f"{indent}{_flow_item(proxy)}{newline}" for proxy in missing) + indent


def _is_true(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not tag_of(node) and str(node.value).lower() in _TRUE


def _below(text: str, node: yaml.Node, column: int, lines: Iterable[str]) -> Insertion:
    """Lines behind the one where the node begins."""
    newline, (begin, end) = _newline(text), _span(text, node)
    block = "".join(" " * column + line + newline for line in lines)
    return end, block if text[begin:end].endswith(("\n", "\r")) else newline + block


def _newline(text: str) -> str:
    found = BREAK.search(text)
    return found.group() if found else "\n"


# --- proof -------------------------------------------------------------------------------------------------------


def _is_wanted(before: Section, after: Section, proxies: Sequence[str]) -> bool:
    """Whether, of `http:`, exactly what was wanted has changed."""
    use, trusted, kept = after.one(USE), _parts(after.one(PROXIES)), _parts(before.one(PROXIES))
    known = [str(part[0][1]) for part in trusted]
    return (
        (use is not None and _is_true(use[1]))
        and all(covered(proxy, known) for proxy in proxies)
        and trusted[len(trusted) - len(kept) :] == kept
        and others(after, OURS) == others(before, OURS)
    )


def _parts(entry: Entry | None) -> list[Flat]:
    """Of a list, or of what may stand for a list of one."""
    if entry is None or is_nothing(entry[1]):
        return []
    return [flat(item) for item in (entry[1].value if isinstance(entry[1], yaml.SequenceNode) else [entry[1]])]


def _plain_items(node: yaml.Node) -> list[str]:
    """What stands in the list in plain text."""
    items = node.value if isinstance(node, yaml.SequenceNode) else [node]
    return [item.value for item in items if item.tag == STRING]
