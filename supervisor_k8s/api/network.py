"""`/network/…`: the pod's own interface, read-only. Add-ons bind to what they find here, so it must be one they see."""

from supervisor_k8s.api import views
from supervisor_k8s.api.answers_host import NetworkInfo, NetworkInterface
from supervisor_k8s.api.routes import Call, Route, get
from supervisor_k8s.errors import NotFoundError


async def info(call: Call) -> NetworkInfo:
    return views.network_info(
        call.services.host.interface(),
        dns=call.services.dns.site.dns_address,
        internet=call.services.repositories.reachable,
    )


async def interface_info(call: Call) -> NetworkInterface:
    name, interface = call.part("interface"), call.services.host.interface()
    if interface is None or name not in (interface.name, "default"):
        raise NotFoundError(f"Interface {name} does not exist")
    return views.interface(interface)


ROUTES: tuple[Route, ...] = (
    get("/network/info", info),
    get("/network/interface/{interface}/info", interface_info),
)
