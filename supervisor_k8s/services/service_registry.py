"""The services that add-ons offer to one another: `mqtt` and `mysql`, each from at most one provider at a time.

The rules are upstream's, oddities included, because published add-ons rely on them: publishing twice is an error even
for the same add-on, and whoever may withdraw may withdraw another's. Who may do what is asked at the API.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import voluptuous as vol

from supervisor_k8s.errors import (
    RefusedError,
    ServiceAlreadyProvidedError,
    ServiceNotFoundError,
    ServiceNotProvidedError,
)
from supervisor_k8s.model.discovery import SERVICE_SCHEMAS
from supervisor_k8s.state.records import Records


class ServiceRegistry:
    """What is published now. It survives our restarts, as upstream's does."""

    def __init__(self, *, records: Records) -> None:
        self._records = records
        self._changing = asyncio.Lock()

    def listing(self) -> Sequence[Mapping[str, Any]]:
        """`[{"slug", "available", "providers": [slug]}]`: providers are the installed add-ons that declare to be."""
        return [
            {
                "slug": service,
                "available": service in self._records.services,
                "providers": [
                    slug
                    for slug, record in self._records.addons.items()
                    if f"{service}:provide" in record.granted.get("services", ())
                ],
            }
            for service in SERVICE_SCHEMAS
        ]

    def known(self, service: str) -> str:
        """The service itself; ServiceNotFoundError when there is no such one."""
        if service not in SERVICE_SCHEMAS:
            raise ServiceNotFoundError
        return service

    def schema(self, service: str) -> vol.Schema:
        """What a publisher must send."""
        return SERVICE_SCHEMAS[self.known(service)]

    def get(self, service: str) -> Mapping[str, Any]:
        """The published data, with the provider's slug under `addon`. RefusedError when nobody has published."""
        if self.known(service) not in self._records.services:
            raise RefusedError("Service not enabled")
        return self._records.services[service]

    async def publish(self, service: str, slug: str, config: Mapping[str, Any]) -> None:
        """Publish for the add-on `slug`; `config` has passed `schema`. ServiceAlreadyProvidedError."""
        async with self._changing:
            services = self._records.services
            if self.known(service) in services:
                raise ServiceAlreadyProvidedError(service=service, app=services[service]["addon"])
            await self._records.save_services({**services, service: {**config, "addon": slug}})

    async def withdraw(self, service: str) -> None:
        """Forget what was published. ServiceNotProvidedError when nothing was."""
        async with self._changing:
            if self.known(service) not in self._records.services:
                raise ServiceNotProvidedError(service=service)
            await self._keep(lambda name, _: name != service)

    async def remove_addon(self, slug: str) -> None:
        """Forget what an add-on published: it is uninstalled, or its pod was lost without a clean stop."""
        async with self._changing:
            if any(data["addon"] == slug for data in self._records.services.values()):
                await self._keep(lambda _, data: data["addon"] != slug)

    async def _keep(self, wanted: Callable[[str, Mapping[str, Any]], bool]) -> None:
        services = self._records.services
        await self._records.save_services({name: data for name, data in services.items() if wanted(name, data)})
