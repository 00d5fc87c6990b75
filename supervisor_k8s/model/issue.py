"""Issues and suggestions as values, and as REST and websocket show them; which suggestions an issue has. Pure.

`context` is a closed set in the client (aiohasupervisor 0.8.1 `models/resolution.py`): one unknown word and Core loses
the whole answer. Types of issues and suggestions are upstream's words, too; what they are too coarse for is told by the
key `reason` of `reference_extra`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from supervisor_k8s.model.repository import LOCAL


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


class Cause(StrEnum):
    """What is wrong, in words as fine as ours are. Those of the first group are upstream's own issue types."""

    APP_PORT_CONFLICT = "app_port_conflict"
    BOOT_FAIL = "boot_fail"
    DEPRECATED_ADDON = "deprecated_addon"
    DEPRECATED_ARCH_ADDON = "deprecated_arch_addon"
    DETACHED_ADDON_MISSING = "detached_addon_missing"
    DETACHED_ADDON_REMOVED = "detached_addon_removed"
    DOCKER_RATELIMIT = "docker_ratelimit"
    FREE_SPACE = "free_space"
    MISSING_IMAGE = "missing_image"
    PWNED = "pwned"
    UPDATE_FAILED = "update_failed"
    UPDATE_ROLLBACK = "update_rollback"

    ADDON_MANIFEST_INVALID = "addon_manifest_invalid"
    ADDON_RECORD_LOST = "addon_record_lost"
    ADDON_RECORD_REBUILT = "addon_record_rebuilt"
    ALLOWED_IN_VAIN = "allowed_in_vain"
    ADDRESS_DIFFERENT = "address_different"
    ADDRESS_PENDING = "address_pending"
    DOCKER_NETWORK_OFF = "docker_network_off"
    POD_CIDRS_UNKNOWN = "pod_cidrs_unknown"
    PORTS_NOT_ROUTED = "ports_not_routed"
    PROXIES_NOT_TRUSTED = "proxies_not_trusted"
    PUBLIC_ROUTE = "public_route"
    RIGHTS_MISSING = "rights_missing"
    STATE_FILE_DAMAGED = "state_file_damaged"
    STATE_NOT_WRITTEN = "state_not_written"
    STORE_NOT_LOADED = "store_not_loaded"
    SWITCH_LEFT_OPEN = "switch_left_open"

    CANNOT_START = "cannot_start"
    EVICTED = "evicted"
    NOT_ADMITTED = "not_admitted"
    NOT_MOUNTED = "not_mounted"
    NO_SANDBOX = "no_sandbox"
    OUT_OF_MEMORY = "out_of_memory"
    UNHEALTHY = "unhealthy"
    UNSCHEDULABLE = "unschedulable"


class Unhealthy(StrEnum):
    """Why a system needs a person before anything new is installed: upstream's reasons that can be met here. Its others
    are about Docker and the operating system's partitions. That an update of ours was undone is none: the version that
    runs is the good one, and an issue tells of it.
    """

    OSERROR_BAD_MESSAGE = "oserror_bad_message"
    """A volume is broken."""
    SETUP = "setup"
    """Our start cannot go on."""


COARSE: Mapping[Cause, str] = {
    Cause.ADDON_MANIFEST_INVALID: "corrupt_repository",
    Cause.ADDON_RECORD_LOST: "corrupt_filesystem",
    Cause.ADDON_RECORD_REBUILT: "corrupt_filesystem",
    Cause.ALLOWED_IN_VAIN: "fatal_error",
    Cause.ADDRESS_DIFFERENT: "fatal_error",
    Cause.ADDRESS_PENDING: "fatal_error",
    Cause.DOCKER_NETWORK_OFF: "fatal_error",
    Cause.POD_CIDRS_UNKNOWN: "fatal_error",
    Cause.PORTS_NOT_ROUTED: "fatal_error",
    Cause.PROXIES_NOT_TRUSTED: "fatal_error",
    Cause.PUBLIC_ROUTE: "fatal_error",
    Cause.RIGHTS_MISSING: "fatal_error",
    Cause.STATE_FILE_DAMAGED: "corrupt_filesystem",
    Cause.STATE_NOT_WRITTEN: "fatal_error",
    Cause.STORE_NOT_LOADED: "fatal_error",
    Cause.SWITCH_LEFT_OPEN: "corrupt_filesystem",
    Cause.CANNOT_START: "fatal_error",
    Cause.EVICTED: "fatal_error",
    Cause.NOT_ADMITTED: "fatal_error",
    Cause.NOT_MOUNTED: "fatal_error",
    Cause.NO_SANDBOX: "fatal_error",
    Cause.OUT_OF_MEMORY: "fatal_error",
    Cause.UNHEALTHY: "fatal_error",
    Cause.UNSCHEDULABLE: "fatal_error",
}
"""Upstream's issue type for a cause that is none itself."""


