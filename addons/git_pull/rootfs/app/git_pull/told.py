"""What Home Assistant says to us: lines of our standard input, which its action `hassio.addon_stdin` writes there.

A line is the action's `input`: a text, or JSON where that is an object or a text in quotes.
"""

import asyncio
import json
import logging
import os
import stat
import sys

from git_pull.bell import Bell, Wish

_LOGGER = logging.getLogger(__name__)
CHECK = "check"
_LONGEST = 4096


def command(line: bytes) -> str:
    """`check`, `"check"` and `{"command": "check"}` are the same."""
    text = line.decode(errors="replace").strip()
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if isinstance(found, dict):
        found = found.get("command")
    return found.strip() if isinstance(found, str) else text


async def obey(lines: asyncio.StreamReader, bell: Bell) -> None:
    """Until there are no more."""
    while True:
        try:
            line = await lines.readline()
        except ValueError:
            _LOGGER.warning("What was written to the add-on is too long")
            continue
        if not line:
            return
        said = command(line)
        if said == CHECK:
            bell.ring(Wish("Home Assistant"))
        elif said:
            _LOGGER.warning("What was written to the add-on is nothing that it knows; it knows: %s", CHECK)


async def standard_input() -> asyncio.StreamReader | None:
    """None where nobody can write to it."""
    mode = os.fstat(sys.stdin.fileno()).st_mode
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return None
    reader = asyncio.StreamReader(limit=_LONGEST)
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    return reader
