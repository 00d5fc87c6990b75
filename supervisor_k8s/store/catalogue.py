"""Working copies become a Catalogue: an immutable snapshot of everything the store offers.

Every `config.yaml|yml|json` below a repository is an add-on, unless a folder on its way begins with a dot or is called
`rootfs`. One that is not valid is skipped, logged once and listed. Files that did not change are not parsed again.
"""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from supervisor_k8s.errors import ManifestError, RepositoryError
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.addon_hints import hints
from supervisor_k8s.model.addon_schema import normalise
from supervisor_k8s.model.repository import LOCAL, RepositoryInfo, read_info
from supervisor_k8s.model.translations import read_translation
from supervisor_k8s.store import documents
from supervisor_k8s.store.folder import Folder

_LOGGER = logging.getLogger(__name__)
SUFFIXES = (".yaml", ".yml", ".json")
_CONFIGS = tuple(f"config{suffix}" for suffix in SUFFIXES)
UNKNOWN = "unknown"
ENTRY_LIMIT = 200_000
"""Files and folders looked at in one repository; a work tree that somebody keeps in `local` must not hold us up."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the add-ons of one repository lie."""

    slug: str
    source: str
    """What the API calls `source`: the configured address without credentials, or `core`, `local`."""
    path: Path
    info: RepositoryInfo | None = None
    """Set for repositories whose name is fixed; others have it in `repository.yaml`."""


@dataclass(frozen=True, slots=True)
class StoreRepository:
    """A repository as the API shows it."""

    slug: str
    name: str
    source: str
    url: str
    maintainer: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A file that was skipped, and why."""

    repository: str
    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class AddonFiles:
    """Where an add-on's other files lie; `names` are those beside its manifest."""

    root: Path
    folder: PurePosixPath
    names: frozenset[str]
    written: float
    """When its manifest was, in seconds since 1970: git writes those that are another one than before."""

    def read(self, name: str, *, limit: int) -> bytes | None:
        """At most `limit` bytes of a file beside the manifest; None when it is absent or leads out. Blocks."""
        return Folder(self.root).read(self.folder / name, limit=limit) if name in self.names else None

    def pack(self, *, limit: int) -> bytes:
        """All beside the manifest, and below, as a tar archive; see Folder.pack. Blocks."""
        return Folder(self.root).pack(self.folder, limit=limit)

    def translations(self) -> Mapping[str, Mapping[str, Any]]:
        """Language to its translation; malformed files are left out. Blocks."""
        if "translations" not in self.names:
            return {}
        folder = self.root / self.folder / "translations"
        found: dict[str, Mapping[str, Any]] = {}
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            content = self._translation_file(path.name)
            translation = None if content is None else _translation(content, path.suffix)
            if translation is not None:
                found[path.stem] = translation
        return found

    def _translation_file(self, name: str) -> bytes | None:
        if PurePosixPath(name).suffix not in SUFFIXES:
            return None
        return Folder(self.root).read(self.folder / "translations" / name, limit=documents.SIZE_LIMIT + 1)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What the store offers at one moment."""

    addons: Mapping[str, AddonConfig] = MappingProxyType({})
    """Full slug to manifest."""
    files: Mapping[str, AddonFiles] = MappingProxyType({})
    """Full slug to the add-on's folder; the same keys as `addons`."""
    repositories: Mapping[str, StoreRepository] = MappingProxyType({})
    """Slug to repository, in the order of configuration, also those that could not be cloned yet."""
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class _Parsed:
    stamp: tuple[int, int, int]
    result: AddonConfig | str


