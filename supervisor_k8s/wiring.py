"""Who hears whom: the signals and listeners between the parts of a house; what is checked, and whose verbs suggestions
call. Nothing is decided here.
"""

import functools
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from supervisor_k8s import log
from supervisor_k8s.api.keys import Services
from supervisor_k8s.cluster.cluster import Cluster
from supervisor_k8s.errors import HubRateLimitError, ImagePullError, StateFileError, StorageError
from supervisor_k8s.house import NAMES_KEY, House
from supervisor_k8s.jobs import Progress
from supervisor_k8s.model import naming
from supervisor_k8s.model.build import tagged
from supervisor_k8s.model.desired.registries import REGISTRIES_KEY, TYPE_REGISTRIES
from supervisor_k8s.model.image_pull import DOCKER_HUB, registry_of
from supervisor_k8s.model.intent import CORE_KEY, DNS_KEY, PORTS_KEY, PUBLIC_KEY, addon_key
from supervisor_k8s.model.issue import Cause, Context, Cure, Fault, Faults, Unhealthy
from supervisor_k8s.model.status import AddonState
from supervisor_k8s.reconcile import Live
from supervisor_k8s.services.addon_checks import AddonChecks
from supervisor_k8s.services.addon_settings import AddonSettings
from supervisor_k8s.services.addons import Addons
from supervisor_k8s.services.host import Host
from supervisor_k8s.services.images import Images
from supervisor_k8s.services.leaks import Leaks
from supervisor_k8s.services.own_rights import OwnRights
from supervisor_k8s.services.remedies import Verbs
from supervisor_k8s.services.repositories import Repositories
from supervisor_k8s.services.resolution import Resolution
from supervisor_k8s.state.files import is_damage

_LOGGER = logging.getLogger(__name__)


def connect(house: House) -> None:
    """Who hears whom."""
    send = house.home_assistant.send_event
    house.cluster.on_connected(house.stage.again.set)
    house.cluster.subscribe(house.states.on_change)
    house.cluster.subscribe(house.log_keeper.on_change)
    house.cluster.subscribe(house.services.dns.on_change)
    house.cluster.subscribe(house.ports.on_change)
    house.cluster.subscribe(house.services.publishing.on_change)
    house.cluster.subscribe(house.public_route.on_change)
    house.cluster.on_serving(house.public_route.on_serving)
    house.cluster.on_serving(house.services.publishing.on_serving)
    house.states.looked.connect(house.ports.look)
    house.services.addon_settings.changed.connect(house.ports.look)
    house.ports.changed.connect(house.services.publishing.look)
    house.ports.conflicted.connect(house.services.resolution.report)
    house.ports.settled.connect(house.services.resolution.settle)
    house.states.looked.connect(house.recovery.attend)
    house.states.changed.connect(house.addon_watchdog.on_state)
    house.cluster.subscribe(lambda _, old, new: wake_at_core(house, old, new))
    house.states.changed.connect(lambda change: send({"event": "addon", "slug": change[0], "state": change[1].value}))
    house.cluster.subscribe(house.pod_troubles.on_change)
    house.recovery.failed.connect(house.boot_failures.failed)
    house.states.looked.connect(house.boot_failures.look)
    house.services.addon_settings.changed.connect(house.boot_failures.look)
    house.services.jobs.event.connect(send)
    house.services.resolution.event.connect(send)
    house.services.resolution.event.connect(house.notices.on_event)
    house.home_assistant.on_connected(house.notices.tell_again)
    house.home_assistant.on_connected(house.trusted_proxies.look_soon)
    house.images.ended.connect(functools.partial(tell_rate_limit, house.services.resolution))
    house.services.repositories.read.connect(house.store_faults.look)
    house.services.repositories.read.connect(lambda _: house.services.resolution.look_soon())
    house.services.repositories.read.connect(lambda _: house.services.addon_updates.look_soon())
    house.services.repositories.reloaded.connect(
        lambda slugs: send({"event": "store_reloaded", "data": {"repositories": sorted(slugs)}})
    )
    for key in ("supervisor", "core", "os"):
        house.services.versions.fetched.connect(functools.partial(tell_update, send, key))
    house.services.preferences.changed.connect(apply_log_level)
    house.services.preferences.changed.connect(lambda _: judge_conditions(house.services))
    apply_log_level(house.records.preferences)
    judge_conditions(house.services)
    house.services.own.look_back()
    connect_records(house)


