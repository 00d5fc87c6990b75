"""Values to reply data, in the shapes that clients parse. Pure; Home Assistant's naming history ends here.

A key that is missing loses the whole answer in aiohasupervisor, one too many never hurts: so the superset of what the
clients 0.3.3 to 0.11.0, Core 2026.2 to 2026.11 and the frontend want (`core-integration` §2).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from supervisor_k8s.api.answers import Update
from supervisor_k8s.api.answers_addons import (
    Addon,
    AddonInfo,
    AddonItem,
    Chosen,
    Compatibility,
    Hardware,
    IngressPlace,
    Rights,
    StoreInfo,
    StoreItem,
    StoreRights,
    SupervisorAddon,
)
from supervisor_k8s.api.answers_host import (
    DiskUsage,
    DockerNetwork,
    HostInfo,
    HostUnknown,
    NetworkInfo,
    NetworkInterface,
    NetworkProtocol,
)
from supervisor_k8s.model import ingress, naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.allowance import Grants
from supervisor_k8s.model.compatibility import Report, sentence
from supervisor_k8s.model.intent import InstalledAddon
from supervisor_k8s.model.options import ui_schema
from supervisor_k8s.model.ports import ports_of
from supervisor_k8s.model.rating import security_rating
from supervisor_k8s.model.status import AddonState
from supervisor_k8s.model.webui import webui_address
from supervisor_k8s.services.host import FEATURES, GIB, Disk, Interface, Machine

NETWORK_NAME = "hassio"
"""Name of Docker's network at upstream; clients look it up by this."""


@dataclass(frozen=True, slots=True)
class Assets:
    """What lies beside a manifest in the store; nothing for an add-on that is in no store."""

    icon: bool = False
    logo: bool = False
    changelog: bool = False
    documentation: bool = False
    long_description: str | None = None
    translations: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownAddon:
    """Everything a reply about an installed add-on says. `store` is its present manifest in the store, None when
    detached; `options` are merged over the defaults.
    """

    record: InstalledAddon
    config: AddonConfig
    store: AddonConfig | None
    available: bool
    assets: Assets
    state: AddonState
    address: str
    published_at: str | None
    """Where published ports are reached from outside; None while nobody knows."""
    options: Mapping[str, Any]
    given: Grants

    @property
    def version(self) -> str:
        return str(self.record.user["version"])

    @property
    def latest(self) -> str:
        return self.store.version if self.store else self.version


def addon_item(addon: ShownAddon) -> AddonItem:
    """One add-on of `GET /addons`."""
    config = addon.config
    return {
        **_base(config, addon.assets, available=addon.available),
        "version": addon.version,
        "version_latest": addon.latest,
        "update_available": addon.latest != addon.version,
        "detached": addon.store is None,
        "state": addon.state,
        "system_managed": bool(addon.record.user.get("system_managed", False)),
    }


def supervisor_addon(addon: ShownAddon) -> SupervisorAddon:
    """One add-on in the deprecated list of `GET /supervisor/info`, from which older Core makes its entities."""
    item = addon_item(addon)
    return {
        "name": item["name"],
        "slug": item["slug"],
        "version": item["version"],
        "version_latest": item["version_latest"],
        "update_available": item["update_available"],
        "state": item["state"],
        "repository": item["repository"],
        "icon": item["icon"],
    }


def addon_info(addon: ShownAddon) -> AddonInfo:
    """`GET /addons/<slug>/info` of an installed add-on."""
    return {
        **addon_item(addon),
        **_rights(addon.config, addon.given),
        **_hardware(addon.config),
        **_chosen(addon),
        **_ingress(addon),
        "long_description": addon.assets.long_description,
        "documentation": addon.assets.documentation,
        "changelog": addon.assets.changelog,
        "translations": addon.assets.translations,
        "ip_address": addon.address,
    }


