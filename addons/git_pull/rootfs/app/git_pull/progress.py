"""How far long work has come: a line in the log now and then, and none of work that is short."""

import asyncio
import logging
import re
import time
from collections.abc import Callable

_LOGGER = logging.getLogger(__name__)
EACH = 10.0
"""Seconds between two lines."""
_COUNTED = re.compile(r"(?:remote: )?[A-Z][A-Za-z ]+: +\d+%")
_TAIL = 2**14


class Progress:
    """Called with how far it is, as often as one likes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._at = clock()

    def __call__(self, text: str) -> None:
        now = self._clock()
        if now - self._at >= EACH:
            self._at = now
            _LOGGER.info("%s", text)


async def heard(stream: asyncio.StreamReader, tell: Callable[[str], None]) -> bytes:
    """The last of what git says, without how far it was. That is told at once: it ends with a carriage return each."""
    last = b""
    while chunk := await stream.read(4096):
        last = (last + chunk.replace(b"\r", b"\n"))[-_TAIL:]
        counted = [line for line in last.decode(errors="replace").split("\n")[:-1] if _COUNTED.match(line)]
        if counted:
            tell(counted[-1].strip())
    lines = last.decode(errors="replace").splitlines()
    return "\n".join(line for line in lines if not _COUNTED.match(line)).encode()
