"""Publishing ports outside of the cluster: what that takes is there while something is published that runs, and gone
when nothing is; and whether the address is the one that the administrator wants.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from supervisor_k8s.cluster import routes
from supervisor_k8s.cluster.refresh import AGAIN, Touches, VolumeRefresh
from supervisor_k8s.cluster.routes import Routes
from supervisor_k8s.errors import ClusterError, ClusterRefusedError
from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.balanced import NODE_LISTENERS, L4Choice, Mode, Provider, detected
from supervisor_k8s.model.desired.gateway import GATEWAY
from supervisor_k8s.model.desired.l4_direct import direct_objects
from supervisor_k8s.model.desired.l4_gateway import beyond, gateway_objects
from supervisor_k8s.model.desired.l4_proxy import Exposure, l4_objects, serving_image
from supervisor_k8s.model.intent import PORTS_KEY, Manifest
from supervisor_k8s.model.issue import Cause, Fault, Faults
from supervisor_k8s.model.load_balancer import address_fault, given_addresses
from supervisor_k8s.model.plan import Workload
from supervisor_k8s.model.ports import Reservation
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import Live, is_ready, labels
from supervisor_k8s.reconcile import Cluster
from supervisor_k8s.waits import hears

_LOGGER = logging.getLogger(__name__)
PATIENCE = 30.0
"""Seconds a provider may take to give the Service its address."""
_LABELS = {naming.LABEL_TYPE: naming.TYPE_PORTS}


class PublishingCluster(Cluster, routes.Cluster, Touches, Protocol):
    """What is needed of the cluster."""

    async def warnings(self, uid: str) -> Sequence[Live]:
        """Warning Events about an object. ClusterError."""

    async def api_groups(self) -> Collection[str]:
        """Names of the API groups that the cluster serves. ClusterError."""


class Publishing:
    """One for all add-ons."""

    def __init__(  # noqa: PLR0913 - its place in the house, keyword-only
        self,
        *,
        cluster: PublishingCluster,
        converge: Callable[[str], Awaitable[None]],
        poke: Callable[[str], None],
        held: Callable[[], Iterable[Reservation]],
        choice: L4Choice,
        provider: Provider | None,
        site: Site,
        kubernetes: str,
        faults: Callable[[], Faults],
        again: float = AGAIN,
        patience: float = PATIENCE,
    ) -> None:
        """`held` are the ports of add-ons that are to run. Without a `provider` the cluster is asked which it has;
        `kubernetes` is its version.
        """
        self._cluster = cluster
        self._poke = poke
        self._held = held
        self._choice = choice
        self._provider = provider
        self._site = site
        self._kubernetes = kubernetes
        self._faults = faults
        self._patience = patience
        self._shown = VolumeRefresh(cluster=cluster, pods=self._pods, again=again)
        self._looked = asyncio.Event()
        self._told: Fault | None = None
        self._routes = Routes(
            cluster=cluster,
            workload_type=naming.TYPE_PORTS,
            cause=Cause.PORTS_NOT_ROUTED,
            wanted=lambda: gateway_objects(self._reachable(), self._choice, site),
            converge=lambda: converge(PORTS_KEY),
            beside=self._not_routed,
            faults=faults,
            patience=patience,
        )

    # --- reading ---------------------------------------------------------------------------------------------

    @property
    def refused(self) -> Collection[int]:
        """Numbers that cannot be published, because the address is also that of the nodes."""
        return NODE_LISTENERS if self._choice.provider is Provider.SERVICELB else ()

    def address(self, slug: str) -> str | None:
        """Where the add-on's published ports are reached; None while none are, or nobody has given the address."""
        name = naming.published_name(slug) if self._choice.mode is Mode.DIRECT else self._choice.name
        return next(iter(given_addresses(self._cluster.get(self._addressed, name))), None)

    @property
    def hindrance(self) -> str:
        """Why no port is reached from outside; empty where ports are, or nothing was published yet."""
        if self._choice.mode is Mode.OFF:
            return "SUPERVISOR_K8S_INTERNAL_L4_MODE is off"
        services = self._cluster.select("Service", _LABELS)
        if self._told is None or not services or any(map(given_addresses, services)):
            return ""
        return "nobody gives an address to Services of type LoadBalancer"

    def workload(self) -> Workload:
        """What the cluster is to hold."""
        match self._choice.mode:
            case Mode.DIRECT:
                objects = self._direct()
            case Mode.GATEWAY:
                objects = self._routes.servable()
            case _:
                objects = self._proxy()
        return Workload(key=PORTS_KEY, labels=_LABELS, objects=objects, running=False)

    # --- life ------------------------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Find out who gives addresses, where nobody said it. ClusterUnavailableError."""
        provider = self._provider or detected(await self._api_groups(), self._kubernetes)
        if provider != self._choice.provider:
            self._choice = replace(self._choice, provider=provider)
            _LOGGER.info("The address for published ports is asked for as %s wants it", provider)

    def look(self, _slug: str) -> None:
        """An add-on has other ports than before."""
        self._poke(PORTS_KEY)
        self._routes.look()

    def on_serving(self) -> None:
        """The cluster begins or ceases to serve kinds that it need not."""
        self._poke(PORTS_KEY)
        self._routes.look()

    def on_change(self, kind: str, old: Live | None, new: Live | None) -> None:
        """Listener of the watch cache: where add-ons are, what has to reach the proxies' volumes, and our address."""
        self._routes.on_change(kind, old, new)
        live = new or old
        match kind, labels(live).get(naming.LABEL_TYPE) if live else None:
            case "Service", naming.TYPE_ADDON | naming.TYPE_CORE if _address(old) != _address(new):
                self._poke(PORTS_KEY)
            case "Service" | "Gateway", naming.TYPE_PORTS:
                self._looked.set()
            case "ConfigMap", naming.TYPE_PORTS if (old or {}).get("data") != (new or {}).get("data"):
                self._shown.ask()
            case "Pod", naming.TYPE_PORTS if _answers(new) and not _answers(old):
                self._shown.ask()

    async def run(self) -> None:
        """Have changes shown by the proxies at once, for as long as we run."""
        await self._shown.run()

    async def watch_address(self) -> None:
        """Tell of an address that does not come or is another one than asked for, for as long as we run."""
        self._looked.set()
        while True:
            await self._looked.wait()
            self._looked.clear()
            if self._faulty() is None:
                self._tell(None)
            elif not await hears(self._looked, within=self._patience):
                self._tell(await self._fault())

    async def watch_routes(self) -> None:
        """Tell of a Gateway or a route that does not work, for as long as we run; at once over without them."""
        if self._choice.mode is Mode.GATEWAY:
            await self._routes.run()

    # -----------------------------------------------------------------------------------------------------------

    @property
    def _addressed(self) -> str:
        """The kind that has the address."""
        return GATEWAY if self._choice.mode is Mode.GATEWAY else "Service"

    def _direct(self) -> tuple[Manifest, ...]:
        return direct_objects(self._held(), self._choice, self._site)

    def _proxy(self) -> tuple[Manifest, ...]:
        image = self._choice.image or serving_image(self._pods()) or self._site.supervisor_image
        return l4_objects(self._exposures(), self._choice, replace(self._site, supervisor_image=image))

    async def _api_groups(self) -> Collection[str]:
        try:
            return await self._cluster.api_groups()
        except ClusterRefusedError as error:
            _LOGGER.info("Which APIs the cluster has cannot be asked for: %s", error)
            return ()

    def _reachable(self) -> Sequence[Reservation]:
        """What has a Service already, and so something that a route may lead to."""
        return [item for item in self._held() if _address(self._cluster.get("Service", naming.service_name(item.slug)))]

    async def _not_routed(self) -> Mapping[str, str]:
        """What is published, and has no way out for a reason of ours."""
        held = list(self._held())
        if held and self._choice.gateway_class is None:
            return {"SUPERVISOR_K8S_INTERNAL_L4_MODE": "gateway also needs SUPERVISOR_K8S_GATEWAY_CLASS"}
        left = ", ".join(item.key for item in beyond(held))
        return {f"{GATEWAY} {self._choice.name}": f"it has no listener left for {left}"} if left else {}

    def _exposures(self) -> Sequence[Exposure]:
        """Of what has a Service already."""
        services = ((item, self._cluster.get("Service", naming.service_name(item.slug))) for item in self._held())
        found = ((item, _address(live)) for item, live in services)
        return [Exposure(item.number, item.protocol, address, item.target) for item, address in found if address]

    def _pods(self) -> Sequence[Live]:
        return self._cluster.select("Pod", _LABELS)

    def _faulty(self) -> Live | None:
        """The first object without the address that it is to have. A Gateway that has none yet tells it otherwise."""
        found = self._cluster.select(self._addressed, _LABELS)
        if self._choice.mode is Mode.GATEWAY:
            found = [live for live in found if given_addresses(live)]
        return next((live for live in found if address_fault(live, self._choice.address, "")), None)

    async def _fault(self) -> Fault | None:
        service = self._faulty()
        reason = "" if service is None else await self._reason(service)
        return address_fault(service, self._choice.address, reason)

    def _tell(self, fault: Fault | None) -> None:
        if self._told is not None and self._told != fault:
            self._faults().settle(self._told)
        if fault is not None:
            self._faults().report(fault)
        self._told = fault

    async def _reason(self, service: Live) -> str:
        """The provider's last word; empty when it said nothing."""
        try:
            events = await self._cluster.warnings(service["metadata"]["uid"])
        except ClusterError as error:
            _LOGGER.info("Why the Service has no address cannot be asked for: %s", error)
            return ""
        last = max(events, key=lambda event: event.get("lastTimestamp") or event.get("eventTime") or "", default={})
        return str(last.get("message", ""))


def _address(service: Live | None) -> str | None:
    """The ClusterIP as nginx writes it; None when there is none."""
    address = (service or {}).get("spec", {}).get("clusterIP")
    if not address or address == "None":
        return None
    return f"[{address}]" if ":" in address else str(address)


def _answers(pod: Live | None) -> bool:
    return pod is not None and is_ready(pod)