def store_item(config: AddonConfig, assets: Assets, installed: str | None, *, available: bool) -> StoreItem:
    """One add-on of the store; `installed` is the installed version."""
    return {
        **_base(config, assets, available=available),
        "arch": list(config.arch),
        "documentation": assets.documentation,
        "installed": installed is not None,
        "version": installed,
        "version_latest": config.version,
        "update_available": installed is not None and installed != config.version,
    }


def store_info(
    config: AddonConfig, assets: Assets, installed: str | None, given: Grants, *, available: bool
) -> StoreInfo:
    """`GET /store/addons/<slug>`."""
    return {
        **store_item(config, assets, installed, available=available),
        **_store_rights(config, given),
        "detached": False,
        "long_description": assets.long_description,
    }


def compatibility(found: Report) -> Compatibility:
    """`GET /store/addons/<slug>/compatibility`."""
    return {
        "verdict": found.verdict,
        "summary": sentence(found),
        "denied": [*([found.unfit] if found.unfit else []), *found.denied],
        "needs": [{"what": need.what, "how": need.how} for need in found.needs],
        "without": list(found.without),
    }


def update_item(addon: ShownAddon) -> Update:
    """One add-on of `GET /available_updates`."""
    slug = addon.config.slug
    return {
        "update_type": "addon",
        "name": addon.config.name,
        "icon": f"/addons/{slug}/icon" if addon.assets.icon else None,
        "panel_path": f"/update-available/{slug}",
        "version_latest": addon.latest,
    }


def core_update(version: str) -> Update:
    """Home Assistant Core in `GET /available_updates`."""
    return {"update_type": "core", "panel_path": "/update-available/core", "version_latest": version}


def own_update(version: str) -> Update:
    """Ourselves in `GET /available_updates`."""
    return {"update_type": "supervisor", "panel_path": "/update-available/supervisor", "version_latest": version}


def host_info(machine: Machine, disk: Disk, timezone: str | None, now: datetime, booted: int | None) -> HostInfo:
    """`booted` is in microseconds since the epoch."""
    return {
        **cast("HostUnknown", dict.fromkeys(HostUnknown.__annotations__)),
        "disk_total": round(disk.total / GIB, 1),
        "disk_used": round(disk.used / GIB, 1),
        "disk_free": disk.free_gib,
        "features": list(FEATURES),
        "hostname": machine.name,
        "operating_system": machine.system,
        "kernel": machine.kernel,
        "timezone": timezone,
        "dt_utc": now.isoformat(),
        "boot_timestamp": booted,
    }


def disk_usage(disk: Disk) -> DiskUsage:
    """The shared volume as a whole; what its folders take is not measured."""
    return {
        "id": "root",
        "label": "Root",
        "total_bytes": disk.total,
        "used_bytes": disk.used,
        "children": [{"id": "system", "label": "System", "used_bytes": disk.used}],
    }


def network_info(found: Interface | None, *, dns: str, internet: bool) -> NetworkInfo:
    docker: DockerNetwork
    if found is None:
        docker = {"interface": NETWORK_NAME, "address": "0.0.0.0/0", "gateway": "0.0.0.0", "dns": dns}  # noqa: S104
    else:
        gateway = str(found.gateway or found.address.ip)
        network = str(found.address.network)
        docker = {"interface": NETWORK_NAME, "address": network, "gateway": gateway, "dns": dns}
    return {
        "interfaces": [interface(found)] if found else [],
        "docker": docker,
        "host_internet": None,
        "supervisor_internet": internet,
    }


def interface(found: Interface) -> NetworkInterface:
    nothing: NetworkProtocol = {
        "method": "disabled",
        "ready": False,
        "address": [],
        "nameservers": [],
        "gateway": None,
        "route_metric": None,
    }
    return {
        "interface": found.name,
        "type": "ethernet",
        "enabled": True,
        "connected": True,
        "primary": True,
        "mac": found.mac,
        "ipv4": {
            "method": "auto",
            "ready": True,
            "address": [str(found.address)],
            "nameservers": [str(address) for address in found.nameservers],
            "gateway": str(found.gateway) if found.gateway else None,
            "route_metric": None,
        },
        "ipv6": {**nothing, "addr_gen_mode": "default", "ip6_privacy": "default"},
        "wifi": None,
        "vlan": None,
        "mdns": "off",
        "llmnr": "off",
    }


