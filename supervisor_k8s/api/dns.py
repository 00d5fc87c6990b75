"""`/dns/…`: the server of names, which is CoreDNS here as it is upstream.

Its version is ours: nothing is to be updated (`absent`). Log and figures are those of one of its replicas.
"""

import ipaddress
from typing import Any, cast

import voluptuous as vol

from supervisor_k8s.api.answers import Stats
from supervisor_k8s.api.answers_host import DnsInfo
from supervisor_k8s.api.logs import log_routes
from supervisor_k8s.api.plugins import own_version
from supervisor_k8s.api.routes import Call, Route, get, post
from supervisor_k8s.errors import RefusedError
from supervisor_k8s.model.intent import DNS_KEY

PREFIX = "dns://"
MOST_SERVERS = 8


def server(value: Any) -> str:
    """`dns://<IPv4>`, as upstream writes it."""
    if not isinstance(value, str) or not value.startswith(PREFIX):
        raise vol.Invalid("expected dns:// with an IPv4 address, such as dns://192.0.2.53")
    try:
        return PREFIX + str(ipaddress.IPv4Address(value.removeprefix(PREFIX)))
    except ValueError:
        raise vol.Invalid("expected dns:// with an IPv4 address, such as dns://192.0.2.53") from None


OPTIONS = {
    vol.Optional("servers"): vol.All([server], vol.Length(max=MOST_SERVERS)),
    vol.Optional("fallback"): vol.Boolean(),
}


async def info(call: Call) -> DnsInfo:
    interface = call.services.host.interface()
    return {
        **own_version(call),
        "host": call.services.dns.site.dns_address,
        "servers": [f"{PREFIX}{address}" for address in call.services.dns.servers],
        "locals": [f"{PREFIX}{address}" for address in interface.nameservers] if interface else [],
        "mdns": False,
        "llmnr": False,
        "fallback": False,
    }


async def options(call: Call) -> None:
    if call.body.get("fallback"):
        raise RefusedError("There is no fallback here: name a public server among `servers`, and it is asked first")
    if "servers" in call.body:
        await call.services.dns.set_servers([address.removeprefix(PREFIX) for address in call.body["servers"]])


async def reset(call: Call) -> None:
    await call.services.dns.set_servers([])


async def restart(call: Call) -> None:
    await call.services.dns.restart()


async def stats(call: Call) -> Stats:
    return cast("Stats", await call.services.stats.of(DNS_KEY))


def _log(_call: Call) -> str:
    return DNS_KEY


ROUTES: tuple[Route, ...] = (
    get("/dns/info", info),
    get("/dns/stats", stats),
    post("/dns/options", options, OPTIONS),
    post("/dns/reset", reset),
    post("/dns/restart", restart),
    *log_routes("/dns", _log, verbose=True),
)
