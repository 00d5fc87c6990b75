"""Add-on manifests as values: what `config.yaml` says after validation. Pure.

`model/addon_schema.py` makes the normalised mapping (the key names and defaults of Home Assistant's own schema) and
`AddonConfig.from_normalised` reads it once; everything else uses these fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FolderMap:
    """One entry of `map:`: a folder of the shared volume that the add-on sees."""

    type: str
    read_only: bool = True
    path: str | None = None
    """Absolute path inside the container; None means the folder's customary place."""


@dataclass(frozen=True, slots=True)
class AddonConfig:
    """A validated manifest. `slug` is the full one (`core_mosquitto`), `raw` the normalised mapping itself."""

    slug: str
    repository: str
    name: str
    version: str
    description: str
    raw: Mapping[str, Any]
    arch: tuple[str, ...] = ()
    machine: tuple[str, ...] = ()
    image: str | None = None
    homeassistant: str | None = None
    startup: str = "application"
    boot: str = "auto"
    init: bool = True
    stage: str = "stable"
    url: str | None = None
    timeout: int = 10
    """Seconds between SIGTERM and SIGKILL."""
    ports: Mapping[str, int | None] = field(default_factory=lambda: EMPTY)
    """Container port with protocol (`"1883/tcp"`) to published port; None is not published."""
    ports_description: Mapping[str, str] | None = None
    map: tuple[FolderMap, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: EMPTY)
    options: Mapping[str, Any] = field(default_factory=lambda: EMPTY)
    schema: Mapping[str, Any] | None = field(default_factory=lambda: EMPTY)
    """The option schema; None for `schema: false` (anything goes)."""
    privileged: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    """`"mqtt:provide"` and the like."""
    discovery: tuple[str, ...] = ()
    hassio_api: bool = False
    hassio_role: str = "default"
    homeassistant_api: bool = False
    auth_api: bool = False
    ingress: bool = False
    ingress_port: int = 8099
    ingress_entry: str | None = None
    ingress_stream: bool = False
    watchdog: str | None = None
    webui: str | None = None
    stdin: bool = False
    tmpfs: bool = False
    panel_title: str | None = None
    panel_icon: str = "mdi:puzzle"
    panel_admin: bool = True
    legacy: bool = False

    @classmethod
    def from_normalised(cls, raw: Mapping[str, Any], *, repository: str) -> Self:
        """Read the normalised manifest of an add-on in `repository` (its slug: `core`, `local`, `5c53de3b` …)."""
        tuples = ("arch", "machine", "privileged", "services", "discovery")
        plain = (
            "name", "description", "image", "homeassistant", "startup", "boot", "init", "stage", "url", "timeout",
            "ports_description", "hassio_api", "hassio_role", "homeassistant_api", "auth_api", "ingress",
            "ingress_port", "ingress_entry", "ingress_stream", "watchdog", "webui", "stdin", "tmpfs", "panel_title",
            "panel_icon", "panel_admin", "legacy", "ports", "environment", "options",
        )  # fmt: skip
        values: dict[str, Any] = {key: raw[key] for key in plain if key in raw}
        values |= {key: tuple(raw[key]) for key in tuples if key in raw}
        schema = raw.get("schema", EMPTY)
        return cls(
            slug=f"{repository}_{raw['slug']}",
            repository=repository,
            version=str(raw["version"]),
            raw=raw,
            map=tuple(FolderMap(**entry) for entry in raw.get("map", ())),
            schema=None if schema is False else schema,
            **values,
        )
