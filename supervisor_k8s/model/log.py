"""Entries of a program's log, cursors that name one, and which of them a `Range` means. Pure.

The words are systemd-journal-gatewayd's, which upstream passes requests on to: `entries=<cursor>[[:<skip>]:<count>]`
and `realtime=[<since>]:[<until>][[:<skip>]:<count>]` in seconds since the epoch. A cursor is an entry's time and its
place among those of the same time, so it keeps its meaning when a log has moved.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, Self

_STAMP = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d) ?")
_CURSOR = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{1,8})")
_PLACE = r"((:(?P<skip>[+-]?\d{0,9}))?:(?P<count>\d{0,9}))?"
_RANGE = re.compile(rf"entries=(?P<cursor>[^:]*){_PLACE}")
_TIMES = re.compile(rf"realtime=(?P<since>\d{{0,11}}):(?P<until>\d{{0,11}}){_PLACE}")
_NANO = 10**9


class Cursor(NamedTuple):
    """`time` in nanoseconds since the epoch; `number` counts entries of the same time, from 0. A tuple, as are entries:
    a log may have a hundred thousand of them in a second, and a frozen dataclass takes three times as long to make.
    """

    time: int
    number: int = 0

    @property
    def moment(self) -> datetime:
        """The beginning of its second."""
        return datetime.fromtimestamp(self.time // _NANO, UTC)

    def __str__(self) -> str:
        return f"{self.time:x}-{self.number:x}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """None when it is no cursor of ours."""
        found = _CURSOR.fullmatch(text)
        return cls(int(found[1], 16), int(found[2], 16)) if found else None


class Entry(NamedTuple):
    """One line, without its end and with its colours."""

    cursor: Cursor
    text: str

    @property
    def timed(self) -> str:
        """With its time (UTC)."""
        return f"{self._time} {self.text}"

    def verbose(self, host: str, identifier: str) -> str:
        """As the journal shows it: time (UTC), machine and program before the text."""
        return f"{self._time} {host} {identifier}: {self.text}"

    @property
    def _time(self) -> str:
        seconds, nanoseconds = divmod(self.cursor.time, _NANO)
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{nanoseconds // 10**6:03}"


class Reader:
    """Makes entries of the lines of one log, in their order."""

    def __init__(self) -> None:
        self._last = Cursor(0, -1)
        self._second, self._since = (b"", b""), 0
        """The last one read, as it was written and in nanoseconds: most lines share theirs."""

    def entry(self, line: bytes) -> Entry:
        """Of a line with the timestamp that Kubernetes puts before it; a line without one has the time of the last."""
        found, last = _STAMP.match(line), self._last
        time, start = last.time, 0
        if found:
            second, fraction, zone = found.groups(b"0")
            if (second, zone) != self._second:
                moment = datetime.fromisoformat((second + zone).decode())
                self._second, self._since = (second, zone), int(moment.timestamp()) * _NANO
            # clocks may be set back; the order stays
            time = max(time, self._since + int(fraction.ljust(9, b"0")))
            start = found.end()
        self._last = Cursor(time, last.number + 1 if time == last.time else 0)
        return Entry(self._last, line[start:].decode(errors="replace"))


@dataclass(frozen=True, slots=True)
class Window:
    """Which entries are wanted. Without a cursor the `last` ones (None: all); with one those from `skip` places after
    it on, before it when negative. Of these the first `count` (None: all), and none after `until`, in nanoseconds.
    """

    last: int | None = None
    cursor: Cursor | None = None
    skip: int = 0
    count: int | None = None
    until: int | None = None

    @property
    def before(self) -> int:
        """How many entries before the cursor belong to it."""
        return max(-self.skip, 0)

    def after(self, found: int) -> int | None:
        """How many from the cursor on belong to it, when `found` came before it: one does not make up for the other."""
        if self.count is None:
            return None
        return max(self.count - max(self.before, found), 0)


def window(ranged: str, *, default: int | None) -> Window | None:
    """What a `Range` means, the last `default` entries when it is none; None for a cursor that is not ours."""
    if times := _TIMES.fullmatch(ranged):
        skip, count = _numbers(times)
        until = (int(times["until"]) + 1) * _NANO - 1 if times["until"] else None
        return Window(cursor=Cursor(int(times["since"] or 0) * _NANO), skip=max(skip, 0), count=count, until=until)
    found = _RANGE.fullmatch(ranged)
    if found is None:
        return Window(default)
    skip, count = _numbers(found)
    if found["cursor"]:
        cursor = Cursor.parse(found["cursor"])
        return Window(cursor=cursor, skip=skip, count=count) if cursor else None
    return Window(last=1 - skip, count=count) if skip < 0 else Window(count=count)


def _numbers(found: re.Match[str]) -> tuple[int, int | None]:
    """How many to skip and how many to give."""
    skip = int(found["skip"]) if found["skip"] not in (None, "", "+", "-") else 0
    return skip, int(found["count"]) if found["count"] else None
