"""Add-ons with everything that looks after them, on the double of a cluster: for tests of their life.

A `House` is one process of ours. Its records lie in a folder and its cluster outlives it, so a second house on the same
two is our next process; `Fuse` ends the first one in the middle of anything.
"""

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import orjson

from supervisor_k8s.errors import StoreAddonNotFoundError
from supervisor_k8s.jobs import Jobs
from supervisor_k8s.model import naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.intent import InstalledAddon, Launch, Manifest, job_group
from supervisor_k8s.model.launch import config_of
from supervisor_k8s.model.status import AddonState
from supervisor_k8s.reconcile import Reconciler
from supervisor_k8s.services import addon_recovery
from supervisor_k8s.services.access import Access
from supervisor_k8s.services.addon_recovery import AddonRecovery
from supervisor_k8s.services.addon_settings import AddonSettings
from supervisor_k8s.services.addon_states import AddonStates
from supervisor_k8s.services.addons import Addons, Neighbours, Patience
from supervisor_k8s.services.images import Images
from supervisor_k8s.services.ingress_doors import new_keys
from supervisor_k8s.services.ports import Ports
from supervisor_k8s.services.service_registry import ServiceRegistry
from supervisor_k8s.state.records import Records
from supervisor_k8s.state.storage import SharedVolume
from tests import builders
from tests.fakes import FakeCluster

SLUG = "local_example"
NAME = "addon-local-example"
IMAGE = "ghcr.io/example/amd64-app-example:1.0.0"
NEXT_IMAGE = "ghcr.io/example/amd64-app-example:2.0.0"


class Killed(BaseException):
    """The process is gone: nothing below catches it, and nothing it does afterwards has an effect."""


class Fuse:
    """Counts what a process does to the outside and ends it after so many steps."""

    def __init__(self, steps: int | None = None) -> None:
        self.left = steps
        self.used = 0

    def burn(self) -> None:
        if self.left is not None and self.used >= self.left:
            raise Killed
        self.used += 1


class FusedRecords(Records):
    """Records whose writes are steps."""

    fuse: Fuse

    async def save_addon(self, record: InstalledAddon) -> None:
        self.fuse.burn()
        await super().save_addon(record)

    async def update_addon(self, slug: str, change: Callable[[InstalledAddon], InstalledAddon]) -> InstalledAddon:
        self.fuse.burn()
        return await super().update_addon(slug, change)

    async def remove_addon(self, slug: str) -> None:
        self.fuse.burn()
        await super().remove_addon(slug)

    async def save_services(self, value: Mapping[str, Mapping[str, Any]]) -> None:
        self.fuse.burn()
        await super().save_services(value)


class FusedCluster:
    """One process' hand on the cluster: its writes are steps."""

    def __init__(self, cluster: FakeCluster, fuse: Fuse) -> None:
        self._cluster = cluster
        self._fuse = fuse

    def get(self, kind: str, name: str) -> Any:
        return self._cluster.get(kind, name)

    def select(self, kind: str, labels: Mapping[str, str]) -> Sequence[Any]:
        return self._cluster.select(kind, labels)

    @property
    def revision(self) -> object:
        return self._cluster.revision

    async def until[T](self, condition: Callable[[], T | None], *, within: float) -> T:
        return await self._cluster.until(condition, within=within)

    def subscribe(self, listener: Any) -> None:
        self._cluster.subscribe(listener)

    async def apply(self, manifest: Manifest) -> Any:
        self._fuse.burn()
        return await self._cluster.apply(manifest)

    async def delete(self, live: Mapping[str, Any]) -> None:
        self._fuse.burn()
        await self._cluster.delete(live)

    async def lift_gate(self, pod: Mapping[str, Any]) -> None:
        self._fuse.burn()
        await self._cluster.lift_gate(pod)


