"""Home Assistant Core's life: first start, start, stop, restart, rebuild, update, options, and where it is.

Core runs from a frozen launch. Only the verbs here make a new one; what Core tells us about itself (port, TLS, time
zone) changes the link and the Service around it and never rolls it. Operations run as jobs of the group
`home_assistant_core`, which is the caller's part: these are plain coroutines that take as long as they take.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import uuid4

from supervisor_k8s.errors import (
    ClusterError,
    CoreAnswerError,
    CoreMigratingError,
    CoreStartError,
    CoreUnreachableError,
    NotReadyError,
    TookTooLongError,
)
from supervisor_k8s.jobs import Parts, at_once
from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.core import (
    CONTAINER,
    FOLDERS,
    GRACE,
    POD,
    SAFE_MODE,
    core_services,
    desired_core,
    stopped_core,
)
from supervisor_k8s.model.desired.link import CorePort, core_port, has_socket, link_config, nginx_text
from supervisor_k8s.model.desired.secrets import token_secret
from supervisor_k8s.model.intent import CORE_KEY, CoreRecord, Intent, Launch, Manifest, Wanted
from supervisor_k8s.model.recovery import core_token_secret, recovered_core
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import NO_ADDRESS, AddonState, Status, observe_core, pod_address, running_container
from supervisor_k8s.model.token import digest
from supervisor_k8s.model.versions import is_newer
from supervisor_k8s.reconcile import Cluster, Live, Workload
from supervisor_k8s.remote.core_api import CoreState, Door
from supervisor_k8s.state.records import Records

_LOGGER = logging.getLogger(__name__)
FIRST_VERSION = "2026.11.0"
"""Core's version of a new installation when no setting says another one."""
UP_WAIT = 900.0
"""Seconds from a start until Core must be running, as upstream allows; clients of a start wait as long as we do."""
GONE_MARGIN = 30.0
"""Seconds a pod may need beyond its grace before a stop counts as failed."""

_TOKEN_BYTES = 56
_LABELS = {naming.LABEL_MANAGED: "true", naming.LABEL_TYPE: naming.TYPE_CORE}


class CoreCluster(Cluster, Protocol):
    """What Core needs of the cluster beyond the rest."""

    async def touch(self, pod: Live) -> None:
        """Have the kubelet refresh the pod's ConfigMap volumes now: by itself it takes about a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """What Core's life needs of others, as functions: services do not know one another."""

    link_secrets: Callable[[], Sequence[Manifest]]
    make_directories: Callable[[Sequence[str]], Awaitable[None]]
    """Makes directories of the shared volume, by their paths in it."""
    touch: Callable[[str], Awaitable[None]]
    """Makes an empty file on the shared volume unless it is there."""
    pull: Callable[[str, Callable[[str], None]], Awaitable[None]]
    """Has an image brought to a node, telling its stages."""
    core_state: Callable[[], Awaitable[CoreState]]
    """Core's own word; raises CoreUnreachableError."""
    wait_up: Callable[[float], Awaitable[None]]
    """Returns when Core is running; raises TookTooLongError after so many seconds."""
    timezone: Callable[[], str]
    latest: Callable[[], str | None]
    """The newest version that is offered; None when nobody said one."""
    poke: Callable[[str], None]
    """Has the reconciler look at a workload soon."""


