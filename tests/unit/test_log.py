"""What our log looks like: one record, one line, in the form and from the level that was chosen."""

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest

from supervisor_k8s import log


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the log goes; afterwards everything is as before."""
    root, ours = logging.getLogger(), logging.getLogger(log.OURS)
    before = (list(root.handlers), root.level, ours.level)
    # basicConfig closes what it replaces: pytest's own handlers must not be among these.
    root.handlers = []
    yield io.StringIO()
    root.handlers = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])
    logging.captureWarnings(capture=False)


OURS = logging.getLogger("supervisor_k8s.services.addons")


def test_text(stream: io.StringIO) -> None:
    """Time in UTC, level, where from, what."""
    log.set_up(stream)
    OURS.info("Add-on %s runs", "a")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO supervisor_k8s\.services\.addons: Add-on a runs\n",
        stream.getvalue(),
    )


def test_a_record_cannot_be_forged(stream: io.StringIO) -> None:
    """Line ends and terminal sequences in foreign text are shown, not obeyed; letters of any language stay."""
    log.set_up(stream)
    OURS.warning("Store %s", "evil\n2026 INFO all is well\r\x1b[2J\u2028 grün\tend")
    (line,) = stream.getvalue().splitlines()
    assert line.endswith(r"Store evil\n2026 INFO all is well\r\x1b[2J\u2028 grün" + "\tend")


def test_json(stream: io.StringIO) -> None:
    """One object a line, with the traceback in it."""
    log.set_up(stream, form="json")
    try:
        raise KeyError("x")  # noqa: TRY301 - to have a traceback
    except KeyError:
        OURS.exception("broke\nhere")
    (line,) = stream.getvalue().splitlines()
    record = json.loads(line)
    assert (record["level"], record["logger"], record["message"]) == ("error", OURS.name, "broke\nhere")
    assert record["time"].endswith("Z")
    assert "KeyError: 'x'" in record["exception"]


def test_levels(stream: io.StringIO) -> None:
    """The level is that of our own records; libraries speak from WARNING on, also when we tell everything."""
    log.set_up(stream, level="debug")
    library = logging.getLogger("aiohttp.client")
    library.debug("Authorization: Bearer 123")
    library.warning("beware")
    OURS.debug("detail")
    log.set_level("error")
    OURS.warning("quiet now")
    messages = [line.partition(": ")[2] for line in stream.getvalue().splitlines()]
    assert messages == ["beware", "detail"]
