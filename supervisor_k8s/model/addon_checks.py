"""Checks of single manifest keys, used by the table in `addon_schema.py`. Pure.

Each takes a value and returns it in its normal form, or raises vol.Invalid; the sentences for people are in the table.
"""

import re
from collections.abc import Mapping
from typing import Any

import voluptuous as vol
from awesomeversion import AwesomeVersion

from supervisor_k8s.model.options import parse

ARCHITECTURES = ("aarch64", "amd64", "armhf", "armv7", "i386")
CAPABILITIES = (
    "BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "IPC_LOCK", "NET_ADMIN", "NET_RAW", "PERFMON", "SYS_ADMIN",
    "SYS_MODULE", "SYS_NICE", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE", "SYS_TIME",
)  # fmt: skip
MACHINES = frozenset(
    (
        "", "generic-aarch64", "generic-x86-64", "green", "intel-nuc", "khadas-vim3", "odroid-c2", "odroid-c4",
        "odroid-m1", "odroid-n2", "odroid-xu", "qemuarm", "qemuarm-64", "qemux86", "qemux86-64", "raspberrypi",
        "raspberrypi2", "raspberrypi3", "raspberrypi3-64", "raspberrypi4", "raspberrypi4-64", "raspberrypi5-64",
        "tinker", "yellow",
    )
)  # fmt: skip
FOLDERS = (
    "data", "config", "ssl", "local_apps", "backup", "share", "media", "homeassistant_config", "all_app_configs",
    "app_config", "addons", "all_addon_configs", "addon_config",
)  # fmt: skip

_SLUG = re.compile(r"[-_.A-Za-z0-9]{1,200}")  # with what stands around it, it is the name of a file
_CONTAINER_PORT = re.compile(r"[0-9]{1,5}(?:/tcp|/udp)?")
_SERVICE = re.compile(r"(mqtt|mysql):(provide|want|need)")
_WATCHDOG = re.compile(r"(?:https?|tcp|\[PROTO:\w+\])://\[HOST\]:(?:\[PORT:\d+\]|\d+).*")
_WEBUI = re.compile(r"(?:https?|\[PROTO:\w+\])://\[HOST\]:\[PORT:\d+\].*")
_REGISTRY = re.compile(r"(?:[a-z0-9]+(?:[-.]+[a-z0-9]+)*|\[[a-f0-9:]+\])(?::\d+)?")
_IMAGE_PART = re.compile(r"[a-z0-9{][a-z0-9.\-_{}]*")

port = vol.All(vol.Coerce(int), vol.Range(min=1, max=65535))


def version(value: Any) -> str:
    """A version from any scalar: YAML reads `1.10` as a number, and then it is 1.1 (upstream has it so too)."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        raise vol.Invalid("no version")
    return str(AwesomeVersion(value))


def _matching(pattern: re.Pattern[str], value: Any) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise vol.Invalid("does not match")
    return value


def slug(value: Any) -> str:
    return _matching(_SLUG, value)


def service(value: Any) -> str:
    return _matching(_SERVICE, value)


def watchdog(value: Any) -> str:
    return _matching(_WATCHDOG, value)


def webui(value: Any) -> str:
    return _matching(_WEBUI, value)


def container_port(value: Any) -> str:
    """A port inside the container with its protocol; no ranges, and the text is kept as it is written."""
    port(_matching(_CONTAINER_PORT, value).partition("/")[0])
    return str(value)


def machines(value: Any) -> list[str]:
    entries: list[str] = vol.Schema(vol.All([str], vol.Unique()))(value)
    if any(entry.removeprefix("!") not in MACHINES for entry in entries):
        raise vol.Invalid("no machine")
    return entries


def folder_maps(value: Any) -> list[dict[str, Any]]:
    """Entries as mappings. A text without suffix is read-only. Like upstream, entries of unknown texts and mappings
    without type have no effect, while a known type with a wrong setting fails the manifest.
    """
    if not isinstance(value, list | tuple):
        raise vol.Invalid("no list")
    found: list[dict[str, Any]] = []
    for position, entry in enumerate(value):
        if isinstance(entry, str):
            kind, colon, mode = entry.partition(":")
            if kind in FOLDERS and (not colon or mode in {"ro", "rw"}):
                found.append({"type": kind, "read_only": mode != "rw"})
        elif isinstance(entry, Mapping) and "type" in entry:
            try:
                found.append(_FOLDER_MAP(dict(entry)))
            except vol.MultipleInvalid as error:
                raise vol.Invalid(error.msg, path=[position, *error.path]) from None
    return found


_FOLDER_MAP = vol.Schema(
    {vol.Required("type"): vol.In(FOLDERS), vol.Optional("read_only", default=True): bool, vol.Optional("path"): str}
)


def image(value: Any) -> str:
    """An image without tag. The first part is a registry where Docker takes it for one: dot, colon, `localhost`."""
    if not isinstance(value, str):
        raise vol.Invalid("no text")
    first, slash, rest = value.partition("/")
    path = value
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        _matching(_REGISTRY, first)
        path = rest
    for part in path.split("/"):
        _matching(_IMAGE_PART, part)
    return value


def ulimits(value: Any) -> dict[str, Any]:
    """Limits by name: a number, or soft and hard."""
    number = vol.Coerce(int)
    pair = {vol.Required("soft"): number, vol.Required("hard"): number}
    checked: dict[str, Any] = vol.Schema({str: vol.Any(number, pair)})(value)
    return checked


def option_schema(value: Any) -> Any:
    """`false`, or a mapping of names to elements of the option language (`options.py`)."""
    if value is False:
        return False
    if not isinstance(value, Mapping):
        raise vol.Invalid("no mapping")
    return _schema_mapping(value, [])


def _schema_mapping(value: Mapping[Any, Any], path: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, element in value.items():
        if not isinstance(key, str):
            raise vol.Invalid("no name", path=[*path, key])
        found[key] = _schema_element(element, [*path, key])
    return found


def _schema_element(element: Any, path: list[Any], *, in_list: bool = False) -> Any:
    if isinstance(element, Mapping):
        return _schema_mapping(element, path)
    if isinstance(element, list) and not in_list:
        return [_schema_element(item, [*path, position], in_list=True) for position, item in enumerate(element)]
    if isinstance(element, str) and parse(element) is not None:
        return element
    raise vol.Invalid("no type of an option", path=path)
