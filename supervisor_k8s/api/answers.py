"""Shapes of the data in our answers, but those about add-ons (`answers_addons`) and the node (`answers_host`).

A handler's return type says what it answers, mypy holds the handler to it, `openapi` describes it to clients, and a
contract test holds real answers against that. What is None here is not known on Kubernetes; its key stays, because a
key that is missing loses the whole answer in clients (`views`).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

from supervisor_k8s.api.answers_addons import SupervisorAddon


class Info(TypedDict):
    supervisor: str
    homeassistant: str
    hassos: None
    docker: str
    hostname: str
    operating_system: str | None
    features: list[str]
    machine: str
    machine_id: None
    arch: str
    supported_arch: list[str]
    supported: bool
    state: str
    channel: str
    logging: str
    timezone: str


class Update(TypedDict):
    """`name` and `icon` are there for add-ons."""

    update_type: Literal["core", "supervisor", "addon"]
    panel_path: str
    version_latest: str
    name: NotRequired[str]
    icon: NotRequired[str | None]


class Updates(TypedDict):
    available_updates: list[Update]


class CandidateCheck(TypedDict):
    """Sentences of Core's checker."""

    warnings: list[str]


class JobStarted(TypedDict):
    """The work goes on; an answer without the key says that it is done."""

    job_id: str


class Stats(TypedDict):
    """Percent of all the node's processors and of the limit, bytes."""

    cpu_percent: float
    memory_percent: float
    memory_usage: int
    memory_limit: int
    network_rx: int
    network_tx: int
    blk_read: int
    blk_write: int


# --- supervisor, core --------------------------------------------------------------------------------------------


class RepositoryName(TypedDict):
    name: str
    slug: str


class SupervisorInfo(TypedDict):
    channel: str
    timezone: str | None
    logging: str
    debug: bool
    debug_block: bool
    diagnostics: bool | None
    auto_update: bool
    detect_blocking_io: bool
    country: str | None
    wait_boot: int
    version: str
    version_latest: str
    update_available: bool
    arch: str
    supported: bool
    healthy: bool
    ip_address: str
    feature_flags: Mapping[str, bool]
    addons: list[SupervisorAddon]
    addons_repositories: list[RepositoryName]


class CoreInfo(TypedDict):
    version: str
    version_latest: str
    update_available: bool
    machine: str
    ip_address: str
    arch: str
    image: str
    boot: bool
    port: int
    ssl: bool
    watchdog: bool
    audio_input: str | None
    audio_output: str | None
    backups_exclude_database: bool
    duplicate_log_file: bool


# --- jobs, resolution --------------------------------------------------------------------------------------------


class JobFailure(TypedDict):
    type: str
    message: str
    stage: str | None
    error_key: str | None
    extra_fields: dict[str, Any] | None


class Job(TypedDict):
    """`progress` is in percent; `done` is null before it began."""

    name: str
    reference: str | None
    uuid: str
    progress: float
    stage: str | None
    done: bool | None
    errors: list[JobFailure]
    created: str
    extra: dict[str, Any] | None
    child_jobs: list["Job"]


class JobsInfo(TypedDict):
    ignore_conditions: list[str]
    jobs: list[Job]


class Issue(TypedDict):
    type: str
    context: str
    reference: str | None
    reference_extra: Mapping[str, Any] | None
    uuid: str


class Suggestion(Issue):
    auto: bool


class Suggestions(TypedDict):
    suggestions: list[Suggestion]


class Check(TypedDict):
    slug: str
    enabled: bool


class ResolutionInfo(Suggestions):
    unsupported: Sequence[str]
    unhealthy: Sequence[str]
    issues: list[Issue]
    checks: list[Check]


# --- what add-ons tell one another and Core ----------------------------------------------------------------------


class Service(TypedDict):
    slug: str
    available: bool
    providers: list[str]


class ServiceList(TypedDict):
    services: list[Service]


class DiscoverySent(TypedDict):
    uuid: str


class Discovered(DiscoverySent):
    addon: str
    service: str
    config: Mapping[str, Any]


class DiscoveryList(TypedDict):
    """`services` are slugs of installed add-ons by what they may announce."""

    discovery: list[Discovered]
    services: Mapping[str, Sequence[str]]


class Panel(TypedDict):
    title: str
    icon: str
    admin: bool
    enable: bool


class Panels(TypedDict):
    panels: dict[str, Panel]


class IngressSession(TypedDict):
    session: str


class User(TypedDict):
    username: str
    name: str | None
    is_owner: bool
    is_active: bool
    local_only: bool
    group_ids: list[str]


class Users(TypedDict):
    users: list[User]


# --- backups -----------------------------------------------------------------------------------------------------


class Backups(TypedDict):
    backups: list[None]


class BackupsInfo(Backups):
    days_until_stale: int
