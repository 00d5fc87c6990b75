"""Registries that ask for a login: kept, and given to the nodes as a pull secret. Passwords are only ever taken in.

A change restarts nothing: every pod names the one Secret, and kubelets look into it when they pull.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from supervisor_k8s.errors import RegistryNotFoundError
from supervisor_k8s.model.desired.registries import REGISTRIES_KEY, Registries, document, registries_workload
from supervisor_k8s.model.plan import Workload
from supervisor_k8s.model.site import Site


class RegistryRecords(Protocol):
    """Where logins are kept (state.records.Records)."""

    registries: Registries

    async def save_registries(self, value: Registries) -> None: ...


class ImageRegistries:
    """The logins by host name."""

    def __init__(self, *, records: RegistryRecords, site: Site, converge: Callable[[str], Awaitable[None]]) -> None:
        self._records = records
        self._site = site
        self._converge = converge
        self._writing = asyncio.Lock()

    def users(self) -> dict[str, str]:
        """Host name to user name."""
        return {host: login["username"] for host, login in self._records.registries.items()}

    def workload(self) -> Workload:
        """What the cluster is to hold of them."""
        return registries_workload(self._records.registries, self._site)

    async def add(self, given: Registries) -> None:
        """Keep these logins; another one of the same host is replaced. ClusterError when the nodes get them later."""
        async with self._writing:
            await self._keep({**self._records.registries, **given})

    async def remove(self, host: str) -> None:
        """RegistryNotFoundError for a host without a login."""
        async with self._writing:
            if host not in self._records.registries:
                raise RegistryNotFoundError(hostname=host)
            await self._keep({key: value for key, value in self._records.registries.items() if key != host})

    async def _keep(self, registries: Mapping[str, Mapping[str, str]]) -> None:
        document(registries)  # may refuse, before anything is kept
        await self._records.save_registries(registries)
        await self._converge(REGISTRIES_KEY)
