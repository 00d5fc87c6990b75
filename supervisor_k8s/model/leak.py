"""Passwords that are known to have leaked, without saying which one is asked for. Pure.

Only the first five digits of a password's SHA-1 leave the house; what comes back are all known ones that begin so
(k-anonymity, as the service *Have I Been Pwned* offers it). SHA-1 is its choice; nothing here relies on its strength.
"""

import hashlib
import re

PREFIX = 5
"""Digits that are told."""
_LINE = re.compile(r"([0-9A-F]{35}):0*([0-9]+)")


def digest(password: str) -> str:
    """40 upper-case hex digits."""
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest().upper()


def leaked(prefix: str, page: str) -> frozenset[str]:
    """Digests of the page for `prefix`: lines of the other 35 digits, a colon, and how often. Never (0) is padding."""
    found = (_LINE.fullmatch(line.strip()) for line in page.upper().splitlines())
    return frozenset(prefix + match[1] for match in found if match and match[2] != "0")
