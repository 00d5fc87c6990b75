"""The composition root: builds every part, connects them, starts and stops them. Nothing else does.

`run` gathers what the outside gives (cluster, volume, records, site); `build` makes the house of it; `House.live` keeps
it until SIGTERM. Contract tests call `build` with doubles at the outer ports.
"""

import asyncio
import logging
import os
import platform
import re
import signal
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from supervisor_k8s.api.app import create_app
from supervisor_k8s.api.keys import Services
from supervisor_k8s.cluster.client import Client
from supervisor_k8s.cluster.cluster import Cluster
from supervisor_k8s.cluster.credentials import Credentials
from supervisor_k8s.errors import ClusterError, SupervisorError
from supervisor_k8s.jobs import Jobs
from supervisor_k8s.model import naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.desired.network import addons_service
from supervisor_k8s.model.intent import CORE_KEY
from supervisor_k8s.model.issue import Context, Fault
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import AddonState
from supervisor_k8s.reconcile import Live, Reconciler, Workload
from supervisor_k8s.remote.home_assistant import HomeAssistant
from supervisor_k8s.services import addons as addon_service
from supervisor_k8s.services import core as core_service
from supervisor_k8s.services.access import Access
from supervisor_k8s.services.addon_settings import AddonSettings
from supervisor_k8s.services.addon_states import AddonStates
from supervisor_k8s.services.addons import Addons, config_of
from supervisor_k8s.services.core import Core
from supervisor_k8s.services.discovery import Discovery
from supervisor_k8s.services.host import Host
from supervisor_k8s.services.images import Images
from supervisor_k8s.services.ingress import Ingress
from supervisor_k8s.services.link import Link
from supervisor_k8s.services.logins import Logins
from supervisor_k8s.services.logs import Logs
from supervisor_k8s.services.preferences import Preferences
from supervisor_k8s.services.repositories import Repositories
from supervisor_k8s.services.resolution import Resolution
from supervisor_k8s.services.service_registry import ServiceRegistry
from supervisor_k8s.services.storage import Storage
from supervisor_k8s.settings import Settings
from supervisor_k8s.state.records import Records
from supervisor_k8s.state.storage import SharedVolume
from supervisor_k8s.store.git import Git

_LOGGER = logging.getLogger(__name__)
VERSION = "2026.11.0"
FIRST_LIST = 60.0
"""Seconds the API server may take to tell us once what there is; the start is tried again after that."""
SHUTDOWN = 10.0
"""Seconds that open requests get at our end."""
NAMES_KEY = "names"
"""Workload of what all add-ons share: the headless Service that holds their host names."""
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "aarch64", "arm64": "aarch64"}


@dataclass(slots=True, kw_only=True)
class House:
    """All parts, connected. `live` runs them."""

    cluster: Cluster
    records: Records
    reconciler: Reconciler
    services: Services
    states: AddonStates
    images: Images
    link: Link
    home_assistant: HomeAssistant
    stage: "Stage"

    async def live(self, port: int) -> None:
        """Serve on `port` until SIGTERM or a restart that the API asked for."""
        self._listen_to_signals()
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.home_assistant)
            await serve(self.services, port, stack)
            async with asyncio.TaskGroup() as group:
                life = group.create_task(self._life())
                await self.stage.stopping.wait()
                life.cancel()

    async def _life(self) -> None:
        """From nothing known to running, and on until cancelled. What fails for good ends the process."""
        async with asyncio.TaskGroup() as group:
            for begin in (self.cluster.run, self.services.jobs.run, self.states.run, self.link.run):
                group.create_task(begin())
            await self.cluster.listed(within=FIRST_LIST)
            await self._begin()
            for begin in (self.reconciler.run, self.services.repositories.run, self.home_assistant.run):
                group.create_task(begin())
            await self._finish_what_was_left()

    async def _begin(self) -> None:
        """Have ready what answers and converges need: tokens, the link's keys, Core's record, the store."""
        await self.services.access.prepare()
        await self.link.prepare()
        await self.services.core.prepare()
        await self.services.repositories.start()
        self.stage.name = "startup"

    async def _finish_what_was_left(self) -> None:
        """What an earlier process of ours began is finished; every workload is looked at once."""
        await self.images.sweep()
        self.reconciler.poke(NAMES_KEY)
        for slug in self.records.addons:
            self.reconciler.poke(f"addon/{slug}")
            self.states.look(slug)
        await self.services.addons.resume()
        await self.services.core.boot()
        self.stage.name = "running"
        _LOGGER.info("Supervisor %s is running; %d add-ons installed", VERSION, len(self.records.addons))

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stage.stopping.set)


@dataclass(slots=True)
class Stage:
    """How far we are, in upstream's words, and whether we are to stop."""

    name: str = "initialize"
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    async def stop(self) -> None:
        """Begin our end: the Deployment starts us anew."""
        self.name = "stopping"
        self.stopping.set()


