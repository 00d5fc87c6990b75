"""Which images carry a check of their health: asked of their registries when add-ons are installed and updated.

A registry that we cannot reach is nothing unusual, for it is the nodes that pull: then running is started.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from supervisor_k8s.errors import ImageConfigUnavailableError, RegistryAwayError
from supervisor_k8s.model.health import health_of
from supervisor_k8s.model.image_pull import registry_of

_LOGGER = logging.getLogger(__name__)
AGAIN_AFTER = 10 * 60.0
"""Seconds for which a registry that does not answer is left alone."""


class Fetch(Protocol):
    """Asks a registry (remote.image_config.ImageConfigs.fetch)."""

    def __call__(
        self, image: str, *, architecture: str, login: tuple[str, str] | None
    ) -> Awaitable[Mapping[str, Any]]: ...


class HealthChecks:
    """One for all add-ons."""

    def __init__(
        self,
        *,
        fetch: Fetch,
        enabled: bool,
        architecture: str,
        login: Callable[[str], tuple[str, str] | None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`architecture` is the nodes', in Kubernetes' word; `login` is kept for an image's registry, if any."""
        self._fetch = fetch
        self._enabled = enabled
        self._architecture = architecture
        self._login = login
        self._now = now
        self._away: dict[str, float] = {}

    async def of(self, image: str) -> Mapping[str, Any] | None:
        """The check of an image (with tag) as model.health has it; None where there is none, or nobody can say."""
        registry = registry_of(image)
        if not self._enabled or self._now() - self._away.get(registry, -AGAIN_AFTER) < AGAIN_AFTER:
            return None
        try:
            config = await self._fetch(image, architecture=self._architecture, login=self._login(image))
        except ImageConfigUnavailableError as error:
            if isinstance(error, RegistryAwayError):
                self._away[registry] = self._now()
            _LOGGER.info("%s; the add-on counts as started once it runs", error)
            return None
        return health_of(config)
