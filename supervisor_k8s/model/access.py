"""Who may call which path: callers, roles and one decision. Pure.

The rules are Home Assistant Supervisor's own, path by path, because add-ons in the field rely on each of them: its
security middleware as of August 2026, v1 paths. The path is the decoded one, without query.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import lru_cache
from typing import Any, Self

_SLUG = r"[-_.A-Za-z0-9]+"


class CallerKind(StrEnum):
    CORE = "core"
    CLI = "cli"
    OBSERVER = "observer"
    ADDON = "addon"


class Role(StrEnum):
    """An add-on's `hassio_role`."""

    DEFAULT = "default"
    HOMEASSISTANT = "homeassistant"
    BACKUP = "backup"
    MANAGER = "manager"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Whose token a request carries. The rights below `kind` matter for add-ons only."""

    kind: CallerKind
    slug: str | None = None
    """The add-on's full slug; None for everybody else."""
    name: str
    """For log lines and error texts."""
    role: Role = Role.DEFAULT
    hassio_api: bool = False
    homeassistant_api: bool = False
    auth_api: bool = False
    services: tuple[str, ...] = ()
    """What it declares to use or to provide: `"mqtt:provide"` and the like."""
    discovery: tuple[str, ...] = ()
    """Services that it may announce to Core."""

    @classmethod
    def addon(cls, slug: str, manifest: Mapping[str, Any]) -> Self:
        """The add-on `slug` with the rights of its normalised manifest."""
        return cls(
            kind=CallerKind.ADDON,
            slug=slug,
            name=str(manifest.get("name", slug)),
            role=Role(manifest.get("hassio_role", Role.DEFAULT)),
            hassio_api=bool(manifest.get("hassio_api", False)),
            homeassistant_api=bool(manifest.get("homeassistant_api", False)),
            auth_api=bool(manifest.get("auth_api", False)),
            services=tuple(manifest.get("services", ())),
            discovery=tuple(manifest.get("discovery", ())),
        )

    def may_use(self, service: str) -> bool:
        """Whether the service is declared in any role."""
        return any(entry.partition(":")[0] == service for entry in self.services)

    def provides(self, service: str) -> bool:
        return f"{service}:provide" in self.services


CORE = Caller(kind=CallerKind.CORE, name="Home Assistant", role=Role.ADMIN)
CLI = Caller(kind=CallerKind.CLI, name="command line", role=Role.ADMIN)


class Decision(Enum):
    """The answer to a request before its handler is looked for."""

    ALLOWED = 200
    UNAUTHORIZED = 401
    FORBIDDEN = 403


def _paths(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.DOTALL)


BLOCKED = _paths(r"(/v2)?/(core|homeassistant)/api/hassio[/_].*")
"""Nobody: through Core's proxy these would act as the Supervisor user (Core's password reset is one of them)."""

OPEN = _paths(
    r"/(core|homeassistant)/(api/.*|websocket)",
    r"/supervisor/ping",
    r"/ingress/[-_A-Za-z0-9]+/.*",
    r"/app/.*\.(js|gz|json|map|woff2)",
    rf"/(store/)?addons/{_SLUG}/(logo|icon)",
)
"""Everybody, with or without a token: harmless, or checked by the handler by rules of its own (proxy, ingress)."""

CORE_ONLY = _paths(rf"/addons/{_SLUG}/sys_options")
OBSERVER = _paths(r"/.+/info")
ANY_ADDON = _paths(
    r"/addons/self/(?!security|update)[^/]+",
    r"/addons/self/options/config",
    r"/info",
    r"/services.*",
    r"/discovery.*",
    r"/auth",
)
"""Every installed add-on, `hassio_api` or not. One segment after `self` only: `self/logs/follow` needs a role."""

_INFO = r"/.+/info"

BY_ROLE: Mapping[Role, re.Pattern[str]] = {
    Role.DEFAULT: _paths(_INFO),
    Role.HOMEASSISTANT: _paths(_INFO, r"/core/.+", r"/homeassistant/.+"),
    Role.BACKUP: _paths(_INFO, r"/backups.*"),
    Role.MANAGER: _paths(
        _INFO,
        r"/addons",
        r"/addons/reload",
        rf"/addons/{_SLUG}/(?!security).+",
        r"/auth/cache",
        r"/available_updates",
        r"/refresh_updates",
        r"/(backups|mounts|snapshots|store).*",
        r"/(audio|cli|core|dns|docker|hardware|homeassistant|host|jobs|multicast)/.+",
        r"/(network|observer|resolution|security|supervisor)/.+",
        r"/os/(?!datadisk/wipe).+",
    ),
    Role.ADMIN: _paths(r".*"),
}


def decide(path: str, caller: Caller | None, *, token: bool) -> Decision:
    """May the request to `path` go on to its handler? First rule that fits decides:

    | path, token | answer |
    | --- | --- |
    | blocked | 403 |
    | open | allowed |
    | no token given (`token` is False) | 401 |
    | Core's token | allowed |
    | only for Core | 403 |
    | the command line's | allowed |
    | the observer's | `/…/info` only, else 403 |
    | an add-on's | the paths of every add-on; with `hassio_api` those of its role; else 403 |
    | a token of nobody (`caller` is None) | 403 |
    """
    if (same := _for_everybody(path)) is not None:
        return same
    if not token:
        return Decision.UNAUTHORIZED
    return Decision.ALLOWED if caller is not None and _may(caller, path) else Decision.FORBIDDEN


@lru_cache(maxsize=512)
def _for_everybody(path: str) -> Decision | None:
    """What does not depend on who asks. Remembered: clients ask for the same few paths all day."""
    if BLOCKED.fullmatch(path):
        return Decision.FORBIDDEN
    return Decision.ALLOWED if OPEN.fullmatch(path) else None


def _may(caller: Caller, path: str) -> bool:
    if caller.kind is CallerKind.CORE:
        return True
    if CORE_ONLY.fullmatch(path):
        return False
    if caller.kind is CallerKind.CLI:
        return True
    if caller.kind is CallerKind.OBSERVER:
        return bool(OBSERVER.fullmatch(path))
    if ANY_ADDON.fullmatch(path):
        return True
    return caller.hassio_api and bool(BY_ROLE[caller.role].fullmatch(path))
