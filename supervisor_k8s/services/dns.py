"""The names of Home Assistant: keeps `supervisor-dns` true as pods come and go.

The address of its Service stands in every pod that was started since, so it is recorded and asked for again. What is in
the ConfigMap is shown by its pods at once (`cluster/refresh.py`).
"""

import asyncio
import ipaddress
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Protocol

from supervisor_k8s.cluster.refresh import AGAIN, Touches, VolumeRefresh
from supervisor_k8s.errors import ClusterRefusedError, NotReadyError, RefusedError, TookTooLongError
from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.dns import (
    addon_hosts,
    dns_config,
    dns_deployment,
    dns_service,
    hosts_text,
    house_hosts,
)
from supervisor_k8s.model.intent import DNS_KEY
from supervisor_k8s.model.plan import Workload, stamped
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import NO_ADDRESS, Live, has_ended, is_ready, labels, pod_address
from supervisor_k8s.reconcile import Cluster
from supervisor_k8s.remote.certificates import utc_now

_LOGGER = logging.getLogger(__name__)
UP_WAIT = 60.0
"""Seconds for which our start waits for an answering server before Core and add-ons are launched."""
_LABELS = {naming.LABEL_TYPE: naming.TYPE_DNS}
_ADDONS = {naming.LABEL_TYPE: naming.TYPE_ADDON}


class DnsCluster(Cluster, Touches, Protocol):
    """What names need of the cluster."""


class DnsRecords(Protocol):
    """Where it is kept (state.records.Records): `address`, `servers`, `restarted`."""

    dns: Mapping[str, Any]

    async def save_dns(self, value: Mapping[str, Any]) -> None: ...


