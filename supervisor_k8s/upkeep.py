"""How the parts are built that look after versions: what is offered, checks of a configuration, our own update, and
what must be given before anything goes to another version; and what builds images.
"""

from collections.abc import Awaitable, Callable
from uuid import uuid4

from supervisor_k8s.cluster.cluster import Cluster
from supervisor_k8s.house import VERSION, Stage
from supervisor_k8s.jobs import Jobs
from supervisor_k8s.model.desired.build import Builder
from supervisor_k8s.model.intent import Manifest, Wanted, addon_key
from supervisor_k8s.model.issue import Faults
from supervisor_k8s.model.one_off import Ended
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import Live
from supervisor_k8s.model.versions import offered
from supervisor_k8s.remote.home_assistant import HomeAssistant
from supervisor_k8s.remote.version_file import VersionFile
from supervisor_k8s.services import addon_updates as addon_updates_service
from supervisor_k8s.services import trusted_proxies as trusted_proxies_service
from supervisor_k8s.services.addon_settings import AddonSettings
from supervisor_k8s.services.addon_updates import AddonUpdates
from supervisor_k8s.services.addons import Addons
from supervisor_k8s.services.builds import Builds
from supervisor_k8s.services.conditions import Conditions
from supervisor_k8s.services.config_check import ConfigCheck
from supervisor_k8s.services.core import FIRST_VERSION, Core
from supervisor_k8s.services.host import Host
from supervisor_k8s.services.one_offs import OneOffs
from supervisor_k8s.services.own_life import OwnLife, Rollouts
from supervisor_k8s.services.own_updates import OwnUpdates
from supervisor_k8s.services.preferences import Preferences
from supervisor_k8s.services.repositories import Repositories
from supervisor_k8s.services.resolution import Resolution
from supervisor_k8s.services.trusted_proxies import TrustedProxies
from supervisor_k8s.services.versions import KnownFile, Versions
from supervisor_k8s.settings import Settings
from supervisor_k8s.state.log_files import LogFiles
from supervisor_k8s.state.records import Records
from supervisor_k8s.state.storage import SharedVolume

type Run = Callable[[Manifest], Awaitable[Ended]]
"""Has a Job done."""


def known_versions(settings: Settings, records: Records, *, channel: Callable[[], str]) -> Versions:
    """What is offered by Home Assistant's version file, and by our own where the settings name one."""
    core = KnownFile(
        fetch=VersionFile(url=settings.versions_url).fetch,
        kept=lambda: records.versions,
        save=records.save_versions,
    )
    own = settings.own_versions_url and KnownFile(
        fetch=VersionFile(url=settings.own_versions_url).fetch,
        kept=lambda: records.own_versions,
        save=records.save_own_versions,
    )
    return Versions(core=core, own=own or None, channel=channel, machine=settings.machine)


def latest_core(versions: Versions, records: Records) -> str | None:
    """Core's version that is offered, offline too."""
    installed = records.core.version if records.core else None
    return offered(versions.core, FIRST_VERSION, installed)


async def first_version(chosen: str | None, versions: Versions) -> str:
    """Core's version of a new installation: the administrator's, else the channel's, else the one we were made with."""
    if chosen is None and versions.core is None:
        await versions.reload()
    return chosen or versions.core or FIRST_VERSION


def config_check(core: Core, preferences: Preferences, site: Site, *, run: Run) -> ConfigCheck:
    """With the Core that runs, or would run."""
    return ConfigCheck(run=run, image=lambda: core.image_with_tag, timezone=lambda: preferences.timezone, site=site)


def trusted_proxies(  # noqa: PLR0913 - what has a part in Core's restarts
    settings: Settings,
    core: Core,
    check: ConfigCheck,
    *,
    home_assistant: HomeAssistant,
    volume: SharedVolume,
    jobs: Jobs,
    preferences: Preferences,
    faults: Faults,
) -> TrustedProxies:
    """Those that the settings name."""

    async def restart() -> None:
        if core.record.intent.wanted is Wanted.RUNNING:
            await core.restart()

    return TrustedProxies(
        proxies=settings.trusted_proxies,
        files=volume,
        jobs=jobs,
        neighbours=trusted_proxies_service.Neighbours(
            version=lambda: core.running_version,
            command=home_assistant.command,
            check=check.candidate,
            restart=restart,
            former=lambda: preferences.get("trusted_proxies"),
            remember=lambda proxies: preferences.set({"trusted_proxies": list(proxies)}),
        ),
        faults=faults,
    )


def own_life(  # noqa: PLR0913 - the parts that our own life touches
    settings: Settings,
    cluster: Rollouts,
    own_pod: Live,
    site: Site,
    *,
    versions: Versions,
    stage: Stage,
    run: Run,
    resolution: Resolution,
    preferences: Preferences,
) -> OwnLife:
    """Of the Deployment that the settings name."""
    return OwnLife(
        cluster=cluster,
        deployment=settings.name,
        node=own_pod["spec"].get("nodeName", ""),
        site=site,
        version=VERSION,
        latest=lambda: versions.own,
        stage=stage,
        run=run,
        resolution=resolution,
        went_to=lambda: preferences.get("updated_to"),
        note=lambda version: preferences.set({"updated_to": version}),
    )


def own_updates(jobs: Jobs, versions: Versions, own: OwnLife, conditions: Conditions) -> OwnUpdates:
    """Those that nobody asks for."""
    return OwnUpdates(
        jobs=jobs,
        reload=versions.reload,
        offered=own.offered,
        undone=lambda: own.undone,
        may=conditions.check,
        update=own.update,
    )


def addon_updates(
    jobs: Jobs, addons: Addons, settings: AddonSettings, repositories: Repositories, conditions: Conditions
) -> AddonUpdates:
    """Those that somebody asks for, and the others."""
    return AddonUpdates(
        jobs=jobs,
        neighbours=addon_updates_service.Neighbours(
            installed=addons.installed,
            catalogue=lambda: repositories.catalogue,
            judged_by=settings.judged_by,
            may=conditions.check,
            update=addons.update,
            state=addons.state,
        ),
    )


def work_conditions(
    preferences: Preferences, resolution: Resolution, host: Host, own: OwnLife, stage: Stage
) -> Conditions:
    """As far as they may be unmet here."""
    return Conditions(
        ignored=lambda: preferences.get("ignore_conditions"),
        unhealthy=lambda: resolution.unhealthy,
        state=lambda: stage.name,
        disk=host.disk,
        outdated=lambda: own.outdated,
        auto_update=lambda: bool(preferences.get("auto_update")),
        found_full=resolution.look_soon,
    )


def builds(  # noqa: PLR0913 - the parts that a build touches
    settings: Settings,
    cluster: Cluster,
    *,
    site: Callable[[], Site],
    repositories: Repositories,
    records: Records,
    volume: SharedVolume,
    one_offs: OneOffs,
    kept_logs: LogFiles,
) -> Builds:
    """Of the builder and the registry that the settings name."""

    async def keep(slug: str, log: bytes) -> None:
        if slug in records.addons:
            await kept_logs.save(addon_key(slug), uuid4().hex, log)

    return Builds(
        builder=Builder(
            image=settings.build_image,
            push=settings.build_push or settings.build_registry or "",
            deadline=round(settings.build_timeout),
        ),
        site=site,
        source=repositories.build_source,
        volume=volume,
        refusal=cluster.refusal,
        run=one_offs.run,
        keep=keep,
    )
