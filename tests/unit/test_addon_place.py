"""Where an add-on is told to be."""

import asyncio

from supervisor_k8s.services.addon_place import AddonPlace
from tests.fakes import FakeCluster


async def test_nobody_waits_for_the_address_of_a_pod_that_goes() -> None:
    """A program that says good-bye is answered at once, though nobody will tell its address any more."""
    pod = {"kind": "Pod", "metadata": {"name": "addon-one", "deletionTimestamp": "2026-11-21T12:00:00Z"}}
    async with asyncio.timeout(5):
        assert await AddonPlace(cluster=FakeCluster(), pods=lambda _: [pod]).told("one") == "0.0.0.0"
