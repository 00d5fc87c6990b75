"""`/host/…` and `/hardware/…`: the node we run on, as far as a pod can tell."""

from datetime import UTC, datetime

from supervisor_k8s.api import views
from supervisor_k8s.api.answers_host import DiskUsage, HardwareAudio, HardwareInfo, HostInfo, HostServices
from supervisor_k8s.api.routes import Call, Route, get, post
from supervisor_k8s.errors import NotFoundError
from supervisor_k8s.services.host import boot_time


async def info(call: Call) -> HostInfo:
    services = call.services
    disk = await services.host.disk()
    return views.host_info(
        services.host.machine(), disk, services.preferences.get("timezone"), datetime.now(UTC), boot_time()
    )


async def reload(_call: Call) -> None:
    """Every answer is read anew; there is no cache to reload."""


async def services(_call: Call) -> HostServices:
    return {"services": []}


async def disk_usage(call: Call) -> DiskUsage:
    if call.part("disk") != "default":
        raise NotFoundError(f"No mount exists with name {call.part('disk')}")
    return views.disk_usage(await call.services.host.disk())


async def hardware(_call: Call) -> HardwareInfo:
    return {"devices": [], "drives": []}


async def hardware_audio(_call: Call) -> HardwareAudio:
    return {"audio": {"input": {}, "output": {}}}


ROUTES: tuple[Route, ...] = (
    get("/host/info", info),
    post("/host/reload", reload),
    get("/host/services", services),
    get("/host/disks/{disk}/usage", disk_usage),
    get("/hardware/info", hardware),
    get("/hardware/audio", hardware_audio),
)
