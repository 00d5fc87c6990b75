"""The composition root: builds every part and connects them. Nothing else does.

Contract tests call `build` with doubles at the outer ports.
"""

import functools
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from supervisor_k8s import exposure, upkeep
from supervisor_k8s.api.keys import Services
from supervisor_k8s.cluster.cluster import Cluster
from supervisor_k8s.house import NAMES_KEY, VERSION, House, Stage
from supervisor_k8s.jobs import Jobs
from supervisor_k8s.model import naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.desired.balanced import Mode, Provider
from supervisor_k8s.model.desired.network import addons_service
from supervisor_k8s.model.desired.pull import KUBERNETES_ARCH
from supervisor_k8s.model.desired.registries import REGISTRIES_KEY
from supervisor_k8s.model.intent import CORE_KEY, DNS_KEY, PORTS_KEY, PUBLIC_KEY, Wanted, addon_key, addon_of
from supervisor_k8s.model.launch import config_of
from supervisor_k8s.model.plan import untouched
from supervisor_k8s.model.repository import LOCAL
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import AddonState
from supervisor_k8s.reconcile import Live, Reconciler, Workload
from supervisor_k8s.remote.home_assistant import HomeAssistant
from supervisor_k8s.remote.image_config import ImageConfigs
from supervisor_k8s.remote.leaked_passwords import LeakedPasswords
from supervisor_k8s.services import addon_recovery
from supervisor_k8s.services import addons as addon_service
from supervisor_k8s.services import core as core_service
from supervisor_k8s.services import docker_network as docker_network_service
from supervisor_k8s.services.access import Access
from supervisor_k8s.services.addon_checks import AddonChecks
from supervisor_k8s.services.addon_input import AddonInput
from supervisor_k8s.services.addon_place import AddonPlace
from supervisor_k8s.services.addon_rebuild import AddonRebuild
from supervisor_k8s.services.addon_recovery import AddonRecovery
from supervisor_k8s.services.addon_settings import AddonSettings
from supervisor_k8s.services.addon_states import AddonStates
from supervisor_k8s.services.addon_watchdog import AddonWatchdog
from supervisor_k8s.services.addons import Addons
from supervisor_k8s.services.allowances import Allowances
from supervisor_k8s.services.boot_failures import BootFailures
from supervisor_k8s.services.core import Core
from supervisor_k8s.services.core_update import CoreUpdate
from supervisor_k8s.services.core_watchdog import CoreWatchdog
from supervisor_k8s.services.discovery import Discovery
from supervisor_k8s.services.dns import Dns
from supervisor_k8s.services.docker_network import DockerNetwork
from supervisor_k8s.services.health_checks import HealthChecks
from supervisor_k8s.services.host import Host
from supervisor_k8s.services.image_registries import ImageRegistries
from supervisor_k8s.services.images import Images
from supervisor_k8s.services.ingress import Ingress
from supervisor_k8s.services.ingress_doors import IngressDoors, new_keys
from supervisor_k8s.services.leaks import Leaks
from supervisor_k8s.services.link import Link
from supervisor_k8s.services.log_keeper import LogKeeper
from supervisor_k8s.services.logins import Logins
from supervisor_k8s.services.logs import Logs
from supervisor_k8s.services.notices import Notices
from supervisor_k8s.services.one_offs import OneOffs
from supervisor_k8s.services.pod_troubles import PodTroubles
from supervisor_k8s.services.ports import Ports
from supervisor_k8s.services.preferences import Preferences
from supervisor_k8s.services.publishing import Publishing
from supervisor_k8s.services.remedies import remedies
from supervisor_k8s.services.repositories import SHIPPED, Repositories
from supervisor_k8s.services.resolution import Resolution
from supervisor_k8s.services.service_registry import ServiceRegistry
from supervisor_k8s.services.stats import Stats
from supervisor_k8s.services.store_faults import StoreFaults
from supervisor_k8s.settings import Settings
from supervisor_k8s.state.log_files import LogFiles
from supervisor_k8s.state.records import Records
from supervisor_k8s.state.storage import SharedVolume
from supervisor_k8s.store.git import Git
from supervisor_k8s.wiring import checks, connect, key_of, makes_sense, tell_damage, verbs


