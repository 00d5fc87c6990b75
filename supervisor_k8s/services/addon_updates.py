"""Updates of add-ons: the work of one, and those that nobody asks for, where the user wants that (`auto_update`).

Upstream's rules for the latter: not before the new manifest has lain in the store for a day, never across a version
that it calls breaking, and only when it takes the options that are stored. When the store was read anew is when there
may be something to do, so nothing is looked at in between. Upstream has Core make a backup first; there are none here
yet.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from supervisor_k8s.errors import BusyError, RefusedError
from supervisor_k8s.jobs import Jobs, Parts, Progress
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.intent import InstalledAddon, job_group
from supervisor_k8s.model.status import AddonState
from supervisor_k8s.model.versions import crossed
from supervisor_k8s.store.catalogue import Catalogue

_LOGGER = logging.getLogger(__name__)
LOOK, UPDATE = "tasks_update_apps", "addon_manager_update"
"""Upstream's: the look, by which its conditions are known, and the update, which Core follows."""
OLD_ENOUGH = 24 * 60 * 60.0
"""Seconds for which others have had a version."""
AGAIN_AFTER = 16 * 60 * 60.0
"""Seconds until a version that could not be had is tried again: upstream looks as often."""


class Judgement(Protocol):
    """Of options (services.addon_settings.Judgement)."""

    @property
    def fault(self) -> str: ...


class Update(Protocol):
    """The verb (services.addons.Addons.update)."""

    def __call__(self, slug: str, on_stage: Callable[[str], None], parts: Parts) -> Awaitable[None]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """What updates need of other services, as functions."""

    installed: Callable[[], Mapping[str, InstalledAddon]]
    catalogue: Callable[[], Catalogue]
    judged_by: Callable[[str, AddonConfig], Awaitable[Judgement]]
    """What another manifest of an installed add-on says of its options."""
    may: Callable[[str], Awaitable[None]]
    """Raises RefusedError when a job may not begin."""
    update: Update
    state: Callable[[str], AddonState]


class AddonUpdates:
    """Told by `look_soon` that the store was read; acts while `run` does."""

    def __init__(self, *, jobs: Jobs, neighbours: Neighbours, now: Callable[[], float] = time.time) -> None:
        self._jobs = jobs
        self._to = neighbours
        self._now = now
        self._wanted = asyncio.Event()
        self._failed: dict[str, tuple[str, float]] = {}
        """The version that an add-on could not be brought to, and when that was."""
        self._said: dict[str, tuple[str, str]] = {}
        """The version that an add-on is not brought to, and why: said once."""

    async def update(self, slug: str, progress: Progress) -> None:
        """Go to the store's version, as the work of a job. Errors are those of the verb."""
        await progress.child("app_update", slug, lambda job: self._to.update(slug, job.stage, job.part))
        if self._to.state(slug) is AddonState.STARTED:
            progress.stage("started")

    def look_soon(self) -> None:
        """There may be new versions."""
        self._wanted.set()

    async def run(self) -> None:
        """Update what is to be updated by itself, until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            await self.look()

    async def look(self) -> None:
        """Bring what may be to the store's version now, one after the other. A failure changes nothing for the others;
        what ran goes on running when the new image cannot be had.
        """
        # Among all of them each is looked up again only when there is something to do: there may be a thousand.
        due = [slug for slug, record in self._to.installed().items() if self._offer(record) and await self._due(slug)]
        if not due:
            return
        try:
            await self._to.may(LOOK)
        except RefusedError as refused:
            _LOGGER.info("No add-on is updated by itself now: %s", refused)
            return
        for slug in due:
            await self._jobs.idle(job_group(slug))
            if step := await self._due(slug):  # others took their time
                await self._try(slug, *step)

    async def _try(self, slug: str, installed: str, version: str) -> None:
        _LOGGER.info("Add-on %s is updated from %s to %s by itself", slug, installed, version)
        error = await self._jobs.attempt(UPDATE, slug, job_group(slug), lambda progress: self.update(slug, progress))
        if error is None:
            self._failed.pop(slug, None)
        elif isinstance(error, BusyError):
            _LOGGER.info("Add-on %s is busy: it is updated another time", slug)
        else:
            self._failed[slug] = version, self._now()
            _LOGGER.warning("Add-on %s could not be updated from %s to %s: %s", slug, installed, version, error)

    async def _due(self, slug: str) -> tuple[str, str] | None:
        """The installed version and the one to go to, where the user wants that and nothing speaks against it."""
        record = self._to.installed().get(slug)
        config = None if record is None else self._offer(record)
        if record is None or config is None:
            return None
        installed = record.user["version"]
        if hindrance := await self._hindrance(slug, installed, config):
            self._say(slug, config.version, hindrance)
            return None
        return installed, config.version

    def _offer(self, record: InstalledAddon) -> AddonConfig | None:
        """What the store has had for long enough, where the user wants it and has another one."""
        config = self._to.catalogue().addons.get(record.slug)
        if config is None or not record.user.get("auto_update") or config.version == record.user["version"]:
            return None
        return None if self._is_early(record.slug, config.version) else config

    def _say(self, slug: str, version: str, hindrance: str) -> None:
        if self._said.get(slug) != (version, hindrance):
            self._said[slug] = version, hindrance
            _LOGGER.warning("Add-on %s is not updated to %s by itself: %s", slug, version, hindrance)

    def _is_early(self, slug: str, version: str) -> bool:
        failed, when = self._failed.get(slug, ("", 0.0))
        if failed == version and self._now() - when < AGAIN_AFTER:
            return True
        return self._now() - self._to.catalogue().files[slug].written < OLD_ENOUGH

    async def _hindrance(self, slug: str, installed: str, config: AddonConfig) -> str:
        """What a person has to look at before; empty when there is nothing."""
        if bound := crossed(config.raw.get("breaking_versions", ()), installed, config.version):
            return f"its author says that version {bound} breaks something"
        judged = await self._to.judged_by(slug, config)
        return f"that version does not take its options ({judged.fault})" if judged.fault else ""
