"""From nothing to a house that lives: wait for our turn, gather what the outside gives (cluster, volume, records,
site), have the house built, keep it until SIGTERM.
"""

import asyncio
import os
import shutil
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from supervisor_k8s.api.app import create_waiting_app
from supervisor_k8s.api.listen import serve
from supervisor_k8s.api.metrics import create_metrics_app
from supervisor_k8s.bootstrap import build
from supervisor_k8s.cluster.client import Client
from supervisor_k8s.cluster.cluster import Cluster
from supervisor_k8s.cluster.credentials import Credentials
from supervisor_k8s.cluster.lease import Lease
from supervisor_k8s.errors import FrontError
from supervisor_k8s.exposure import optional_kinds
from supervisor_k8s.house import VERSION, House, Stage
from supervisor_k8s.services.storage import Storage
from supervisor_k8s.settings import Settings
from supervisor_k8s.state.records import Records
from supervisor_k8s.state.storage import SharedVolume
from supervisor_k8s.store.git import Git
from supervisor_k8s.surroundings import gather_node, gather_site

ADDONS = Path("/usr/share/supervisor-k8s/addons")
"""Where our image has the add-ons that come with us."""


async def run(settings: Settings) -> None:
    """Wait for our turn, gather, build, live. SupervisorError when this installation cannot work as it is."""
    stage, credentials = Stage("setup"), Credentials.of_pod(os.environ, Path(settings.service_account))
    stage.listen_to_signals()
    async with AsyncExitStack() as stack:
        own = Client(credentials)
        stack.push_async_callback(own.close)
        lease = Lease(client=own, namespace=settings.namespace, pod=settings.pod_name)
        if not await acquired(lease, stage, settings):
            return
        stack.push_async_callback(lease.release)
        client = Client(credentials, may_write=lease.check)
        stack.push_async_callback(client.close)
        async with asyncio.TaskGroup() as group:
            keeping = group.create_task(lease.keep(stage.in_charge_again))
            cluster = Cluster(client=client, namespace=settings.namespace, optional=optional_kinds(settings))
            house = await gather(settings, cluster, stage, may_act=lease.check)
            await house.live(settings.port, settings.metrics_port, nginx=nginx_program())
            keeping.cancel()


def nginx_program() -> str:
    """FrontError when this machine has none."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if found is None:
        raise FrontError(why="there is no program `nginx`; Debian has it in the package nginx")
    return found


async def acquired(lease: Lease, stage: Stage, settings: Settings) -> bool:
    """Wait for the Lease; False when we are to end before it is ours. Whoever asks meanwhile hears that we wait."""
    async with AsyncExitStack() as stack:
        await serve(create_metrics_app(VERSION, tuple), settings.metrics_port, stack)
        await serve(create_waiting_app(stage.name), settings.port, stack)
        async with asyncio.TaskGroup() as group:
            tasks = group.create_task(lease.acquire()), group.create_task(stage.stopping.wait())
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
    return lease.held


async def gather(settings: Settings, cluster: Cluster, stage: Stage, *, may_act: Callable[[], None]) -> House:
    """Everything the outside gives, and a house of it."""
    site, own_pod = await gather_site(cluster, settings)
    volume = SharedVolume(Path(settings.share))
    storage = Storage(
        volume=volume,
        shared_claim=settings.shared_claim,
        shared_storage_class=settings.shared_storage_class,
        shared_size=settings.shared_size,
        allow_rwo=settings.allow_rwo,
    )
    await storage.prepare(await cluster.read("PersistentVolumeClaim", settings.shared_claim))
    return build(
        settings,
        cluster=cluster,
        records=await Records.load(Path(settings.state), may_write=may_act),
        volume=volume,
        site=site,
        own_pod=own_pod,
        own_node=await gather_node(cluster, own_pod),
        kubernetes=await cluster.version(),
        git=Git(home=Path(settings.state) / "git", environment=os.environ),
        stage=stage,
        may_act=may_act,
        own_url=f"http://{site.supervisor_address}/supervisor/ping",
        shipped=ADDONS,
    )
