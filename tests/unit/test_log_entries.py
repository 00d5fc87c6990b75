"""Entries of logs, their cursors, and which of them are meant."""

import pytest

from supervisor_k8s.model.log import Cursor, Reader, Window, window


def test_the_time_before_a_line() -> None:
    """With as many digits and in whatever zone the runtime gives it."""
    for stamp, nanoseconds in (
        ("2026-11-21T12:00:00Z", 0),
        ("2026-11-21T12:00:00.5Z", 500_000_000),
        ("2026-11-21T13:00:00.123456789+01:00", 123_456_789),
    ):
        entry = Reader().entry(f"{stamp} a: b".encode())
        assert (entry.cursor.time, entry.text) == (1_795_262_400 * 10**9 + nanoseconds, "a: b")
    assert entry.verbose("node", "app") == "2026-11-21 12:00:00.123 node app: a: b"


def test_lines_keep_their_order() -> None:
    """Those of one moment are told apart; a clock that was set back, or a line without a time, changes nothing."""
    reader = Reader()
    stamps = (b"2026-11-21T12:00:01Z a", b"2026-11-21T12:00:01Z b", b"2026-11-21T11:59:00Z c", b"d \xff")
    entries = [reader.entry(line) for line in stamps]
    cursors = [entry.cursor for entry in entries]
    assert cursors == sorted(set(cursors))
    assert [entry.text for entry in entries] == ["a", "b", "c", "d \N{REPLACEMENT CHARACTER}"]


def test_a_cursor_as_text() -> None:
    cursor = Cursor(1_795_262_400_123_456_789, 3)
    assert Cursor.parse(str(cursor)) == cursor
    for text in ("", "abc", "1-", "s=0;i=1", "g-0", f"{'1' * 17}-0"):
        assert Cursor.parse(text) is None


@pytest.mark.parametrize(
    ("ranged", "wanted"),
    [
        ("", Window(100)),
        ("bytes=0-", Window(100)),
        ("entries=:-9:10", Window(last=10, count=10)),
        ("entries=:-9:", Window(last=10)),
        ("entries=::5", Window(count=5)),
        ("entries=:3:5", Window(count=5)),
        ("entries=", Window()),
        ("entries=a-0:-100:100", Window(cursor=Cursor(10), skip=-100, count=100)),
        ("entries=a-0", Window(cursor=Cursor(10))),
        ("entries=a-0::", Window(cursor=Cursor(10))),
        ("entries=x:-1:1", None),
    ],
)
def test_ranges(ranged: str, wanted: Window | None) -> None:
    assert window(ranged, default=100) == wanted
