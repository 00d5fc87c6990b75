"""What a version file says, and which of two versions is the newer one. Pure.

Shape of Home Assistant's file (`stable.json` and its siblings): `{"channel": …, "homeassistant": {"default": …,
<machine>: …}, …}`. The version of the Supervisor in it is Home Assistant's own and never ours; that one stands in a
file of ours, `{"channel": …, "supervisor": …}`, at an address that the administrator chose.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from awesomeversion import AwesomeVersion, AwesomeVersionException

_TAG = re.compile(r"\d[A-Za-z0-9._-]{0,126}")
"""A version that can be an image's tag."""


def core_version(data: Mapping[str, Any], machine: str) -> str | None:
    """Home Assistant Core's version for this machine; None when the file does not say one."""
    offered = data.get("homeassistant")
    if not isinstance(offered, Mapping):
        return None
    found = offered.get(machine) or offered.get("default")
    return found if isinstance(found, str) and found else None


def own_version(data: Mapping[str, Any]) -> str | None:
    """The Supervisor's version in a file of ours; None when it does not say one that can be an image's tag."""
    found = data.get("supervisor")
    return found if isinstance(found, str) and _TAG.fullmatch(found) else None


def offered(known: str | None, packaged: str, installed: str | None) -> str | None:
    """The version to offer: what the channel says, and what we were made with where nobody could be asked and it is
    newer than what is installed.
    """
    return known or (packaged if installed is None or is_newer(packaged, installed) else None)


@lru_cache(maxsize=64)
def at_least(version: str, bound: str) -> bool:
    """Whether `version` is `bound` or newer. One that cannot be compared, such as the tag of somebody's own
    image, counts as newer: to treat it as an old one, or to fail, would help nobody.
    """
    try:
        return AwesomeVersion(version) >= AwesomeVersion(bound)
    except AwesomeVersionException:
        return True


@lru_cache(maxsize=4096)
def is_newer(candidate: str | None, installed: str) -> bool:
    """Whether `candidate` is an update; False where the two cannot be compared (`dev`, a digest). Remembered: the same
    few versions are compared in every list.
    """
    try:
        return candidate is not None and AwesomeVersion(installed) < AwesomeVersion(candidate)
    except AwesomeVersionException:
        return False


def crossed(bounds: Iterable[str], installed: str, candidate: str) -> str | None:
    """The first of these versions that an update would reach or leave behind, None when there is none. Where a program
    changes how it counts, everything before the change lies below everything after it.
    """
    for bound in bounds:
        below, beyond = _precedes(installed, bound), _precedes(candidate, bound)
        if (beyond is False and below is not False) or (beyond is None and below):
            return bound
    return None


def _precedes(version: str, bound: str) -> bool | None:
    """Whether `version` is older than `bound`; None where the two cannot be compared."""
    try:
        return AwesomeVersion(version) < AwesomeVersion(bound)
    except AwesomeVersionException:
        return None
