"""Entries of logs, their cursors, and which of them are meant."""

import re

import pytest

from supervisor_k8s.model.log import Cursor, Reader, Window, window
from supervisor_k8s.model.program import run_of


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


def test_one_second_in_two_zones() -> None:
    """The same digits mean another time with another zone, and other digits may mean the same second."""
    reader, noon = Reader(), 1_795_262_400 * 10**9
    stamps = (b"2026-11-21T12:00:00.5Z", b"2026-11-21T13:00:00.6+01:00", b"2026-11-21T13:00:00.6Z")
    times = [reader.entry(stamp + b" x").cursor.time for stamp in stamps]
    assert times == [noon + 500_000_000, noon + 600_000_000, noon + 3_600_600_000_000]


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
        ("entries=a-0:5", Window(cursor=Cursor(10), count=5)),
        ("entries=x:-1:1", None),
        ("realtime=2:3:4:5", Window(cursor=Cursor(2 * 10**9), skip=4, count=5, until=4 * 10**9 - 1)),
        ("realtime=2::5", Window(cursor=Cursor(2 * 10**9), count=5)),
        ("realtime=:3", Window(cursor=Cursor(0), until=4 * 10**9 - 1)),
    ],
)
def test_ranges(ranged: str, wanted: Window | None) -> None:
    assert window(ranged, default=100) == wanted


def test_a_run_of_a_program() -> None:
    """Each start of a container is a run with a name of its own; one that has not begun is none."""
    pod = {"metadata": {"name": "p", "uid": "u"}, "spec": {}}
    status = {"name": "addon", "restartCount": 1, "state": {"running": {}}}
    assert run_of({**pod, "status": {}}, "addon") is None
    assert run_of({**pod, "status": {"containerStatuses": [{**status, "state": {"waiting": {}}}]}}, "addon") is None
    run = run_of({**pod, "status": {"containerStatuses": [status]}}, "addon")
    assert run is not None
    assert run.before is not None
    assert (run.number, run.is_over, run.before.number, run.before.before) == (1, False, 0, None)
    assert re.fullmatch("[0-9a-f]{32}", run.id)
    assert run.before.id != run.id
    crashed = {**status, "state": {"waiting": {}}, "lastState": {"terminated": {}}}
    assert run_of({**pod, "status": {"containerStatuses": [crashed]}}, "addon") is None
    crashed["lastState"] = {"terminated": {"exitCode": 1}}
    over = run_of({**pod, "status": {"containerStatuses": [crashed]}}, "addon")
    assert over is not None
    assert (over.id, over.is_over) == (run.id, True)
