"""A login that Home Assistant let in, kept so that it can be recognised but not read. Pure."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

SALT_BYTES = 16
_COST = 2**14
"""Of scrypt: about 50 ms and 16 MB for each guess of whoever got hold of the file."""


def kept(password: str, *, salt: bytes) -> dict[str, str]:
    """What is stored for a user. Takes its time: not for the event loop."""
    return {"salt": salt.hex(), "scrypt": _scrypt(password, salt)}


def matches(stored: Any, password: str) -> bool:
    """Whether this is the stored login's password; False for what `kept` did not make. Takes its time."""
    if not isinstance(stored, Mapping):
        return False
    try:
        salt, expected = bytes.fromhex(stored["salt"]), str(stored["scrypt"])
    except (KeyError, TypeError, ValueError):
        return False
    return hmac.compare_digest(_scrypt(password, salt).encode(), expected.encode())


def _scrypt(password: str, salt: bytes) -> str:
    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=_COST, r=8, p=1).hex()