def _base(config: AddonConfig, assets: Assets, *, available: bool) -> Addon:
    return {
        "name": config.name,
        "slug": config.slug,
        "description": config.description,
        "advanced": False,
        "available": available,
        "build": config.image is None,
        "homeassistant": config.homeassistant,
        "icon": assets.icon,
        "logo": assets.logo,
        "repository": config.repository,
        "stage": config.stage,
        "url": config.url,
    }


def _store_rights(config: AddonConfig, given: Grants) -> StoreRights:
    flag = _flags(config)
    return {
        "apparmor": "default" if config.raw.get("apparmor", True) else "disable",
        "auth_api": config.auth_api,
        "docker_api": flag("docker_api"),
        "full_access": flag("full_access"),
        "hassio_api": config.hassio_api,
        "hassio_role": config.hassio_role,
        "homeassistant_api": config.homeassistant_api,
        "host_network": flag("host_network"),
        "host_pid": flag("host_pid"),
        "ingress": config.ingress,
        "rating": security_rating(config, given),
        "signed": False,
    }


def _rights(config: AddonConfig, given: Grants) -> Rights:
    flag = _flags(config)
    return {
        **_store_rights(config, given),
        "host_ipc": flag("host_ipc"),
        "host_uts": flag("host_uts"),
        "host_dbus": flag("host_dbus"),
        "privileged": list(config.privileged),
    }


def _hardware(config: AddonConfig) -> Hardware:
    flag = _flags(config)
    return {
        "audio": flag("audio"),
        "devicetree": flag("devicetree"),
        "gpio": flag("gpio"),
        "kernel_modules": flag("kernel_modules"),
        "uart": flag("uart"),
        "udev": flag("udev"),
        "usb": flag("usb"),
        "video": flag("video"),
        "stdin": config.stdin,
        "devices": list(config.raw.get("devices", ())),
        "arch": list(config.arch),
        "machine": list(config.machine),
    }


def _flags(config: AddonConfig) -> Callable[[str], bool]:
    """The yes-or-no keys of a manifest of which we make nothing but their display."""
    return lambda key: bool(config.raw.get(key, False))


def _chosen(addon: ShownAddon) -> Chosen:
    """What the user decided, or the manifest for them."""
    config, user, ports = addon.config, addon.record.user, ports_of(addon.record)
    return {
        "hostname": naming.addon_hostname(config.slug),
        "dns": [f"{naming.addon_hostname(config.slug)}.local.hass.io"],
        "protected": bool(user.get("protected", True)),
        "boot_config": config.boot,
        "boot": user.get("boot") or ("auto" if config.boot == "auto" else "manual"),
        "options": addon.options,
        "schema": ui_schema(config.schema, addon.given),
        "startup": config.startup,
        "network": ports or None,
        "network_description": config.ports_description,
        "services": list(config.services),
        "discovery": list(config.discovery),
        "webui": webui_address(config.webui, options=addon.options, ports=ports, host=addon.published_at),
        "audio_input": user.get("audio_input"),
        "audio_output": user.get("audio_output"),
        "auto_update": bool(user.get("auto_update", False)),
        "watchdog": bool(user.get("watchdog", False)),
        "system_managed_config_entry": user.get("system_managed_config_entry"),
        "log_format": "plain",
    }


def _ingress(addon: ShownAddon) -> IngressPlace:
    config, user = addon.config, addon.record.user
    if not config.ingress:
        return {"ingress_entry": None, "ingress_url": None, "ingress_port": None, "ingress_panel": None}
    token = str(user.get("ingress_token", ""))
    return {
        "ingress_entry": ingress.entry(token),
        "ingress_url": ingress.url(config, token),
        "ingress_port": config.ingress_port,
        "ingress_panel": bool(user.get("ingress_panel", False)),
    }
