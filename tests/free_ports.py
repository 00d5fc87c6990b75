"""Ports for servers that a test starts itself.

Never one of those that the kernel gives to connections (32768 and above): such a one may be in use before the server
listens.
"""

import secrets
import socket
from contextlib import ExitStack

FIRST, LAST = 10_000, 30_000


def free_port() -> int:
    """One that nobody listens at, by TCP or UDP."""
    return free_ports(1)


def free_ports(count: int) -> int:
    """The first of so many in a row."""
    while True:
        first = FIRST + secrets.randbelow(LAST - FIRST)
        if all(_is_free(first + more) for more in range(count)):
            return first


def _is_free(port: int) -> bool:
    with ExitStack() as stack:
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                stack.enter_context(socket.socket(type=kind)).bind(("", port))
        except OSError:
            return False
        return True
