"""Home Assistant at a public address that the Supervisor makes, where the settings ask for it: the objects, and whether
they and the certificate are as they need to be.
"""

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Protocol

from supervisor_k8s.cluster import routes
from supervisor_k8s.cluster.routes import Routes
from supervisor_k8s.errors import ClusterRefusedError
from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.public_route import PublicChoice, public_objects, unset
from supervisor_k8s.model.intent import PUBLIC_KEY
from supervisor_k8s.model.issue import Cause, Faults
from supervisor_k8s.model.plan import Workload
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import Live
from supervisor_k8s.remote.certificates import utc_now, why_unfit


class Cluster(routes.Cluster, Protocol):
    """What is needed of the cluster (cluster.cluster.Cluster)."""

    async def read(self, kind: str, name: str) -> Live | None:
        """By a request of its own: the Secret is not ours. ClusterRefusedError, ClusterUnavailableError."""


class PublicRoute:
    """The Gateway and its routes."""

    def __init__(  # noqa: PLR0913 - its place in the house, keyword-only
        self,
        *,
        cluster: Cluster,
        choice: PublicChoice,
        site: Site,
        converge: Callable[[str], Awaitable[None]],
        poke: Callable[[str], None],
        faults: Callable[[], Faults],
        clock: Callable[[], datetime] = utc_now,
        patience: float = routes.PATIENCE,
        again: float = routes.AGAIN,
    ) -> None:
        self._cluster = cluster
        self._choice = choice
        self._poke = poke
        self._clock = clock
        self._routes = Routes(
            cluster=cluster,
            workload_type=naming.TYPE_PUBLIC,
            cause=Cause.PUBLIC_ROUTE,
            wanted=lambda: public_objects(choice, site),
            converge=lambda: converge(PUBLIC_KEY),
            beside=self._beside,
            faults=faults,
            patience=patience,
            again=again,
        )

    def workload(self) -> Workload:
        """What the cluster is to hold."""
        labels = {naming.LABEL_TYPE: naming.TYPE_PUBLIC}
        return Workload(key=PUBLIC_KEY, labels=labels, objects=self._routes.servable(), running=False)

    def on_change(self, kind: str, old: Live | None, new: Live | None) -> None:
        """Listener of the watch cache."""
        self._routes.on_change(kind, old, new)

    def on_serving(self) -> None:
        """The cluster begins or ceases to serve the kinds."""
        self._poke(PUBLIC_KEY)
        self._routes.look()

    async def run(self) -> None:
        """Tell of what does not work, for as long as we run; at once over where nothing is wanted."""
        if self._choice.wanted:
            await self._routes.run()

    # -----------------------------------------------------------------------------------------------------------

    async def _beside(self) -> Mapping[str, str]:
        """Settings that are missing, and what is wrong with the certificate. ClusterUnavailableError."""
        if missing := unset(self._choice):
            return {"SUPERVISOR_K8S_MANAGE_PUBLIC_GATEWAY": f"it also needs {' and '.join(missing)}"}
        name = self._choice.secret or ""
        try:
            words = self._why_unfit(await self._cluster.read("Secret", name))
        except ClusterRefusedError as error:
            words = str(error)
        return {f"Secret {name}": words} if words else {}

    def _why_unfit(self, secret: Live | None) -> str | None:
        if secret is None:
            return "it does not exist; it is to hold the certificate"
        data: Mapping[str, str] = secret.get("data") or {}
        if not {"tls.crt", "tls.key"} <= data.keys():
            return "it does not have tls.crt and tls.key"
        try:
            certificate = base64.b64decode(data["tls.crt"], validate=True)
        except binascii.Error:
            return "its tls.crt cannot be read"
        return why_unfit(certificate, self._choice.hostname, self._clock())
