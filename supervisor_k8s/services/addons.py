"""The verbs of an add-on's life: install, start, stop, restart, update, uninstall.

Every verb checks, records, converges, waits, answers. Ok means the intent stands; an error means it was withdrawn. What
an earlier process left unfinished, `resume` finishes: a removal is recorded before anything is removed, and a recorded
launch carries all that its start needs.
"""

import logging
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import orjson

from supervisor_k8s.errors import (
    AddonAlreadyInstalledError,
    AddonNotFoundError,
    AddonNotInstalledError,
    AddonStartError,
    ClusterError,
    ClusterUnavailableError,
    RefusedError,
    TookTooLongError,
)
from supervisor_k8s.model import naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.availability import check_available
from supervisor_k8s.model.desired.compose import desired_addon, directories, stopped
from supervisor_k8s.model.desired.secrets import token_secret
from supervisor_k8s.model.intent import InstalledAddon, Intent, Launch, Wanted, addon_key
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import AddonState, Status, observe_addon, pod_address
from supervisor_k8s.model.token import digest
from supervisor_k8s.reconcile import Cluster, Live, Workload
from supervisor_k8s.state.records import Records

_LOGGER = logging.getLogger(__name__)
START_WAIT = 50.0
"""Seconds a start may take before we answer with what we see; aiohasupervisor hangs up after 60."""
STOP_MARGIN = 30.0
"""Seconds that a pod may need beyond its container's grace before a stop counts as failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """What add-ons need of other services, as functions: services do not know one another."""

    store_addon: Callable[[str], AddonConfig]
    """The store's add-on by slug; raises StoreAddonNotFoundError."""
    in_store: Callable[[str], bool]
    pull: Callable[[str, Callable[[str], None]], Awaitable[None]]
    """Has an image brought to a node, telling its stages."""
    options: Callable[[InstalledAddon], Awaitable[Mapping[str, Any]]]
    """The validated options with secrets resolved; raises AddonOptionsInvalidError."""
    make_directories: Callable[[Sequence[str]], Awaitable[None]]
    write_private: Callable[[str, bytes], Awaitable[None]]
    remove_tree: Callable[[str], Awaitable[None]]
    forget: Sequence[Callable[[str], Awaitable[None]]]
    """Whoever keeps something by slug drops it at an uninstall."""
    intent_changed: Callable[[str], None]
    """Told whenever a record has a new intent: the state that people see may follow from it alone."""
    timezone: Callable[[], str]
    core_version: Callable[[], str | None]


