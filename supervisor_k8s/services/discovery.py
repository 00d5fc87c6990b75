"""What add-ons announce to integrations of Home Assistant Core.

Core answers a push by asking for the message, and checks after a removal that it is really gone. So the order is fixed:
keep, then push; forget, then push the removal. A push that fails is no error of the add-on's: Core reads the list when
it starts.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol
from uuid import uuid4

from supervisor_k8s.errors import CoreAnswerError, CoreUnreachableError, DiscoveryNotFoundError
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.discovery import DiscoveryMessage
from supervisor_k8s.state.records import Records

_LOGGER = logging.getLogger(__name__)


class Push(Protocol):
    """Tells Core of one message, never of its content. CoreUnreachableError, CoreAnswerError."""

    async def __call__(self, uuid: str, addon: str, service: str) -> None: ...


class Discovery:
    """Keeps at most one message for each add-on and service."""

    def __init__(
        self,
        *,
        records: Records,
        push: Push,
        withdraw: Push,
        started: Callable[[str], bool],
        known: Callable[[], Iterable[AddonConfig]],
    ) -> None:
        """`started` says whether the add-on of a slug is in state *started*; `known` gives the manifests of all
        add-ons, installed or in the store.
        """
        self._records = records
        self._push = push
        self._withdraw = withdraw
        self._started = started
        self._known = known
        self._changing = asyncio.Lock()

    def listing(self) -> tuple[Sequence[DiscoveryMessage], Mapping[str, Sequence[str]]]:
        """What Core may act on: the messages of started add-ons; and which add-ons could announce each service."""
        messages = [message for message in self._records.discovery if self._started(message.addon)]
        services: dict[str, list[str]] = {}
        for addon in self._known():
            for service in addon.discovery:
                services.setdefault(service, []).append(addon.slug)
        return messages, services

    def get(self, uuid: str) -> DiscoveryMessage:
        """Any message, started or not. DiscoveryNotFoundError when there is none (any more)."""
        for message in self._records.discovery:
            if message.uuid == uuid:
                return message
        raise DiscoveryNotFoundError

    async def send(self, slug: str, service: str, config: Mapping[str, Any]) -> DiscoveryMessage:
        """Keep and push what the add-on `slug` announces. The same again changes nothing; another config keeps the
        uuid, so that Core updates what came of it.
        """
        async with self._changing:
            messages = self._records.discovery
            before = next((item for item in messages if (item.addon, item.service) == (slug, service)), None)
            if before is None:
                message = DiscoveryMessage(slug, service, uuid4().hex, dict(config))
                await self._records.save_discovery((*messages, message))
            elif before.config == config:
                return before
            else:
                message = replace(before, config=dict(config))
                await self._records.save_discovery(tuple(message if item is before else item for item in messages))
        await self._tell(self._push, message)
        return message

    async def remove(self, uuid: str) -> None:
        """Forget a message. DiscoveryNotFoundError when there is none."""
        async with self._changing:
            message = self.get(uuid)
            await self._records.save_discovery(tuple(item for item in self._records.discovery if item is not message))
        await self._tell(self._withdraw, message)

    async def remove_addon(self, slug: str) -> None:
        """Forget everything an add-on announced: it is being uninstalled."""
        async with self._changing:
            gone = [message for message in self._records.discovery if message.addon == slug]
            if gone:
                kept = tuple(message for message in self._records.discovery if message.addon != slug)
                await self._records.save_discovery(kept)
        for message in gone:
            await self._tell(self._withdraw, message)

    async def _tell(self, push: Push, message: DiscoveryMessage) -> None:
        try:
            await push(message.uuid, message.addon, message.service)
        except (CoreUnreachableError, CoreAnswerError) as error:
            _LOGGER.info("Core was not told of %s from %s: %s", message.service, message.addon, error)
