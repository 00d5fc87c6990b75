"""A client that costs next to nothing: the bytes of one request, sent again and again over plain sockets.

Whatever a real client did besides would be added to both sides of a ratio and hide the difference.
"""

import socket
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Self

CLIENTS = 8
"""Connections with a request under way, for requests per second."""


class Wire:
    """One connection that stays open. Every answer must be as long as the first, and status 200."""

    def __init__(
        self,
        port: int,
        path: str,
        token: str = "",
        *,
        host: str = "127.0.0.1",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        given = {"Authorization": f"Bearer {token}"} if token else {}
        fields = [f"{name}: {value}" for name, value in {**given, **(headers or {})}.items()]
        lines = (f"GET {path} HTTP/1.1", "Host: supervisor", *fields, "Accept: */*", "", "")
        self._request = "\r\n".join(lines).encode()
        self._socket = socket.create_connection((host, port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._length = 0
        self.send()
        self.body = self._first()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self) -> None:
        self._socket.sendall(self._request)

    def receive(self) -> None:
        left = self._length
        while left > 0:
            got = len(self._socket.recv(65536))
            if not got:
                raise ConnectionError("the server hung up")
            left -= got
        if left:
            raise AssertionError("an answer of another length")

    def _first(self) -> bytes:
        head = b""
        while b"\r\n\r\n" not in head:
            if not (got := self._socket.recv(65536)):
                raise ConnectionError("the server hung up")
            head += got
        head, _, rest = head.partition(b"\r\n\r\n")
        content = bytearray(rest)
        if not head.startswith(b"HTTP/1.1 200"):
            raise AssertionError(f"not the right answer: {head!r} {content!r}")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(fields[b"content-length"])
        while len(content) < length:
            content += self._socket.recv(65536)
        self._length = len(head) + 4 + length
        return bytes(content)


def latency(wire: Wire, requests: int, each: list[float]) -> float:
    """Median of the seconds from a request to the last byte of its answer, one after the other; all go into `each`."""
    took = [_seconds(wire) for _ in range(requests)]
    each += took
    return statistics.median(took)


def time_each(connect: Callable[[], Wire], requests: int) -> float:
    """Seconds per request with CLIENTS requests under way at any time: one by the requests per second."""
    with ExitStack() as stack:
        wires = [stack.enter_context(connect()) for _ in range(CLIENTS)]
        began = time.perf_counter()
        for wire in wires:
            wire.send()
        for number in range(requests):
            wire = wires[number % CLIENTS]
            wire.receive()
            if number < requests - CLIENTS:
                wire.send()
        return (time.perf_counter() - began) / requests


def _seconds(wire: Wire) -> float:
    began = time.perf_counter()
    wire.send()
    wire.receive()
    return time.perf_counter() - began