class CatalogueReader:
    """Makes catalogues; remembers parsed manifests between two. For one thread at a time."""

    def __init__(self) -> None:
        self._parsed: dict[tuple[str, PurePosixPath], _Parsed] = {}

    def read(self, sources: Sequence[Source]) -> Catalogue:
        """Read all working copies. Blocks; never raises for what strangers wrote."""
        addons: dict[str, AddonConfig] = {}
        files: dict[str, AddonFiles] = {}
        repositories: dict[str, StoreRepository] = {}
        faults: list[Fault] = []
        known, self._parsed = self._parsed, {}
        for source in sources:
            repositories[source.slug] = _repository(source)
            for found, parsed in self._configs(source, known):
                path = _printable(found.folder)
                if isinstance(parsed, str):
                    faults.append(Fault(source.slug, path, parsed))
                elif parsed.slug in addons:
                    other = files[parsed.slug].folder
                    faults.append(Fault(source.slug, path, f"its slug {parsed.slug} is that of {other} already"))
                else:
                    addons[parsed.slug], files[parsed.slug] = parsed, found
        return Catalogue(
            MappingProxyType(addons), MappingProxyType(files), MappingProxyType(repositories), tuple(faults)
        )

    def _configs(
        self, source: Source, known: Mapping[tuple[str, PurePosixPath], _Parsed]
    ) -> Iterator[tuple[AddonFiles, AddonConfig | str]]:
        for path, names in _addon_folders(source):
            key = source.slug, path
            try:
                status = (source.path / path).lstat()
            except OSError:
                continue  # deleted while we read
            found = AddonFiles(source.path, path.parent, names, status.st_mtime)
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            entry = known.get(key)
            if entry is None or entry.stamp != stamp:
                entry = _Parsed(stamp, _manifest(source, path))
                _tell(source, path, entry.result)
            self._parsed[key] = entry
            yield found, entry.result


def _tell(source: Source, path: PurePosixPath, result: AddonConfig | str) -> None:
    """What is to be said of a manifest, once: to its author, who is here for the user's own ones."""
    if isinstance(result, str):
        _LOGGER.warning("Store %s: %s is skipped: %s", source.slug, _printable(path), result)
        return
    level = logging.WARNING if source.slug == LOCAL else logging.DEBUG
    if _LOGGER.isEnabledFor(level):
        for hint in hints(result):
            _LOGGER.log(level, "Store %s: %s: %s", source.slug, _printable(path), hint)


def _printable(path: PurePosixPath) -> str:
    """The path for logs and answers: names on a volume need not be text."""
    return os.fsencode(path).decode(errors="replace")


def read_repository_file(path: Path) -> RepositoryInfo:
    """What `repository.yaml|yml|json` in a working copy says. RepositoryError when there is none or it is malformed."""
    for suffix in SUFFIXES:
        content = _read(path, PurePosixPath(f"repository{suffix}"))
        if content is not None:
            try:
                return read_info(documents.parse(content, suffix))
            except ValueError as error:
                raise RepositoryError(f"repository{suffix} cannot be read: {error}") from error
    raise RepositoryError("It has no repository.yaml")


def _addon_folders(source: Source) -> Iterator[tuple[PurePosixPath, frozenset[str]]]:
    """Each manifest's path, and the names beside it; in a fixed order."""
    looked_at = 0
    for folder, folders, names in os.walk(source.path):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "rootfs")
        looked_at += len(folders) + len(names)
        if looked_at > ENTRY_LIMIT:
            _LOGGER.warning("Store %s has more than %d files; the rest is not read", source.slug, ENTRY_LIMIT)
            return
        present = frozenset((*names, *folders))
        for name in _CONFIGS:
            if name in present:
                yield PurePosixPath(os.path.relpath(folder, source.path), name), present


def _manifest(source: Source, path: PurePosixPath) -> AddonConfig | str:
    """The manifest, or why it is none."""
    content = _read(source.path, path)
    if content is None:
        return "it is no plain file in this repository"
    try:
        return AddonConfig.from_normalised(normalise(documents.parse(content, path.suffix)), repository=source.slug)
    except (ManifestError, ValueError) as error:
        return str(error)


def _repository(source: Source) -> StoreRepository:
    try:
        info = source.info or read_repository_file(source.path)
    except RepositoryError:
        info = RepositoryInfo(UNKNOWN)
    return StoreRepository(
        slug=source.slug,
        name=info.name,
        source=source.source,
        url=info.url or source.source,
        maintainer=info.maintainer or UNKNOWN,
    )


def _read(root: Path, path: PurePosixPath) -> bytes | None:
    return Folder(root).read(path, limit=documents.SIZE_LIMIT + 1)


def _translation(content: bytes, suffix: str) -> Mapping[str, Any] | None:
    try:
        return read_translation(documents.parse(content, suffix))
    except ValueError:
        return None