class Core:
    """Home Assistant Core as a workload."""

    def __init__(  # noqa: PLR0913 - its place in the house, keyword-only
        self,
        *,
        cluster: CoreCluster,
        converge: Callable[[str], Awaitable[None]],
        records: Records,
        site: Callable[[], Site],
        image: str,
        neighbours: Neighbours,
        first_version: Callable[[], Awaitable[str]],
    ) -> None:
        """`image` is the official one of this machine, without tag; `first_version` is asked for a new installation."""
        self._cluster = cluster
        self._converge = converge
        self._records = records
        self._site = site
        self._official = image
        self._to = neighbours
        self._first_version = first_version
        self._held = False

    # --- reading ---------------------------------------------------------------------------------------------

    @property
    def record(self) -> CoreRecord:
        """The stored record. NotReadyError before `prepare`."""
        if self._records.core is None:
            raise NotReadyError("Home Assistant Core is not set up yet")
        return self._records.core

    @property
    def version(self) -> str:
        return self.record.version

    @property
    def running_version(self) -> str:
        """Of the Core that runs, or would run."""
        launch = self.record.intent.launch
        return launch.version if launch is not None else self.record.version

    @property
    def image(self) -> str:
        """The image without tag."""
        return self.record.image or self._official

    @property
    def image_with_tag(self) -> str:
        """What the next launch runs."""
        return f"{self.image}:{self.version}"

    @property
    def port(self) -> CorePort:
        """Where the Core that runs (or would run) listens."""
        return core_port(self.record, self.running_version)

    def status(self) -> Status:
        return observe_core(self._pod())

    def address(self) -> str:
        """IPv4 address of Core's pod, `0.0.0.0` when there is none."""
        return pod_address(self._pods())

    def instance(self) -> str | None:
        """Which container of Core's runs now; another one after each restart, by whomever. None without one."""
        pod = self._pod()
        return None if pod is None else running_container(pod, CONTAINER)

    def door(self) -> Door | None:
        """Where the core-link is now, None when Core has no pod with an address."""
        address = self.address()
        if self._records.core is None or address == NO_ADDRESS:
            return None
        by_token = not has_socket(self.running_version)
        return Door(address=address, by_token=by_token, refresh_token=self.record.refresh_token if by_token else None)

    def info(self) -> Mapping[str, Any]:
        """The facts of `GET /core/info` under upstream's keys."""
        record, latest = self.record, self._to.latest()
        return {
            "version": record.version,
            "version_latest": latest or record.version,
            "update_available": is_newer(latest, record.version),
            "machine": self._site().machine,
            "ip_address": self.address(),
            "arch": self._site().arch,
            "image": self.image,
            "boot": record.boot,
            "port": self.port.number,
            "ssl": record.ssl,
            "watchdog": record.watchdog,
            "audio_input": record.audio_input,
            "audio_output": record.audio_output,
            "backups_exclude_database": record.backups_exclude_database,
            "duplicate_log_file": record.duplicate_log_file,
        }

    def workload(self) -> Workload:
        """What the cluster is to hold: the frozen launch, and around it what follows Core's port."""
        launch = self.record.intent.launch
        text = nginx_text(self.running_version, self.port, self._site())
        around = (
            *self._to.link_secrets(),
            link_config(text, self._site()),
            *core_services(self.port, self._site()),
        )
        if launch is None:
            return Workload(key=CORE_KEY, labels=_LABELS, objects=around, running=False)
        running = self.record.intent.wanted is Wanted.RUNNING and not self._held
        objects = launch.objects if running else stopped_core(launch.objects)
        return Workload(key=CORE_KEY, labels=_LABELS, objects=(*around, *objects), running=running)

    # --- verbs -----------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Have a record: the stored one, else what the cluster still shows of a Core that runs, else a new one."""
        if self._records.core is not None:
            return
        uuid = uuid4().hex
        live = self._cluster.get("StatefulSet", naming.CORE)
        secret = None if live is None else self._cluster.get("Secret", core_token_secret(live))
        recovered = recovered_core(live, secret, uuid=uuid, site=self._site())
        if recovered is not None:
            _LOGGER.warning("Core's record was missing; rebuilt from the Core %s in the cluster", recovered.version)
        elif live is not None:
            _LOGGER.warning(
                "Core's record was missing and the cluster's Core does not tell enough: it is launched anew"
            )
        await self._records.save_core(recovered or CoreRecord(version=await self._first_version(), uuid=uuid))

    async def boot(self) -> None:
        """At our own start: a Core that never ran is launched if it is to boot. One that runs is left alone.

        Returns without waiting for it: its image may take long, and the cluster tries for as long as it takes.
        """
        if self.record.boot and self.record.intent.launch is None:
            _LOGGER.info("First start of Home Assistant Core %s", self.version)
            await self._launch()
        await self._apply()

    async def start(self) -> None:
        """Bring Core up and wait until it runs. CoreStartError when it does not; it is then still tried."""
        if self.record.intent.wanted is Wanted.RUNNING and self._pods():
            return
        await self._pods_gone()
        await self._launch()
        await self._apply()
        await self._up()

    async def stop(self, *, force: bool = False) -> None:
        """Take Core down and wait until its pod is gone. CoreMigratingError during a migration, unless forced."""
        await self._refuse_in_migration(force=force)
        await self._records.update_core(lambda now: replace(now, intent=replace(now.intent, wanted=Wanted.STOPPED)))
        await self._apply()
        await self._pods_gone()

    async def restart(self, *, safe_mode: bool = False, force: bool = False) -> None:
        """Stop, wait for the pod to be gone, start with a new launch and wait until Core runs."""
        await self.rebuild(safe_mode=safe_mode, force=force)

    async def rebuild(self, parts: Parts = at_once, *, safe_mode: bool = False, force: bool = False) -> None:
        """Make the container anew, as every restart does here; its start is one of `parts`, as upstream has it."""
        await self._refuse_in_migration(force=force)
        if safe_mode:
            await self._to.touch(SAFE_MODE)
        await self._renew(parts)

    async def switch(
        self, version: str, on_stage: Callable[[str], None] = lambda _: None, parts: Parts = at_once
    ) -> None:
        """Go to `version`: bring its image to a node, then restart with it if Core is meant to run.

        ImagePullError (nothing was changed then), CoreStartError, also as soon as it keeps ending.
        """
        await self._refuse_in_migration(force=False)
        await self._to.pull(f"{self.image}:{version}", on_stage)
        if self.record.intent.wanted is not Wanted.RUNNING:
            await self._records.update_core(lambda now: replace(now, version=version))
            return
        await self._renew(parts, version, ends_are_final=True)

    async def set_options(self, changes: Mapping[str, Any]) -> None:
        """Store fields of the record: boot, image, port, ssl, watchdog, refresh_token, audio_input, audio_output,
        backups_exclude_database, duplicate_log_file. Nothing restarts; a new port or TLS reaches the link.
        """
        before = self.port
        await self._records.update_core(lambda now: replace(now, **changes))
        if self.port != before:
            try:
                await self._apply()
                if (pod := self._pod()) is not None:
                    await self._cluster.touch(pod)
            except ClusterError as error:
                _LOGGER.warning("Core's new port is stored and reaches the cluster later: %s", error)

    # --- steps -----------------------------------------------------------------------------------------------

    async def _apply(self) -> None:
        """Converge; what the cluster does not take now, the reconciler's loop tries again."""
        try:
            await self._converge(CORE_KEY)
        except ClusterError:
            self._to.poke(CORE_KEY)
            raise

    async def _renew(self, parts: Parts, version: str | None = None, *, ends_are_final: bool = False) -> None:
        """A new launch in place of the present one, and wait until it runs. Until the old pod is gone the record stays
        as it is: its token remains good, and whoever comes after a crash of ours finds Core to be started.
        """
        self._held = True
        try:
            await self._apply()
            await self._pods_gone()
            await parts("home_assistant_core_start", None, lambda: self._follow(version, ends_are_final=ends_are_final))
        finally:
            await self._let_go()

    async def _follow(self, version: str | None, *, ends_are_final: bool) -> None:
        await self._launch(version)
        await self._let_go()
        await self._up(ends_are_final=ends_are_final)

    async def _let_go(self) -> None:
        if self._held:
            self._held = False
            await self._apply()

    async def _launch(self, version: str | None = None) -> None:
        """Freeze a new launch, of another version if one is given, and record both at once."""
        await self._to.make_directories(FOLDERS)
        launch = self._freeze(replace(self.record, version=version or self.version))
        intent = Intent(Wanted.RUNNING, launch)
        await self._records.update_core(lambda now: replace(now, version=launch.version, intent=intent))

    def _freeze(self, record: CoreRecord) -> Launch:
        launch_id, token = secrets.token_hex(4), secrets.token_hex(_TOKEN_BYTES)
        image = f"{self.image}:{record.version}"
        secret = token_secret(naming.CORE, naming.core_labels(), launch_id, token)
        record = replace(record, timezone=self._to.timezone())
        objects = desired_core(record, launch_id=launch_id, version=record.version, image=image, site=self._site())
        return Launch(
            id=launch_id,
            version=record.version,
            image=image,
            token_digest=digest(token),
            objects=(secret, *objects),
            timezone=record.timezone,
        )

    async def _up(self, *, ends_are_final: bool = False) -> None:
        """Wait until the pod serves, then until Core says that it runs. The cluster starts a Core that ended again and
        again; with `ends_are_final` that is not waited for.
        """

        def settled() -> Status | None:
            status = self.status()
            ended = status.state is AddonState.ERROR and ends_are_final
            return status if status.fatal or ended or status.state is AddonState.STARTED else None

        try:
            status = await self._cluster.until(settled, within=UP_WAIT)
            if status.state is AddonState.STARTED:
                await self._to.wait_up(UP_WAIT)
        except TookTooLongError as error:
            reason = self.status().reason or str(error)
            raise CoreStartError(f"Home Assistant Core did not start within {UP_WAIT:.0f} s: {reason}") from error
        if status.state is not AddonState.STARTED:
            raise CoreStartError(f"Home Assistant Core cannot start: {status.reason}")

    async def _refuse_in_migration(self, *, force: bool) -> None:
        if force:
            return
        try:
            state = await self._to.core_state()
        except (CoreUnreachableError, CoreAnswerError):
            return
        if state.migrating:
            raise CoreMigratingError

    async def _pods_gone(self) -> None:
        await self._cluster.until(lambda: not self._pods() or None, within=GRACE + GONE_MARGIN)

    def _pods(self) -> Sequence[Live]:
        return self._cluster.select("Pod", _LABELS)

    def _pod(self) -> Live | None:
        return self._cluster.get("Pod", POD)
