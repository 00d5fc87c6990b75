"""Waiting for somebody's word, but not for ever."""

import asyncio
from collections.abc import Awaitable

from supervisor_k8s.errors import ClusterError


async def hears(event: asyncio.Event, *, within: float | None) -> bool:
    """Whether the event is set before so many seconds are over; None waits until it is."""
    try:
        async with asyncio.timeout(within):
            await event.wait()
    except TimeoutError:
        return False
    return True


async def unsaid(look: Awaitable[object], *, within: float) -> str | None:
    """Why the cluster did not say what `look` asks of it, as far as so many seconds; None when it did."""
    try:
        async with asyncio.timeout(within):
            await look
    except (ClusterError, TimeoutError) as error:
        return str(error) or "the Kubernetes API server did not answer in time"
    return None
