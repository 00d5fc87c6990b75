"""Saves that may fail: what they would keep over a restart of ours is good to have, and nothing breaks without it."""

import logging
from collections.abc import Awaitable

from supervisor_k8s.errors import SupervisorError

_LOGGER = logging.getLogger(__name__)


class BestEffort:
    """Saves of one thing. Each kind of failure is logged once, until a save succeeds."""

    def __init__(self, what: str) -> None:
        """`what` begins the log's sentence, such as `Ingress sessions are`."""
        self._what = what
        self._told: set[type[SupervisorError]] = set()

    async def keep(self, saving: Awaitable[None]) -> None:
        """Wait for the save; a full volume, or another Supervisor in charge, is no error here."""
        try:
            await saving
        except SupervisorError as error:
            if type(error) not in self._told:
                _LOGGER.warning("%s not kept over our restart: %s", self._what, error)
            self._told.add(type(error))
        else:
            self._told.clear()
