"""`/host/logs…`: the journal of the house, by the names of the programs in it, and its boots.

The node's own log is not ours to read: what asks for it is refused in `absent`. Programs are Core, the add-ons and
ourselves; a boot of the house is a run of Core, and each program's boot of the same number stands for it.
"""

from supervisor_k8s.api.answers_host import Boots, Identifiers
from supervisor_k8s.api.logs import IDENTIFIERS, identifier, plain_and_followed
from supervisor_k8s.api.routes import Call, Route, get
from supervisor_k8s.model.intent import CORE_KEY, addon_key


async def boots(call: Call) -> Boots:
    found = await call.services.logs.boots(CORE_KEY)
    return {"boots": {str(-number): boot.id for number, boot in enumerate(found)}}


async def identifiers(call: Call) -> Identifiers:
    return {"identifiers": sorted(identifier(key) for key in _workloads(call))}


def _workloads(call: Call) -> list[str]:
    return [*IDENTIFIERS, *(addon_key(slug) for slug in call.services.addons.installed())]


def _named(call: Call) -> str | None:
    """The program of that name; an add-on's may also be given as `app_<slug>`. A name nobody has says nothing."""
    name = call.part("identifier")
    wanted = {name, f"addon_{name.removeprefix('app_')}"} if name.startswith("app_") else {name}
    return next((key for key in _workloads(call) if identifier(key) in wanted), None)


ROUTES: tuple[Route, ...] = (
    get("/host/logs/boots", boots),
    get("/host/logs/identifiers", identifiers),
    *plain_and_followed("/host/logs/identifiers/{identifier}", _named),
    *plain_and_followed("/host/logs/boots/{bootid}/identifiers/{identifier}", _named),
)
