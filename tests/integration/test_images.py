"""Image pulls on a real API server: pods with fixed names come and go there in their own time."""

import asyncio
import random

import pytest

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.cluster.cluster import Cluster
from supervisor_k8s.errors import ImagePullError
from supervisor_k8s.services.images import Images
from tests import builders
from tests.integration.kubelet import ABSENT_IMAGE, Kubelet


async def test_one_image_is_wanted_by_several_at_once(admin: Client, namespace: str, cluster: Cluster) -> None:
    """Installs of add-ons that share an image do not take one another's pull away."""
    images = Images(cluster=cluster, site=builders.site(namespace=namespace), logins=tuple, timeout=30)
    async with Kubelet(admin, namespace, chance=random.Random(1)).working():
        async with asyncio.TaskGroup() as group:
            for _ in range(12):
                group.create_task(images.pull("example.test/shared:1", lambda _: None))
                await asyncio.sleep(0.02)
        with pytest.raises(ImagePullError, match="there is no such image"):
            await images.pull(f"{ABSENT_IMAGE}image:1", lambda _: None)
    assert cluster.select("Pod", {}) == []
