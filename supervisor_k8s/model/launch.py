"""What a start makes of an installed add-on's record: the effective manifest, and the Launch it freezes. Pure: chance
(id and token) and surroundings come in as values.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

from supervisor_k8s.model import naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.addon_schema import DYNAMIC_PORTS
from supervisor_k8s.model.build import tagged
from supervisor_k8s.model.desired.compose import desired_addon, stopped
from supervisor_k8s.model.desired.docker_network import link_entries
from supervisor_k8s.model.desired.link import LinkKeys
from supervisor_k8s.model.desired.secrets import token_secret
from supervisor_k8s.model.intent import InstalledAddon, Launch, Wanted, addon_key
from supervisor_k8s.model.plan import Workload
from supervisor_k8s.model.ports import ports_of
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.token import digest

BOOT_ORDER = ("initialize", "system", "services", "application")
"""Phases of a boot (the manifest's `startup`), first to last. `once` has none: it runs only when somebody starts it."""


def config_of(record: InstalledAddon) -> AddonConfig:
    """The installed manifest of a record, with the ingress port that was chosen for it where it has none of its own."""
    config = AddonConfig.from_normalised(record.system, repository=str(record.system["repository"]))
    if config.ingress and not config.ingress_port and record.ingress_port:
        return replace(config, ingress_port=record.ingress_port)
    return config


def image_name(image: str, site: Site) -> str:
    """A manifest's image for this installation's architecture, without tag."""
    return image.replace("{arch}", site.arch)


def effective_boot(record: InstalledAddon) -> str:
    """`auto` or `manual`: the user's choice, which a manifest with `manual_only` does not allow."""
    manifest = record.system.get("boot", "auto")
    chosen = record.user.get("boot") or manifest
    return "auto" if chosen == "auto" and manifest != "manual_only" else "manual"


def boot_phase(record: InstalledAddon) -> int | None:
    """Place in BOOT_ORDER of an add-on that comes up by itself after its node went down; None for one that does not."""
    startup = record.system.get("startup", "application")
    return BOOT_ORDER.index(startup) if startup in BOOT_ORDER and effective_boot(record) == "auto" else None


def with_ingress_port(record: InstalledAddon, others: Collection[int]) -> InstalledAddon:
    """The record with a port for `ingress_port: 0`, the one it has where there is one: the add-on's program reads it
    from its page. `others` are taken by other add-ons. The manifest's own ports are avoided, too: what is published is
    not to lead around ingress' login.
    """
    config = AddonConfig.from_normalised(record.system, repository=str(record.system["repository"]))
    if not config.ingress or config.ingress_port:
        return replace(record, ingress_port=None)
    mapped = {int(port.partition("/")[0]) for port in config.ports} | {port for port in config.ports.values() if port}
    if record.ingress_port in DYNAMIC_PORTS and record.ingress_port not in mapped:
        return record
    first = int(hashlib.sha256(record.slug.encode()).hexdigest()[:8], 16) % len(DYNAMIC_PORTS)
    candidates = (*DYNAMIC_PORTS[first:], *DYNAMIC_PORTS[:first])
    return replace(record, ingress_port=next(port for port in candidates if port not in mapped and port not in others))


def switched(record: InstalledAddon, others: Collection[int]) -> InstalledAddon:
    """The record after the update that its intent carries, if any. `others` as in `with_ingress_port`."""
    update = record.intent.update
    if update is None:
        return record
    user, intent = {**record.user, **update["user"]}, replace(record.intent, update=None)
    health = update.get("health")
    return with_ingress_port(replace(record, user=user, system=update["system"], health=health, intent=intent), others)


def addon_workload(slug: str, record: InstalledAddon | None, *, lost: bool) -> Workload:
    """What the cluster is to hold of an add-on by its stored intent; nothing without a record or a launch.

    A launch that is over keeps its Secret until its program has ended: `plan` sees to that. Without it no container can
    be made of a pod that is kept to be read: in a new sandbox, after its node restarted, the kubelet would run the
    program again, and never say so. `lost`: the pod's sandbox is; what is made in its place is not let in, for the boot
    rule decides whether the add-on comes up again.
    """
    key, labels = addon_key(slug), {naming.LABEL_ADDON: naming.label_value(slug)}
    launch = record.intent.launch if record else None
    if record is None or launch is None or record.intent.wanted is Wanted.REMOVED:
        return Workload(key=key, labels=labels, objects=(), running=False)
    if record.intent.wanted in (Wanted.STOPPED, Wanted.RELAUNCH):
        objects = tuple(item for item in stopped(launch.objects) if item["kind"] != "Secret")
        return Workload(key=key, labels=labels, objects=objects, running=False)
    running = record.intent.wanted is Wanted.RUNNING and not lost
    if record.intent.wanted is Wanted.EXITED:
        objects = tuple(item for item in launch.objects if item["kind"] != "Secret")
        return Workload(key=key, labels=labels, objects=objects, running=False)
    return Workload(key=key, labels=labels, objects=launch.objects, running=running)


def new_launch(  # noqa: PLR0913 - the parts of a start, by name
    record: InstalledAddon,
    *,
    options: Mapping[str, Any],
    launch_id: str,
    token: str,
    timezone: str,
    site: Site,
    link_keys: LinkKeys | None,
) -> Launch:
    """Everything this start decides. `options` are validated and have their secrets filled in; `link_keys` are new ones
    for an add-on with an ingress-link.
    """
    config = config_of(record)
    version = str(record.user["version"])
    image = tagged(str(record.user["image"]), version)
    ports = ports_of(record)
    objects = desired_addon(
        config, launch_id=launch_id, version=version, image=image, options=options, ports=ports, timezone=timezone,
        site=site, protected=bool(record.user.get("protected", True)), health=record.health,
    )  # fmt: skip
    entries = {} if link_keys is None else link_entries(config, link_keys)
    secret = token_secret(naming.addon_name(config.slug), naming.addon_labels(config.slug), launch_id, token, entries)
    return Launch(
        id=launch_id,
        version=version,
        image=image,
        token_digest=digest(token),
        objects=(secret, *objects),
        options=options,
        ports=ports,
        timezone=timezone,
        config=config.raw,
    )
