"""`/network/…`: one interface, read-only. Add-ons bind to what they find here: to an add-on it is its own pod's, to
everybody else ours.
"""

from supervisor_k8s.api import views
from supervisor_k8s.api.answers_host import NetworkInfo, NetworkInterface
from supervisor_k8s.api.routes import Call, Route, get
from supervisor_k8s.errors import NotFoundError
from supervisor_k8s.model.status import NO_ADDRESS
from supervisor_k8s.services.host import Interface


async def info(call: Call) -> NetworkInfo:
    return views.network_info(
        await _interface(call),
        dns=call.services.dns.site.dns_address,
        internet=call.services.repositories.reachable,
    )


async def interface_info(call: Call) -> NetworkInterface:
    name, interface = call.part("interface"), await _interface(call)
    if interface is None or name not in (interface.name, "default"):
        raise NotFoundError(f"Interface {name} does not exist")
    return views.interface(interface)


async def _interface(call: Call) -> Interface | None:
    host, slug = call.services.host, call.caller.slug if call.caller else None
    if slug is None:
        return host.interface()
    address = await call.services.addon_place.told(slug)
    return None if address == NO_ADDRESS else host.interface_of(address, call.services.dns.site.dns_address)


ROUTES: tuple[Route, ...] = (
    get("/network/info", info),
    get("/network/interface/{interface}/info", interface_info),
)
