"""Files of strangers are read within limits, whatever they try."""

from typing import Any

import pytest

from supervisor_k8s.store.documents import parse

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "\n".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)

MERGES = "a: &a {x: 1}\n" + "\n".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 9)}]}}"
    for before, name in zip("abcdef", "bcdefg", strict=True)
)


@pytest.mark.parametrize(
    ("text", "suffix", "value"),
    [
        ("name: x\nports:\n  80/tcp: null\n", ".yaml", {"name": "x", "ports": {"80/tcp": None}}),
        ("\ufeffname: ä\n", ".yml", {"name": "ä"}),
        ('{"name": "x"}', ".json", {"name": "x"}),
        ("a: &a {x: 1}\nb: *a\n", ".yaml", {"a": {"x": 1}, "b": {"x": 1}}),
        ("a: &a {x: 1}\nb: {<<: *a, y: 2}\n", ".yaml", {"a": {"x": 1}, "b": {"x": 1, "y": 2}}),
        ("", ".yaml", None),
        ("a: " + "[" * 40 + "]" * 40, ".yaml", None),
        ("list: [" + "{a: 1}, " * 100 + "]", ".yaml", {"list": [{"a": 1}] * 100}),
    ],
)
def test_what_authors_write_is_read(text: str, suffix: str, value: Any) -> None:
    """Ordinary YAML and JSON, with anchors and a byte order mark, become plain values."""
    parsed = parse(text.encode(), suffix)
    if value is not None:
        assert parsed == value


@pytest.mark.parametrize(
    ("content", "suffix", "reason"),
    [
        (b"name: [", ".yaml", "expected the node content|did not find expected"),
        (b"{", ".json", "unexpected end"),
        (b"\xff\xfe\x00", ".yaml", "decode"),
        (b"name: !!python/object/apply:os.system [id]", ".yaml", "could not determine a constructor"),
        (b"x" * 300_000, ".yaml", "larger than 256 kB"),
        (BOMB.encode(), ".yaml", "stands for more than 50000 values"),
        (MERGES.encode(), ".yaml", "stands for more than 50000 values"),
        (b"a: &a [*a]", ".yaml", "more than"),
        (b"[" * 200_000, ".yaml", "nested more than 64|did not find"),
        (b"{a: " * 60_000, ".yaml", "nested more than 64"),
        (b"- " * 100_000, ".yaml", "nested more than 64"),
        (b"? " * 100_000, ".yaml", "nested more than 64"),
        (b"".join(b" " * n + b"a:\n" for n in range(300)), ".yaml", "nested more than 64"),
        (b"[" * 1000 + b"]" * 1000, ".json", "nested more than 64"),
        (b"a: 1\n---\nb: 2\n", ".yaml", "single document"),
        (b"key: \x00", ".yaml", "special characters|control characters"),
        (b"key: !!bool maybe", ".yaml", "a value is not of the type it claims"),
        (b"key: !!timestamp abc", ".yaml", "a value is not of the type it claims"),
        (b"key: !!timestamp {=: {=: 1}}", ".yaml", "a value is not of the type it claims"),
        (b"key: !!int ''", ".yaml", "a value is not of the type it claims"),
        (b"key: !!float ''", ".yaml", "a value is not of the type it claims"),
        (b"key: 1" + b":00" * 200 + b".5", ".yaml", "a value is not of the type it claims"),
        (b'key: "\\uD800"', ".yaml", "invalid Unicode"),
        (b'"\\uD800": x', ".yaml", "invalid Unicode"),
        (b'- ["\\uDFFF"]', ".yaml", "invalid Unicode"),
        (b"key: !!str &a {=: *a}", ".yaml", "a value is not of the type it claims"),
    ],
)
def test_what_attackers_write_is_refused(content: bytes, suffix: str, reason: str) -> None:
    """Each is an error with a reason, and the process survives."""
    with pytest.raises(ValueError, match=reason):
        parse(content, suffix)