class Addons:
    """Installed add-ons: what they are, how they are, and the verbs."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        converge: Callable[[str], Awaitable[None]],
        records: Records,
        site: Site,
        neighbours: Neighbours,
    ) -> None:
        self._cluster = cluster
        self._converge = converge
        self._records = records
        self._site = site
        self._to = neighbours

    # --- reading ---------------------------------------------------------------------------------------------

    def installed(self) -> Mapping[str, InstalledAddon]:
        """Records by slug, without those that are being removed."""
        return {
            slug: record for slug, record in self._records.addons.items() if record.intent.wanted is not Wanted.REMOVED
        }

    def get(self, slug: str) -> InstalledAddon:
        """The record of an installed add-on, else AddonNotInstalledError (in the store) or AddonNotFoundError."""
        record = self._records.addons.get(slug)
        if record is not None and record.intent.wanted is not Wanted.REMOVED:
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
        return observe_addon(self._pods(record.slug), record.intent)

    def address(self, slug: str) -> str:
        """IPv4 address of the add-on's pod, `0.0.0.0` when there is none."""
        return pod_address(self._pods(slug))

    def slug_of(self, live: Live) -> str | None:
        """Slug of the add-on that an object belongs to, None when it belongs to none. Labels cannot hold every slug, so
        a label is read back through the records; an orphan's label stands for itself.
        """
        metadata = live["metadata"]
        label: str | None = metadata.get("labels", {}).get(naming.LABEL_ADDON)
        if label is None or label in self._records.addons:
            return label
        known = (slug for slug in self._records.addons if naming.label_value(slug) == label)
        written: str = metadata.get("annotations", {}).get(naming.ANNOTATION_SLUG, label)
        return next(known, written)

    def workload(self, slug: str) -> Workload:
        """What the cluster is to hold for this add-on by its stored intent; nothing for one that is not installed."""
        key, labels = addon_key(slug), {naming.LABEL_ADDON: naming.label_value(slug)}
        record = self._records.addons.get(slug)
        launch = record.intent.launch if record else None
        if record is None or launch is None or record.intent.wanted is Wanted.REMOVED:
            return Workload(key=key, labels=labels, objects=(), running=False)
        if record.intent.wanted is Wanted.STOPPED:
            return Workload(key=key, labels=labels, objects=stopped(launch.objects), running=False)
        running = record.intent.wanted is Wanted.RUNNING
        return Workload(key=key, labels=labels, objects=launch.objects, running=running)

    # --- verbs -----------------------------------------------------------------------------------------------

    async def install(self, slug: str, on_stage: Callable[[str], None] = lambda _: None) -> None:
        """Pull the image, then record the add-on with its default options."""
        config = self._to.store_addon(slug)
        if slug in self.installed():
            raise AddonAlreadyInstalledError(app=slug, slug=slug)
        check_available(config, self._site, core_version=self._to.core_version())
        if slug in self._records.addons:
            await self._remove(slug)
        await self._to.pull(self._image(config), on_stage)
        user = {
            "version": config.version,
            "image": image_name(config, self._site),
            "options": {},
            "uuid": uuid4().hex,
            "ingress_token": secrets.token_urlsafe(),
            "protected": True,
        }
        system = {**config.raw, "repository": config.repository}
        await self._records.save_addon(InstalledAddon(slug=slug, user=user, system=system))

    async def start(self, slug: str) -> None:
        """Bring the add-on up with a new launch. AddonStartError when it fails for good; the intent is then withdrawn.

        An add-on that is slow but healthy is answered with ok after START_WAIT, in state `startup`.
        """
        record = self.get(slug)
        if self.status(record).state in (AddonState.STARTED, AddonState.STARTUP):
            return
        if record.intent.wanted is Wanted.EXITED:
            await self.stop(slug)
            record = self.get(slug)
        await self._launch(record)

    async def stop(self, slug: str) -> None:
        """Take the add-on down and wait until its pod is gone; its token is worthless from then on."""
        record = self.get(slug)
        launch = record.intent.launch
        if launch is None:
            return
        await self._intend(slug, Intent(Wanted.STOPPED, launch))
        await self._converge(addon_key(slug))
        await self._pods_gone(record)
        await self._retire_token(slug)

    async def restart(self, slug: str) -> None:
        """Stop, wait for the pod to be gone, start with a new launch."""
        await self._to.options(self.get(slug))
        await self.stop(slug)
        await self.start(slug)

    async def rebuild(self, slug: str, *, force: bool = False) -> None:
        """Make the container anew from its image. Refused without `force`, as upstream does for image-based add-ons."""
        if not force:
            raise AddonRebuildImageError(app=slug, slug=slug)
        if self.state(slug) in (AddonState.STARTED, AddonState.STARTUP):
            await self.restart(slug)

    async def update(self, slug: str, on_stage: Callable[[str], None] = lambda _: None) -> None:
        """Go to the store's version: pull first, then stop, switch the record, start again if it ran."""
        record, config = self.get(slug), self._to.store_addon(slug)
        if config.version == record.user["version"]:
            raise AddonNoUpdateError(app=slug, slug=slug)
        check_available(config, self._site, core_version=self._to.core_version())
        await self._to.pull(self._image(config), on_stage)
        ran = self.status(record).state in (AddonState.STARTED, AddonState.STARTUP)
        await self.stop(slug)
        version = {"version": config.version, "image": image_name(config, self._site)}
        system = {**config.raw, "repository": config.repository}
        await self._records.update_addon(slug, lambda now: replace(now, user={**now.user, **version}, system=system))
        if ran:
            await self.start(slug)

    async def uninstall(self, slug: str, *, remove_config: bool = False) -> None:
        """Remove the add-on with its data; its own configuration folder only with `remove_config`."""
        self.get(slug)
        await self._records.update_addon(
            slug,
            lambda now: replace(
                now,
                user={**now.user, "remove_config": remove_config},
                intent=Intent(Wanted.REMOVED, now.intent.launch),
            ),
        )
        await self._remove(slug)

    def unfinished(self) -> Sequence[str]:
        """Slugs of which a removal or a stop was begun and not ended: we ended ourselves, or the API server did."""
        return [slug for slug, record in self._records.addons.items() if _is_unfinished(record.intent)]

    async def finish(self, slug: str) -> None:
        """End what `unfinished` named."""
        record = self._records.addons.get(slug)
        if record is None or not _is_unfinished(record.intent):
            return
        if record.intent.wanted is Wanted.REMOVED:
            await self._remove(slug)
        else:
            await self._converge(addon_key(slug))
            await self._pods_gone(record)
            await self._retire_token(slug)

    async def note_exit(self, slug: str) -> None:
        """The program of the current launch ended by itself: Docker would call the container exited."""
        record = self._records.addons.get(slug)
        if record is not None and record.intent.wanted is Wanted.RUNNING:
            await self._intend(slug, replace(record.intent, wanted=Wanted.EXITED))

    async def sandbox_lost(self, slug: str) -> None:
        """The node or the runtime restarted under the pod: by the boot rule it is launched anew or stays stopped."""
        record = self._records.addons.get(slug)
        if record is None or record.intent.wanted is not Wanted.RUNNING:
            return
        boot = record.user.get("boot") or config_of(record).boot
        await self.stop(slug)
        if boot == "auto":
            await self.start(slug)

    # --- steps -----------------------------------------------------------------------------------------------

    async def _launch(self, record: InstalledAddon) -> None:
        options = await self._to.options(record)
        config = config_of(record)
        launch = self._freeze(record, config, options)
        await self._to.make_directories(directories(config))
        await self._to.write_private(f"addons/data/{record.slug}/options.json", orjson.dumps(options))
        record = await self._intend(record.slug, Intent(Wanted.RUNNING, launch))
        try:
            await self._converge(addon_key(record.slug))
            status = await self._started(record.slug, launch)
        except ClusterUnavailableError:
            raise  # the intent stands: the loop goes on as soon as the API server answers
        except ClusterError as error:
            await self._withdraw(record, str(error))
            raise AddonStartError(str(error)) from error
        if status is not None and status.exit_code is not None:
            await self.note_exit(record.slug)
            if status.exit_code:
                raise AddonStartError(f"App {record.slug}: {status.reason}; its log tells more")
        elif status is not None and status.fatal:
            await self._withdraw(record, status.reason or "failed")
            raise AddonStartError(f"App {record.slug} cannot start: {status.reason}")

    def _freeze(self, record: InstalledAddon, config: AddonConfig, options: Mapping[str, Any]) -> Launch:
        launch_id, token, timezone = secrets.token_hex(4), secrets.token_hex(56), self._to.timezone()
        version = str(record.user["version"])
        image = f"{record.user['image']}:{version}"
        ports = {**config.ports, **(record.user.get("network") or {})}
        name = naming.addon_name(config.slug)
        objects = desired_addon(
            config, launch_id=launch_id, version=version, image=image, options=options, ports=ports,
            timezone=timezone, site=self._site,
        )  # fmt: skip
        secret = token_secret(name, naming.addon_labels(config.slug), launch_id, token)
        return Launch(
            id=launch_id, version=version, image=image, token_digest=digest(token), objects=(secret, *objects),
            options=options, ports=ports, timezone=timezone, config=config.raw,
        )  # fmt: skip

    async def _started(self, slug: str, launch: Launch) -> Status | None:
        """How this launch settled within START_WAIT; None when it has not yet, or was overtaken by another verb."""

        def settled() -> Status | None:
            record = self._records.addons.get(slug)
            if record is None or record.intent.launch is None or record.intent.launch.id != launch.id:
                return Status(state=AddonState.UNKNOWN)
            status = self.status(record)
            over = status.fatal or status.exit_code is not None or status.state is AddonState.STARTED
            return status if over else None

        try:
            return await self._cluster.until(settled, within=START_WAIT)
        except TookTooLongError:
            return None

    async def _withdraw(self, record: InstalledAddon, failure: str) -> None:
        await self._intend(record.slug, Intent(Wanted.STOPPED, record.intent.launch, failure))
        await self._converge(addon_key(record.slug))
        await self._pods_gone(record)
        await self._retire_token(record.slug)

    async def _retire_token(self, slug: str) -> None:
        record = self._records.addons.get(slug)
        if record is None or record.intent.launch is None or record.intent.wanted is not Wanted.STOPPED:
            return
        launch = record.intent.launch
        objects = tuple(item for item in launch.objects if item["kind"] != "Secret")
        launch = replace(launch, token_digest="", objects=objects)
        await self._intend(slug, replace(record.intent, launch=launch))
        await self._converge(addon_key(slug))

    async def _intend(self, slug: str, intent: Intent) -> InstalledAddon:
        record = await self._records.update_addon(slug, lambda now: replace(now, intent=intent))
        self._to.intent_changed(slug)
        return record

    async def _remove(self, slug: str) -> None:
        record = self._records.addons[slug]
        await self._converge(addon_key(slug))
        await self._pods_gone(record)
        for forget in self._to.forget:
            await forget(slug)
        await self._to.remove_tree(f"addons/data/{slug}")
        if record.user.get("remove_config"):
            await self._to.remove_tree(f"addon_configs/{slug}")
        await self._records.remove_addon(slug)

    async def _pods_gone(self, record: InstalledAddon) -> None:
        grace = config_of(record).timeout + STOP_MARGIN
        await self._cluster.until(lambda: not self._pods(record.slug) or None, within=grace)

    def _pods(self, slug: str) -> Sequence[Live]:
        return self._cluster.select("Pod", {naming.LABEL_ADDON: naming.label_value(slug)})

    def _image(self, config: AddonConfig) -> str:
        return f"{image_name(config, self._site)}:{config.version}"


class AddonRebuildImageError(RefusedError):
    message = "Can't rebuild an image-based app"
    error_key = "app_rebuild_image_based_error"


class AddonNoUpdateError(RefusedError):
    message = "No update available for app {app}"
    error_key = "app_no_update_available_error"


def _is_unfinished(intent: Intent) -> bool:
    stopped = intent.wanted is Wanted.STOPPED and intent.launch is not None
    return intent.wanted is Wanted.REMOVED or (stopped and bool(intent.launch and intent.launch.token_digest))


def config_of(record: InstalledAddon) -> AddonConfig:
    """The installed manifest of a record."""
    return AddonConfig.from_normalised(record.system, repository=str(record.system["repository"]))


def image_name(config: AddonConfig, site: Site) -> str:
    """The image without tag, for this installation's architecture."""
    if config.image is None:
        raise RefusedError(
            f"App {config.slug} has no image and would have to be built; this cluster cannot build images"
        )
    return config.image.replace("{arch}", site.arch)