class Dns:
    """Names of Core, add-ons and ourselves."""

    def __init__(  # noqa: PLR0913 - its place in the house, keyword-only
        self,
        *,
        cluster: DnsCluster,
        converge: Callable[[str], Awaitable[None]],
        poke: Callable[[str], None],
        records: DnsRecords,
        site: Site,
        image: str,
        clock: Callable[[], datetime] = utc_now,
        again: float = AGAIN,
    ) -> None:
        self._cluster = cluster
        self._converge = converge
        self._poke = poke
        self._records = records
        self._site = site
        self._image = image
        self._clock = clock
        self._writing = asyncio.Lock()
        self._shown = VolumeRefresh(cluster=cluster, pods=self._pods, again=again)
        self._reached: dict[str, tuple[str, str]] = {}
        """Pods of add-ons whose program runs: by name, slug and address."""
        self._addon_hosts: str | None = None
        """Their part of the file; None when it has to be made anew."""

    # --- reading ---------------------------------------------------------------------------------------------

    @property
    def site(self) -> Site:
        """Where pods are made for: with the address of the server. NotReadyError before `prepare`."""
        if not self._site.dns_address:
            raise NotReadyError("The names' server has no address yet")
        return self._site

    @property
    def servers(self) -> Sequence[str]:
        """IPv4 addresses that the user wants asked for public names."""
        servers: Sequence[str] = self._records.dns.get("servers", ())
        return servers

    def workload(self) -> Workload:
        """What the cluster is to hold: names of everything that runs now, and who answers for them."""
        core = self._cluster.get("Service", naming.CORE) or {}
        if self._addon_hosts is None:
            self._addon_hosts = hosts_text(addon_hosts(self._reached.values()))
        house = hosts_text(house_hosts(self.site, core.get("spec", {}).get("clusterIP")))
        objects = (
            dns_config(self.site, house + self._addon_hosts, self.servers),
            dns_service(self.site),
            dns_deployment(self.site, self._image, self._records.dns.get("restarted")),
        )
        return Workload(key=DNS_KEY, labels=_LABELS, objects=objects, running=False)

    # --- life ------------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Have the Service, with the address that it had where that can be."""
        recorded = self._records.dns.get("address")
        live = self._cluster.get("Service", naming.DNS)
        if live is None or (recorded and live["spec"].get("clusterIP") != recorded):
            live = await self._apply_service(recorded)
        address = live["spec"]["clusterIP"]
        if address != recorded:
            await self._keep(address=address)
        self._site = replace(self._site, dns_address=address)
        for pod in self._cluster.select("Pod", _ADDONS):
            self._note(pod["metadata"]["name"], pod)

    async def up(self) -> None:
        """Wait until somebody answers: what starts without would miss every name. Not for ever: Core first of all."""
        self._poke(DNS_KEY)
        try:
            await self._cluster.until(lambda: any(map(_answers, self._pods())) or None, within=UP_WAIT)
        except TookTooLongError:
            _LOGGER.warning(
                "No pod of Deployment %s is ready: Core and add-ons that start now find no names until one is",
                naming.DNS,
            )

    def on_change(self, kind: str, old: Live | None, new: Live | None) -> None:
        """Listener of the watch cache: a name that comes, goes or moves, and what has to reach the servers' volumes."""
        live = new or old
        if live is None:
            return
        match kind, labels(live).get(naming.LABEL_TYPE):
            case "Pod", naming.TYPE_ADDON if self._note(live["metadata"]["name"], new):
                self._poke(DNS_KEY)
            case "Service", naming.TYPE_CORE if _differ(old, new, "spec"):
                self._poke(DNS_KEY)
            case "ConfigMap", naming.TYPE_DNS if _differ(old, new, "data"):
                self._shown.ask()
            case "Pod", naming.TYPE_DNS if _answers(new) and not _answers(old):
                self._shown.ask()

    async def run(self) -> None:
        """Have new content shown by the servers at once, for as long as we run. At first what was left to be shown."""
        await self._shown.run()

    # --- verbs -----------------------------------------------------------------------------------------------

    async def set_servers(self, servers: Sequence[str]) -> None:
        """Ask these IPv4 addresses first for public names, then the cluster's DNS. RefusedError: one would be ours."""
        if self.site.dns_address in servers or any(ipaddress.IPv4Address(server).is_loopback for server in servers):
            raise RefusedError("A DNS server that asks itself never answers; name another one")
        await self._keep(servers=list(servers))
        await self._converge(DNS_KEY)

    async def restart(self) -> None:
        """New pods, one after the other: somebody always answers."""
        await self._keep(restarted=self._clock().isoformat())
        await self._converge(DNS_KEY)

    # -----------------------------------------------------------------------------------------------------------

    async def _keep(self, **changes: Any) -> None:
        async with self._writing:
            await self._records.save_dns({**self._records.dns, **changes})

    async def _apply_service(self, address: str | None) -> Live:
        wanted = replace(self._site, dns_address=address or "")
        try:
            return await self._cluster.apply(stamped(dns_service(wanted)))
        except ClusterRefusedError as error:
            if not address:
                raise
            _LOGGER.warning("Names have a new address; restart Core and add-ons that run: %s", error)
        return await self._cluster.apply(stamped(dns_service(self._site)))

    def _pods(self) -> Sequence[Live]:
        return self._cluster.select("Pod", _LABELS)

    def _note(self, name: str, pod: Live | None) -> bool:
        """Keep in mind where the program of an add-on's pod is reached; whether that is news. By looking at this pod
        alone: in a large house a start costs no more.
        """
        before, now = self._reached.pop(name, None), _reached(pod)
        if now is not None:
            self._reached[name] = now
        if before != now:
            self._addon_hosts = None
        return before != now


def _reached(pod: Live | None) -> tuple[str, str] | None:
    """Slug and address of an add-on's pod whose program runs; None when it does not any more, or not yet."""
    slug = None if pod is None else pod["metadata"].get("annotations", {}).get(naming.ANNOTATION_SLUG)
    if pod is None or slug is None or has_ended(pod):
        return None
    address = pod_address([pod])
    return None if address == NO_ADDRESS else (slug, address)


def _answers(pod: Live | None) -> bool:
    return pod is not None and is_ready(pod)


def _differ(old: Live | None, new: Live | None, part: str) -> bool:
    return (old or {}).get(part) != (new or {}).get(part)
