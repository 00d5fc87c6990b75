"""What becomes of an add-on here, told before it is installed. Pure.

A manifest may ask for more than an ordinary container gets. Each such request is *granted* because the administrator
allows its class (`SUPERVISOR_K8S_ALLOW`), or *essential*, so that the add-on is refused without it, or *dispensable*:
it is dropped, and the report says what is lost. Many manifests ask for what they hardly use, so `addon_notes.py` knows
of some add-ons better than the rule.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.addon_notes import note_on


class Allow(StrEnum):
    """Classes of requests that an administrator may allow."""

    CAPABILITIES = "capabilities"
    HOST_NETWORK = "host_network"


class Verdict(StrEnum):
    """In one word."""

    RUNS = "runs"
    RUNS_WITHOUT = "runs_without"
    NEEDS = "needs"
    """It would run if the administrator allowed something."""
    CANNOT_RUN = "cannot_run"


@dataclass(frozen=True, slots=True)
class Request:
    """Something beyond an ordinary container."""

    what: str
    lost: str | None = None
    """What the add-on lacks without it, where it does without."""
    essential: bool = False
    allow: Allow | None = None
    """What grants it; None: nothing does."""


@dataclass(frozen=True, slots=True)
class Need:
    """A request that would be granted if its class were allowed."""

    what: str
    allow: Allow

    @property
    def how(self) -> str:
        return f"add {self.allow} to the setting SUPERVISOR_K8S_ALLOW"


@dataclass(frozen=True, slots=True)
class Report:
    """All texts are for people."""

    unfit: str | None = None
    """Another architecture, machine or Core is needed."""
    denied: tuple[str, ...] = ()
    """What it asks for, and nothing grants."""
    needs: tuple[Need, ...] = ()
    """What it asks for, and would get if that were allowed."""
    without: tuple[str, ...] = ()
    """What it will lack."""

    @property
    def verdict(self) -> Verdict:
        if self.unfit or self.denied:
            return Verdict.CANNOT_RUN
        if self.needs:
            return Verdict.NEEDS
        return Verdict.RUNS_WITHOUT if self.without else Verdict.RUNS


DEVICES = "devices"
_DEVICE_KEYS = ("devices", "usb", "uart", "gpio", "video")
REQUESTS: Mapping[str, Request] = {
    "host_network": Request("the node's own network", essential=True, allow=Allow.HOST_NETWORK),
    "host_pid": Request("the processes of the node", essential=True),
    "host_ipc": Request("the shared memory of the node", essential=True),
    "full_access": Request("all devices of the node", essential=True),
    "docker_api": Request("a Docker daemon, which a Kubernetes node does not have", essential=True),
    "kernel_modules": Request("loading modules into the node's kernel", essential=True),
    "journald": Request("the node's journal", essential=True),
    DEVICES: Request("devices at the node", "devices at the node (USB sticks, GPIO pins, cameras, graphics)"),
    "audio": Request("the node's sound", "sound from and to the node"),
    "host_dbus": Request("the node's D-Bus", "the node's D-Bus (Bluetooth and the like)"),
}
"""By the key of the manifest, without capabilities; `devices` stands for usb, uart, gpio and video, too. What is not
here (udev, devicetree, host_uts, apparmor, realtime, ulimits) is dropped and not missed.
"""


def report(config: AddonConfig, allowed: Collection[str]) -> Report:
    """What becomes of the add-on where these classes are allowed, on a node of its architecture."""
    note, denied, needs, without = note_on(config.slug), list(_impossible(config)), [], []
    for key, request in _requests(config):
        if request.allow is not None and request.allow in allowed:
            continue
        dispensable = key in note.dispensable or (not request.essential and key not in note.essential)
        if dispensable:
            without.append(note.dispensable.get(key) or request.lost)
        elif request.allow is None:
            denied.append(_worded(key, request))
        else:
            needs.append(Need(_worded(key, request), request.allow))
    lost = tuple(dict.fromkeys(text for text in without if text))
    return Report(denied=tuple(denied), needs=tuple(needs), without=lost)


def sentence(found: Report) -> str:
    """The report for a person."""
    if found.verdict is Verdict.RUNS:
        return "It runs on this cluster."
    if found.verdict is Verdict.RUNS_WITHOUT:
        return f"It runs on this cluster, without {'; '.join(found.without)}."
    wants = "; ".join([*found.denied, *(need.what for need in found.needs)])
    why = [found.unfit] if found.unfit else []
    why += [f"It asks for {wants}"] if wants else []
    if found.verdict is Verdict.NEEDS:
        why.append(f"To allow it, {' and '.join(dict.fromkeys(need.how for need in found.needs))}")
    return " ".join(f"{text}." for text in ["It cannot run on this cluster", *why])


def _requests(config: AddonConfig) -> Iterator[tuple[str, Request]]:
    optional_devices = _device_options(config.schema or {}, required=False)
    for key, request in REQUESTS.items():
        asked = any(config.raw.get(one) for one in _DEVICE_KEYS) if key == DEVICES else config.raw.get(key)
        if asked or (key == DEVICES and optional_devices):
            yield key, request
    for capability in sorted(set(config.privileged)):
        what = f"the capability {capability}"
        yield capability, Request(what, essential=True, allow=Allow.CAPABILITIES)


def _worded(key: str, request: Request) -> str:
    return request.what if request.allow is Allow.CAPABILITIES else f"{key} ({request.what})"


def _impossible(config: AddonConfig) -> Iterator[str]:
    """What nobody can allow."""
    if options := _device_options(config.schema or {}, required=True):
        yield f"a device of the node (option {', '.join(options)})"
    if config.image is None:
        yield "an image to be built, for its manifest names none"
    for entry in config.map:
        if entry.path is not None and not _is_own_path(entry.path):
            yield f"a folder at {entry.path!r}, which is no path of its own inside a container"


def _device_options(schema: Mapping[str, Any], prefix: str = "", *, required: bool) -> list[str]:
    """Options that hold a path of a device: those that must, or those that may."""
    found: list[str] = []
    for key, element in schema.items():
        inner = element[0] if isinstance(element, list | tuple) and element else element
        if isinstance(inner, Mapping):
            if inner is element or not required:  # a list may be left empty
                found += _device_options(inner, f"{prefix}{key}.", required=required)
        elif isinstance(inner, str) and inner.startswith("device") and inner.endswith("?") is not required:
            found.append(f"{prefix}{key}")
    return found


def _is_own_path(path: str) -> bool:
    return path.startswith("/") and path.strip("/") != "" and ":" not in path
