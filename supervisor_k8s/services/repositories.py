"""The store: which repositories there are, and the current catalogue of what they offer.

Clones lie on the state volume and not on the shared one: git runs there as root and obeys what it finds in a clone's
`.git`, so nobody else may be able to write it. Only the `local` folder, where users put add-ons of their own, is on the
shared volume; it is read and never written. Add-ons of our own come with our image and need no network.
"""

import asyncio
import itertools
import logging
import shutil
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from supervisor_k8s.errors import (
    LocalRepositoryError,
    RefusedError,
    RepositoryAlreadyAddedError,
    RepositoryError,
    RepositoryNotFoundError,
    StoreAddonNotFoundError,
)
from supervisor_k8s.events import Signal
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.build import Recipe
from supervisor_k8s.model.repository import LOCAL, RepositoryInfo, parse_url, slug_of
from supervisor_k8s.state.records import Records
from supervisor_k8s.store.build_source import build_source
from supervisor_k8s.store.catalogue import (
    AddonFiles,
    Catalogue,
    CatalogueReader,
    Source,
    StoreRepository,
    read_repository_file,
)
from supervisor_k8s.store.git import Git, redact

_LOGGER = logging.getLogger(__name__)
REFRESH_EVERY = 3 * 3600.0
"""Seconds between two refreshes: upstream's."""
RETRY_FIRST = 30.0
"""Seconds after which a refresh that reached nobody is tried again; doubled each time up to REFRESH_EVERY."""
IMAGE_LIMIT = 2 * 1024 * 1024
TEXT_LIMIT = 1024 * 1024
_AT_ONCE = 4
CORE = "core"
SHIPPED = "k8s"
"""Add-ons that come with our image."""
FIXED = {
    LOCAL: RepositoryInfo("Local apps", "https://home-assistant.io/hassio", "you"),
    CORE: RepositoryInfo("Official apps", "https://home-assistant.io/addons", "Home Assistant"),
    SHIPPED: RepositoryInfo(
        "Supervisor for Kubernetes", "https://github.com/supervisor-k8s/supervisor", "supervisor-k8s"
    ),
}
"""These have no `repository.yaml` that counts; names as upstream's."""