class House:
    """One process: add-ons, their states, the reconciler, jobs, images, services and tokens."""

    def __init__(
        self, folder: Path, cluster: FakeCluster, records: FusedRecords, fuse: Fuse, patience: Patience
    ) -> None:
        self.cluster, self.records, self.folder, self.fuse = cluster, records, folder, fuse
        records.fuse = fuse
        hand = FusedCluster(cluster, fuse)
        self.store: dict[str, AddonConfig] = {}
        self.forgotten: list[str] = []
        self.built = 0
        self.healthy: dict[str, Mapping[str, Any]] = {}
        """Images that carry a check of their health."""
        self.events: list[tuple[str, AddonState]] = []
        self.site = builders.site()
        self.volume = SharedVolume(folder / "share")
        self.jobs = Jobs()
        self.images = Images(cluster=hand, site=self.site, logins=tuple, timeout=5)
        self.registry = ServiceRegistry(records=records)
        self.access = Access(cluster=hand, namespace="home-assistant", core=lambda: None, addons=lambda: records.addons)
        self.reconciler = Reconciler(cluster=hand, render=self._render, key_of=self._key_of)
        self.ports = Ports(
            cluster=cluster, records=lambda: records.addons, lost=tuple, site=lambda: self.site, refused=tuple
        )
        self.settings = AddonSettings(
            records=records,
            installed=lambda: tuple(self.addons.installed()),
            get=lambda slug: self.addons.get(slug),  # noqa: PLW0108 - made below
            config=config_of,
            read=self.volume.read,
            allowed=frozenset,
            check_ports=self.ports.check,
        )
        self.addons = Addons(
            cluster=hand,
            converge=self.reconciler.converge,
            records=records,
            site=lambda: self.site,
            neighbours=Neighbours(
                store_addon=self._store_addon,
                in_store=lambda slug: slug in self.store,
                pull=self.images.pull,
                build=self._build,
                health=self._health,
                options=self.settings.resolved,
                make_directories=self._step(self.volume.make_directories),
                write_private=self._step(self.volume.write_private),
                remove_tree=self._step(self.volume.remove_tree),
                forget=(self._forget, self.registry.remove_addon),
                intent_changed=lambda slug: self.states.look(slug),  # noqa: PLW0108 - made below
                link_keys=new_keys,
                ports=self.ports,
                timezone=lambda: "Europe/Zurich",
                core_version=lambda: "2026.11.0",
            ),
            patience=patience,
        )
        self.recovery = AddonRecovery(
            records=records,
            jobs=self.jobs,
            neighbours=addon_recovery.Neighbours(
                status=self.addons.status,
                pods=self.addons.pods,
                intend=self.addons.intend,
                pass_through=self.addons.pass_through,
                remove=self.addons.remove,
                unpublish=self.registry.remove_addon,
            ),
            gather=0,
        )
        self.states = AddonStates(
            records=records,
            status=self.addons.status,
            pods=self.addons.pods,
            converge=self.reconciler.converge,
        )
        cluster.subscribe(self.states.on_change)
        self.states.looked.connect(self.recovery.attend)
        self.states.looked.connect(self.ports.look)
        self.states.changed.connect(self.events.append)

    @classmethod
    async def build(
        cls, folder: Path, cluster: FakeCluster, fuse: Fuse | None = None, patience: Patience | None = None
    ) -> Self:
        (folder / "share").mkdir(exist_ok=True)
        records = await FusedRecords.load(folder / "state")
        return cls(folder, cluster, records, fuse or Fuse(), patience or Patience())

    @asynccontextmanager
    async def living(self) -> AsyncIterator[Self]:
        """With all our tasks, as `House` runs them."""
        async with asyncio.TaskGroup() as group:
            runs = (self.jobs.run, self.reconciler.run, self.recovery.run, self.states.run, self.ports.run)
            tasks = [group.create_task(begin()) for begin in runs]
            await asyncio.sleep(0)
            for slug in self.records.addons:
                self.reconciler.poke(f"addon/{slug}")
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()

    # --- what a test asks ----------------------------------------------------------------------------------------

    def offer(self, **manifest: Any) -> str:
        """The store has this add-on; its slug."""
        config = builders.addon(**manifest)
        self.store[config.slug] = config
        return config.slug

    async def install(self, **manifest: Any) -> str:
        slug = self.offer(**manifest)
        await self.do(self.addons.install, slug)
        return slug

    async def do(self, verb: Callable[[str], Awaitable[None]], slug: str = SLUG) -> None:
        """A verb as the API calls it: as a job that nothing else on the same add-on meets."""
        await self.jobs.do("test", slug, job_group(slug), lambda _: verb(slug))

    async def start(self, slug: str = SLUG) -> None:
        await self.do(self.addons.start, slug)

    async def stop(self, slug: str = SLUG) -> None:
        await self.do(self.addons.stop, slug)

    async def restart(self, slug: str = SLUG) -> None:
        await self.do(self.addons.restart, slug)

    async def update(self, slug: str = SLUG) -> None:
        await self.do(self.addons.update, slug)

    async def uninstall(self, slug: str = SLUG) -> None:
        await self.do(self.addons.uninstall, slug)

    def launch(self, slug: str = SLUG) -> Launch:
        launch = self.records.addons[slug].intent.launch
        assert launch is not None
        return launch

    def state(self, slug: str = SLUG) -> AddonState:
        return self.addons.state(slug)

    def pods(self, slug: str = SLUG) -> list[Any]:
        return list(self.cluster.select("Pod", {naming.LABEL_ADDON: naming.label_value(slug)}))

    def objects(self, slug: str = SLUG) -> list[tuple[str, str]]:
        """Everything of the add-on in the cluster, its pods too."""
        labels = {naming.LABEL_ADDON: naming.label_value(slug)}
        kinds = ("Secret", "Service", "Deployment", "Job", "Pod")
        return [(kind, live["metadata"]["name"]) for kind in kinds for live in self.cluster.select(kind, labels)]

    def kinds(self, slug: str = SLUG) -> list[str]:
        return [kind for kind, _ in self.objects(slug)]

    def token(self, slug: str = SLUG) -> str:
        """The token that the add-on's pod reads."""
        name = naming.launch_secret(naming.addon_name(slug), self.launch(slug).id)
        secret = self.cluster.get("Secret", name)
        assert secret is not None
        return base64.b64decode(secret["data"]["token"]).decode()

    def options_file(self, slug: str = SLUG) -> Any:
        return orjson.loads((self.folder / "share" / "addons" / "data" / slug / "options.json").read_bytes())

    async def settles(self, condition: Callable[[], Any], *, within: float = 5) -> None:
        """Wait until something is true; it is asked at every turn of the event loop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not condition():
                    await asyncio.sleep(0.001)
        assert condition()

    # --- neighbours ----------------------------------------------------------------------------------------------

    def _render(self, key: str) -> Any:
        return self.addons.workload(key.removeprefix("addon/"))

    def _key_of(self, live: Mapping[str, Any]) -> str | None:
        slug = self.addons.slug_of(live)
        return None if slug is None else f"addon/{slug}"

    def _store_addon(self, slug: str) -> AddonConfig:
        if slug not in self.store:
            raise StoreAddonNotFoundError(app=slug)
        return self.store[slug]

    def _step[**P](self, act: Callable[P, Awaitable[None]]) -> Callable[P, Awaitable[None]]:
        async def step(*args: P.args, **kwargs: P.kwargs) -> None:
            self.fuse.burn()
            await act(*args, **kwargs)

        return step

    async def _build(self, config: AddonConfig, on_stage: Callable[[str], None]) -> str:
        """Each build comes to another image."""
        on_stage("building")
        self.built += 1
        return f"registry.test/home/amd64-{naming.addon_name(config.slug)}@sha256:{self.built:064x}"

    async def _health(self, image: str) -> Mapping[str, Any] | None:
        return self.healthy.get(image)

    async def _forget(self, slug: str) -> None:
        self.forgotten.append(slug)
