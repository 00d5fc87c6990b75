"""Everything that must outlive us: one JSON file for each subject, all in memory after the start.

Reads are plain attributes. A write reaches the disk first and the memory after it, so what is visible survives a crash.
Read-modify-write goes through `update_…`, which holds a lock: two requests that change different fields of one record
both count.
"""

import asyncio
import dataclasses
import functools
import logging
from collections.abc import Callable, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from supervisor_k8s.errors import AddonNotInstalledError, StateFileDamagedError, StateFileError
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.discovery import DiscoveryMessage
from supervisor_k8s.model.intent import CoreRecord, InstalledAddon, Intent, Launch, Manifest, Wanted
from supervisor_k8s.state.files import StateFile

_LOGGER = logging.getLogger(__name__)
_DIRECTORY_MODE = 0o700


class Records:
    """The stored state. Attributes are read-only for others; values are never changed in place.

    `damaged` lists files that were no valid documents and lie beside the good ones, relative to the state directory
    (`core.json.damaged-1`, `addons/core_mosquitto.json.damaged-2`), from this start and from earlier ones, until
    somebody deletes them: the caller raises an issue for each.
    """

    addons: Mapping[str, InstalledAddon]
    """Full slug to record."""
    core: CoreRecord | None
    """None until Core was installed (or when `core.json` was damaged; see `damaged`)."""
    preferences: Mapping[str, Any]
    services: Mapping[str, Mapping[str, Any]]
    """Service to what its provider published, plus `addon`, the provider's slug."""
    discovery: tuple[DiscoveryMessage, ...]
    repositories: tuple[str, ...]
    """The user's store repositories as configured (`<url>[#<branch>]`), without the built-in ones."""
    ingress: Mapping[str, Any]
    link: Mapping[str, Any]
    dns: Mapping[str, Any]
    """Of the names' server: `address`, `servers`, `restarted` (services.dns)."""
    logins: Mapping[str, Any]
    """Home Assistant's users to what recognises their passwords (model.login)."""
    registries: Mapping[str, Mapping[str, str]] | None
    """Host name of an image registry to `username` and `password`; None until they were stored."""
    versions: Mapping[str, Any]
    """The last version file that was read; empty before the first one."""
    own_versions: Mapping[str, Any]
    """The same for the file with our own versions."""
    damaged: tuple[str, ...]

    def __init__(self, directory: Path, may_write: Callable[[], None] = lambda: None) -> None:
        """For `load`, which fills the memory."""
        self._directory = directory
        self._may_write = may_write
        self._tell: Callable[[StateFileError | None], None] = lambda _: None
        self._core = StateFile(directory / "core.json")
        self._preferences = StateFile(directory / "preferences.json")
        self._services = StateFile(directory / "services.json")
        self._discovery = StateFile(directory / "discovery.json")
        self._repositories = StateFile(directory / "repositories.json")
        self._ingress = StateFile(directory / "ingress.json")
        self._link = StateFile(directory / "link.json")
        self._logins = StateFile(directory / "logins.json")
        self._registries = StateFile(directory / "registries.json")
        self._dns = StateFile(directory / "dns.json")
        self._versions = StateFile(directory / "versions.json")
        self._own_versions = StateFile(directory / "own-versions.json")
        self._addons: dict[str, StateFile] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    @classmethod
    async def load(cls, directory: Path, *, may_write: Callable[[], None] = lambda: None) -> Self:
        """Read everything below `directory`, which is made if it is missing. `may_write` is asked before each later
        write, and raises when the files are not ours to change.

        StateFileError when a file cannot be read or belongs to a newer Supervisor: the start must stop then. Damaged
        files are moved aside and listed in `damaged`; what they held is absent.
        """
        records = cls(directory, may_write)
        await asyncio.to_thread(records._read)
        return records

    def on_write(self, listener: Callable[[StateFileError | None], None]) -> None:
        """Call after each write: with None when it is on the disk, else with why it is not."""
        self._tell = listener

    def _read(self) -> None:
        addons = self._directory / "addons"
        try:
            addons.mkdir(_DIRECTORY_MODE, parents=True, exist_ok=True)
            self._directory.chmod(_DIRECTORY_MODE)
        except OSError as error:
            raise StateFileError(f"{addons} cannot be made: {error.strerror}") from error
        self.core = _read(self._core, _core, absent=None)
        self.preferences = _read(self._preferences, _mapping, absent={})
        self.services = _read(self._services, _mapping_of_mappings, absent={})
        self.discovery = _read(self._discovery, _discovery, absent=())
        self.repositories = _read(self._repositories, _texts, absent=())
        self.ingress = _read(self._ingress, _mapping, absent={})
        self.link = _read(self._link, _mapping, absent={})
        self.logins = _read(self._logins, _mapping, absent={})
        self.registries = _read(self._registries, _registry_logins, absent=None)
        self.versions = _read(self._versions, _mapping, absent={})
        self.own_versions = _read(self._own_versions, _mapping, absent={})
        self.dns = _read(self._dns, _dns, absent={})
        self.addons = dict(self._read_addons(addons))
        self.damaged = tuple(sorted(_damaged(self._directory)))

    def _read_addons(self, directory: Path) -> Iterator[tuple[str, InstalledAddon]]:
        for path in sorted(directory.glob("*.json")):
            slug = path.stem
            record = _read(self._addon_file(slug), functools.partial(_addon, slug), absent=None)
            if record:
                yield slug, record

    async def save_addon(self, record: InstalledAddon) -> None:
        """Store the record under its slug."""
        async with self._lock(record.slug):
            await self._write_addon(record)

    async def update_addon(self, slug: str, change: Callable[[InstalledAddon], InstalledAddon]) -> InstalledAddon:
        """Store what `change` makes of the present record and return it. AddonNotInstalledError without one."""
        async with self._lock(slug):
            if slug not in self.addons:
                raise AddonNotInstalledError(slug=slug)
            record = change(self.addons[slug])
            await self._write_addon(record)
            return record

    async def remove_addon(self, slug: str) -> None:
        """Forget the add-on; an unknown one is fine."""

        def forget() -> None:
            self.addons = {key: value for key, value in self.addons.items() if key != slug}

        async with self._lock(slug):
            self._may_write()
            await self._told(self._addon_file(slug).remove(then=forget))

    async def save_core(self, record: CoreRecord) -> None:
        async with self._lock("core"):
            await self._write("core", self._core, record)

    async def update_core(self, change: Callable[[CoreRecord], CoreRecord]) -> CoreRecord:
        """Store what `change` makes of Core's present record and return it. StateFileError without one."""
        async with self._lock("core"):
            if self.core is None:
                raise StateFileError("Home Assistant Core has no record yet")
            record = change(self.core)
            await self._write("core", self._core, record)
            return record

    async def save_preferences(self, value: Mapping[str, Any]) -> None:
        await self._write("preferences", self._preferences, value)

    async def save_services(self, value: Mapping[str, Mapping[str, Any]]) -> None:
        await self._write("services", self._services, value)

    async def save_discovery(self, value: tuple[DiscoveryMessage, ...]) -> None:
        await self._write("discovery", self._discovery, value)

    async def save_repositories(self, value: tuple[str, ...]) -> None:
        await self._write("repositories", self._repositories, value)

    async def save_ingress(self, value: Mapping[str, Any]) -> None:
        await self._write("ingress", self._ingress, value)

    async def save_link(self, value: Mapping[str, Any]) -> None:
        await self._write("link", self._link, value)

    async def save_dns(self, value: Mapping[str, Any]) -> None:
        await self._write("dns", self._dns, value)

    async def save_logins(self, value: Mapping[str, Any]) -> None:
        await self._write("logins", self._logins, value)

    async def save_registries(self, value: Mapping[str, Mapping[str, str]]) -> None:
        await self._write("registries", self._registries, value)

    async def save_versions(self, value: Mapping[str, Any]) -> None:
        await self._write("versions", self._versions, value)

    async def save_own_versions(self, value: Mapping[str, Any]) -> None:
        await self._write("own_versions", self._own_versions, value)

    async def _write(self, attribute: str, file: StateFile, value: Any) -> None:
        self._may_write()
        await self._told(file.write(value, then=lambda: setattr(self, attribute, value)))

    async def _write_addon(self, record: InstalledAddon) -> None:
        def remember() -> None:
            self.addons = {**self.addons, record.slug: record}

        self._may_write()
        await self._told(self._addon_file(record.slug).write(record, then=remember))

    async def _told(self, write: Coroutine[Any, Any, None]) -> None:
        try:
            await write
        except StateFileError as error:
            self._tell(error)
            raise
        self._tell(None)

    def _addon_file(self, slug: str) -> StateFile:
        if slug not in self._addons:
            self._addons[slug] = StateFile(self._directory / "addons" / f"{slug}.json")
        return self._addons[slug]

    def _lock(self, subject: str) -> asyncio.Lock:
        return self._locks.setdefault(subject, asyncio.Lock())


