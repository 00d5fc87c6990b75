"""What a version file says, and which of two versions is the newer one. Pure.

Shape of the file (`stable.json` and its siblings): `{"channel": …, "homeassistant": {"default": …, <machine>: …}, …}`.
The version of the Supervisor in it is Home Assistant's own and never ours.
"""

from collections.abc import Mapping
from typing import Any

from awesomeversion import AwesomeVersion, AwesomeVersionException


def core_version(data: Mapping[str, Any], machine: str) -> str | None:
    """Home Assistant Core's version for this machine; None when the file does not say one."""
    offered = data.get("homeassistant")
    if not isinstance(offered, Mapping):
        return None
    found = offered.get(machine) or offered.get("default")
    return found if isinstance(found, str) and found else None


def is_newer(candidate: str | None, installed: str) -> bool:
    """Whether `candidate` is an update; False where the two cannot be compared (`dev`, a digest)."""
    try:
        return candidate is not None and AwesomeVersion(installed) < AwesomeVersion(candidate)
    except AwesomeVersionException:
        return False
