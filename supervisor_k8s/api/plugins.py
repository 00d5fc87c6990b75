"""`/dns/info`, `/audio/info`, `/multicast/info`, `/cli/info`, `/observer/info`: plugins that the cluster replaces.

Their version is ours: nothing is to be updated. What controls them stands in `absent`.
"""

from supervisor_k8s.api.answers import AudioInfo, DnsInfo, ObserverInfo, PluginInfo, Sound
from supervisor_k8s.api.routes import Call, Handler, Route, get


def _version(call: Call) -> PluginInfo:
    version = call.services.version
    return {"version": version, "version_latest": version, "update_available": False}


async def version(call: Call) -> PluginInfo:
    return _version(call)


async def dns(call: Call) -> DnsInfo:
    interface = call.services.host.interface()
    servers = [f"dns://{address}" for address in interface.nameservers] if interface else []
    return {
        **_version(call),
        "host": servers[0].removeprefix("dns://") if servers else call.services.site.supervisor_address,
        "servers": [],
        "locals": servers,
        "mdns": False,
        "llmnr": False,
        "fallback": False,
    }


async def audio(call: Call) -> AudioInfo:
    silence: Sound = {"card": [], "input": [], "output": [], "application": []}
    return {**_version(call), "host": call.services.site.supervisor_address, "audio": silence}


async def observer(call: Call) -> ObserverInfo:
    return {**_version(call), "host": call.services.site.supervisor_address}


_INFO: dict[str, Handler] = {"dns": dns, "audio": audio, "multicast": version, "cli": version, "observer": observer}

ROUTES: tuple[Route, ...] = tuple(get(f"/{plugin}/info", handler) for plugin, handler in _INFO.items())
