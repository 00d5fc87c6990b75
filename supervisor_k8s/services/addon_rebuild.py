"""Add-ons that the cluster has and that have no record: our own file was damaged, or our volume was lost.

Their records are made anew of what the cluster shows, the store's manifest and the options of their last start; they go
on as they run. Until that can be done nothing of them is touched: what has no record looks like what an uninstall left
behind, and must not be taken for it.
"""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any
from uuid import uuid4

import orjson

from supervisor_k8s.errors import StorageError, SupervisorError
from supervisor_k8s.events import Signal
from supervisor_k8s.model import naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.desired.l4_proxy import registry_of
from supervisor_k8s.model.intent import InstalledAddon, addon_key
from supervisor_k8s.model.launch import with_ingress_port
from supervisor_k8s.model.ports import registered
from supervisor_k8s.model.recovery import PROGRAMS, Found, addon_token_secret, addons_without_record, recovered_addon
from supervisor_k8s.reconcile import Cluster
from supervisor_k8s.state.records import Records

_LOGGER = logging.getLogger(__name__)


class AddonRebuild:
    """Looks once at our start, and again whenever the store knows more."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        records: Records,
        offered: Callable[[], Mapping[str, AddonConfig]],
        read: Callable[[str], Awaitable[bytes | None]],
    ) -> None:
        """`offered` is what the store has now, `read` gives a file of the shared volume."""
        self.missed: Signal[str] = Signal()
        """An add-on runs, and its record cannot be made now: no repository offers it."""
        self.found: Signal[str] = Signal()
        """It has a record again, or is gone from the cluster: it is like all others from now on."""
        self.rebuilt: Signal[str] = Signal()
        """Its record was made anew: what its user chose may be lost."""
        self._cluster = cluster
        self._records = records
        self._offered = offered
        self._read = read
        self._missing: dict[str, Found] = {}
        self._store_changed = asyncio.Event()

    @property
    def lost(self) -> Collection[str]:
        """Slugs of add-ons whose records are yet to be made."""
        return [slug for slug in self._missing if slug not in self._records.addons]

    def is_lost(self, key: str) -> bool:
        """Whether this workload is an add-on whose record is yet to be made: its objects are not to be touched."""
        return any(key in (addon_key(slug), addon_key(naming.label_value(slug))) for slug in self.lost)

    def store_changed(self, _: Collection[str]) -> None:
        """A repository offers something else than before."""
        self._store_changed.set()

    async def look(self) -> None:
        """Find what has no record. To be called before anything is converged, with a cache that knows everything."""
        self._missing = self._orphans()
        await self._rebuild()
        for slug in self._missing:
            _LOGGER.error(
                "Add-on %s has no record and no repository offers it: it is left as it is; add its repository again",
                slug,
            )
            self.missed(slug)

    async def run(self) -> None:
        """Go on when the store knows more, until every record is there."""
        while self._missing:
            await self._store_changed.wait()
            self._store_changed.clear()
            await self._rebuild()

    def _orphans(self) -> dict[str, Found]:
        managed = {naming.LABEL_TYPE: naming.TYPE_ADDON}
        objects = [live for kind in PROGRAMS for live in self._cluster.select(kind, managed)]
        return {found.slug: found for found in addons_without_record(objects, self._records.addons)}

    async def _rebuild(self) -> None:
        orphans = self._orphans()
        for slug in tuple(self._missing):
            config = self._offered().get(slug)
            if slug in orphans and (config is None or not await self._save(orphans[slug], config)):
                continue
            del self._missing[slug]
            self.found(slug)
            if slug in orphans:
                self.rebuilt(slug)

    async def _save(self, found: Found, config: AddonConfig) -> bool:
        try:
            await self._records.save_addon(await self._record(found, config))
        except SupervisorError as error:
            _LOGGER.error("The record of add-on %s cannot be made anew: %s", found.slug, error)  # noqa: TRY400 - said
            return False
        _LOGGER.warning(
            "The record of add-on %s %s was missing; rebuilt from the cluster, with the last start's options",
            found.slug,
            found.version,
        )
        return True

    async def _record(self, found: Found, config: AddonConfig) -> InstalledAddon:
        record = recovered_addon(
            found,
            config,
            secret=self._cluster.get("Secret", addon_token_secret(found)),
            service=self._cluster.get("Service", naming.addon_name(found.slug)),
            options=await self._options(found.slug),
            ports=self._ports(found.slug),
            uuid=uuid4().hex,
            ingress_token=secrets.token_urlsafe(),
        )
        others = {other.ingress_port for other in self._records.addons.values() if other.ingress_port}
        return with_ingress_port(record, others)

    def _ports(self, slug: str) -> Mapping[str, int]:
        """Those that it has published since its last start, by the registry."""
        written = registered(registry_of(self._cluster.get("ConfigMap", naming.PORT_REGISTRY)))
        return {f"{item.target}/{item.protocol}": item.number for item in written if item.slug == slug}

    async def _options(self, slug: str) -> Mapping[str, Any]:
        """What its last start was given; the add-on itself may have written there, so it may be anything."""
        try:
            content = await self._read(f"addons/data/{slug}/options.json")
            options = orjson.loads(content or b"{}")
        except (StorageError, ValueError):
            return {}
        return options if isinstance(options, dict) else {}
