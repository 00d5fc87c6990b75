"""`map:` entries of a manifest as folders of the shared volume and mounts of the pod. Pure.

Customary places, defaults and which entry wins are Home Assistant's (Supervisor 2026.08). Every folder is a subPath of
the one shared claim; the start makes the directories first, because the kubelet would make them with any owner and
Kubernetes would follow what an add-on put there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from supervisor_k8s.model.addon import AddonConfig, FolderMap
from supervisor_k8s.model.allowance import Allow, grants
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.site import Site

SHARED = "shared"
"""Name of the shared claim's volume inside a pod."""
IGNORED_BESIDE_CONFIG = frozenset({"homeassistant_config", "app_config", "addon_config"})
"""The oldest type, `config`, takes `/config` for Home Assistant's own folder; these three are then without effect."""
NEW_NAMES = {"addon_config": "app_config", "addons": "local_apps", "all_addon_configs": "all_app_configs"}
"""Types that were renamed in 2026: with both in one manifest, the old name is without effect."""


NODE_FOLDERS = {
    "journald": {"/run/log/journal": "DirectoryOrCreate", "/var/log/journal": "Directory"},
    "kernel_modules": {"/lib/modules": "Directory"},
    "udev": {"/run/udev": "DirectoryOrCreate"},
    "host_dbus": {"/run/dbus": "DirectoryOrCreate"},
}
"""Folders of the node by the manifest's word, read-only. Making `/var/log/journal` would change what the node's journal
keeps, and a node without modules has none to load.
"""


@dataclass(frozen=True, slots=True)
class Folder:
    """One folder as the pod sees it: `sub_path` on the shared volume at `mount_path` in the container."""

    sub_path: str
    mount_path: str
    read_only: bool


def folders(config: AddonConfig) -> tuple[Folder, ...]:
    """Folders the add-on sees: its `/data` first, one per mount path (the first entry for a path counts)."""
    found: dict[str, Folder] = {}
    for folder in _wanted(config):
        found.setdefault(folder.mount_path, folder)
    return tuple(found.values())


def folder_mounts(config: AddonConfig) -> list[Manifest]:
    return [
        {"name": SHARED, "mountPath": folder.mount_path, "subPath": folder.sub_path}
        | ({"readOnly": True} if folder.read_only else {})
        for folder in folders(config)
    ]


def shared_volume(site: Site) -> Manifest:
    return {"name": SHARED, "persistentVolumeClaim": {"claimName": site.shared_claim}}


def memory_volumes(config: AddonConfig, *, own_shm: bool) -> tuple[list[Manifest], list[Manifest]]:
    """Volumes and mounts of what Docker gives as tmpfs: `/dev/shm` (its own, unless it has the node's), and `/tmp` for
    `tmpfs: true`.
    """
    wanted = {"shm": "/dev/shm"} if own_shm else {}  # noqa: S108 - paths of the container
    wanted |= {"tmp": "/tmp"} if config.tmpfs else {}  # noqa: S108 - paths of the container
    volumes: list[Manifest] = [{"name": name, "emptyDir": {"medium": "Memory"}} for name in wanted]
    mounts: list[Manifest] = [{"name": name, "mountPath": path} for name, path in wanted.items()]
    return volumes, mounts


def node_volumes(config: AddonConfig, site: Site) -> tuple[list[Manifest], list[Manifest]]:
    """Volumes and mounts of what the administrator lets the add-on have of the node: devices and folders, each where it
    is at the node.
    """
    given = grants(config, site.allowed)
    kinds = dict.fromkeys(given.paths, "CharDevice")
    if Allow.HOST_PATHS in given.classes:
        kinds |= {
            path: kind for word, both in NODE_FOLDERS.items() if config.raw.get(word) for path, kind in both.items()
        }
    volumes: list[Manifest] = []
    mounts: list[Manifest] = []
    for number, (path, kind) in enumerate(kinds.items()):
        volumes.append({"name": f"node-{number}", "hostPath": {"path": path, "type": kind}})
        read_only = {} if kind == "CharDevice" else {"readOnly": True}
        mounts.append({"name": f"node-{number}", "mountPath": path, **read_only})
    return volumes, mounts


def _wanted(config: AddonConfig) -> Iterable[Folder]:
    entries = _effective(config.map)
    own = next((entry.path for entry in entries if entry.type == "data" and entry.path), None)
    # An add-on's own data is writable whatever the manifest says.
    yield Folder(f"addons/data/{config.slug}", _clean(own or "/data"), read_only=False)
    places = {
        "config": ("homeassistant", "/config"),
        "homeassistant_config": ("homeassistant", "/homeassistant"),
        "app_config": (f"addon_configs/{config.slug}", "/config"),
        "addon_config": (f"addon_configs/{config.slug}", "/config"),
        "all_app_configs": ("addon_configs", "/app_configs"),
        "all_addon_configs": ("addon_configs", "/addon_configs"),
        "ssl": ("ssl", "/ssl"),
        "share": ("share", "/share"),
        "media": ("media", "/media"),
        "backup": ("backup", "/backup"),
        "local_apps": ("addons/local", "/local_apps"),
        "addons": ("addons/local", "/addons"),
    }
    for entry in entries:
        if entry.type in places:
            sub_path, customary = places[entry.type]
            yield Folder(sub_path, _clean(entry.path or customary), read_only=entry.read_only)


def _effective(entries: Sequence[FolderMap]) -> list[FolderMap]:
    """The entries that have an effect beside each other."""
    types = {entry.type for entry in entries}
    ignored = {old for old, new in NEW_NAMES.items() if new in types}
    if "config" in types:
        ignored |= IGNORED_BESIDE_CONFIG
    return [entry for entry in entries if entry.type not in ignored]


def _clean(path: str) -> str:
    return "/" + path.strip("/")