def _read[T](file: StateFile, parse: Callable[[Any], T], *, absent: T) -> T:
    """What the file holds; `absent` too when it was damaged, which `Records.damaged` then tells."""
    try:
        return file.read(parse, absent=absent)
    except StateFileDamagedError as error:
        _LOGGER.error("%s", error)  # noqa: TRY400 - the text says it all
        return absent


def _damaged(directory: Path) -> Iterator[str]:
    for pattern in ("*.json.damaged-*", "addons/*.json.damaged-*"):
        for path in directory.glob(pattern):
            yield path.relative_to(directory).as_posix()


def _build[T](kind: type[T], data: Any, /, **converted: Any) -> T:
    """A dataclass from JSON. Keys it does not have are dropped: a newer version of ours may have added them."""
    values = {**_mapping(data), **converted}
    names = {item.name for item in dataclasses.fields(kind)}  # type: ignore[arg-type]  # mypy has no "any dataclass"
    return kind(**{key: value for key, value in values.items() if key in names})


def _addon(slug: str, data: Any) -> InstalledAddon:
    """The record of `slug`, which the file's name says: a file under a wrong name must not become another add-on.

    Its manifest must be one: everything that looks at the installed add-ons relies on that.
    """
    if data["slug"] != slug:
        raise ValueError(f"it is the record of {data['slug']}")
    AddonConfig.from_normalised(_mapping(data["system"]), repository=_text(data["system"]["repository"]))
    return _build(
        InstalledAddon,
        data,
        user=_mapping(data["user"]),
        system=_mapping(data["system"]),
        intent=_intent(data["intent"]),
        health=None if data.get("health") is None else _mapping(data["health"]),
    )


