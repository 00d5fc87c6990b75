"""What must be given before work begins, and which work needs what. Pure.

The words are the client's closed set (aiohasupervisor 0.8.1 `JobCondition`), the needs and the words of a refusal those
of Supervisor 2026.08 (`jobs/decorator.py`, and the `@Job` of each verb). Of upstream's needs those stand here that may
be unmet on Kubernetes. Plugins, operating system and architecture are always as they should be; whether the host
reaches the internet nobody knows here, and what needs it says itself what it could not reach.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Condition(StrEnum):
    """What a user may have ignored. All the words that clients know."""

    ARCHITECTURE_SUPPORTED = "architecture_supported"
    AUTO_UPDATE = "auto_update"
    FREE_SPACE = "free_space"
    FROZEN = "frozen"
    HAOS = "haos"
    HEALTHY = "healthy"
    HOME_ASSISTANT_CORE_SUPPORTED = "home_assistant_core_supported"
    HOST_NETWORK = "host_network"
    INTERNET_HOST = "internet_host"
    INTERNET_SYSTEM = "internet_system"
    MOUNT_AVAILABLE = "mount_available"
    OS_AGENT = "os_agent"
    OS_SUPPORTED = "os_supported"
    PLUGINS_UPDATED = "plugins_updated"
    RUNNING = "running"
    SUPERVISOR_UPDATED = "supervisor_updated"


@dataclass(frozen=True, slots=True)
class Needs:
    """Of one job. `method` is upstream's name for its work, which a refusal begins with."""

    method: str
    conditions: tuple[Condition, ...]


_NEW_VERSION = Condition.HEALTHY, Condition.FREE_SPACE, Condition.SUPERVISOR_UPDATED

NEEDS: Mapping[str, Needs] = {
    "addon_manager_update": Needs("AppManager.update", _NEW_VERSION),
    "app_manager_install": Needs("AppManager.install", _NEW_VERSION),
    "app_manager_rebuild": Needs("AppManager.rebuild", (Condition.HEALTHY, Condition.FREE_SPACE)),
    "home_assistant_core_update": Needs("HomeAssistantCore.update", _NEW_VERSION),
    "store_manager_add_repository": Needs("StoreManager.add_repository", (Condition.SUPERVISOR_UPDATED,)),
    "store_manager_reload": Needs("StoreManager.reload", (Condition.SUPERVISOR_UPDATED,)),
    "supervisor_restart": Needs("Supervisor.restart", (Condition.RUNNING,)),
    "tasks_update_apps": Needs("Tasks._update_apps", (*_NEW_VERSION, Condition.RUNNING)),
    "tasks_update_supervisor": Needs(
        "Tasks._auto_update_supervisor",
        (Condition.HEALTHY, Condition.RUNNING, Condition.FREE_SPACE, Condition.AUTO_UPDATE),
    ),
}
"""By the job's name, in the order in which they are looked at."""
