"""The house: all parts, connected, and their life from nothing known to running and on until the end.

`bootstrap` makes it. Nothing here decides for an add-on or for Core; it says what begins when, and what is looked at
again after a time in which we could not act.
"""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from supervisor_k8s.api.app import create_app
from supervisor_k8s.api.front import Front
from supervisor_k8s.api.ingress_gate import create_gate_app
from supervisor_k8s.api.keys import Services
from supervisor_k8s.api.listen import serve
from supervisor_k8s.api.metrics import create_metrics_app, workload_states
from supervisor_k8s.cluster.backoff import Backoff
from supervisor_k8s.cluster.cluster import Cluster
from supervisor_k8s.cluster.routes import take_back
from supervisor_k8s.errors import SupervisorError
from supervisor_k8s.model.desired.registries import REGISTRIES_KEY
from supervisor_k8s.model.front import API, GATE
from supervisor_k8s.model.intent import CORE_KEY, DNS_KEY, PORTS_KEY, PUBLIC_KEY, addon_key
from supervisor_k8s.model.issue import Unhealthy
from supervisor_k8s.reconcile import PASSING, Reconciler
from supervisor_k8s.remote.home_assistant import HomeAssistant
from supervisor_k8s.remote.own_service import until_reached
from supervisor_k8s.services.addon_rebuild import AddonRebuild
from supervisor_k8s.services.addon_recovery import AddonRecovery
from supervisor_k8s.services.addon_states import AddonStates
from supervisor_k8s.services.addon_watchdog import AddonWatchdog
from supervisor_k8s.services.boot_failures import BootFailures
from supervisor_k8s.services.builds import Builds
from supervisor_k8s.services.core_watchdog import CoreWatchdog
from supervisor_k8s.services.images import Images
from supervisor_k8s.services.link import Link
from supervisor_k8s.services.log_keeper import LogKeeper
from supervisor_k8s.services.notices import Notices
from supervisor_k8s.services.one_offs import OneOffs
from supervisor_k8s.services.own_updates import OwnUpdates
from supervisor_k8s.services.pod_troubles import PodTroubles
from supervisor_k8s.services.ports import Ports
from supervisor_k8s.services.public_route import PublicRoute
from supervisor_k8s.services.store_faults import StoreFaults
from supervisor_k8s.services.trusted_proxies import TrustedProxies
from supervisor_k8s.state.records import Records

_LOGGER = logging.getLogger(__name__)
VERSION = "2026.11.0"
"""Our own, as everybody is told; a test compares it with pyproject.toml, the changelog and the manifests."""
FIRST_LIST = 60.0
"""Seconds the API server may take to tell us once what there is; the start is tried again after that."""
NAMES_KEY = "names"
"""Workload of what all add-ons share: the headless Service that holds their host names."""


