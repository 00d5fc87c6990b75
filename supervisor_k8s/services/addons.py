"""The verbs of an add-on's life: install, start, stop, restart, update, uninstall.

Every verb checks, records, converges, waits, answers. Ok means the intent stands; an error means it was withdrawn, but
for one case: what the API server cannot do *now* stands, and the error says so. What was begun and not ended is read
off the record, and `addon_recovery.py` ends it by the same steps.
"""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import uuid4

import orjson

from supervisor_k8s.errors import (
    AddonAlreadyInstalledError,
    AddonNotFoundError,
    AddonNotInstalledError,
    AddonNoUpdateError,
    AddonRebuildImageError,
    AddonRebuildVersionError,
    AddonStartError,
    ClusterError,
    ClusterRefusedError,
    SupervisorError,
    TookTooLongError,
)
from supervisor_k8s.jobs import Parts, at_once
from supervisor_k8s.model import naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.availability import check_available
from supervisor_k8s.model.build import tagged
from supervisor_k8s.model.desired.compose import directories
from supervisor_k8s.model.desired.link import LinkKeys
from supervisor_k8s.model.intent import InstalledAddon, Intent, Launch, Wanted, addon_key
from supervisor_k8s.model.launch import (
    addon_workload,
    config_of,
    image_name,
    new_launch,
    switched,
    with_ingress_port,
)
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import AddonState, Status, labels, nothing_runs, observe_addon, pod_address
from supervisor_k8s.reconcile import PASSING, Cluster, Live, Workload
from supervisor_k8s.state.records import Records