def connect_records(house: House) -> None:
    """What is wrong with our own files is an issue that people see; a record that is there again is acted upon."""
    resolution, rebuild = house.services.resolution, house.rebuild
    for name in house.records.damaged:
        resolution.report(Fault(Cause.STATE_FILE_DAMAGED, Context.SUPERVISOR, name))

    def written(error: StateFileError | None) -> None:
        fault = Fault(Cause.STATE_NOT_WRITTEN, Context.SUPERVISOR)
        if error is None:
            resolution.settle(fault)
        else:
            resolution.report(fault)
            tell_damage(resolution, error)

    def missed(slug: str) -> None:
        resolution.report(Fault(Cause.ADDON_RECORD_LOST, Context.ADDON, slug))

    def rebuilt(slug: str) -> None:
        resolution.report(Fault(Cause.ADDON_RECORD_REBUILT, Context.ADDON, slug))

    def found(slug: str) -> None:
        resolution.settle(Fault(Cause.ADDON_RECORD_LOST, Context.ADDON, slug))
        house.reconciler.poke(addon_key(slug))
        house.states.look(slug)

    house.records.on_write(written)
    house.services.repositories.reloaded.connect(rebuild.store_changed)
    rebuild.missed.connect(missed)
    rebuild.found.connect(found)
    rebuild.rebuilt.connect(rebuilt)


def tell_damage(resolution: Resolution, error: StateFileError | StorageError) -> None:
    """A volume that is broken is no place for anything new, until somebody has looked at it and started us again."""
    if is_damage(error):
        _LOGGER.error("A volume is damaged: look at the node's and the storage's log. %s", error)
        resolution.set_unhealthy(Unhealthy.OSERROR_BAD_MESSAGE, present=True)


def wake_at_core(house: House, old: Live | None, new: Live | None) -> None:
    """A new pod of Core is worth another dial at once."""
    live = new or old
    if live is not None and key_of(live, house.services.addons) == CORE_KEY:
        house.home_assistant.wake()


def apply_log_level(changes: Mapping[str, Any]) -> None:
    if level := changes.get("logging"):
        log.set_level(level)


def judge_conditions(services: Services) -> None:
    """As upstream: nobody supports work without what it needs."""
    ignored = services.preferences.get("ignore_conditions")
    services.resolution.set_unsupported("job_conditions", present=bool(ignored))


def tell_rate_limit(faults: Faults, ended: tuple[str, ImagePullError | None]) -> None:
    """Docker Hub's is an issue until it gives again."""
    image, error = ended
    fault = Fault(Cause.DOCKER_RATELIMIT, Context.SYSTEM)
    if isinstance(error, HubRateLimitError):
        faults.report(fault)
    elif error is None and registry_of(image) == DOCKER_HUB:
        faults.settle(fault)


def makes_sense(addons: Addons, fault: Fault, cure: Cure) -> bool:
    """Whether a suggestion does, as things are."""
    return cure is not Cure.EXECUTE_STOP or addons.state(str(fault.reference)) is AddonState.STARTED


def tell_update(send: Callable[[Mapping[str, Any]], None], key: str, _: object) -> None:
    """Have the frontend ask for this anew."""
    send({"event": "supervisor_update", "update_key": key, "data": {}})


def key_of(live: Live, addons: Addons) -> str | None:
    """The workload that an object belongs to by its labels."""
    kind = live["metadata"].get("labels", {}).get(naming.LABEL_TYPE)
    if kind == naming.TYPE_CORE:
        return CORE_KEY
    if kind == naming.ADDONS_SERVICE:
        return NAMES_KEY
    if kind == TYPE_REGISTRIES:
        return REGISTRIES_KEY
    if kind == naming.TYPE_DNS:
        return DNS_KEY
    if kind == naming.TYPE_PORTS:
        return PORTS_KEY
    if kind == naming.TYPE_PUBLIC:
        return PUBLIC_KEY
    slug = addons.slug_of(live) if kind == naming.TYPE_ADDON else None
    return None if slug is None else addon_key(slug)


def checks(
    host: Host, leaks: Leaks, cluster: Cluster, addon_checks: AddonChecks
) -> Mapping[str, Callable[[], Awaitable[Sequence[Fault]]]]:
    """What is looked at every hour, by slug."""
    return {
        "free_space": host.check_space,
        "addon_pwned": leaks.check,
        "rights": OwnRights(cluster.lacking_rights).check,
        **addon_checks.by_slug,
    }


def verbs(addons: Addons, settings: AddonSettings, images: Images, repositories: Repositories) -> Verbs:
    """What suggestions come to."""

    async def pull(slug: str, progress: Progress) -> None:
        user = addons.get(slug).user
        await images.pull(tagged(str(user["image"]), str(user["version"])), progress.stage)

    return Verbs(
        start=addons.start,
        stop=addons.stop,
        restart=addons.restart,
        uninstall=addons.uninstall,
        pull=pull,
        boot_manually=lambda slug: settings.change(slug, {"boot": "manual"}),
        unpublish=settings.unpublish,
        fetch_store=repositories.repair,
        remove_store=repositories.remove,
    )
