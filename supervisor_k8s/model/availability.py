"""Whether an add-on can run here: architecture, machine, Core's version, and what it asks of the node. Pure."""

from collections.abc import Collection
from dataclasses import replace

from supervisor_k8s.errors import (
    AddonArchitectureError,
    AddonCoreVersionError,
    AddonMachineError,
    AddonNotSupportedError,
    RefusedError,
)
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.compatibility import Report, Verdict, report, sentence
from supervisor_k8s.model.desired.docker_network import missed
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.versions import at_least

GIVEN_UP = frozenset({"armhf", "armv7", "i386"})
MACHINES_GIVEN_UP = frozenset(
    {"odroid-xu", "qemuarm", "qemux86", "raspberrypi", "raspberrypi2", "raspberrypi3", "raspberrypi4", "tinker"}
)
"""Architectures and machines that Home Assistant runs on no more (Supervisor 2026.08)."""


def check_available(config: AddonConfig, site: Site, *, core_version: str | None) -> None:
    """Raise why the add-on cannot be installed or updated here, if so.

    AddonArchitectureError, AddonMachineError, AddonCoreVersionError (the keys clients know, in upstream's order), or
    AddonNotSupportedError. `core_version` None: not known, so nothing is refused for it.
    """
    _check_system(config, site, core_version)
    found = report(config, site.allowed)
    if found.verdict in {Verdict.NEEDS, Verdict.CANNOT_RUN}:
        raise AddonNotSupportedError(f"App {config.slug}: {sentence(found)}")


def compatibility(config: AddonConfig, site: Site, *, core_version: str | None) -> Report:
    """What becomes of the add-on here, whether it is available or not."""
    found = report(config, site.allowed)
    found = replace(found, without=(*found.without, *missed(config, site)))
    try:
        _check_system(config, site, core_version)
    except RefusedError as error:
        return replace(found, unfit=str(error))
    return found


def is_left_behind(config: AddonConfig, site: Site) -> bool:
    """Whether it is for architectures or machines that Home Assistant has given up, and not for ours: in a house that
    has moved to other nodes.
    """
    machines = {machine.lstrip("!") for machine in config.machine}
    return (not GIVEN_UP.isdisjoint(config.arch) and site.arch not in config.arch) or (
        not MACHINES_GIVEN_UP.isdisjoint(machines) and not _machine_fits(config.machine, site.machine)
    )


def _check_system(config: AddonConfig, site: Site, core_version: str | None) -> None:
    if site.arch not in config.arch:
        raise AddonArchitectureError(slug=config.slug, architectures=", ".join(config.arch))
    if config.machine and not _machine_fits(config.machine, site.machine):
        raise AddonMachineError(slug=config.slug, machine_types=", ".join(config.machine))
    if config.homeassistant and core_version and not at_least(core_version, config.homeassistant):
        raise AddonCoreVersionError(slug=config.slug, version=config.homeassistant)


def _machine_fits(machines: Collection[str], machine: str) -> bool:
    """As upstream: named and not excluded. A list of exclusions alone fits no machine."""
    return machine in machines and f"!{machine}" not in machines
