"""What the user chooses for the Supervisor as a whole: time zone, update channel, log level and the like.

Only what was chosen is stored; everything else is the default of the running version.
"""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Protocol

from supervisor_k8s.errors import RefusedError
from supervisor_k8s.events import Signal

FEATURES = ("app_drop_net_raw", "app_reduced_capabilities", "supervisor_v2_api", "supervisor_websocket_v2_api")
"""Feature flags that clients know (aiohasupervisor 0.8.1); all of them are off unless switched on."""

DEFAULTS: Mapping[str, Any] = MappingProxyType(
    {
        "timezone": None,
        "channel": "stable",
        "debug": False,
        "debug_block": False,
        "diagnostics": None,
        "auto_update": True,
        "detect_blocking_io": False,
        "country": None,
        "wait_boot": 5,
        "feature_flags": {},
        "ignore_conditions": [],
        "days_until_stale": 30,
        "pwned": True,
        "force_security": False,
        "disabled_checks": [],
        "updated_to": None,  # nobody's choice: the version of ourselves that the last update went to
        "trusted_proxies": [],  # nor this: those that Home Assistant has from us
        "docker_network": None,  # nor this: the pods' networks, when add-ons could last have Docker's addresses
    }
)


class PreferenceRecords(Protocol):
    """Where preferences are kept (state.records.Records)."""

    preferences: Mapping[str, Any]

    async def save_preferences(self, value: Mapping[str, Any]) -> None: ...


class Preferences:
    """Reads are plain look-ups; `changed` carries the new values of what was set."""

    def __init__(self, *, records: PreferenceRecords, log_level: str) -> None:
        """`log_level` is the installation's, until the user chooses another one."""
        self.changed: Signal[Mapping[str, Any]] = Signal()
        self._records = records
        self._defaults = {**DEFAULTS, "logging": log_level}
        self._in_force: tuple[object, Mapping[str, Any]] = (None, {})
        """The stored mapping it was made of; what is in force."""
        self._writing = asyncio.Lock()

    def get(self, key: str) -> Any:
        """The value in force."""
        return self.all[key]

    @property
    def all(self) -> Mapping[str, Any]:
        """All values in force, with every known feature flag. Made anew when something else is stored."""
        stored = self._records.preferences
        if self._in_force[0] is not stored:
            merged = {**self._defaults, **stored}
            merged["feature_flags"] = {**dict.fromkeys(FEATURES, False), **merged["feature_flags"]}
            self._in_force = stored, merged
        return self._in_force[1]

    @property
    def timezone(self) -> str:
        """The time zone of new launches, `UTC` as long as nobody said another one."""
        return self.get("timezone") or "UTC"

    async def set(self, changes: Mapping[str, Any]) -> None:
        """Store what is given and tell it. `feature_flags` may be given in part; an unknown flag is a RefusedError."""
        async with self._writing:
            changes = dict(changes)
            if "feature_flags" in changes:
                unknown = set(changes["feature_flags"]) - set(FEATURES)
                if unknown:
                    raise RefusedError(f"Unknown feature flag: {', '.join(sorted(unknown))}")
                changes["feature_flags"] = {**self.get("feature_flags"), **changes["feature_flags"]}
            await self._records.save_preferences({**self._records.preferences, **changes})
        self.changed(changes)

    async def reset(self, *keys: str) -> None:
        """Back to the defaults."""
        async with self._writing:
            kept = {key: value for key, value in self._records.preferences.items() if key not in keys}
            await self._records.save_preferences(kept)
        self.changed({key: self.get(key) for key in keys})
