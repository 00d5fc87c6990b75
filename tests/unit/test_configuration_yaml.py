"""Trusted proxies in configuration.yaml: files as people have them, before and after, byte for byte.

`golden/configuration_yaml` has each case in `before` and `after`; those in `refused` stay as they are, and
`refused.txt` says why. After a wanted change: `UPDATE_GOLDEN=1 pytest …`, then read the diff.
"""

import os
import random
from typing import Any

import pytest
import yaml

from supervisor_k8s.errors import ConfigurationNotEditableError
from supervisor_k8s.model.configuration_yaml import MARK, snippet, with_trusted_proxies
from tests import golden

GOLDEN = golden.ROOT / "configuration_yaml"
CASES = sorted(path.name for path in GOLDEN.glob("before/*.yaml"))
PROXIES = ("10.42.0.0/16", "fd00:42::/48")
BOM = b"\xef\xbb\xbf"
KEPT = {"user-wrote-below-ours.yaml", "text-that-looks-like-us.yaml"}
"""Where a key of ours has become the user's, or a text of his looks like ours."""


def before(case: str) -> bytes:
    return (GOLDEN / "before" / case).read_bytes()


def after(case: str) -> bytes:
    return (GOLDEN / "after" / case).read_bytes()


def crlf(content: bytes) -> bytes:
    return content.replace(b"\n", b"\r\n")


def users_own(content: bytes) -> bytes:
    """What is not ours, but for blanks."""
    return b"".join(b"".join(line.split()) for line in content.splitlines() if not line.endswith(MARK.encode()))


@pytest.mark.parametrize("case", CASES)
def test_the_file_becomes_this(case: str) -> None:
    """The reviewed text; the same again changes nothing."""
    edited = with_trusted_proxies(before(case), PROXIES)
    if os.environ.get("UPDATE_GOLDEN"):
        (GOLDEN / "after" / case).write_bytes(edited)
    assert edited == after(case)
    assert with_trusted_proxies(edited, PROXIES) == edited


@pytest.mark.parametrize("case", CASES)
def test_line_ends_and_a_byte_order_mark_stay(case: str) -> None:
    """Windows' line ends are ours, too, in such a file."""
    assert with_trusted_proxies(crlf(before(case)), PROXIES) in {crlf(after(case)), with_a_bare_end(case)}
    assert with_trusted_proxies(BOM + before(case), PROXIES) == BOM + after(case)


def with_a_bare_end(case: str) -> bytes:
    """Of a file without any line end nobody knows which ones it has."""
    return after(case) if b"\n" not in before(case) else b"-"


@pytest.mark.parametrize("case", CASES)
def test_without_proxies_our_lines_are_gone(case: str) -> None:
    """All of them, with every line of the user's left; only a key below which the user wrote stays."""
    back = with_trusted_proxies(after(case), ())
    if case not in KEPT:
        assert MARK.encode() not in back
    assert users_own(back) == users_own(after(case))
    assert with_trusted_proxies(back, PROXIES) == after(case)


@pytest.mark.parametrize("case", CASES)
def test_other_proxies_take_the_place(case: str) -> None:
    """What was ours before is not trusted any more."""
    other = with_trusted_proxies(after(case), ("10.43.0.0/16",))
    assert other == with_trusted_proxies(with_trusted_proxies(before(case), ("10.43.0.0/16",)), ("10.43.0.0/16",))


def test_what_is_left_alone_and_why() -> None:
    """Each with its reason, which names the line where it helps."""
    said = []
    for path in sorted(GOLDEN.glob("refused/*.yaml")):
        with pytest.raises(ConfigurationNotEditableError) as refused:
            with_trusted_proxies(path.read_bytes(), PROXIES)
        said.append(f"{path.stem}: {refused.value}\n")
    golden.check("configuration_yaml/refused.txt", "".join(said))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00", "no text in UTF-8, see byte 0"),
        ("name: Zuhause Erdgeschoß\n".encode("latin-1"), "no text in UTF-8"),
        (b"default_config:\n\x00\x01\x02", "characters that YAML does not allow"),
        (b"# much\n" * 750_000, "more than 512 kB"),
        (b"a: " + b"[" * 200_000, "nested more than 64 levels"),
        (b"a: &a [%s]\n" % (b"1," * 10_000) + b"".join(b"k%d: *a\n" % n for n in range(1_000)), "100000 values"),
        (b"a: *unknown\n", "undefined alias"),
    ],
    ids=["image", "latin-1", "zeroes", "5 MB", "brackets", "many aliases", "unknown alias"],
)
def test_no_configuration_at_all(content: bytes, reason: str) -> None:
    """Refused with a reason, and in no time."""
    with pytest.raises(ConfigurationNotEditableError, match=reason):
        with_trusted_proxies(content, PROXIES)


def test_any_mutilation_is_edited_or_refused() -> None:
    """A file with pieces missing, twice or elsewhere never loses a line, nor gets a second `http:`."""
    chance = random.Random(8)
    for _ in range(400):
        lines = before(chance.choice(CASES)).splitlines(keepends=True)
        for _ in range(chance.randint(1, 3)):
            place = chance.randrange(len(lines) + 1)
            piece = before(chance.choice(CASES)).splitlines(keepends=True)
            lines[place : place + chance.randint(0, 2)] = piece[: chance.randint(0, 4)]
        content = b"".join(lines)
        try:
            edited = with_trusted_proxies(content, PROXIES)
        except ConfigurationNotEditableError:
            continue
        assert users_own(edited) == users_own(content), content.decode()
        assert with_trusted_proxies(edited, PROXIES) == edited, content.decode()
        root: Any = yaml.compose(edited, Loader=yaml.CSafeLoader)
        assert [key.value for key, _ in root.value].count("http") == 1, content.decode()


def test_what_a_person_is_told_to_write_is_taken() -> None:
    """The lines of the issue's text, below `http:`."""
    content = f"http:\n{snippet(PROXIES)}\n".encode()
    assert with_trusted_proxies(content, PROXIES) == content