class Repositories:
    """Adds, removes and refreshes repositories; answers from the catalogue in memory.

    `reloaded` is raised with the slugs of the repositories whose offer changed.
    """

    def __init__(
        self,
        *,
        built_in: Mapping[str, str],
        records: Records,
        git: Git,
        clones: Path,
        folders: Mapping[str, Path],
    ) -> None:
        """`built_in` is the setting: slug to address. `clones` is our directory for working copies. `folders` are
        read as they are: the user's `local` on the shared volume, and `k8s` with the add-ons that come with us.
        """
        self._built_in = built_in
        self._records = records
        self._git = git
        self._clones = clones
        self._folders = folders
        self._reader = CatalogueReader()
        self.catalogue = Catalogue()
        self.read: Signal[Catalogue] = Signal()
        """Everything on the disk was read, whether anything of it changed or not."""
        self.reloaded: Signal[tuple[str, ...]] = Signal()
        self._failures: dict[str, str] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._reading = asyncio.Lock()
        self._reloading = asyncio.Lock()
        self._clock = itertools.count(1)
        self._covered = 0

    # --- life ------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Come up with what is on the disk; no network is needed."""
        await self._read()
        _LOGGER.info(
            "Store: %d add-ons of %d repositories are on the disk",
            len(self.catalogue.addons),
            len(self.catalogue.repositories),
        )

    async def run(self) -> None:
        """Refresh now and every three hours, sooner while no repository can be reached. Ends by cancellation."""
        retry = RETRY_FIRST
        while True:
            await self.reload()
            wait = REFRESH_EVERY if self.reachable else min(retry, REFRESH_EVERY)
            retry = RETRY_FIRST if self.reachable else retry * 2
            await asyncio.sleep(wait)

    @property
    def failures(self) -> Mapping[str, str]:
        """Why the last refresh did not reach a repository, by its slug; empty when all is well."""
        return self._failures

    @property
    def reachable(self) -> bool:
        """False when the last refresh reached no repository at all."""
        remote = set(self._addresses())
        return not remote or bool(remote - set(self._failures))

    # --- reading ---------------------------------------------------------------------------------------------

    def list(self) -> Sequence[StoreRepository]:
        return tuple(self.catalogue.repositories.values())

    def get(self, slug: str) -> StoreRepository:
        """RepositoryNotFoundError when it is not configured."""
        if slug not in self.catalogue.repositories:
            raise RepositoryNotFoundError(repository=slug)
        return self.catalogue.repositories[slug]

    def has(self, slug: str) -> bool:
        """Whether the store offers this add-on."""
        return slug in self.catalogue.addons

    def addon(self, slug: str) -> AddonConfig:
        """The newest manifest. StoreAddonNotFoundError when no repository has it (any more)."""
        if slug not in self.catalogue.addons:
            raise StoreAddonNotFoundError(app=slug)
        return self.catalogue.addons[slug]

    def has_file(self, slug: str, name: str) -> bool:
        """Whether `icon.png`, `logo.png`, `CHANGELOG.md`, `DOCS.md` or another file lies beside the manifest."""
        return self._beside(slug, name) is not None

    async def icon(self, slug: str) -> bytes:
        """PNG; RefusedError when there is none, StoreAddonNotFoundError for an unknown add-on."""
        return await self._image(slug, "icon")

    async def logo(self, slug: str) -> bytes:
        """As `icon`."""
        return await self._image(slug, "logo")

    async def changelog(self, slug: str) -> str:
        """The text, or a sentence why there is none: the frontend cannot show an error here."""
        return await self._text(slug, "CHANGELOG.md") or self._absent(slug, "changelog")

    async def documentation(self, slug: str) -> str:
        """As `changelog`."""
        return await self._text(slug, "DOCS.md") or self._absent(slug, "documentation")

    async def readme(self, slug: str) -> str | None:
        """README.md, which the store shows as long description; None when there is none."""
        return await self._text(slug, "README.md")

    async def translations(self, slug: str) -> Mapping[str, Mapping[str, Any]]:
        """Language to `{"configuration": …, "network": …}`; empty for an unknown add-on."""
        files = self._beside(slug, "translations")
        return {} if files is None else await asyncio.to_thread(files.translations)

    async def build_source(self, slug: str, arch: str) -> tuple[Recipe, bytes]:
        """As store.build_source; StoreAddonNotFoundError, too."""
        config = self.addon(slug)
        return await asyncio.to_thread(build_source, config, self.catalogue.files[slug], arch)

    # --- changing --------------------------------------------------------------------------------------------

    async def reload(self) -> None:
        """Refresh all repositories. One that fails is logged once and keeps its old state.

        Calls made while a refresh runs share the next one.
        """
        asked = next(self._clock)
        async with self._reloading:
            if self._covered > asked:
                return
            begun = next(self._clock)
            await self._refresh()
            self._covered = begun

    async def add(self, url: str) -> None:
        """Clone and remember the repository at `<url>[#<branch>]`.

        RepositoryAlreadyAddedError when it is there; RepositoryError when it cannot be cloned or is no store
        repository: nothing has changed then.
        """
        slug = self._slug(url)
        if slug in self._sources():
            raise RepositoryAlreadyAddedError(url=redact(url))
        path = self._clones / slug
        async with self._lock(slug):
            if slug in self._sources():
                raise RepositoryAlreadyAddedError(url=redact(url))
            try:
                await self._git.clone(path, parse_url(url))
                await asyncio.to_thread(read_repository_file, path)
                await self._records.save_repositories((*self._records.repositories, url))
            except RepositoryError as error:
                await _remove(path)
                raise RepositoryError(redact(f"{url} cannot be added: {error}")) from error
        await self._read_and_tell([slug])

    async def remove(self, slug: str) -> None:
        """Forget a repository. RefusedError when it is built in or an installed add-on comes from it."""
        repository = self.get(slug)
        if slug in self._folders or slug in self._built_in:
            raise RefusedError("Can't remove built-in repositories!")
        if any(record.system.get("repository") == slug for record in self._records.addons.values()):
            raise RefusedError(f"Can't remove '{repository.source}'. It's used by installed apps")
        async with self._lock(slug):
            kept = tuple(url for url in self._records.repositories if self._slug(url) != slug)
            await self._records.save_repositories(kept)
            self._failures.pop(slug, None)
            await _remove(self._clones / slug)
        await self._read_and_tell([slug])

    async def repair(self, slug: str) -> None:
        """Clone a repository anew. RepositoryError when that fails: the old working copy is still there then."""
        self.get(slug)
        if slug not in self._addresses():
            raise LocalRepositoryError(local_repo=slug)
        async with self._lock(slug):
            await self._git.clone(self._clones / slug, parse_url(self._addresses()[slug]))
            self._failures.pop(slug, None)
        await self._read_and_tell([slug])

    async def replace(self, urls: Iterable[str]) -> None:
        """Make `urls` the custom repositories, as `addons_repositories` of the old API asks. The first error is raised
        after everything else was done.
        """
        wanted = {self._slug(url): url for url in urls}
        shown = {redact(url): self._slug(url) for url in self._records.repositories}
        kept = {shown.get(url, slug) for slug, url in wanted.items()}
        errors: list[RefusedError | RepositoryAlreadyAddedError] = []
        for slug in [self._slug(url) for url in self._records.repositories]:
            if slug not in kept:
                await _collect(self.remove, slug, errors)
        for slug in kept - set(self._sources()):
            await _collect(self.add, wanted[slug], errors)
        if errors:
            raise errors[0]

    # --- steps -----------------------------------------------------------------------------------------------

    def _addresses(self) -> dict[str, str]:
        """Slug to `<url>[#<branch>]` of everything that git fetches."""
        return {**self._built_in, **{slug_of(url): url for url in self._records.repositories}}

    def _sources(self) -> dict[str, Source]:
        sources = {slug: Source(slug, slug, path, FIXED[slug]) for slug, path in self._folders.items()}
        for slug, url in self._addresses().items():
            shown = CORE if slug == CORE else redact(url)
            sources[slug] = Source(slug, shown, self._clones / slug, FIXED.get(slug))
        return sources

    def _slug(self, url: str) -> str:
        """Built-in repositories are recognised by their slug and by their address."""
        if url in self._folders or url in self._built_in:
            return url
        return next((slug for slug, address in self._built_in.items() if address == url), slug_of(url))

    def _lock(self, slug: str) -> asyncio.Lock:
        return self._locks.setdefault(slug, asyncio.Lock())

    async def _refresh(self) -> None:
        gate = asyncio.Semaphore(_AT_ONCE)
        before = self.catalogue
        async with asyncio.TaskGroup() as group:
            tasks = {slug: group.create_task(self._update(slug, url, gate)) for slug, url in self._addresses().items()}
        changed = {slug for slug, task in tasks.items() if task.result()}
        await self._read()
        if _offer(before, LOCAL) != _offer(self.catalogue, LOCAL):
            changed.add(LOCAL)
        if changed:
            self.reloaded(tuple(sorted(changed)))

    async def _update(self, slug: str, url: str, gate: asyncio.Semaphore) -> bool:
        async with gate, self._lock(slug):
            if slug not in self._addresses():
                return False
            try:
                changed = await self._git.update(self._clones / slug, parse_url(url))
            except RepositoryError as error:
                self._note_failure(slug, url, str(error))
                return False
        if self._failures.pop(slug, None):
            _LOGGER.info("Store %s can be refreshed again", slug)
        return changed

    def _note_failure(self, slug: str, url: str, reason: str) -> None:
        if self._failures.get(slug) != reason:
            state = "what is on the disk stays" if _offer(self.catalogue, slug) else "it is empty so far"
            _LOGGER.warning("Store %s (%s) cannot be refreshed, %s: %s", slug, redact(url), state, reason)
        self._failures[slug] = reason

    async def _read_and_tell(self, changed: Sequence[str]) -> None:
        await self._read()
        self.reloaded(tuple(changed))

    async def _read(self) -> None:
        async with self._reading:
            self.catalogue = await asyncio.to_thread(self._reader.read, tuple(self._sources().values()))
        self.read(self.catalogue)

    async def _image(self, slug: str, kind: str) -> bytes:
        self.addon(slug)
        content = await self._file(slug, f"{kind}.png", IMAGE_LIMIT + 1)
        if not content or len(content) > IMAGE_LIMIT:
            raise RefusedError(f"No {kind} found for app {slug}!")
        return content

    async def _text(self, slug: str, name: str) -> str | None:
        content = await self._file(slug, name, TEXT_LIMIT)
        return None if content is None else content.decode(errors="replace")

    async def _file(self, slug: str, name: str, limit: int) -> bytes | None:
        files = self._beside(slug, name)
        return None if files is None else await asyncio.to_thread(files.read, name, limit=limit)

    def _beside(self, slug: str, name: str) -> AddonFiles | None:
        """The add-on's files, when this one is among them."""
        files = self.catalogue.files.get(slug)
        return files if files is not None and name in files.names else None

    def _absent(self, slug: str, kind: str) -> str:
        return f"No {kind} found for app {slug}!" if self.has(slug) else str(StoreAddonNotFoundError(app=slug))


def _offer(catalogue: Catalogue, repository: str) -> Mapping[str, AddonConfig]:
    return {slug: addon for slug, addon in catalogue.addons.items() if addon.repository == repository}


async def _collect(
    act: Callable[[str], Awaitable[None]], value: str, errors: list[RefusedError | RepositoryAlreadyAddedError]
) -> None:
    try:
        await act(value)
    except (RefusedError, RepositoryAlreadyAddedError) as error:
        errors.append(error)


async def _remove(path: Path) -> None:
    await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
