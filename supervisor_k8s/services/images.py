"""Images are brought to a node ahead of a start, as part of the install's job, so that a start is quick.

The stages are what the cluster really reports: scheduled, pulling, pulled. Progress in per cent is not known and
therefore not invented.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection

from supervisor_k8s.errors import ImagePullError, TookTooLongError
from supervisor_k8s.events import Signal
from supervisor_k8s.model.desired.pull import TYPE_PULL, pull_labels, pull_name, pull_pod
from supervisor_k8s.model.image_pull import pull_error
from supervisor_k8s.model.naming import LABEL_TYPE
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import PullState, observe_pull
from supervisor_k8s.reconcile import Cluster

REMOVAL = 30.0
"""Seconds until a pull pod of an earlier process must be gone."""


class Images:
    """Pulls images through the cluster's own nodes."""

    def __init__(self, *, cluster: Cluster, site: Site, logins: Callable[[], Collection[str]], timeout: float) -> None:
        """`logins` are the registries with a login, `timeout` is in seconds, for one whole pull."""
        self._cluster = cluster
        self._site = site
        self._logins = logins
        self._timeout = timeout
        self.ended: Signal[tuple[str, ImagePullError | None]] = Signal()
        """An image is there, or why it will not come."""
        self._pulling: dict[str, asyncio.Lock] = {}

    async def pull(self, image: str, on_stage: Callable[[str], None]) -> None:
        """Have `image` (with tag) on a node. ImagePullError with the runtime's own reason when that fails for good.

        Two pulls of one image follow one another: they would share one pod, and the second is quick then.
        """
        async with self._pulling.setdefault(image, asyncio.Lock()), self._pod(image):
            stage = ""

            def settled() -> PullState | None:
                nonlocal stage
                state = observe_pull(self._cluster.select("Pod", pull_labels(image)))
                if state.stage != stage:
                    stage = state.stage
                    on_stage(stage)
                return state if state.done else None

            try:
                state = await self._cluster.until(settled, within=self._timeout)
            except TookTooLongError:
                reason = f"not there after {self._timeout:.0f} seconds (stage: {stage or 'waiting for the cluster'})"
                raise ImagePullError(image=image, reason=reason) from None
            error = pull_error(image, state.failure, self._logins()) if state.failure else None
            self.ended((image, error))
            if error is not None:
                raise error

    async def sweep(self) -> None:
        """Remove the pull pods that an earlier process of ours left behind."""
        for pod in self._cluster.select("Pod", {LABEL_TYPE: TYPE_PULL}):
            await self._cluster.delete(pod)

    @contextlib.asynccontextmanager
    async def _pod(self, image: str) -> AsyncIterator[None]:
        await self._remove(image)
        await self._cluster.apply(pull_pod(image, self._site))
        try:
            yield
        finally:
            await self._remove(image)

    async def _remove(self, image: str) -> None:
        pod = self._cluster.get("Pod", pull_name(image))
        if pod is None:
            return
        await self._cluster.delete(pod)
        await self._cluster.until(lambda: self._cluster.get("Pod", pull_name(image)) is None or None, within=REMOVAL)
