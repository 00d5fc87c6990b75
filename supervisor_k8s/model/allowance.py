"""What the administrator lets add-ons have beyond an ordinary container: the words of `SUPERVISOR_K8S_ALLOW`. Pure.

A word is a class for every add-on that asks for it (`capabilities`), or for one of them (`core_samba=host_network`). Of
devices it says which: a device plugin's resource (`devices:squat.ai/serial`) or a path at the node
(`core_zwave_js=devices:/dev/ttyUSB0`). `settings.py` has made sure that the words are well-formed.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from supervisor_k8s.model.addon import AddonConfig

_DEVICE_KEYS = ("devices", "usb", "uart", "gpio", "video")


class Allow(StrEnum):
    """Classes of what add-ons may ask for."""

    CAPABILITIES = "capabilities"
    HOST_NETWORK = "host_network"
    PRIVILEGED = "privileged"
    """All devices and all capabilities: its container is root on the node."""
    DEVICES = "devices"
    HOST_PATHS = "host_paths"
    """The few folders of the node that manifests have words for."""


OPEN_DEVICES = frozenset({"/dev/net/tun"})
"""Container runtimes let every container use these; all others need a device plugin, or a privileged container."""


@dataclass(frozen=True, slots=True)
class Grants:
    """What one add-on is let have, of what it asks for. Devices that are named for it alone it gets unasked."""

    classes: frozenset[Allow] = frozenset()
    resources: tuple[str, ...] = ()
    """Extended resources of device plugins."""
    paths: tuple[str, ...] = ()
    """Character devices of the node."""

    @property
    def closed_paths(self) -> bool:
        """Whether there are devices that only a privileged container may open."""
        return not OPEN_DEVICES.issuperset(self.paths)

    def has_device(self, path: str) -> bool:
        """Whether the add-on may find a device here. Where a plugin puts its own is not known."""
        return path in self.paths or (bool(self.resources) and path.startswith("/dev/"))


NO_GRANTS = Grants()


def grants(config: AddonConfig, allowed: Collection[str]) -> Grants:
    """What these words let the add-on have."""
    classes, devices = set(), []
    for word in sorted(allowed):
        whose, _, what = word.rpartition("=")
        if whose not in ("", config.slug):
            continue
        name, _, device = what.partition(":")
        if not device:
            classes.add(Allow(name))
        elif whose or asks_for_devices(config):
            classes.add(Allow.DEVICES)
            devices.append(device)
    found = tuple(dict.fromkeys(devices))
    return Grants(
        classes=frozenset(classes),
        resources=tuple(device for device in found if not device.startswith("/")),
        paths=tuple(device for device in found if device.startswith("/")),
    )


def class_of(word: str) -> Allow | None:
    """What the cluster may refuse of a word; None for the resource of a device plugin, which is for every namespace."""
    name, _, device = word.rpartition("=")[2].partition(":")
    return None if device and not device.startswith("/") else Allow(name)


def asks_for_devices(config: AddonConfig) -> bool:
    """Whether the manifest, or an option of it, has to do with devices of the node."""
    return any(config.raw.get(key) for key in _DEVICE_KEYS) or _is_of_device(config.schema or {})


def required_devices(schema: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Options that must hold the path of a device."""
    found: list[str] = []
    for key, element in schema.items():
        inner = element[0] if isinstance(element, list | tuple) and element else element
        if isinstance(inner, Mapping):
            if inner is element:  # a list may be left empty
                found += required_devices(inner, f"{prefix}{key}.")
        elif _is_of_device(inner) and not inner.endswith("?"):
            found.append(f"{prefix}{key}")
    return found


def _is_of_device(element: Any) -> bool:
    """Whether a schema, or a part of one, has an option for a device."""
    if isinstance(element, Mapping):
        return any(map(_is_of_device, element.values()))
    if isinstance(element, list | tuple):
        return any(map(_is_of_device, element))
    return isinstance(element, str) and element.startswith("device")
