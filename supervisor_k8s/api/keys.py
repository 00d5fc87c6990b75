"""What the application carries: the services that handlers call, and what a request knows about itself."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from supervisor_k8s.api.memo import Memo
from supervisor_k8s.jobs import Jobs
from supervisor_k8s.model.access import Caller
from supervisor_k8s.model.site import Site
from supervisor_k8s.remote.home_assistant import HomeAssistant
from supervisor_k8s.services.access import Access
from supervisor_k8s.services.addon_input import AddonInput
from supervisor_k8s.services.addon_place import AddonPlace
from supervisor_k8s.services.addon_settings import AddonSettings
from supervisor_k8s.services.addon_updates import AddonUpdates
from supervisor_k8s.services.addons import Addons
from supervisor_k8s.services.allowances import Allowances
from supervisor_k8s.services.config_check import ConfigCheck
from supervisor_k8s.services.core import Core
from supervisor_k8s.services.core_update import CoreUpdate
from supervisor_k8s.services.discovery import Discovery
from supervisor_k8s.services.dns import Dns
from supervisor_k8s.services.docker_network import DockerNetwork
from supervisor_k8s.services.host import Host
from supervisor_k8s.services.image_registries import ImageRegistries
from supervisor_k8s.services.ingress import Ingress
from supervisor_k8s.services.ingress_doors import IngressDoors
from supervisor_k8s.services.leaks import Leaks
from supervisor_k8s.services.logins import Logins
from supervisor_k8s.services.logs import Logs
from supervisor_k8s.services.own_life import OwnLife
from supervisor_k8s.services.preferences import Preferences
from supervisor_k8s.services.publishing import Publishing
from supervisor_k8s.services.repositories import Repositories
from supervisor_k8s.services.resolution import Resolution
from supervisor_k8s.services.service_registry import ServiceRegistry
from supervisor_k8s.services.stats import Stats
from supervisor_k8s.services.versions import Versions


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All that handlers may call."""

    access: Access
    addons: Addons
    addon_input: AddonInput
    addon_place: AddonPlace
    addon_settings: AddonSettings
    addon_updates: AddonUpdates
    leaks: Leaks
    core: Core
    core_update: CoreUpdate
    config_check: ConfigCheck
    own: OwnLife
    versions: Versions
    repositories: Repositories
    discovery: Discovery
    registry: ServiceRegistry
    image_registries: ImageRegistries
    logins: Logins
    dns: Dns
    docker_network: DockerNetwork
    allowances: Allowances
    publishing: Publishing
    ingress: Ingress
    ingress_doors: IngressDoors
    resolution: Resolution
    preferences: Preferences
    host: Host
    home_assistant: HomeAssistant
    jobs: Jobs
    site: Site
    logs: Logs
    stats: Stats
    state: Callable[[], str]
    """How far we are: initialize, setup, startup, running, freeze, shutdown, stopping or close."""
    version: str
    """Our own, CalVer."""
    look_again: Callable[[], None]
    """Has every workload looked at soon."""
    memo: Memo = field(default_factory=Memo)


SERVICES = web.AppKey("SERVICES", Services)
CALLER: web.RequestKey[Caller | None] = web.RequestKey("CALLER", object)  # type: ignore[arg-type] # a union is no type
BODY_WAIT: web.AppKey[float] = web.AppKey("BODY_WAIT", float)
"""Seconds in which the body of a request must be there."""
STREAMING = web.RequestKey("STREAMING", bool)
"""Set once the first byte of a streamed answer is out: an error can then no longer become an answer."""

STREAMS: web.AppKey[set[asyncio.Timeout]] = web.AppKey("STREAMS", set)
"""Answers without an end that are being sent; they are ended when we stop."""

type Body = Mapping[str, Any]
