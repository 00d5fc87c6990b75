"""What the user wants, and what the last start froze. Pure.

`Launch` is everything a start decided: the objects themselves are kept, so drift is repaired from them and neither
saved options, a store refresh nor a new version of ours restarts a running workload. `InstalledAddon` has the two
halves of upstream's record, because backups from and to Home Assistant OS carry exactly these.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Manifest = Mapping[str, Any]
"""A Kubernetes object as plain JSON values."""

CORE_KEY = "homeassistant"
"""Key of Home Assistant Core among the workloads; add-ons are `addon/<slug>`."""
DNS_KEY = "dns"
"""Key of the DNS server that Core and add-ons ask."""
PORTS_KEY = "ports"
"""Key of the proxy by which published ports are reached."""
PUBLIC_KEY = "public"
"""Key of the Gateway by which Home Assistant is reached at a public address."""
_ADDON = "addon/"


def addon_key(slug: str) -> str:
    return f"{_ADDON}{slug}"


def addon_of(key: str) -> str | None:
    """Slug of the add-on that a workload's key means; None for all others."""
    return key.removeprefix(_ADDON) if key.startswith(_ADDON) else None


CORE_GROUP = "home_assistant_core"
"""What two operations on Core exclude each other by; upstream's word, as `job_group` is for add-ons."""


def job_group(slug: str) -> str:
    """What two operations on one add-on exclude each other by; upstream's word in the error for the second."""
    return f"app_{slug}"


@dataclass(frozen=True, slots=True)
class Launch:
    """One start, frozen. `objects` holds the rendered manifests, the Secret with the token among them: the state volume
    is private, and whoever finishes a start after a crash needs it. `token_digest` is the SHA-256 hex by which callers
    are recognised, as long as the launch runs or its pod is there.
    """

    id: str
    """Eight lower-case hex digits; stands in labels and in the Secret's name."""
    version: str
    image: str
    token_digest: str
    objects: tuple[Manifest, ...] = field(default=(), repr=False)
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    ports: Mapping[str, int | None] = field(default_factory=dict)
    timezone: str = "UTC"
    config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Deep copy of the normalised manifest."""


class Wanted(StrEnum):
    """What the workload is meant to be."""

    STOPPED = "stopped"
    RUNNING = "running"
    RELAUNCH = "relaunch"
    """To run with a new launch once nothing of the present one is left: whoever comes after a crash ends it there."""
    EXITED = "exited"
    """Its program ended by itself (Docker's exited container): the pod stays readable and is not replaced."""
    REMOVED = "removed"
    """Being uninstalled: whatever is left of it goes, and the record last of all."""


@dataclass(frozen=True, slots=True)
class Intent:
    """The stored wish for one workload. `failure` is why the last start was withdrawn or how its program ended, for
    people; None for a workload that is well.
    """

    wanted: Wanted = Wanted.STOPPED
    launch: Launch | None = None
    failure: str | None = None
    update: Mapping[str, Any] | None = field(default=None, repr=False)
    """What the record becomes as soon as nothing runs: `user` (changed keys), `system` and `health` (whole)."""


@dataclass(frozen=True, slots=True)
class InstalledAddon:
    """The record of an installed add-on.

    `user` has upstream's keys: version, image, options, uuid, ingress_token, boot, network, auto_update, watchdog,
    protected, ingress_panel, audio_input, audio_output, system_managed, system_managed_config_entry. `system` is the
    normalised manifest at the time of installation, plus `repository`. `data` in upstream's backups is these two.
    """

    slug: str
    user: Mapping[str, Any] = field(repr=False)
    system: Mapping[str, Any] = field(repr=False)
    intent: Intent = field(default_factory=Intent)
    ingress_port: int | None = None
    """Chosen for a manifest with `ingress_port: 0`. Ours alone: backups do not carry it."""
    health: Mapping[str, Any] | None = None
    """The image's own check (model.health), None where it has none or its registry could not be asked. Ours alone."""

    @property
    def granted(self) -> Mapping[str, Any]:
        """The manifest whose rights count: what runs has those of its start, whatever the installed one says by now."""
        launch = self.intent.launch
        return (launch.config if launch and self.intent.wanted is Wanted.RUNNING else {}) or self.system


@dataclass(frozen=True, slots=True)
class CoreRecord:
    """Home Assistant Core's record with upstream's keys, plus the intent."""

    version: str
    uuid: str = ""
    image: str | None = None
    """An image name of the user's without tag; None means the official one."""
    boot: bool = True
    port: int | None = None
    """What Core last reported; None until it did."""
    ssl: bool = False
    watchdog: bool = True
    refresh_token: str | None = field(default=None, repr=False)
    audio_input: str | None = None
    audio_output: str | None = None
    backups_exclude_database: bool = False
    duplicate_log_file: bool = False
    timezone: str = "UTC"
    intent: Intent = field(default_factory=Intent)
