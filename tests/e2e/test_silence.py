"""The core-link keeps a connection on which nothing is said: nginx alone would end it after ten minutes, and Core's
websocket can be as silent as that at night.
"""

import asyncio
import ssl
import time

import pytest

from .silence import echo

SILENCE = 11 * 60.0


@pytest.mark.late
async def test_a_connection_survives_eleven_silent_minutes(silent: tuple[ssl.SSLSocket, float]) -> None:
    """What is said after them arrives, and so does its answer. The silence began with the tier."""
    connection, since = silent
    await asyncio.sleep(since + SILENCE - time.monotonic())
    assert await asyncio.to_thread(echo, connection, b"good morning\n") == b"good morning\n"
