"""Whether an add-on can run here: architecture, machine, Core's version, and what it asks of the node. Pure."""

from collections.abc import Collection
from dataclasses import replace

from supervisor_k8s.errors import (
    AddonArchitectureError,
    AddonCoreVersionError,
    AddonMachineError,
    AddonNoBuilderError,
    AddonNotSupportedError,
    RefusedError,
)
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.compatibility import Report, Verdict, report, sentence
from supervisor_k8s.model.desired.docker_network import missed
from supervisor_k8s.model.desired.security import on_node_network
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
    AddonNoBuilderError, AddonNotSupportedError. `core_version` None: not known, so nothing is refused for it.
    """
    _check_system(config, site, core_version)
    found = _reported(config, site)
    if not found.denied and [need.word for need in found.needs] == [None]:
        raise AddonNoBuilderError(app=config.slug)
    if found.verdict in {Verdict.NEEDS, Verdict.CANNOT_RUN}:
        raise AddonNotSupportedError(f"App {config.slug}: {sentence(found)}")


def compatibility(config: AddonConfig, site: Site, *, core_version: str | None, unpublished: str = "") -> Report:
    """What becomes of the add-on here, whether it is available or not. `unpublished` is why no port is reached from
    outside of the cluster; empty where they are, or nobody has tried.
    """
    found = _reported(config, site)
    found = replace(found, without=(*found.without, *_unreached(config, site, unpublished), *missed(config, site)))
    try:
        _check_system(config, site, core_version)
    except RefusedError as error:
        return replace(found, unfit=f"{error}{_elsewhere(config, site)}")
    return found


def is_left_behind(config: AddonConfig, site: Site) -> bool:
    """Whether it is for architectures or machines that Home Assistant has given up, and not for ours: in a house that
    has moved to other nodes.
    """
    machines = {machine.lstrip("!") for machine in config.machine}
    return (not GIVEN_UP.isdisjoint(config.arch) and site.arch not in config.arch) or (
        not MACHINES_GIVEN_UP.isdisjoint(machines) and not _machine_fits(config.machine, site.machine)
    )


def _reported(config: AddonConfig, site: Site) -> Report:
    return report(config, site.allowed, site.refused, site.nodes, builds=bool(site.build_registry))


def _unreached(config: AddonConfig, site: Site, why: str) -> tuple[str, ...]:
    """Ports that are published by default, and are not where the add-on is not on the node's own network."""
    ports = [port if "/" in port else f"{port}/tcp" for port, number in config.ports.items() if number]
    if not why or not ports or on_node_network(config, site):
        return ()
    return (f"{', '.join(ports)} at an address on the LAN ({why})",)


def _elsewhere(config: AddonConfig, site: Site) -> str:
    """That there are nodes for it, and why this does not help."""
    fitting = sorted(site.nodes.architectures.intersection(config.arch) - {site.arch})
    if site.arch in config.arch or not fitting:
        return ""
    return f" (there are nodes with {', '.join(fitting)}, but add-ons run where the Supervisor could: on {site.arch})"


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
