"""`/audio/info`, `/multicast/info`, `/cli/info`, `/observer/info`: plugins that the cluster replaces.

Their version is ours: nothing is to be updated. What controls them stands in `absent`.
"""

from supervisor_k8s.api.answers_host import AudioInfo, ObserverInfo, PluginInfo, Sound
from supervisor_k8s.api.routes import Call, Handler, Route, get


def own_version(call: Call) -> PluginInfo:
    version = call.services.version
    return {"version": version, "version_latest": version, "update_available": False}


async def version(call: Call) -> PluginInfo:
    return own_version(call)


async def audio(call: Call) -> AudioInfo:
    silence: Sound = {"card": [], "input": [], "output": [], "application": []}
    return {**own_version(call), "host": call.services.site.supervisor_address, "audio": silence}


async def observer(call: Call) -> ObserverInfo:
    return {**own_version(call), "host": call.services.site.supervisor_address}


_INFO: dict[str, Handler] = {"audio": audio, "multicast": version, "cli": version, "observer": observer}

ROUTES: tuple[Route, ...] = tuple(get(f"/{plugin}/info", handler) for plugin, handler in _INFO.items())
