"""Questions to a DNS server as `dig` asks them, without a program for it."""

import asyncio
import ipaddress
import secrets
import struct
from dataclasses import dataclass

A, AAAA, PTR = 1, 28, 12
NOERROR, SERVFAIL, NXDOMAIN = 0, 2, 3
_INTERNET = 1


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back: the code, and the addresses in it."""

    code: int
    addresses: tuple[str, ...] = ()


async def ask(server: str, name: str, kind: int = A, *, port: int = 53, within: float = 5.0) -> Reply | None:
    """The server's answer about an absolute name; None when there is none in time."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[bytes] = loop.create_future()
    number = secrets.randbelow(1 << 16)
    transport, _ = await loop.create_datagram_endpoint(lambda: _Asker(answer, number), remote_addr=(server, port))
    try:
        async with asyncio.timeout(within):
            transport.sendto(question(number, name, kind))
            return reply(await answer)
    except (TimeoutError, OSError):
        return None
    finally:
        transport.close()


def question(number: int, name: str, kind: int) -> bytes:
    labels = name.rstrip(".").split(".")
    encoded = b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"
    return struct.pack("!6H", number, 0x0100, 1, 0, 0, 0) + encoded + struct.pack("!2H", kind, _INTERNET)


def name_asked(message: bytes) -> str:
    """The name in a question."""
    labels, at = [], 12
    while length := message[at]:
        labels.append(message[at + 1 : at + 1 + length].decode())
        at += 1 + length
    return ".".join(labels)


def reply(message: bytes) -> Reply:
    """Code and addresses of a message."""
    _, flags, questions, answers, _, _ = struct.unpack("!6H", message[:12])
    at, found = 12, []
    for _ in range(questions):
        at = _after_name(message, at) + 4
    for _ in range(answers):
        at = _after_name(message, at)
        kind, _, _, length = struct.unpack("!2HIH", message[at : at + 10])
        data, at = message[at + 10 : at + 10 + length], at + 10 + length
        if kind in (A, AAAA):
            found.append(str(ipaddress.ip_address(data)))
    return Reply(flags & 0xF, tuple(sorted(found)))


def _after_name(message: bytes, at: int) -> int:
    while (length := message[at]) and length < 0xC0:
        at += 1 + length
    return at + (1 if length == 0 else 2)


class _Asker(asyncio.DatagramProtocol):
    def __init__(self, answer: asyncio.Future[bytes], number: int) -> None:
        self._answer = answer
        self._number = number

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - asyncio's
        if not self._answer.done() and data[:2] == struct.pack("!H", self._number):
            self._answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc)