class Cure(StrEnum):
    """Suggestions of upstream's that are made here."""

    CLEAR_PORT_CONFIG = "clear_port_config"
    DISABLE_BOOT = "disable_boot"
    EXECUTE_RELOAD = "execute_reload"
    EXECUTE_REMOVE = "execute_remove"
    EXECUTE_REPAIR = "execute_repair"
    EXECUTE_RESET = "execute_reset"
    EXECUTE_RESTART = "execute_restart"
    EXECUTE_START = "execute_start"
    EXECUTE_STOP = "execute_stop"
    REGISTRY_LOGIN = "registry_login"
    """Nobody but the user can do it: their client leads them to where logins are kept."""


CURES: Mapping[tuple[Cause, Context], tuple[Cure, ...]] = {
    (Cause.APP_PORT_CONFLICT, Context.ADDON): (Cure.CLEAR_PORT_CONFIG,),
    (Cause.BOOT_FAIL, Context.ADDON): (Cure.EXECUTE_START, Cure.DISABLE_BOOT),
    (Cause.DEPRECATED_ADDON, Context.ADDON): (Cure.EXECUTE_REMOVE,),
    (Cause.DEPRECATED_ARCH_ADDON, Context.ADDON): (Cure.EXECUTE_REMOVE,),
    (Cause.DETACHED_ADDON_REMOVED, Context.ADDON): (Cure.EXECUTE_REMOVE,),
    (Cause.MISSING_IMAGE, Context.ADDON): (Cure.EXECUTE_REPAIR,),
    (Cause.DOCKER_RATELIMIT, Context.SYSTEM): (Cure.REGISTRY_LOGIN,),
    (Cause.PWNED, Context.ADDON): (Cure.EXECUTE_STOP,),
    (Cause.OUT_OF_MEMORY, Context.ADDON): (Cure.EXECUTE_RESTART,),
    (Cause.UNHEALTHY, Context.ADDON): (Cure.EXECUTE_RESTART,),
    (Cause.ADDON_MANIFEST_INVALID, Context.STORE): (Cure.EXECUTE_RESET, Cure.EXECUTE_REMOVE),
    (Cause.STORE_NOT_LOADED, Context.STORE): (Cure.EXECUTE_RELOAD, Cure.EXECUTE_REMOVE),
}
"""What is suggested for an issue. What is not here, only a person can put right."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, apart from when it was noticed: two equal faults are one issue."""

    cause: Cause
    context: Context
    reference: str | None = None
    """What exactly: an add-on's slug, a repository's, a file's name."""
    extra: tuple[tuple[str, Any], ...] = ()
    """Further facts for the client's text, as pairs."""

    @property
    def type(self) -> str:
        """Upstream's word."""
        return COARSE.get(self.cause, self.cause.value)


def cures(fault: Fault) -> Sequence[Cure]:
    """What could be done about a fault. The folder of the user's own add-ons is neither cloned nor removed."""
    return () if fault.reference == LOCAL else CURES.get((fault.cause, fault.context), ())


class Faults(Protocol):
    """Who is told of faults (services.resolution.Resolution)."""

    def report(self, fault: Fault) -> None:
        """There is a fault; said again, nothing happens."""

    def settle(self, fault: Fault) -> None:
        """The fault is gone; an unknown one is fine."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What could be done about a fault."""

    uuid: str
    type: Cure
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
        "type": suggestion.type.value,
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
    reason = {"reason": fault.cause.value} if fault.cause in COARSE else {}
    return {
        "context": fault.context.value,
        "reference": fault.reference,
        "reference_extra": {**reason, **dict(fault.extra)} or None,
    }
