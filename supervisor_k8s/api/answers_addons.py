"""Shapes of answers about add-ons and the store, made in `views`; the others are in `answers`."""

from collections.abc import Mapping
from typing import Any, Literal, TypedDict

from supervisor_k8s.model.compatibility import Verdict
from supervisor_k8s.model.status import AddonState


class Addon(TypedDict):
    """What every answer about an add-on says."""

    name: str
    slug: str
    description: str
    advanced: bool
    available: bool
    build: bool
    homeassistant: str | None
    icon: bool
    logo: bool
    repository: str
    stage: str
    url: str | None


class AddonItem(Addon):
    version: str
    version_latest: str
    update_available: bool
    detached: bool
    state: AddonState
    system_managed: bool


class AddonList(TypedDict):
    addons: list[AddonItem]


class SupervisorAddon(TypedDict):
    name: str
    slug: str
    version: str
    version_latest: str
    update_available: bool
    state: AddonState
    repository: str
    icon: bool


class StoreRights(TypedDict):
    """What an add-on may do, as far as the store tells."""

    apparmor: Literal["default", "disable"]
    auth_api: bool
    docker_api: bool
    full_access: bool
    hassio_api: bool
    hassio_role: str
    homeassistant_api: bool
    host_network: bool
    host_pid: bool
    ingress: bool
    rating: int
    signed: bool


class Rights(StoreRights):
    host_ipc: bool
    host_uts: bool
    host_dbus: bool
    privileged: list[str]


class Hardware(TypedDict):
    audio: bool
    devicetree: bool
    gpio: bool
    kernel_modules: bool
    uart: bool
    udev: bool
    usb: bool
    video: bool
    stdin: bool
    devices: list[str]
    arch: list[str]
    machine: list[str]


class Chosen(TypedDict):
    """What the user decided, or the manifest for them. `schema` is the form of the options."""

    hostname: str
    dns: list[str]
    protected: bool
    boot_config: str
    boot: str
    options: Mapping[str, Any]
    schema: list[dict[str, Any]] | None
    startup: str
    network: dict[str, int | None] | None
    network_description: Mapping[str, str] | None
    services: list[str]
    discovery: list[str]
    webui: str | None
    audio_input: str | None
    audio_output: str | None
    auto_update: bool
    watchdog: bool
    system_managed_config_entry: str | None
    log_format: Literal["plain"]


class IngressPlace(TypedDict):
    """All null for an add-on without a page."""

    ingress_entry: str | None
    ingress_url: str | None
    ingress_port: int | None
    ingress_panel: bool | None


class AddonInfo(AddonItem, Rights, Hardware, Chosen, IngressPlace):
    long_description: str | None
    documentation: bool
    changelog: bool
    translations: Mapping[str, Any]
    ip_address: str


class StoreItem(Addon):
    """`version` is the installed one."""

    arch: list[str]
    documentation: bool
    installed: bool
    version: str | None
    version_latest: str
    update_available: bool


class StoreInfo(StoreItem, StoreRights):
    detached: bool
    long_description: str | None


class NotInstalledInfo(StoreInfo):
    """`GET /addons/<slug>/info` of an add-on that is only in the store."""

    state: AddonState
    options: Mapping[str, Any]


class Need(TypedDict):
    """What an add-on asks for, and how to allow it."""

    what: str
    how: str


class Compatibility(TypedDict):
    """`summary` is all of it for a person."""

    verdict: Verdict
    summary: str
    denied: list[str]
    needs: list[Need]
    without: list[str]


class StoreAddons(TypedDict):
    addons: list[StoreItem]


class Repository(TypedDict):
    slug: str
    name: str
    source: str
    url: str
    maintainer: str


class Store(StoreAddons):
    repositories: list[Repository]


class OptionsChecked(TypedDict):
    """`message` says what is wrong; it is empty when `valid`."""

    message: str
    valid: bool
    pwned: bool | None
