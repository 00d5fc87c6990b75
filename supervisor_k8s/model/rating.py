"""The security rating of an add-on, 1 (careful) to 8, by Home Assistant's rules (Supervisor 2026.08). Pure."""

from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.allowance import Grants

START = 5
LOWEST, HIGHEST = 1, 8
POWERFUL = frozenset(
    {
        "BPF",
        "CHECKPOINT_RESTORE",
        "DAC_READ_SEARCH",
        "NET_ADMIN",
        "NET_RAW",
        "PERFMON",
        "SYS_ADMIN",
        "SYS_MODULE",
        "SYS_PTRACE",
        "SYS_RAWIO",
    }
)
ROLES = {"manager": -1, "admin": -2}


def security_rating(config: AddonConfig, given: Grants) -> int:
    """What the store and the add-on's page show. A profile of the add-on's own would add 1, but none is loaded here. Of
    what it is given, a device that takes a privileged container counts as full access.
    """
    raw = config.raw
    if raw.get("docker_api") or raw.get("full_access") or given.closed_paths:
        return LOWEST
    rating = START + ROLES.get(config.hassio_role, 0)
    rating -= not raw.get("apparmor", True)
    rating += 2 if config.ingress else int(config.auth_api)
    rating -= bool(POWERFUL & set(config.privileged) or raw.get("kernel_modules"))
    rating -= bool(raw.get("host_network"))
    rating -= 2 * bool(raw.get("host_pid"))
    rating -= bool(raw.get("host_uts") and "SYS_ADMIN" in config.privileged)
    return max(LOWEST, min(HIGHEST, rating))
