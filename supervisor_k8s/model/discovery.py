"""What add-ons tell Home Assistant Core and one another: discovery messages, and the data of the two services. Pure.

The shapes and defaults are Home Assistant's contract (`services/modules/` of Supervisor 2026.08): add-ons publish with
bashio and read what others published, so a default that is missing here is a key that another add-on misses there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import voluptuous as vol

MQTT = "mqtt"
MYSQL = "mysql"

_PORT = vol.All(vol.Coerce(int), vol.Range(min=1, max=65535))

SERVICE_SCHEMAS: Mapping[str, vol.Schema] = MappingProxyType(
    {
        MQTT: vol.Schema(
            {
                vol.Required("host"): str,
                vol.Required("port"): _PORT,
                vol.Optional("username"): str,
                vol.Optional("password"): str,
                vol.Optional("ssl", default=False): vol.Boolean(),
                vol.Optional("protocol", default="3.1.1"): vol.All(str, vol.In(["3.1", "3.1.1"])),
            }
        ),
        MYSQL: vol.Schema(
            {
                vol.Required("host"): str,
                vol.Required("port"): _PORT,
                vol.Optional("username"): str,
                vol.Optional("password"): str,
            }
        ),
    }
)
"""Service to the schema of what a provider posts; unknown keys are refused. These two are all there are."""


@dataclass(frozen=True, slots=True)
class DiscoveryMessage:
    """One thing an add-on offers to an integration of Core. There is at most one for each add-on and service."""

    addon: str
    """Full slug of the add-on that sent it."""
    service: str
    """The integration it is for, such as `mqtt` or `esphome`."""
    uuid: str
    """32 lower-case hex digits without dashes: Core asks for the message by it and keeps it as unique id."""
    config: Mapping[str, Any]
    """What the integration needs; may hold credentials, so it is never logged and not part of the push."""

    def __repr__(self) -> str:
        return f"DiscoveryMessage(addon={self.addon!r}, service={self.service!r}, uuid={self.uuid!r})"