def _core(data: Any) -> CoreRecord:
    return _build(CoreRecord, data, version=_text(data["version"]), intent=_intent(data["intent"]))


def _intent(data: Any) -> Intent:
    launch = None if data["launch"] is None else _launch(data["launch"])
    return _build(Intent, data, wanted=Wanted(data["wanted"]), launch=launch)


def _launch(data: Any) -> Launch:
    return _build(Launch, data, id=_text(data["id"]), objects=tuple(_object(item) for item in data["objects"]))


def _object(data: Any) -> Manifest:
    """A Kubernetes object that can be told from others."""
    for name in (data["kind"], data["metadata"]["name"]):
        _text(name)
    return _mapping(data)


def _discovery(data: Any) -> tuple[DiscoveryMessage, ...]:
    return tuple(_build(DiscoveryMessage, item, config=_mapping(item["config"])) for item in _items(data))


def _texts(data: Any) -> tuple[str, ...]:
    return tuple(_text(item) for item in _items(data))


def _registry_logins(data: Any) -> Mapping[str, Mapping[str, str]]:
    keys = ("username", "password")
    return {host: {key: _text(login[key]) for key in keys} for host, login in _mapping_of_mappings(data).items()}


def _dns(data: Any) -> Mapping[str, Any]:
    return {**_mapping(data), "servers": _texts(data.get("servers", []))}


def _mapping_of_mappings(data: Any) -> Mapping[str, Mapping[str, Any]]:
    return {key: _mapping(value) for key, value in _mapping(data).items()}


def _mapping(data: Any) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise TypeError(f"an object is expected, not {type(data).__name__}")
    return data


def _items(data: Any) -> list[Any]:
    if not isinstance(data, list):
        raise TypeError(f"a list is expected, not {type(data).__name__}")
    return data


def _text(data: Any) -> str:
    if not isinstance(data, str):
        raise TypeError(f"a text is expected, not {type(data).__name__}")
    return data
