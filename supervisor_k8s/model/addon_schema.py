"""`config.yaml` of an add-on, validated and brought to one form. Pure; old spellings end here.

The result has the keys, defaults and conversions of Supervisor 2026.08, so what is recorded of an installed add-on is
what a backup from or to Home Assistant OS carries. Unknown keys are dropped. `FIELDS` is the whole rule book: one line
per key with its check, its default and the sentence for people.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import voluptuous as vol

from supervisor_k8s.errors import ManifestError
from supervisor_k8s.model import addon_checks as check
from supervisor_k8s.model.plain import NotPlainError, plain

ABSENT = object()
"""Default of a key that stays away when the manifest does not have it."""
REQUIRED = object()
LONGEST_VALUE = 80
"""Characters of a wrong value that an error shows."""
DYNAMIC_PORTS = range(62000, 65501)
"""From these the ingress port is drawn for `ingress_port: 0`."""


@dataclass(frozen=True, slots=True)
class Field:
    """One key: `check` is anything voluptuous takes for a schema, `right` completes the sentence "it must be …"."""

    check: Any
    right: str
    default: Any = ABSENT


TEXT = "a text"
YES_NO = "true or false"


def _choice(*words: str, default: Any = ABSENT) -> Field:
    return Field(vol.In(words), "one of " + ", ".join(words), default)


def _flag(*, default: bool = False) -> Field:
    return Field(vol.Boolean(), YES_NO, default)


FIELDS: Mapping[str, Field] = MappingProxyType(
    {
        "name": Field(vol.All(str, vol.Length(min=1)), "a text that is not empty", REQUIRED),
        "version": Field(check.version, "a version such as 1.2.3", REQUIRED),
        "slug": Field(check.slug, "at most 200 letters, digits, dots, dashes and underscores", REQUIRED),
        "description": Field(str, TEXT, REQUIRED),
        "arch": Field([vol.In(check.ARCHITECTURES)], "a list of " + ", ".join(check.ARCHITECTURES), REQUIRED),
        "machine": Field(check.machines, "a list of Home Assistant's machine names, each once and optionally with !"),
        "url": Field(vol.Url(), "a URL"),
        "startup": _choice("initialize", "system", "services", "application", "once", default="application"),
        "boot": _choice("auto", "manual", "manual_only", default="auto"),
        "init": _flag(default=True),
        "advanced": _flag(),
        "stage": _choice("stable", "experimental", "deprecated", default="stable"),
        "ports": Field(
            {check.container_port: vol.Maybe(check.port)}, 'container ports such as "80/tcp" with a port or null each'
        ),
        "ports_description": Field({check.container_port: str}, 'container ports such as "80/tcp" with a text each'),
        "watchdog": Field(check.watchdog, "an address such as tcp://[HOST]:80 or http://[HOST]:[PORT:80]/health"),
        "webui": Field(check.webui, "an address such as http://[HOST]:[PORT:80]/"),
        "ingress": _flag(),
        "ingress_port": Field(vol.Any(check.port, vol.Equal(0)), "a port, or 0 for one that is chosen", 8099),
        "ingress_entry": Field(str, TEXT),
        "ingress_stream": _flag(),
        "panel_icon": Field(str, TEXT, "mdi:puzzle"),
        "panel_title": Field(str, TEXT),
        "panel_admin": _flag(default=True),
        "homeassistant": Field(vol.Maybe(check.version), "a version such as 2026.11.0"),
        "host_network": _flag(),
        "host_pid": _flag(),
        "host_ipc": _flag(),
        "host_uts": _flag(),
        "host_dbus": _flag(),
        "devices": Field([str], "a list of device paths"),
        "udev": _flag(),
        "tmpfs": _flag(),
        "map": Field(check.folder_maps, "a list of folders such as share:rw or {type: share, read_only: false}", ()),
        "environment": Field({str: str}, "a mapping of names to texts"),
        "privileged": Field([vol.In(check.CAPABILITIES)], "a list of " + ", ".join(check.CAPABILITIES)),
        "apparmor": _flag(default=True),
        "full_access": _flag(),
        "audio": _flag(),
        "video": _flag(),
        "gpio": _flag(),
        "usb": _flag(),
        "uart": _flag(),
        "devicetree": _flag(),
        "kernel_modules": _flag(),
        "realtime": _flag(),
        "hassio_api": _flag(),
        "hassio_role": _choice("default", "homeassistant", "backup", "manager", "admin", default="default"),
        "homeassistant_api": _flag(),
        "stdin": _flag(),
        "legacy": _flag(),
        "docker_api": _flag(),
        "auth_api": _flag(),
        "services": Field([check.service], "a list of services such as mqtt:want"),
        "discovery": Field([str], "a list of texts"),
        "backup_exclude": Field([str], "a list of patterns"),
        "backup_pre": Field(str, "a command"),
        "backup_post": Field(str, "a command"),
        "backup": _choice("hot", "cold", default="hot"),
        "options": Field(dict, "a mapping", MappingProxyType({})),
        "schema": Field(check.option_schema, "false, or a mapping of options to types", MappingProxyType({})),
        "image": Field(check.image, "an image name in lower case without tag, such as ghcr.io/someone/{arch}-app"),
        "ulimits": Field(check.ulimits, "a mapping of names to numbers, or to soft and hard", MappingProxyType({})),
        "timeout": Field(vol.All(vol.Coerce(int), vol.Range(min=10, max=300)), "10 to 300 seconds", 10),
        "journald": _flag(),
        "breaking_versions": Field([check.version], "a list of versions", ()),
    }
)
_CHECKS = {key: vol.Schema(field.check) for key, field in FIELDS.items()}


def normalise(raw: Any) -> dict[str, Any]:
    """The manifest with all defaults, as plain JSON values; ManifestError says which key is wrong and what is right."""
    if not isinstance(raw, Mapping):
        raise ManifestError("The manifest must be a mapping")
    given = _modern(raw)
    normalised: dict[str, Any] = {}
    for key, field in FIELDS.items():
        if key in given:
            normalised[key] = _checked(key, given[key], field)
        elif field.default is REQUIRED:
            raise ManifestError(key=key, value="missing", right=field.right)
        elif field.default is not ABSENT:
            normalised[key] = _copy(field.default)
    _refuse_reserved_port(normalised)
    try:
        return {key: plain(value, (key,)) for key, value in normalised.items()}
    except NotPlainError as error:
        right = "text, a number of at most 64 bits, true, false, null, a list or a mapping of these, as JSON has them"
        raise ManifestError(key=_place(error.path), value=_shown(error.value), right=right) from None


def _checked(key: str, value: Any, field: Field) -> Any:
    try:
        return _CHECKS[key](value)
    except vol.MultipleInvalid as error:
        steps = error.path
    except OverflowError:  # a number of YAML's that is none, such as .inf
        steps = []
    at = value
    for step in steps:
        at = _child(at, step)
    raise ManifestError(key=_place([key, *steps]), value=_shown(at), right=field.right)


def _place(steps: Sequence[Any]) -> str:
    """The way to a value, as one would write it."""
    first, *more = steps
    return str(first) + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in more)


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= LONGEST_VALUE else shown[:LONGEST_VALUE] + "…"


def _child(value: Any, step: Any) -> Any:
    """The part of a wrong value that the path of an error names; the whole where the path names a missing key."""
    if isinstance(value, Mapping):
        return value.get(step, value)
    return value[step] if isinstance(value, list) and isinstance(step, int) and step < len(value) else value


def _modern(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Old spellings in today's words; what is malformed is left for the checks to name."""
    given = dict(raw)
    startup = given.get("startup")
    if isinstance(startup, str):
        given["startup"] = {"before": "services", "after": "application"}.get(startup, startup)
    renamed = {"auto_uart": "uart", "snapshot": "backup"} | {
        f"snapshot_{part}": f"backup_{part}" for part in ("exclude", "pre", "post")
    }
    for old, new in renamed.items():
        if old in given:
            given[new] = given.pop(old)
    devices = given.get("devices")
    if isinstance(devices, list):
        given["devices"] = [line.partition(":")[0] if isinstance(line, str) else line for line in devices]
    if "tmpfs" in given and not isinstance(given["tmpfs"], bool):
        given["tmpfs"] = True
    return given


def _refuse_reserved_port(manifest: Mapping[str, Any]) -> None:
    """With a chosen ingress port, a published port of the same range could open ingress past its login."""
    if not manifest["ingress"] or manifest["ingress_port"] != 0:
        return
    for port in manifest.get("ports", ()):
        if int(port.partition("/")[0]) in DYNAMIC_PORTS:
            right = f"outside {DYNAMIC_PORTS.start}-{DYNAMIC_PORTS.stop - 1}, where ingress_port: 0 chooses from"
            raise ManifestError(key="ports", value=repr(port), right=right)


def _copy(default: Any) -> Any:
    if isinstance(default, Mapping):
        return dict(default)
    return list(default) if isinstance(default, tuple) else default
