"""What becomes of an add-on here, told before it is installed. Pure.

A manifest may ask for more than an ordinary container gets. Each such request is *granted* because the administrator
allows its class (`allowance.py`), or *essential*, so that the add-on is refused without it, or *dispensable*: it is
dropped, and the report says what is lost. Many manifests ask for what they hardly use, so `addon_notes.py` knows of
some add-ons better than the rule.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.addon_notes import note_on
from supervisor_k8s.model.allowance import Allow, asks_for_devices, grants, required_devices
from supervisor_k8s.model.nodes import NodeFacts

SETTING = "SUPERVISOR_K8S_ALLOW"
BUILD_SETTING = "SUPERVISOR_K8S_BUILD_REGISTRY"


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
    """A request that would be granted if its class were allowed; or an image to be built, where nothing is."""

    what: str
    word: str | None
    """Of the setting, as somebody would write it; None of the image."""

    @property
    def how(self) -> str:
        return ways([self])


def ways(needs: Collection[Need]) -> str:
    """What the administrator would do about them."""
    words = dict.fromkeys(need.word for need in needs if need.word)
    found = [f"add {', '.join(words)} to the setting {SETTING}"] if words else []
    found += [f"set {BUILD_SETTING} to a registry"] if any(need.word is None for need in needs) else []
    return " and ".join(found)


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
SYS_MODULE = "SYS_MODULE"
REQUESTS: Mapping[str, Request] = {
    "host_network": Request("the node's own network", essential=True, allow=Allow.HOST_NETWORK),
    "host_pid": Request("the processes of the node", essential=True, allow=Allow.PRIVILEGED),
    "host_ipc": Request("the shared memory of the node", essential=True, allow=Allow.PRIVILEGED),
    "full_access": Request("all devices of the node", essential=True, allow=Allow.PRIVILEGED),
    "docker_api": Request("a Docker daemon, which a Kubernetes node does not have", essential=True),
    "kernel_modules": Request("modules of the node's kernel", essential=True, allow=Allow.HOST_PATHS),
    "journald": Request("the node's journal", essential=True, allow=Allow.HOST_PATHS),
    DEVICES: Request(
        "devices at the node",
        "devices at the node (USB sticks, GPIO pins, cameras, graphics)",
        allow=Allow.DEVICES,
    ),
    "audio": Request("the node's sound", "sound from and to the node"),
    "host_dbus": Request("the node's D-Bus", "the node's D-Bus (Bluetooth and the like)", allow=Allow.HOST_PATHS),
}
"""By the key of the manifest, without capabilities; `devices` stands for usb, uart, gpio and video, too. What is not
here (udev, devicetree, host_uts, apparmor, realtime, ulimits) is dropped and not missed.
"""
NOTHING: Mapping[str, str] = MappingProxyType({})
UNKNOWN = NodeFacts()
UNPROTECTED = frozenset({"host_pid", "full_access"})
"""What an add-on gets only while its protection mode is off, as upstream."""


def report(
    config: AddonConfig,
    allowed: Collection[str],
    refused: Mapping[str, str] = NOTHING,
    nodes: NodeFacts = UNKNOWN,
    *,
    builds: bool = False,
) -> Report:
    """What becomes of the add-on where this is allowed, on a node of its architecture. `refused` is what the cluster
    lets nobody have, by class, with its reason; `nodes` is what they offer; `builds`: whether images are built.
    """
    given = grants(config, allowed)
    classes, offered = given.classes, nodes.resources
    note, denied, needs = note_on(config.slug), list(_impossible(config)), []
    without: list[str | None] = []
    # What it is given beyond what it asks for binds it, too: no node would take its pod.
    absent = () if offered is None else (name for name in given.resources if name not in offered)
    denied += [f"the device {name}, as {SETTING} says, which no node offers" for name in absent]
    for key, request in _requests(config):
        by_full_access = key == DEVICES and config.raw.get("full_access") and Allow.PRIVILEGED in classes
        if request.allow in classes or by_full_access:
            if key in UNPROTECTED:
                without.append(f"{request.what} until its protection mode is switched off")
            continue
        dispensable = key in note.dispensable or (not request.essential and key not in note.essential)
        if dispensable:
            without.append(note.dispensable.get(key) or request.lost)
        elif request.allow is None:
            denied.append(_worded(key, request))
        elif request.allow in refused:
            denied.append(f"{_worded(key, request)}, which the cluster refuses: {refused[request.allow]}")
        else:
            needs.append(Need(_worded(key, request), _word(request.allow, config, offered or ())))
    if config.image is None and not builds:
        needs.append(Need("an image to be built, for its manifest names none", None))
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
        why.append(f"To allow it, {ways(found.needs)}")
    return " ".join(f"{text}." for text in ["It cannot run on this cluster", *why])


def _requests(config: AddonConfig) -> Iterator[tuple[str, Request]]:
    required = required_devices(config.schema or {})
    for key, request in REQUESTS.items():
        if key == DEVICES and required:
            what = f"a device of the node (option {', '.join(required)})"
            yield "device options", Request(what, essential=True, allow=Allow.DEVICES)
        elif asks_for_devices(config) if key == DEVICES else config.raw.get(key):
            yield key, request
    modules = [SYS_MODULE] if config.raw.get("kernel_modules") else []
    for capability in sorted({*config.privileged, *modules}):
        what = f"the capability {capability}"
        yield capability, Request(what, essential=True, allow=Allow.CAPABILITIES)


def _word(allow: Allow, config: AddonConfig, offered: Collection[str]) -> str:
    """What the administrator would write to allow it; `offered` are the resources there are, as far as known."""
    if allow is Allow.DEVICES:
        names = f", which are {', '.join(sorted(offered))}" if offered else ""
        return f"{config.slug}=devices:<a path below /dev, or a device plugin's resource{names}>"
    return allow


def _worded(key: str, request: Request) -> str:
    return f"{key} ({request.what})" if key in REQUESTS else request.what


def _impossible(config: AddonConfig) -> Iterator[str]:
    """What nobody can allow."""
    for entry in config.map:
        if entry.path is not None and not _is_own_path(entry.path):
            yield f"a folder at {entry.path!r}, which is no path of its own inside a container"


def _is_own_path(path: str) -> bool:
    return path.startswith("/") and path.strip("/") != "" and ":" not in path
