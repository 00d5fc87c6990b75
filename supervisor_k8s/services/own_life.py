"""Our own life as others ask for it: a restart, and an update to another version.

Both are rollouts of our Deployment, as `kubectl` makes them, so that whoever looks there sees what happened. An update
goes to versions of our own channel file only, and only after the new version has looked at this installation and found
that it can take over: settings, state, rights. Until then nothing is changed. From then on nobody of ours is there to
take it back: a version that does not come up all the same is undone by a person (README), and remembered as such.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from supervisor_k8s.errors import ClusterError, OwnUpdateError, RefusedError, SupervisorError
from supervisor_k8s.model.desired.self_check import own_container, self_check_job, with_version
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.issue import Cause, Context, Fault
from supervisor_k8s.model.one_off import Ended
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import Live
from supervisor_k8s.model.versions import is_newer

_LOGGER = logging.getLogger(__name__)
FAILED = Fault(Cause.UPDATE_FAILED, Context.SUPERVISOR)
UNDONE = Fault(Cause.UPDATE_ROLLBACK, Context.SUPERVISOR)
LAST_LINES = 20
"""Of a failed self-check's output that are told."""


class Stage(Protocol):
    """Our process (house.Stage)."""

    async def stop(self) -> None:
        """Begin our end."""


class Issues(Protocol):
    """Raises and withdraws issues (services.resolution)."""

    def report(self, fault: Fault) -> object: ...

    def settle(self, fault: Fault) -> None: ...


class Rollouts(Protocol):
    """What this needs of the cluster."""

    async def read(self, kind: str, name: str) -> Live | None: ...

    async def roll_out(self, name: str, *, images: Mapping[str, str]) -> None:
        """Have a Deployment's pods made anew, with these images by container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnLife:
    """`deployment` is our own, `node` where we run; `latest` is the channel's version; `run` has a Job done;
    `went_to` is the version that the last update went to, as `note` keeps it.
    """

    cluster: Rollouts
    deployment: str
    node: str
    site: Site
    version: str
    latest: Callable[[], str | None]
    stage: Stage
    run: Callable[[Manifest], Awaitable[Ended]]
    resolution: Issues
    went_to: Callable[[], str | None]
    note: Callable[[str | None], Awaitable[None]]

    @property
    def undone(self) -> str | None:
        """The version that we were updated to, and are not: somebody went back."""
        version = self.went_to()
        return version if is_newer(version, self.version) else None

    @property
    def outdated(self) -> bool:
        """Whether we should be updated before anything else is; to a version that was undone nobody has to go."""
        latest, is_update = self.offered()
        return is_update and latest != self.undone

    def look_back(self) -> None:
        """At our start: that an update was undone is an issue until the next one."""
        if self.undone:
            self.resolution.report(UNDONE)

    def offered(self) -> tuple[str, bool]:
        """The newest version, and whether it is an update."""
        latest = self.latest()
        return latest or self.version, is_newer(latest, self.version)

    async def restart(self) -> None:
        """Begin it, and return."""
        try:
            await self.cluster.roll_out(self.deployment, images={})
        except ClusterError as error:
            # No Deployment of this name, or no API server: the kubelet starts a program that ends, too.
            _LOGGER.warning("Our Deployment cannot be rolled out, this process ends instead: %s", error)
        await self.stage.stop()

    async def update(self, on_stage: Callable[[str], None]) -> None:
        """Go to the channel's version. Returns when the rollout has begun, which ends us.

        RefusedError without an update: never a success then, for today's Core asks for one while it is not onboarded
        and then waits for our new version for ever. OwnUpdateError when the new version cannot take over.
        """
        latest, is_update = self.offered()
        if not is_update:
            raise RefusedError(f"No supervisor update available - {self.version}")
        for earlier in (FAILED, UNDONE):  # this one is told anew if it ends like it
            self.resolution.settle(earlier)
        try:
            await self._update(latest, on_stage)
        except SupervisorError as error:
            self.resolution.report(FAILED)
            raise OwnUpdateError(f"Update of Supervisor failed: {error}") from error

    async def _update(self, version: str, on_stage: Callable[[str], None]) -> None:
        deployment = await self.cluster.read("Deployment", self.deployment)
        if deployment is None:
            raise OwnUpdateError(f"there is no Deployment {self.deployment} in namespace {self.site.namespace}")
        image = with_version(own_container(deployment)["image"], version)
        _LOGGER.info("Update of the Supervisor to %s: it looks at this installation first", image)
        on_stage("check")
        ended = await self.run(self_check_job(deployment, image, node=self.node, site=self.site))
        if ended.exit_code:
            said = "\n".join(ended.output.strip().splitlines()[-LAST_LINES:])
            raise OwnUpdateError(f"version {version} cannot take over this installation: {said}")
        on_stage("rollout")
        before = self.went_to()
        await self.note(version)  # afterwards there may be no time for it
        try:
            await self.cluster.roll_out(self.deployment, images={own_container(deployment)["name"]: image})
        except ClusterError:
            await self.note(before)
            raise
