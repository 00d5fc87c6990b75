"""Definitions of kinds that an API server has for a while, as somebody installs and removes them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.errors import ClusterNotFoundError

PATH = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
PATIENCE = 60.0


@contextlib.asynccontextmanager
async def defined(admin: Client, *definitions: Any) -> AsyncIterator[None]:
    """They are there inside of the block, and nothing is left of them behind it."""
    names = [definition["metadata"]["name"] for definition in definitions]
    try:
        for definition in definitions:
            await admin.request("POST", PATH, body=definition)
        yield
    finally:
        for name in names:
            with contextlib.suppress(ClusterNotFoundError):
                await admin.request("DELETE", f"{PATH}/{name}")
        for name in names:
            await _gone(admin, name)


async def _gone(admin: Client, name: str) -> None:
    """The API server takes away all objects first."""
    async with asyncio.timeout(PATIENCE):
        with contextlib.suppress(ClusterNotFoundError):
            while True:
                await admin.request("GET", f"{PATH}/{name}")
                await asyncio.sleep(0.1)
