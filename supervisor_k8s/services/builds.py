"""Images of add-ons that have none are built in the cluster and pushed to a registry, from which nodes pull them.

The add-on's folder goes to the builder by the shared volume, as one archive: clones lie on our private one.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from supervisor_k8s.errors import AddonBuildError, OneOffError, StorageError
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.build import Recipe, built_name, step, tagged
from supervisor_k8s.model.desired.build import ARCHIVE, FOLDER, PUSH, Builder, build_job, build_name, trial_pod
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.one_off import Ended
from supervisor_k8s.model.site import Site

_LOGGER = logging.getLogger(__name__)
TOLD = 20
"""Last lines of a failed build's log that the error has."""
DIGEST = "sha256:"


class Volume(Protocol):
    """The shared one (state.storage.SharedVolume); StorageError."""

    async def make_directories(self, paths: list[str]) -> None: ...
    async def write_private(self, path: str, content: bytes) -> None: ...
    async def remove_tree(self, path: str) -> None: ...


class Run(Protocol):
    """Has a Job done (services.one_offs.OneOffs.run)."""

    async def __call__(self, job: Manifest, /, *, hear: Callable[[str, str], None]) -> Ended: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Builds:
    """One for all add-ons; two builds of one add-on are never asked for at a time."""

    builder: Builder
    site: Callable[[], Site]
    source: Callable[[str, str], Awaitable[tuple[Recipe, bytes]]]
    """How an add-on of the store is built for an architecture, and its folder as an archive."""
    volume: Volume
    refusal: Callable[[Manifest], Awaitable[str | None]]
    """Why the cluster would not take an object."""
    run: Run
    keep: Callable[[str, bytes], Awaitable[None]]
    """Keeps the log of a failed build among the add-on's, by its slug."""

    async def build(self, config: AddonConfig, on_stage: Callable[[str], None]) -> str:
        """Build the store's version of the add-on; the image without tag, with its digest.

        AddonBuildError with the end of the builder's log; AddonDockerfileError, AddonBuildArchitectureError, and
        RefusedError for a folder that is too large; StorageError, ClusterError.
        """
        on_stage("preparing the build")
        site = self.site()
        recipe, archive = await self.source(config.slug, site.arch)
        name = built_name(config.slug, site.arch)
        job = build_job(config.slug, tagged(name, config.version), recipe, self.builder, site)
        if why := await self.refusal(trial_pod(job)):
            raise AddonBuildError(app=config.slug, reason=f"the cluster refuses the builder's pod: {why}")
        folder = f"{FOLDER}/{build_name(config.slug)}"
        await self.volume.make_directories([folder])
        try:
            await self.volume.write_private(f"{folder}/{ARCHIVE}", archive)
            ended = await self._run(config.slug, job, on_stage)
        finally:
            await self.volume.remove_tree(folder)
        return f"{site.build_registry}/{name}@{await self._digest(config.slug, ended)}"

    async def sweep(self) -> None:
        """Remove what an earlier process of ours left behind."""
        try:
            await self.volume.remove_tree(FOLDER)
        except StorageError as error:  # nothing that a start would have to wait for
            _LOGGER.warning("What earlier builds left is still there: %s", error)

    async def _run(self, slug: str, job: Manifest, on_stage: Callable[[str], None]) -> Ended:
        def hear(container: str, line: str) -> None:
            if container == PUSH:
                on_stage("pushing the image")
            elif stage := step(line):
                on_stage(stage)

        try:
            return await self.run(job, hear=hear)
        except OneOffError as error:
            raise AddonBuildError(app=slug, reason=str(error)) from error

    async def _digest(self, slug: str, ended: Ended) -> str:
        """The image's, as the registry knows it; whatever else came of the build is told, and kept."""
        if ended.exit_code == 0 and ended.message.startswith(DIGEST):
            return ended.message
        now = datetime.now(UTC).isoformat()
        lines = ended.output.splitlines()
        await self.keep(slug, "\n".join(f"{now} {line}" for line in lines).encode())
        what = "pushed" if ended.container == PUSH else "built"
        last = "\n".join(lines[-TOLD:])
        raise AddonBuildError(app=slug, reason=f"its image was not {what} (exit code {ended.exit_code}):\n{last}")
