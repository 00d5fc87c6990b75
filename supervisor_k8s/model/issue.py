"""Issues and suggestions as values, and as REST and websocket show them. Pure.

`context` is a closed set in the client (aiohasupervisor 0.8.1 `models/resolution.py`): one unknown word and Core loses
the whole answer. `type` is open there, yet Core shows a repair for a few pairs only.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Context(StrEnum):
    """What an issue is about. All the words that clients know."""

    ADDON = "addon"
    CORE = "core"
    DNS_SERVER = "dns_server"
    MOUNT = "mount"
    OS = "os"
    PLUGIN = "plugin"
    SUPERVISOR = "supervisor"
    STORE = "store"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, apart from when it was noticed: two equal faults are one issue."""

    type: str
    context: Context
    reference: str | None = None
    """What exactly: an add-on's slug, a repository's, a file's name."""
    extra: tuple[tuple[str, Any], ...] = ()
    """Further facts for the client's text, as pairs."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What could be done about a fault."""

    uuid: str
    type: str
    fault: Fault
    auto: bool = False
    """Will be done by itself."""


@dataclass(frozen=True, slots=True)
class Issue:
    """A fault with its identity (32 hex digits)."""

    uuid: str
    fault: Fault


def show_issue(issue: Issue) -> dict[str, Any]:
    return {"type": issue.fault.type, **_about(issue.fault), "uuid": issue.uuid}


def show_suggestion(suggestion: Suggestion) -> dict[str, Any]:
    return {
        "type": suggestion.type,
        **_about(suggestion.fault),
        "uuid": suggestion.uuid,
        "auto": suggestion.auto,
    }


def changed(issue: Issue, suggestions: Iterable[Suggestion]) -> dict[str, Any]:
    """The message for Core's `supervisor/event` when an issue or its suggestions are new."""
    shown = [show_suggestion(suggestion) for suggestion in suggestions]
    for suggestion in shown:
        del suggestion["auto"]  # not part of the event
    return {"event": "issue_changed", "data": {**show_issue(issue), "suggestions": shown}}


def removed(issue: Issue) -> dict[str, Any]:
    return {"event": "issue_removed", "data": show_issue(issue)}


def health(unhealthy: Iterable[str]) -> dict[str, Any]:
    reasons = sorted(unhealthy)
    return {"event": "health_changed", "data": {"healthy": not reasons, "unhealthy_reasons": reasons}}


def support(unsupported: Iterable[str]) -> dict[str, Any]:
    reasons = sorted(unsupported)
    return {"event": "supported_changed", "data": {"supported": not reasons, "unsupported_reasons": reasons}}


def _about(fault: Fault) -> Mapping[str, Any]:
    return {
        "context": fault.context.value,
        "reference": fault.reference,
        "reference_extra": dict(fault.extra) or None,
    }
