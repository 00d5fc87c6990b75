"""How our log looks and how much it says. Where it goes is settled: to standard output, which is the pod's log.

One record is one line, whatever strangers put into a name or an error: a line end in it would forge a record. Only a
traceback has lines of its own. The level is ours alone: libraries speak up from WARNING, because what they say at
DEBUG (headers, whole messages) is not theirs to tell.
"""

import logging
import re
import time
from typing import TextIO

import orjson

OURS = "supervisor_k8s"
TEXT, JSON = "text", "json"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\x85\u2028\u2029]")
"""What ends a line somewhere, and what moves a terminal's cursor; a tab does neither."""


def set_up(stream: TextIO, *, level: str = "info", form: str = TEXT) -> None:
    """Log to `stream` alone. May be called again, when level and form are known."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter() if form == JSON else TextFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.captureWarnings(capture=True)
    set_level(level)


def set_level(level: str) -> None:
    """From now on: debug, info, warning, error or critical."""
    logging.getLogger(OURS).setLevel(level.upper())


class TextFormatter(logging.Formatter):
    """`<UTC> <level> <logger>: <message>`, for people."""

    converter = time.gmtime  # type: ignore[assignment] # its own type leaves out that seconds may be None

    def __init__(self) -> None:
        super().__init__("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return _CONTROL.sub(_escaped, super().formatMessage(record))


class JsonFormatter(logging.Formatter):
    """One object a line, for machines: time, level, logger, message, and the traceback as `exception`."""

    converter = time.gmtime  # type: ignore[assignment] # its own type leaves out that seconds may be None

    def format(self, record: logging.LogRecord) -> str:
        shown = {
            "time": f"{self.formatTime(record, '%Y-%m-%dT%H:%M:%S')}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            shown["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(shown, default=str).decode()


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