async def run(settings: Settings) -> None:
    """Gather, build, live. SupervisorError when this installation cannot work as it is."""
    async with AsyncExitStack() as stack:
        client = Client(Credentials.of_pod(os.environ, Path(settings.service_account)))
        stack.push_async_callback(client.close)
        cluster = Cluster(client=client, namespace=settings.namespace)
        site, own_pod = await gather_site(cluster, settings)
        volume = SharedVolume(Path(settings.share))
        storage = Storage(
            volume=volume,
            shared_claim=settings.shared_claim,
            shared_storage_class=settings.shared_storage_class,
            shared_size=settings.shared_size,
            allow_rwo=settings.allow_rwo,
        )
        await storage.prepare(await cluster.read("PersistentVolumeClaim", settings.shared_claim))
        records = await Records.load(Path(settings.state))
        kubernetes = await cluster.version()
        house = build(
            settings, cluster=cluster, records=records, volume=volume, site=site, own_pod=own_pod, kubernetes=kubernetes
        )
        await house.live(settings.port)


def build(  # noqa: PLR0913 - the outer ports, by name
    settings: Settings,
    *,
    cluster: Cluster,
    records: Records,
    volume: SharedVolume,
    site: Site,
    own_pod: Live,
    kubernetes: str,
) -> House:
    """Make every part and connect them. Nothing runs yet and nothing outside is touched."""
    stage, jobs = Stage(), Jobs()
    reconciler = Reconciler(
        cluster=cluster, render=lambda key: render(key, site, core, addons), key_of=lambda live: key_of(live, addons)
    )
    converge = reconciler.converge
    link = Link(cluster=cluster, converge=converge, site=site)
    home_assistant = HomeAssistant(door=lambda: core.door(), tls=link.context)  # noqa: PLW0108 - core is made below
    images = Images(cluster=cluster, site=site, timeout=settings.pull_timeout)
    preferences = Preferences(records=records, log_level=settings.log_level)
    core = Core(
        cluster=cluster,
        converge=converge,
        records=records,
        site=site,
        image=settings.core_image.replace("{machine}", settings.machine),
        first_version=settings.core_version or core_service.FIRST_VERSION,
        neighbours=core_service.Neighbours(
            link_secrets=link.secrets,
            make_directories=volume.make_directories,
            touch=volume.touch,
            pull=images.pull,
            core_state=home_assistant.state,
            wait_up=lambda within: home_assistant.wait_up(within=within),
            ask=home_assistant.post,
            timezone=lambda: preferences.timezone,
            poke=reconciler.poke,
        ),
    )
    repositories = Repositories(
        built_in=settings.repositories,
        records=records,
        git=Git(home=Path(settings.state) / "git", environment=os.environ),
        clones=Path(settings.state) / "store",
        local=Path(settings.share) / "addons" / "local",
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
    addon_settings = AddonSettings(
        records=records,
        get=lambda slug: addons.get(slug),  # noqa: PLW0108 - made below
        config=config_of,
        secrets_file=Path(settings.share) / "homeassistant" / "secrets.yaml",
    )
    addons = Addons(
        cluster=cluster,
        converge=converge,
        records=records,
        site=site,
        neighbours=addon_service.Neighbours(
            store_addon=repositories.addon,
            in_store=repositories.has,
            pull=images.pull,
            options=addon_settings.resolved,
            make_directories=volume.make_directories,
            write_private=volume.write_private,
            remove_tree=volume.remove_tree,
            forget=(discovery.remove_addon, registry.remove_addon, ingress.forget),
            intent_changed=lambda slug: states.look(slug),  # noqa: PLW0108 - made below
            timezone=lambda: preferences.timezone,
            core_version=lambda: records.core.version if records.core else None,
        ),
    )
    states = AddonStates(
        records=records, status=addons.status, note_exit=addons.note_exit, sandbox_lost=addons.sandbox_lost
    )
    host = Host(share=Path(settings.share), own_pod=lambda: own_pod, kubernetes=lambda: kubernetes)
    resolution = Resolution(
        checks={"free_space": host.check_space},
        remedies={},
        disabled=lambda: preferences.get("disabled_checks"),
        save_disabled=lambda slugs: preferences.set({"disabled_checks": list(slugs)}),
    )
    services = Services(
        access=Access(
            cluster=cluster,
            namespace=site.namespace,
            core=lambda: records.core,
            addons=lambda: records.addons,
        ),
        addons=addons,
        addon_settings=addon_settings,
        core=core,
        repositories=repositories,
        discovery=discovery,
        registry=registry,
        logins=Logins(post=home_assistant.post, list_users=lambda: home_assistant.command("config/auth/list")),
        ingress=ingress,
        resolution=resolution,
        preferences=preferences,
        host=host,
        jobs=jobs,
        site=site,
        logs=Logs(cluster=cluster, own_pod=settings.pod_name),
        state=lambda: stage.name,
        version=VERSION,
        restart=stage.stop,
    )
    house = House(
        cluster=cluster,
        records=records,
        reconciler=reconciler,
        services=services,
        states=states,
        images=images,
        link=link,
        home_assistant=home_assistant,
        stage=stage,
    )
    connect(house)
    return house


def connect(house: House) -> None:
    """Who hears whom."""
    send = house.home_assistant.send_event
    house.cluster.subscribe(house.states.on_change)
    house.cluster.subscribe(lambda _, old, new: wake_at_core(house, old, new))
    house.states.changed.connect(lambda change: send({"event": "addon", "slug": change[0], "state": change[1].value}))
    house.services.jobs.event.connect(send)
    house.services.resolution.event.connect(send)
    house.services.repositories.reloaded.connect(
        lambda slugs: send({"event": "store_reloaded", "data": {"repositories": sorted(slugs)}})
    )
    house.services.preferences.changed.connect(apply_log_level)
    for name in house.records.damaged:
        _LOGGER.error("The state file %s was damaged and set aside; what it held is missing", name)
        house.services.resolution.report(Fault("state_file_damaged", Context.SUPERVISOR, name))


def wake_at_core(house: House, old: Live | None, new: Live | None) -> None:
    """A new pod of Core is worth another dial at once."""
    live = new or old
    if live is not None and key_of(live, house.services.addons) == CORE_KEY:
        house.home_assistant.wake()


def apply_log_level(changes: Mapping[str, Any]) -> None:
    if level := changes.get("logging"):
        logging.getLogger().setLevel(level.upper())


def known_addons(repositories: Repositories, records: Records) -> Collection[AddonConfig]:
    """Manifests of everything installed or in the store; of both, the installed one."""
    installed = {slug: config_of(record) for slug, record in records.addons.items()}
    return {**repositories.catalogue.addons, **installed}.values()


def render(key: str, site: Site, core: Core, addons: Addons) -> Workload:
    """The workload of a key by the stored intent."""
    if key == CORE_KEY:
        return core.workload()
    if key == NAMES_KEY:
        labels = {naming.LABEL_TYPE: naming.ADDONS_SERVICE}
        return Workload(key=key, labels=labels, objects=(addons_service(site),), running=False)
    return addons.workload(key.removeprefix("addon/"))


def key_of(live: Live, addons: Addons) -> str | None:
    """The workload that an object belongs to by its labels."""
    kind = live["metadata"].get("labels", {}).get(naming.LABEL_TYPE)
    if kind == naming.TYPE_CORE:
        return CORE_KEY
    if kind == naming.ADDONS_SERVICE:
        return NAMES_KEY
    slug = addons.slug_of(live) if kind == naming.TYPE_ADDON else None
    return None if slug is None else f"addon/{slug}"


async def serve(services: Services, port: int, stack: AsyncExitStack) -> None:
    """Listen; open requests get SHUTDOWN seconds at the end."""
    runner = web.AppRunner(create_app(services), access_log=None, shutdown_timeout=SHUTDOWN)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, port=port).start()


