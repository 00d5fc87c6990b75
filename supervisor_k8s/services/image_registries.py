"""Registries that ask for a login: kept, and given to the nodes as a pull secret. Passwords are only ever taken in.

A change restarts nothing: every pod names the one Secret, and kubelets look into it when they pull.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from supervisor_k8s.errors import RegistryNotFoundError
from supervisor_k8s.model.desired.registries import (
    REGISTRIES_KEY,
    Registries,
    document,
    registries_workload,
    stored,
)
from supervisor_k8s.model.image_pull import login_of
from supervisor_k8s.model.naming import REGISTRIES_SECRET
from supervisor_k8s.model.plan import Workload
from supervisor_k8s.model.site import Site
from supervisor_k8s.reconcile import Cluster


class RegistryRecords(Protocol):
    """Where logins are kept (state.records.Records)."""

    registries: Registries | None

    async def save_registries(self, value: Registries) -> None: ...


class ImageRegistries:
    """The logins by host name."""

    def __init__(
        self,
        *,
        cluster: Cluster,
        records: RegistryRecords,
        site: Site,
        converge: Callable[[str], Awaitable[None]],
    ) -> None:
        self._cluster = cluster
        self._records = records
        self._site = site
        self._converge = converge
        self._writing = asyncio.Lock()
        self._found: Registries = {}

    def prepare(self) -> None:
        """Look what the cluster has, before the first converge writes there: it counts where our file was lost."""
        self._found = stored(self._cluster.get("Secret", REGISTRIES_SECRET))

    def users(self) -> dict[str, str]:
        """Host name to user name."""
        return {host: login["username"] for host, login in self._logins.items()}

    def login(self, image: str) -> tuple[str, str] | None:
        """User name and password for the registry of an image, where they are kept."""
        host = login_of(image, self._logins)
        return None if host is None else (self._logins[host]["username"], self._logins[host]["password"])

    def workload(self) -> Workload:
        """What the cluster is to hold of them."""
        return registries_workload(self._logins, self._site)

    async def add(self, given: Registries) -> None:
        """Keep these logins; another one of the same host is replaced. ClusterError when the nodes get them later."""
        async with self._writing:
            await self._keep({**self._logins, **given})

    async def remove(self, host: str) -> None:
        """RegistryNotFoundError for a host without a login."""
        async with self._writing:
            if host not in self._logins:
                raise RegistryNotFoundError(hostname=host)
            await self._keep({key: value for key, value in self._logins.items() if key != host})

    @property
    def _logins(self) -> Registries:
        kept = self._records.registries
        return self._found if kept is None else kept

    async def _keep(self, registries: Registries) -> None:
        document(registries)  # may refuse, before anything is kept
        await self._records.save_registries(registries)
        await self._converge(REGISTRIES_KEY)
