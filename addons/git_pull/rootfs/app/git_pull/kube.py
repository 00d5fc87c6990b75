"""The Kubernetes API, as far as a restart of one workload needs it: get and update, with the pod's own account."""

import ssl
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp

from git_pull.errors import HomeError, OptionsError, RestartError
from git_pull.rest import AnswerError, Rest
from git_pull.wait import until

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
RESTARTED_AT = "kubectl.kubernetes.io/restartedAt"
DEPLOYMENTS, STATEFUL_SETS = "deployments", "statefulsets"
_ATTEMPTS = 10

type Live = Mapping[str, Any]


def in_cluster(session: aiohttp.ClientSession, environment: Mapping[str, str], *, account: Path = ACCOUNT) -> Rest:
    """OptionsError outside of a pod, or without an account."""
    host, port = (environment.get(f"KUBERNETES_SERVICE_{part}", "") for part in ("HOST", "PORT"))
    token = account / "token"
    if not host or not token.exists():
        raise OptionsError("A restart needs a pod with a service account; the option --auto-restart=false does without")
    address = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    trust = ssl.create_default_context(cafile=account / "ca.crt")
    # The kubelet replaces the token before it is too old.
    return Rest(session=session, address=address, token=lambda: token.read_text().strip(), trust=trust)


class Workload:
    """A Deployment or a StatefulSet."""

    def __init__(self, *, rest: Rest, namespace: str, kind: str, name: str, now: Callable[[], datetime]) -> None:
        self._rest = rest
        self._kind = kind
        self._name = f"{kind}/{name}"
        self._path = f"/apis/apps/v1/namespaces/{namespace}/{kind}/{name}"
        self._now = now

    async def restart(self, *, within: float) -> None:
        """Answers when pods of a new start, and no others, are ready. HomeError: nothing was done. RestartError."""
        await self._begin()
        try:
            # The rights that we ask for allow no watch.
            await until(self._is_done, within=within)
        except TimeoutError as error:
            raise RestartError(f"{self._name} was restarted and is not ready within {within:.0f} s") from error

    async def _begin(self) -> None:
        """As `kubectl rollout restart` does it; others may write the object at the same time."""
        for _ in range(_ATTEMPTS):
            live = await self._rest.ask("GET", self._path)
            _refuse_what_has_no_effect(self._name, live)
            template = live["spec"]["template"]
            annotations = template.setdefault("metadata", {}).get("annotations") or {}
            template["metadata"]["annotations"] = {**annotations, RESTARTED_AT: f"{self._now():%Y-%m-%dT%H:%M:%SZ}"}
            try:
                await self._rest.ask("PUT", self._path, live)
            except AnswerError as error:
                if error.status != HTTPStatus.CONFLICT:
                    raise
            else:
                return
        raise HomeError(f"{self._name} is changed by others all the time")

    async def _is_done(self) -> bool:
        """A request that fails says nothing: the API server may be away for a moment."""
        try:
            return rolled_out(self._kind, await self._rest.ask("GET", self._path))
        except HomeError:
            return False


def _refuse_what_has_no_effect(name: str, live: Live) -> None:
    """HomeError."""
    if live["spec"].get("replicas", 1) == 0:
        raise HomeError(f"{name} is scaled to 0, so it is not restarted")
    if live["spec"].get("updateStrategy", {}).get("type") == "OnDelete":
        raise HomeError(f"{name} has the update strategy OnDelete: only who deletes its pods restarts it")


def rolled_out(kind: str, live: Live) -> bool:
    """Whether all pods are ready and of the newest template, as `kubectl rollout status` sees it."""
    wanted, status = live["spec"].get("replicas", 1), live.get("status", {})
    if status.get("observedGeneration", 0) < live["metadata"]["generation"]:
        return False
    if kind == STATEFUL_SETS:
        return bool(
            status.get("readyReplicas", 0) >= wanted and status.get("currentRevision") == status.get("updateRevision")
        )
    updated = status.get("updatedReplicas", 0)
    return bool(
        updated >= wanted and status.get("replicas", 0) == updated and status.get("availableReplicas", 0) >= updated
    )
