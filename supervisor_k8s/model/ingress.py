"""Ingress as values: sessions of browsers and the panels that Core's sidebar shows. Pure.

Core reads the panels hard (`hassio/addon_panel.py`, Core 2026.11): title, icon, admin and enable must be there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from supervisor_k8s.model.addon import AddonConfig

LIFETIME = 15 * 60.0
"""Seconds a session is good for, and that each use adds, as upstream's does: a page that was in use for long outlives
the sleep of the device that shows it.
"""
LONGEST = 24 * 60 * 60.0
"""Seconds beyond which uses add nothing."""
PREFIX = "/api/hassio_ingress/"
"""Path of ingress at Core; Core forwards what comes here."""


@dataclass(frozen=True, slots=True)
class Session:
    """A browser's right to use ingress. `user` has id, username and name as Core knows them, None without."""

    id: str
    """128 hex digits; the cookie `ingress_session`."""
    expires: float
    """Seconds since the epoch."""
    user: Mapping[str, Any] | None = None


def renewed(session: Session, now: float) -> Session | None:
    """The session after a use at `now`, None when it was over by then."""
    return replace(session, expires=min(session.expires, now + LONGEST) + LIFETIME) if session.expires > now else None


def user_headers(session: Session) -> dict[str, str]:
    """Who is there, for the add-on; nothing about a session without a user."""
    user = session.user or {}
    named = {"X-Remote-User-Id": "id", "X-Remote-User-Name": "username", "X-Remote-User-Display-Name": "name"}
    found = {header: user.get(key) for header, key in named.items()}
    return {header: "".join(filter(str.isprintable, value)) for header, value in found.items() if value}


def panel(config: AddonConfig, *, enabled: bool) -> dict[str, Any]:
    """An add-on's entry of `/ingress/panels`."""
    return {
        "title": config.panel_title or config.name,
        "icon": config.panel_icon,
        "admin": config.panel_admin,
        "enable": enabled,
    }


def entry(token: str) -> str:
    """`ingress_entry` of an add-on: where Core serves it."""
    return PREFIX + token


def url(config: AddonConfig, token: str) -> str:
    """`ingress_url`: the entry with the start page that the manifest names."""
    return f"{entry(token)}/{(config.ingress_entry or '').removeprefix('/')}"
