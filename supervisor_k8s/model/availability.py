"""Whether an add-on can run here: architecture, machine, Core's version, and what it asks of the node. Pure.

What the manifest asks for beyond an ordinary container falls in three classes: *refused* (without it the add-on would
be broken or unsafe, so a clear no is better), *dropped* (boilerplate that programs do without: `udev`, `usb`, `uart`,
`gpio`, `video`, `audio`, `devicetree`, `host_dbus`, `host_uts`, `apparmor`, `realtime`, `ulimits`, and `devices`, whose
entries Home Assistant itself ignores where they do not exist), and *granted* (capabilities the administrator allowed).
"""

from collections.abc import Collection, Mapping
from typing import Any

from supervisor_k8s.errors import (
    AddonArchitectureError,
    AddonCoreVersionError,
    AddonMachineError,
    AddonNotSupportedError,
)
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.versions import at_least

REFUSED_FEATURES = {
    "host_network": "the node's own network",
    "host_pid": "the processes of the node",
    "host_ipc": "the shared memory of the node",
    "full_access": "all devices of the node",
    "docker_api": "a Docker daemon, which a Kubernetes node does not have",
    "kernel_modules": "loading modules into the node's kernel",
    "journald": "the node's journal",
}


def check_available(
    config: AddonConfig, site: Site, *, core_version: str | None, allowed: Collection[str] = ()
) -> None:
    """Raise why the add-on cannot be installed or updated here, if so.

    AddonArchitectureError, AddonMachineError, AddonCoreVersionError (the keys clients know, in upstream's order), or
    AddonNotSupportedError. `core_version` None: not known, so nothing is refused for it. `allowed` are capabilities.
    """
    if site.arch not in config.arch:
        raise AddonArchitectureError(slug=config.slug, architectures=", ".join(config.arch))
    if config.machine and not _machine_fits(config.machine, site.machine):
        raise AddonMachineError(slug=config.slug, machine_types=", ".join(config.machine))
    if config.homeassistant and core_version and not at_least(core_version, config.homeassistant):
        raise AddonCoreVersionError(slug=config.slug, version=config.homeassistant)
    if reason := refusals(config, allowed):
        raise AddonNotSupportedError(reason)


def refusals(config: AddonConfig, allowed: Collection[str] = ()) -> str | None:
    """What the manifest asks for that is not granted here, in one sentence; None when there is nothing."""
    wants = [f"{key} ({meaning})" for key, meaning in REFUSED_FEATURES.items() if config.raw.get(key)]
    if missing := sorted(set(config.privileged) - set(allowed)):
        wants.append(
            f"privileged ({'the capability' if len(missing) == 1 else 'the capabilities'} {', '.join(missing)})"
        )
    if devices := list(_required_devices(config.schema or {})):
        wants.append(f"a device of the node (option {', '.join(devices)})")
    if config.image is None:
        wants.append("an image to be built, for its manifest names none")
    wants += [f"a folder at {path!r}, which is no path of its own inside a container" for path in _bad_paths(config)]
    if not wants:
        return None
    return f"App {config.slug} cannot run on this cluster. It asks for: {'; '.join(wants)}"


def _machine_fits(machines: Collection[str], machine: str) -> bool:
    """As upstream: named and not excluded. A list of exclusions alone fits no machine."""
    return machine in machines and f"!{machine}" not in machines


def _required_devices(schema: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Options that must hold a path of a device: without devices they can never be valid."""
    found: list[str] = []
    for key, element in schema.items():
        inner = element[0] if isinstance(element, list | tuple) and element else element
        if isinstance(inner, Mapping):
            found += _required_devices(inner, f"{prefix}{key}.") if inner is element else []
        elif isinstance(inner, str) and inner.startswith("device") and not inner.endswith("?"):
            found.append(f"{prefix}{key}")
    return found


def _bad_paths(config: AddonConfig) -> list[str]:
    paths = [entry.path for entry in config.map if entry.path is not None]
    return [path for path in paths if not path.startswith("/") or path.strip("/") == "" or ":" in path]
