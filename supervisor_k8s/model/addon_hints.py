"""What the author of a valid manifest should know: words without effect, and words that are going. Pure."""

from collections.abc import Iterable, Iterator

from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.availability import GIVEN_UP, MACHINES_GIVEN_UP
from supervisor_k8s.model.desired.volumes import IGNORED_BESIDE_CONFIG, NEW_NAMES


def hints(config: AddonConfig) -> Iterator[str]:
    """Sentences without their full stop. Which there are is upstream's choice (Supervisor 2026.08)."""
    raw = config.raw
    if raw.get("full_access") and (narrower := [key for key in ("devices", "uart", "usb", "gpio") if raw.get(key)]):
        yield f"full_access has all devices, {_listed(narrower)} with it has no effect"
    if raw.get("backup") == "cold" and (around := [key for key in ("backup_pre", "backup_post") if raw.get(key)]):
        yield f"with backup: cold the app does not run, {_listed(around)} has no effect"
    if gone := GIVEN_UP.intersection(config.arch):
        yield f"arch has what Home Assistant runs on no more: {_listed(gone)}"
    if gone := MACHINES_GIVEN_UP.intersection(machine.lstrip("!") for machine in config.machine):
        yield f"machine has what Home Assistant runs on no more: {_listed(gone)}"
    types = {entry.type for entry in config.map}
    if "config" in types:
        yield "map has config, the old word for homeassistant_config"
        if ignored := IGNORED_BESIDE_CONFIG & types:
            yield f"map has config, {_listed(ignored)} with it has no effect"
    for old in sorted(NEW_NAMES.keys() & types):
        yield f"map has {old}, the old word for {NEW_NAMES[old]}"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))
