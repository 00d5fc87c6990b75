"""How the parts are built that look after versions: which ones are offered, and what is newest offline."""

from collections.abc import Callable

from supervisor_k8s.model.versions import offered
from supervisor_k8s.remote.version_file import VersionFile
from supervisor_k8s.services.core import FIRST_VERSION
from supervisor_k8s.services.versions import KnownFile, Versions
from supervisor_k8s.settings import Settings
from supervisor_k8s.state.records import Records


def known_versions(settings: Settings, records: Records, *, channel: Callable[[], str]) -> Versions:
    """What is offered by Home Assistant's version file, and by our own where the settings name one."""
    core = KnownFile(
        fetch=VersionFile(url=settings.versions_url).fetch,
        kept=lambda: records.versions,
        save=records.save_versions,
    )
    own = settings.own_versions_url and KnownFile(
        fetch=VersionFile(url=settings.own_versions_url).fetch,
        kept=lambda: records.own_versions,
        save=records.save_own_versions,
    )
    return Versions(core=core, own=own or None, channel=channel, machine=settings.machine)


def latest_core(versions: Versions, records: Records) -> str | None:
    """Core's version that is offered, offline too."""
    installed = records.core.version if records.core else None
    return offered(versions.core, FIRST_VERSION, installed)


async def first_version(chosen: str | None, versions: Versions) -> str:
    """Core's version of a new installation: the administrator's, else the channel's, else the one we were made with."""
    if chosen is None and versions.core is None:
        await versions.reload()
    return chosen or versions.core or FIRST_VERSION