_LOGGER = logging.getLogger(__name__)
UP = (AddonState.STARTED, AddonState.STARTUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long verbs wait, in seconds."""

    start: float = 50.0
    """From the call of a start or restart to its answer, whatever we see then; aiohasupervisor hangs up after 60."""
    launch: float = 5.0
    """What a new pod gets at least, when ending the former one took nearly all of `start`."""
    stop: float = 30.0
    """What a pod may need beyond its own grace before a stop counts as failed."""


class Ports(Protocol):
    """Who has which published port (services.ports.Ports). Both raise AddonPortConflictError."""

    def check_start(self, record: InstalledAddon) -> None: ...

    def reserved(self, record: InstalledAddon) -> AbstractAsyncContextManager[None]:
        """Nobody else gets the add-on's ports meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """What add-ons need of other services, as functions: services do not know one another."""

    store_addon: Callable[[str], AddonConfig]
    """The store's add-on by slug; raises StoreAddonNotFoundError."""
    in_store: Callable[[str], bool]
    pull: Callable[[str, Callable[[str], None]], Awaitable[None]]
    """Has an image brought to a node, telling its stages."""
    build: Callable[[AddonConfig, Callable[[str], None]], Awaitable[str]]
    """Has the image of an add-on built that names none, telling its stages; the image without tag."""
    health: Callable[[str], Awaitable[Mapping[str, Any] | None]]
    """The check of its health that an image carries, as far as anybody can say."""
    options: Callable[[InstalledAddon], Awaitable[Mapping[str, Any]]]
    """The validated options with secrets resolved; raises AddonOptionsInvalidError."""
    make_directories: Callable[[Sequence[str]], Awaitable[None]]
    write_private: Callable[[str, bytes], Awaitable[None]]
    remove_tree: Callable[[str], Awaitable[None]]
    forget: Sequence[Callable[[str], Awaitable[None]]]
    """Whoever keeps something by slug drops it at an uninstall."""
    intent_changed: Callable[[str], None]
    """Told whenever a record has a new intent: the state that people see may follow from it alone."""
    link_keys: Callable[[AddonConfig, Site], LinkKeys | None]
    """New ones, for an add-on that gets an ingress-link."""
    ports: Ports
    timezone: Callable[[], str]
    core_version: Callable[[], str | None]


class Addons:
    """Installed add-ons: what they are, how they are, and the verbs."""

    def __init__(  # noqa: PLR0913 - its place in the house, keyword-only
        self,
        *,
        cluster: Cluster,
        converge: Callable[[str], Awaitable[None]],
        records: Records,
        site: Callable[[], Site],
        neighbours: Neighbours,
        patience: Patience | None = None,
    ) -> None:
        self._cluster = cluster
        self._converge = converge
        self._records = records
        self._site = site
        self._to = neighbours
        self._patience = patience or Patience()
        self._by_label: dict[str, str] = {}

    # --- reading ---------------------------------------------------------------------------------------------

    def installed(self) -> Mapping[str, InstalledAddon]:
        """Records by slug, without those that are being removed."""
        return {slug: record for slug, record in self._records.addons.items() if not _is_going(record)}

    @property
    def revision(self) -> tuple[object, object]:
        """Other ones after everything that changes a record or a state."""
        return self._records.addons, self._cluster.revision

    def get(self, slug: str) -> InstalledAddon:
        """The record of an installed add-on, else AddonNotInstalledError (in the store) or AddonNotFoundError."""
        record = self._records.addons.get(slug)
        if record is not None and not _is_going(record):
            return record
        if self._to.in_store(slug):
            raise AddonNotInstalledError
        raise AddonNotFoundError(slug=slug)

    def config(self, slug: str) -> AddonConfig:
        """The manifest as it was installed."""
        return config_of(self.get(slug))

    def state(self, slug: str) -> AddonState:
        record = self._records.addons.get(slug)
        return AddonState.UNKNOWN if record is None else self.status(record).state

    def status(self, record: InstalledAddon) -> Status:
        objects = record.intent.launch.objects if record.intent.launch else ()
        job = next((item["metadata"]["name"] for item in objects if item["kind"] == "Job"), None)
        return observe_addon(self.pods(record.slug), record.intent, job and self._cluster.get("Job", job))

    def pods(self, slug: str) -> Sequence[Live]:
        """All pods of the add-on, those that are ending or over included."""
        return self._cluster.select("Pod", {naming.LABEL_ADDON: naming.label_value(slug)})

    def address(self, slug: str) -> str:
        """IPv4 address of the add-on's pod, `0.0.0.0` when there is none."""
        return pod_address(self.pods(slug))

    def slug_of(self, live: Live) -> str | None:
        """Slug of the add-on that an object belongs to, None when it belongs to none. Labels cannot hold every slug:
        where they do not, the annotation or the records tell; an orphan's label stands for itself.
        """
        label = labels(live).get(naming.LABEL_ADDON)
        if label is None or label in self._records.addons:
            return label
        written: str = live["metadata"].get("annotations", {}).get(naming.ANNOTATION_SLUG, "")
        if naming.label_value(written) == label:
            return written
        if label not in self._by_label:
            self._by_label |= {naming.label_value(slug): slug for slug in self._records.addons}
        return self._by_label.get(label, label)

    def workload(self, slug: str) -> Workload:
        """What the cluster is to hold for this add-on by its stored intent; nothing for one that is not installed."""
        record = self._records.addons.get(slug)
        return addon_workload(slug, record, lost=record is not None and self.status(record).sandbox_lost)

    # --- verbs -----------------------------------------------------------------------------------------------

    async def install(self, slug: str, on_stage: Callable[[str], None] = lambda _: None) -> None:
        """Pull the image, then record the add-on with its default options."""
        config = self._to.store_addon(slug)
        if slug in self.installed():
            raise AddonAlreadyInstalledError(app=slug, slug=slug)
        check_available(config, self._site(), core_version=self._to.core_version())
        if slug in self._records.addons:
            await self.remove(slug)
        changes = await self._bring(config, on_stage)
        own = {"options": {}, "uuid": uuid4().hex, "ingress_token": secrets.token_urlsafe(), "protected": True}
        user = {**changes["user"], **own}
        record = InstalledAddon(slug=slug, user=user, system=changes["system"], health=changes["health"])
        await self._records.save_addon(with_ingress_port(record, self._ingress_ports(slug)))

    async def start(self, slug: str) -> None:
        """Bring the add-on up with a new launch. AddonStartError when it fails for good; the intent is then withdrawn.

        One that is coming up already is waited for. One that is slow but healthy is answered with ok, in state
        `startup`.
        """
        intent, until = self.get(slug).intent, self._deadline()
        if intent.wanted is Wanted.RUNNING and intent.launch and self.status(self.get(slug)).state in UP:
            await self._see_through(slug, intent.launch, until)
        else:
            await self._renew(slug, until)

    async def stop(self, slug: str) -> None:
        """Take the add-on down and wait until its pod is gone; its token is worthless from then on."""
        intent = self.get(slug).intent
        if intent.wanted is Wanted.STOPPED and intent.failure is None and not self.pods(slug):
            return
        await self.pass_through(slug, replace(intent, wanted=Wanted.STOPPED, failure=None))

    async def restart(self, slug: str, parts: Parts = at_once) -> None:
        """Stop, wait until nothing runs, start with a new launch."""
        await self._renew(slug, self._deadline(), parts)

    async def bring_back(self, slug: str) -> None:
        """A restart for nobody who waits: a start that cannot be now is not withdrawn, but stands until it can be."""
        await self._renew(slug, None)

    async def rebuild(
        self,
        slug: str,
        on_stage: Callable[[str], None] = lambda _: None,
        parts: Parts = at_once,
        *,
        force: bool = False,
    ) -> None:
        """Build the image of an add-on without one anew, from the store's folder, which must be of the same version.
        Another one gets a new container only, and that with `force`, as upstream.
        """
        if self.config(slug).image is None:
            config = self._to.store_addon(slug)
            if config.version != self.get(slug).user["version"]:
                raise AddonRebuildVersionError(app=slug, slug=slug)
            await self._replace(config, on_stage, parts)
        elif not force:
            raise AddonRebuildImageError(app=slug, slug=slug)
        elif self.state(slug) in UP:
            await self.restart(slug, parts)

    async def update(self, slug: str, on_stage: Callable[[str], None] = lambda _: None, parts: Parts = at_once) -> None:
        """Go to the store's version: pull first, then stop, switch the record, start again if it ran.

        New options that the new version wants do not hinder the update: they cannot be given before it. The start after
        it is then refused, and the add-on stays stopped.
        """
        config = self._to.store_addon(slug)
        if config.version == self.get(slug).user["version"]:
            raise AddonNoUpdateError(app=slug, slug=slug)
        await self._replace(config, on_stage, parts)

    async def uninstall(self, slug: str, *, remove_config: bool = False) -> None:
        """Remove the add-on with its data; its own configuration folder only with `remove_config`."""
        self.get(slug)
        await self._change(
            slug,
            lambda now: replace(
                now,
                user={**now.user, "remove_config": remove_config},
                intent=Intent(Wanted.REMOVED, now.intent.launch),
            ),
        )
        await self.remove(slug)

    # --- steps -----------------------------------------------------------------------------------------------

    async def _replace(self, config: AddonConfig, on_stage: Callable[[str], None], parts: Parts) -> None:
        """This manifest and its image in place of what is installed."""
        slug = config.slug
        check_available(config, self._site(), core_version=self._to.core_version())
        changes = await self._bring(config, on_stage)
        before = self.get(slug).intent
        runs = before.wanted in (Wanted.RUNNING, Wanted.RELAUNCH)
        intent = Intent(Wanted.RELAUNCH if runs else Wanted.STOPPED, before.launch, update=changes)
        await self.pass_through(slug, intent, self._deadline(), parts if runs else at_once)

    async def _bring(self, config: AddonConfig, on_stage: Callable[[str], None]) -> Mapping[str, Any]:
        """Have the image on a node; what a record says of an add-on of this version."""
        if config.image is None:
            image = await self._to.build(config, on_stage)
        else:
            image = image_name(config.image, self._site())
        await self._to.pull(tagged(image, config.version), on_stage)
        health = await self._to.health(tagged(image, config.version))
        system = {**config.raw, "repository": config.repository}
        return {"user": {"version": config.version, "image": image}, "system": system, "health": health}

    async def _renew(self, slug: str, until: float | None, parts: Parts = at_once) -> None:
        """A new launch in place of the present one. What would refuse it is asked before anything is touched."""
        record = self.get(slug)
        await self._to.options(record)
        self._to.ports.check_start(record)
        await self._to.make_directories(directories(config_of(record)))
        if record.intent.wanted is Wanted.STOPPED and record.intent.update is None and not self.pods(slug):
            await parts("app_start", slug, lambda: self._launch(slug, until))
        else:
            await self.pass_through(slug, replace(record.intent, wanted=Wanted.RELAUNCH, failure=None), until, parts)

    async def intend(self, slug: str, intent: Intent) -> None:
        """Record an intent and have the cluster follow it. When that is refused, the former intent stands again."""
        before = self._records.addons[slug].intent
        await self._record(slug, intent)
        try:
            await self._converge(addon_key(slug))
        except ClusterRefusedError:
            await self._record(slug, before)
            raise

    async def pass_through(self, slug: str, intent: Intent, until: float | None = None, parts: Parts = at_once) -> None:
        """To where nothing runs, by `intent`, which is recorded; apply there what waits for that; and on to a new
        launch when the intent says so. `until`: when somebody wants an answer, by the event loop's clock; without it
        nobody does, and what hinders the launch may take its time to pass.
        """
        await parts("app_stop", slug, lambda: self._take_down(slug, intent))
        if intent.update is not None:
            await self._change(slug, lambda now: switched(now, self._ingress_ports(slug)))
        if intent.wanted is Wanted.RELAUNCH:
            await parts("app_start", slug, lambda: self._launch(slug, until))

    async def _take_down(self, slug: str, intent: Intent) -> None:
        await self.intend(slug, intent)
        if intent.wanted is Wanted.RELAUNCH:
            await self._pods_end(slug, lambda: [pod for pod in self.pods(slug) if not nothing_runs(pod)])
        else:
            await self._emptied(slug)

    async def _emptied(self, slug: str) -> None:
        """Wait until no pod is left; the token's Secret goes with the last one."""
        await self._pods_end(slug, lambda: self.pods(slug))
        with contextlib.suppress(*PASSING):  # the loop tries again
            await self._converge(addon_key(slug))

    async def _launch(self, slug: str, until: float | None) -> None:
        """Freeze and record a new launch, and see it come up. Nothing of the add-on runs now."""
        try:
            launch = await self._freeze(slug)
            await self._converge(addon_key(slug))
        except PASSING:
            raise  # the intent stands: the loop goes on as soon as the API server answers
        except SupervisorError as error:
            await self._withdraw(slug, str(error), launch=None)
            if isinstance(error, ClusterError):
                raise AddonStartError(f"App {slug} cannot start: {error}") from error
            raise
        await self._see_through(slug, launch, until)

    async def _freeze(self, slug: str) -> Launch:
        record = self._records.addons[slug]
        options, site = await self._to.options(record), self._site()
        async with self._to.ports.reserved(record):
            launch = new_launch(
                record,
                options=options,
                launch_id=secrets.token_hex(4),
                token=secrets.token_hex(56),
                timezone=self._to.timezone(),
                site=site,
                link_keys=self._to.link_keys(config_of(record), site),
            )
            await self._to.make_directories(directories(config_of(record)))
            await self._to.write_private(f"addons/data/{slug}/options.json", orjson.dumps(options))
            await self._record(slug, Intent(Wanted.RUNNING, launch))
        return launch

    async def _see_through(self, slug: str, launch: Launch, until: float | None) -> None:
        """Wait for how this launch turns out, not longer than a caller does. Without one, a failed one may yet run."""
        status = await self._turns_out(slug, until or self._deadline())
        if status.exit_code:
            raise AddonStartError(f"App {slug}: {status.reason}; its log tells more")
        if status.exit_code is None and status.fatal:
            if until is not None:
                await self._withdraw(slug, status.reason or "failed", launch=launch)
            raise AddonStartError(f"App {slug} cannot start: {status.reason}")

    async def _turns_out(self, slug: str, until: float) -> Status:
        """The status once it is final: started, ended, cannot start; `startup` when it is not within the time."""

        def final() -> Status | None:
            record = self._records.addons[slug]
            status = self.status(record)
            overtaken = record.intent.wanted is not Wanted.RUNNING
            return status if overtaken or status.fatal or status.state is AddonState.STARTED else None

        within = max(until - asyncio.get_running_loop().time(), self._patience.launch)
        try:
            return await self._cluster.until(final, within=within)
        except TookTooLongError:
            return Status(state=AddonState.STARTUP)

    async def _withdraw(self, slug: str, failure: str, launch: Launch | None) -> None:
        """The start failed for good: nothing of it stays. Without a launch the add-on's objects go, too: they are what
        the cluster refused.
        """
        await self._record(slug, Intent(Wanted.STOPPED, launch, failure))
        try:
            await self._converge(addon_key(slug))
            await self._emptied(slug)
        except (ClusterError, TookTooLongError) as error:
            _LOGGER.warning("What is left of add-on %s after its failed start goes later: %s", slug, error)

    async def remove(self, slug: str) -> None:
        """Take away all there is of an add-on whose removal is recorded, its record last."""
        await self._converge(addon_key(slug))
        await self._emptied(slug)
        for forget in self._to.forget:
            await forget(slug)
        await self._to.remove_tree(f"addons/data/{slug}")
        if self._records.addons[slug].user.get("remove_config"):
            await self._to.remove_tree(f"addon_configs/{slug}")
        await self._records.remove_addon(slug)
        self._to.intent_changed(slug)

    async def _pods_end(self, slug: str, left: Callable[[], Sequence[Live]]) -> None:
        """Wait until none is left."""
        grace = max((pod["spec"].get("terminationGracePeriodSeconds", 0) for pod in left()), default=0)
        within = grace + self._patience.stop
        try:
            await self._cluster.until(lambda: not left() or None, within=within)
        except TookTooLongError:
            names = ", ".join(pod["metadata"]["name"] for pod in left())
            raise TookTooLongError(
                f"App {slug}: pod {names} has not ended after {within:.0f} seconds; this goes on once it has"
            ) from None

    async def _record(self, slug: str, intent: Intent) -> None:
        await self._change(slug, lambda now: replace(now, intent=intent))

    async def _change(self, slug: str, change: Callable[[InstalledAddon], InstalledAddon]) -> None:
        await self._records.update_addon(slug, change)
        self._to.intent_changed(slug)

    def _ingress_ports(self, slug: str) -> set[int]:
        """Chosen ingress ports of all other add-ons."""
        others = (other for other in self._records.addons.values() if other.slug != slug)
        return {other.ingress_port for other in others if other.ingress_port}

    def _deadline(self) -> float:
        return asyncio.get_running_loop().time() + self._patience.start


def _is_going(record: InstalledAddon) -> bool:
    return record.intent.wanted is Wanted.REMOVED