async def gather_site(cluster: Cluster, settings: Settings) -> tuple[Site, Live]:
    """Where we run, and our own pod. SupervisorError names what cannot be found out."""
    pod = await cluster.read("Pod", settings.pod_name)
    if pod is None:
        raise ClusterError(f"Our own pod {settings.pod_name} is not in namespace {settings.namespace}")
    image = settings.link_image or pod["spec"]["containers"][0]["image"]
    address = settings.cluster_address
    if address is None:
        service = await cluster.read("Service", settings.name)
        address = (service or {}).get("spec", {}).get("clusterIP")
    if not address or address == "None":
        raise ClusterError(f"Service {settings.name} has no ClusterIP; Core's link needs it")
    site = Site(
        namespace=settings.namespace,
        cluster_domain=settings.cluster_domain or cluster_domain(settings.namespace),
        supervisor_image=image,
        supervisor_address=address,
        shared_claim=settings.shared_claim,
        arch=ARCHITECTURES.get(platform.machine(), platform.machine()),
        machine=settings.machine,
        image_pull_policy=settings.image_pull_policy,
    )
    return site, pod


def cluster_domain(namespace: str) -> str:
    """The cluster's domain from the pod's search list (`<namespace>.svc.<domain>`). SupervisorError without one."""
    resolv_conf = Path("/etc/resolv.conf").read_text(encoding="utf-8")
    found = re.search(rf"^search.*\b{re.escape(namespace)}\.svc\.(\S+)", resolv_conf, re.MULTILINE)
    if found is None:
        raise SupervisorError("/etc/resolv.conf has no search domain of this namespace: is dnsPolicy ClusterFirst?")
    return found[1].rstrip(".")