def build(  # noqa: PLR0913 - the outer ports, by name
    settings: Settings,
    *,
    cluster: Cluster,
    records: Records,
    volume: SharedVolume,
    site: Site,
    own_pod: Live,
    own_node: Live | None,
    kubernetes: str,
    git: Git,
    stage: Stage,
    may_act: Callable[[], None],
    own_url: str | None,
    shipped: Path | None = None,
) -> House:
    """Make every part and connect them. Nothing runs yet and nothing outside is touched. `may_act` raises while another
    Supervisor is in charge. `own_url` is where others reach us, None when no Service leads to us.
    `shipped` has the add-ons that come with us.
    """
    jobs = Jobs(may_begin=may_act, conditions=lambda job: conditions.check(job))  # noqa: PLW0108 - made below
    reconciler = Reconciler(
        cluster=cluster,
        render=lambda key: untouched(key) if rebuild.is_lost(key) else render(key, site, core, addons, shared),
        key_of=lambda live: key_of(live, addons),
    )
    converge = reconciler.converge
    link = Link(cluster=cluster, converge=converge, site=site)
    home_assistant = HomeAssistant(door=lambda: core.door(), tls=link.context)  # noqa: PLW0108 - core is made below
    image_registries = ImageRegistries(cluster=cluster, records=records, site=site, converge=converge)
    dns = Dns(
        cluster=cluster,
        converge=converge,
        poke=reconciler.poke,
        records=records,
        site=site,
        image=settings.dns_image,
    )
    allowances = Allowances(cluster=cluster, allowed=site.allowed, site=lambda: dns.site)
    docker_network = DockerNetwork(
        cluster=cluster,
        choice=settings.docker_network,
        pod_cidrs=settings.pod_cidrs,
        neighbours=docker_network_service.Neighbours(
            site=lambda: allowances.site,
            installed=lambda: map(config_of, records.addons.values()),
            former=lambda: preferences.get("docker_network"),
            remember=lambda found: preferences.set({"docker_network": found if found is None else list(found)}),
        ),
    )
    choice = exposure.l4_choice(settings)
    ports = Ports(
        cluster=cluster,
        records=lambda: records.addons,
        lost=lambda: rebuild.lost,
        site=lambda: allowances.site,
        refused=lambda: publishing.refused,
        publishes=choice.mode is not Mode.OFF,
    )
    publishing = Publishing(
        cluster=cluster,
        converge=converge,
        poke=reconciler.poke,
        held=ports.held,
        choice=choice,
        provider=Provider(settings.gateway_class) if settings.gateway_class else None,
        site=site,
        kubernetes=kubernetes,
        faults=lambda: resolution,
    )
    public_route = exposure.public_route(
        settings, cluster, site, converge=converge, poke=reconciler.poke, faults=lambda: resolution
    )
    shared = {
        REGISTRIES_KEY: image_registries.workload,
        DNS_KEY: dns.workload,
        PORTS_KEY: publishing.workload,
        PUBLIC_KEY: public_route.workload,
    }
    images = Images(cluster=cluster, site=site, logins=image_registries.users, timeout=settings.pull_timeout)
    one_offs = OneOffs(cluster=cluster)
    preferences = Preferences(records=records, log_level=settings.log_level)
    versions = upkeep.known_versions(settings, records, channel=lambda: str(preferences.get("channel")))
    core = Core(
        cluster=cluster,
        converge=converge,
        records=records,
        site=lambda: dns.site,
        image=settings.core_image.replace("{machine}", settings.machine),
        first_version=lambda: upkeep.first_version(settings.core_version, versions),
        neighbours=core_service.Neighbours(
            link_secrets=link.secrets,
            make_directories=volume.make_directories,
            touch=volume.touch,
            pull=images.pull,
            core_state=home_assistant.state,
            wait_up=lambda within: home_assistant.wait_up(within=within),
            timezone=lambda: preferences.timezone,
            latest=lambda: upkeep.latest_core(versions, records),
            poke=reconciler.poke,
        ),
    )
    repositories = Repositories(
        built_in=settings.repositories,
        records=records,
        git=git,
        clones=Path(settings.state) / "store",
        folders={LOCAL: Path(settings.share) / "addons" / "local"} | ({SHIPPED: shipped} if shipped else {}),
    )
    discovery = Discovery(
        records=records,
        push=home_assistant.push_discovery,
        withdraw=home_assistant.delete_discovery,
        started=lambda slug: addons.state(slug) is AddonState.STARTED,
        known=lambda: known_addons(repositories, records),
    )
    registry = ServiceRegistry(records=records)
    ingress = Ingress(
        records=records,
        config=config_of,
        users=lambda: home_assistant.command("config/auth/list"),
        push_panel=home_assistant.push_panel,
    )
    ingress_doors = IngressDoors(
        record=lambda slug: addons.get(slug),  # noqa: PLW0108 - made below
        config=config_of,
        address=lambda slug: addons.address(slug),  # noqa: PLW0108 - made below
    )
    kept_logs = LogFiles(Path(settings.state) / "logs", may_write=may_act)

    async def forget_log(slug: str) -> None:
        await kept_logs.remove(addon_key(slug))

    builds = upkeep.builds(
        settings,
        cluster,
        site=lambda: dns.site,
        repositories=repositories,
        records=records,
        volume=volume,
        one_offs=one_offs,
        kept_logs=kept_logs,
    )
    addon_settings = AddonSettings(
        records=records,
        installed=lambda: tuple(addons.installed()),
        get=lambda slug: addons.get(slug),  # noqa: PLW0108 - made below
        config=config_of,
        read=volume.read,
        allowed=lambda: allowances.allowed,
        check_ports=ports.check,
    )
    addons = Addons(
        cluster=cluster,
        converge=converge,
        records=records,
        site=lambda: docker_network.site,
        neighbours=addon_service.Neighbours(
            store_addon=repositories.addon,
            in_store=repositories.has,
            pull=images.pull,
            build=builds.build,
            health=HealthChecks(
                fetch=ImageConfigs().fetch,
                enabled=settings.health_checks,
                architecture=KUBERNETES_ARCH.get(site.arch, site.arch),
                login=image_registries.login,
            ).of,
            options=addon_settings.resolved,
            make_directories=volume.make_directories,
            write_private=volume.write_private,
            remove_tree=volume.remove_tree,
            forget=(discovery.remove_addon, registry.remove_addon, ingress.forget, ingress_doors.forget, forget_log),
            intent_changed=lambda slug: states.look(slug),  # noqa: PLW0108 - made below
            link_keys=new_keys,
            ports=ports,
            timezone=lambda: preferences.timezone,
            core_version=lambda: records.core.version if records.core else None,
        ),
    )
    recovery = AddonRecovery(
        records=records,
        jobs=jobs,
        neighbours=addon_recovery.Neighbours(
            status=addons.status,
            pods=addons.pods,
            intend=addons.intend,
            pass_through=addons.pass_through,
            remove=addons.remove,
            unpublish=registry.remove_addon,
        ),
    )
    rebuild = AddonRebuild(
        cluster=cluster, records=records, offered=lambda: repositories.catalogue.addons, read=volume.read
    )
    states = AddonStates(
        records=records,
        status=addons.status,
        pods=addons.pods,
        converge=converge,
    )
    addon_watchdog = AddonWatchdog(records=records, jobs=jobs, status=addons.status, restart=addons.bring_back)
    core_watchdog = CoreWatchdog(
        jobs=jobs,
        instance=core.instance,
        wanted=lambda: core.record.watchdog and core.record.intent.wanted is Wanted.RUNNING,
        answers=home_assistant.answers,
        restart=core.restart,
    )
    host = Host(
        share=Path(settings.share), own_pod=lambda: own_pod, own_node=lambda: own_node, kubernetes=lambda: kubernetes
    )
    leaks = Leaks(
        fetch=LeakedPasswords(url=settings.leaks_url).fetch,
        enabled=lambda: bool(preferences.get("pwned")),
        passwords=addon_settings.passwords,
    )
    resolution = Resolution(
        checks={
            **checks(
                host,
                leaks,
                cluster,
                AddonChecks(installed=addons.installed, catalogue=lambda: repositories.catalogue, site=site),
            ),
            "docker_network": docker_network.check,
            "allowances": allowances.check,
        },
        remedies=remedies(jobs, verbs(addons, addon_settings, images, repositories)),
        disabled=lambda: preferences.get("disabled_checks"),
        save_disabled=lambda slugs: preferences.set({"disabled_checks": list(slugs)}),
        makes_sense=functools.partial(makes_sense, addons),
    )
    volume.on_failure(functools.partial(tell_damage, resolution))
    own = upkeep.own_life(
        settings,
        cluster,
        own_pod,
        site,
        versions=versions,
        stage=stage,
        run=one_offs.run,
        resolution=resolution,
        preferences=preferences,
    )
    config_check = upkeep.config_check(core, preferences, site, run=one_offs.run)
    conditions = upkeep.work_conditions(preferences, resolution, host, own, stage)
    services = Services(
        access=Access(
            cluster=cluster,
            namespace=site.namespace,
            core=lambda: records.core,
            addons=lambda: records.addons,
        ),
        addons=addons,
        addon_input=AddonInput(cluster=cluster, config=addons.config),
        addon_place=AddonPlace(cluster=cluster, pods=addons.pods),
        addon_settings=addon_settings,
        addon_updates=upkeep.addon_updates(jobs, addons, addon_settings, repositories, conditions),
        leaks=leaks,
        core=core,
        core_update=CoreUpdate(
            core=core,
            latest=lambda: upkeep.latest_core(versions, records),
            components=home_assistant.components,
            report=resolution.report,
            settle=resolution.settle,
        ),
        config_check=config_check,
        own=own,
        versions=versions,
        repositories=repositories,
        discovery=discovery,
        registry=registry,
        image_registries=image_registries,
        dns=dns,
        docker_network=docker_network,
        allowances=allowances,
        publishing=publishing,
        logins=Logins(
            records=records,
            post=home_assistant.post,
            components=home_assistant.components,
            list_users=lambda: home_assistant.command("config/auth/list"),
        ),
        ingress=ingress,
        ingress_doors=ingress_doors,
        resolution=resolution,
        preferences=preferences,
        host=host,
        home_assistant=home_assistant,
        jobs=jobs,
        site=site,
        logs=Logs(cluster=cluster, kept=kept_logs, own_pod=settings.pod_name),
        stats=Stats(cluster=cluster, own_pod=own_pod),
        state=lambda: stage.name,
        version=VERSION,
        look_again=stage.again.set,
    )
    house = House(
        cluster=cluster,
        records=records,
        reconciler=reconciler,
        services=services,
        states=states,
        addon_watchdog=addon_watchdog,
        core_watchdog=core_watchdog,
        recovery=recovery,
        rebuild=rebuild,
        own_updates=upkeep.own_updates(jobs, versions, own, conditions),
        images=images,
        builds=builds,
        one_offs=one_offs,
        link=link,
        ports=ports,
        public_route=public_route,
        home_assistant=home_assistant,
        notices=Notices(post=home_assistant.post),
        log_keeper=LogKeeper(
            cluster=cluster,
            save=kept_logs.save,
            wanted=lambda key: key == CORE_KEY or addon_of(key) in addons.installed(),
        ),
        pod_troubles=PodTroubles(
            cluster=cluster,
            key_of=lambda live: key_of(live, addons),
            keys=lambda: (CORE_KEY, DNS_KEY, PORTS_KEY, *map(addon_key, records.addons)),
            faults=resolution,
        ),
        trusted_proxies=upkeep.trusted_proxies(
            settings,
            core,
            config_check,
            home_assistant=home_assistant,
            volume=volume,
            jobs=jobs,
            preferences=preferences,
            faults=resolution,
        ),
        boot_failures=BootFailures(
            record=lambda slug: records.addons.get(slug),  # noqa: PLW0108 - it is another mapping after each change
            state=addons.state,
            faults=resolution,
        ),
        store_faults=StoreFaults(
            built_in=settings.repositories, failures=lambda: repositories.failures, faults=resolution
        ),
        stage=stage,
        own_url=own_url,
    )
    connect(house)
    return house


def known_addons(repositories: Repositories, records: Records) -> Collection[AddonConfig]:
    """Manifests of everything installed or in the store; of both, the installed one."""
    installed = {slug: config_of(record) for slug, record in records.addons.items()}
    return {**repositories.catalogue.addons, **installed}.values()


def render(key: str, site: Site, core: Core, addons: Addons, shared: Mapping[str, Callable[[], Workload]]) -> Workload:
    """The workload of a key by the stored intent; `shared` are those of everybody."""
    if (slug := addon_of(key)) is not None:
        return addons.workload(slug)
    if key == CORE_KEY:
        return core.workload()
    if key == NAMES_KEY:
        labels = {naming.LABEL_TYPE: naming.ADDONS_SERVICE}
        return Workload(key=key, labels=labels, objects=(addons_service(site),), running=False)
    return shared[key]()