@dataclass(slots=True, kw_only=True)
class House:
    """All parts, connected. `live` runs them."""

    cluster: Cluster
    records: Records
    reconciler: Reconciler
    services: Services
    states: AddonStates
    addon_watchdog: AddonWatchdog
    core_watchdog: CoreWatchdog
    recovery: AddonRecovery
    rebuild: AddonRebuild
    own_updates: OwnUpdates
    images: Images
    builds: Builds
    one_offs: OneOffs
    link: Link
    ports: Ports
    public_route: PublicRoute
    home_assistant: HomeAssistant
    notices: Notices
    log_keeper: LogKeeper
    store_faults: StoreFaults
    pod_troubles: PodTroubles
    boot_failures: BootFailures
    trusted_proxies: TrustedProxies
    stage: "Stage"
    own_url: str | None

    async def live(self, port: int, metrics_port: int, *, nginx: str | None) -> None:
        """Serve the API and `/metrics` on their ports until SIGTERM or a restart that the API asked for. `nginx` is the
        program by which all reach us; without it we listen ourselves, and pages of add-ons are not served.
        """
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.home_assistant)
            await serve(create_metrics_app(VERSION, lambda: workload_states(self.services)), metrics_port, stack)
            app, front = create_app(self.services), None
            if nginx is None:
                await serve(app, port, stack)
            else:
                front = await stack.enter_async_context(Front(nginx, port))
                await serve(create_gate_app(self.services, front), front.own / GATE, stack)
                await serve(app, front.own / API, stack)
                stack.callback(front.take_no_more)
            async with asyncio.TaskGroup() as tasks:
                living = [tasks.create_task(self._life())]
                if front is not None:
                    living.append(tasks.create_task(front.run()))
                await self.stage.stopping.wait()
                for task in living:
                    task.cancel()

    async def _life(self) -> None:
        """From nothing known to running, and on until cancelled. What fails for good ends the process."""
        async with asyncio.TaskGroup() as tasks:
            for begin in (self.cluster.run, self.services.jobs.run, self.services.leaks.run, self.link.run):
                tasks.create_task(begin())
            await self.cluster.listed(within=FIRST_LIST)
            await self._begin()
            looking = (self.reconciler.run, self.services.dns.run, self.recovery.run, self.states.run, self.rebuild.run)
            for begin in (*looking, self.services.repositories.run, self._talk_to_core):
                tasks.create_task(begin())
            updating = (self.services.versions.run, self.own_updates.run, self.services.addon_updates.run)
            published = self.services.publishing
            publishing = (self.ports.run, published.run, published.watch_address, published.watch_routes)
            watching = (self.notices.run, self.log_keeper.run, self.pod_troubles.run, self.trusted_proxies.run)
            watchdogs = (self.addon_watchdog.run, self.core_watchdog.run, self.services.resolution.run)
            for begin in (*updating, *publishing, self.public_route.run, *watching, *watchdogs):
                tasks.create_task(begin())
            await until_done(self._finish_what_was_left, hindered=self._hindered)
            while True:
                await self.stage.again.wait()
                self.stage.again.clear()
                self._look_at_everything()

    async def _talk_to_core(self) -> None:
        """Core asks us at once for all it shows when it hears that we are up: not before it can."""
        if self.own_url:
            await until_reached(self.own_url)
        await self.home_assistant.run()

    async def _begin(self) -> None:
        """Have ready what answers and converges need: tokens, the link's keys, the store, records that were lost."""
        services = self.services
        services.image_registries.prepare()
        clustered = (
            services.access,
            self.link,
            services.dns,
            services.allowances,
            services.docker_network,
            services.publishing,
            services.core,
        )
        for step in (*(part.prepare for part in clustered), services.repositories.start, self.rebuild.look):
            await until_done(step, hindered=self._hindered, passing=PASSING)
        self.ports.prepare()
        for slug in self.records.addons:
            self.boot_failures.begin(slug)
        self.stage.name = "startup"

    async def _finish_what_was_left(self) -> None:
        """What an earlier process of ours began is finished; every workload is looked at once."""
        self.stage.again.clear()
        await self.images.sweep()
        await self.one_offs.sweep()
        await self.builds.sweep()
        await take_back(self.cluster)
        self._look_at_everything()
        await self.services.dns.up()
        await self.services.core.boot()
        self.stage.name = "running"
        _LOGGER.info("Supervisor %s is running; %d add-ons installed", VERSION, len(self.records.addons))

    def _hindered(self, present: bool) -> None:
        self.services.resolution.set_unhealthy(Unhealthy.SETUP, present)

    def _look_at_everything(self) -> None:
        """At our start, and after a time without the API server or the Lease: nothing may have got stuck."""
        self.reconciler.poke(NAMES_KEY)
        self.reconciler.poke(REGISTRIES_KEY)
        self.reconciler.poke(DNS_KEY)
        self.reconciler.poke(PORTS_KEY)
        self.reconciler.poke(PUBLIC_KEY)
        self.reconciler.poke(CORE_KEY)
        for slug in self.records.addons:
            self.reconciler.poke(addon_key(slug))
            self.states.look(slug)


async def until_done(
    work: Callable[[], Awaitable[None]],
    *,
    hindered: Callable[[bool], None],
    passing: tuple[type[SupervisorError], ...] = (SupervisorError,),
) -> None:
    """Work that only what is around us can hinder: tried again and again until it is done; a cause is said once.
    `hindered` is told when it fails and when it is done; what is not `passing` ends it.
    """
    backoff, complaint = Backoff(), ""
    while True:
        try:
            await work()
        except passing as error:
            hindered(True)
            if complaint != str(error):
                complaint = str(error)
                _LOGGER.error("The start cannot go on yet: %s", complaint)  # noqa: TRY400 - said
            await backoff.wait()
        else:
            hindered(False)
            return


@dataclass(slots=True)
class Stage:
    """How far we are, in upstream's words, and whether we are to stop."""

    name: str = "initialize"
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    again: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when everything is to be looked at again."""

    def listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stopping.set)

    def in_charge_again(self, alone: bool) -> None:
        """The Lease is back. When another one held it meanwhile (not `alone`), our files may not be what we remember:
        begin anew.
        """
        if alone:
            self.again.set()
        else:
            _LOGGER.warning("Another Supervisor was in charge meanwhile: starting anew")
            self.stopping.set()

    async def stop(self) -> None:
        """Begin our end: the Deployment starts us anew."""
        self.name = "stopping"
        self.stopping.set()
