"""The only writer to the cluster: server-side apply by one field manager, replace, delete, and two small patches.

What is not ours (another owner's object of the same name) is never touched. What cannot be changed is replaced:
deleted, waited for, made again.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from supervisor_k8s.cluster.cache import Cache, stripped
from supervisor_k8s.cluster.client import APPLY, JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, Client
from supervisor_k8s.cluster.kinds import KINDS, Kind, kind_of
from supervisor_k8s.errors import (
    ClusterConflictError,
    ClusterNotFoundError,
    ClusterRefusedError,
    ClusterUnavailableError,
)
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.naming import FIELD_MANAGER, GATE, owner_selector
from supervisor_k8s.model.status import Live, is_terminating, labels

GONE_WAIT = 330.0
"""Seconds until a deleted object must be gone: Core's grace period is 260."""
ANNOTATION_TOUCHED = "io.hass.touched"
ANNOTATION_RESTARTED = "kubectl.kubernetes.io/restartedAt"
"""On a pod template; what `kubectl rollout restart` sets, too."""
ROLLOUT_MANAGER = "supervisor-k8s-rollout"
"""Field manager of our changes to our own Deployment, which is not ours but the administrator's: whoever applies the
manifests with `--server-side` is told by this name who changed the image."""
IMMUTABLE = (
    "field is immutable",
    "may not change once set",
    "can not be unset",
    "updates to statefulset spec for fields other than",
)
"""What the API server says when only a new object can have the wanted value: selectors and Job templates; a Service
that becomes headless or stops to be; a StatefulSet's fixed fields. The status is 422 like for any invalid value, so the
words decide."""
ANOTHER_UID = "metadata.uid: Invalid value"
"""Said with status 422 when a patch names the UID of a former object of the same name (409 when there is none)."""
NEVER_VALID = "field not declared in schema"
"""Said with status 500 for an unknown field, although no further try can help."""


class Applier:
    """Writes to one namespace."""

    def __init__(self, *, client: Client, cache: Cache, namespace: str) -> None:
        self._client = client
        self._cache = cache
        self._namespace = namespace

    async def read(self, kind: str, name: str) -> Live | None:
        """The object by a request of its own; None when there is none."""
        return await self._read(KINDS[kind], name)

    async def apply(self, manifest: Manifest) -> Live:
        """Make the object what the manifest says, by server-side apply; the answer is in the cache when this returns.

        A manifest with `metadata.resourceVersion` is refused with ClusterConflictError when the object has changed.
        ClusterRefusedError: somebody else's object has this name, or the manifest is invalid.
        """
        kind, name = kind_of(manifest), manifest["metadata"]["name"]
        known = self._cache.get(kind.name, name) if kind.cached else None
        if known is None:
            known = await self._read_ours(kind, name)
        if known is not None and is_terminating(known):
            await self._gone(kind, known)
            known = None
        try:
            live = await self._patch_whole(kind, manifest, known)
        except ClusterConflictError:
            # The cache was behind: it is another object than the one we knew, or none.
            return await self._patch_whole(kind, manifest, await self._read_ours(kind, name))
        except ClusterRefusedError as error:
            if known is None or not kind.replaceable or not any(words in str(error) for words in IMMUTABLE):
                raise
            return await self._replace(kind, manifest, known)
        return await self._replace(kind, manifest, live) if _stays_headless(live, manifest) else live

    async def delete(self, live: Live) -> None:
        """Delete exactly this object (not a namesake made since); it is fine when it is gone already. Does not wait.

        ClusterConflictError: the name belongs to another object by now.
        """
        kind, name = kind_of(live), live["metadata"]["name"]
        _check_ours(kind, live)
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Foreground" if kind.owns_pods else "Background",
            "preconditions": {"uid": live["metadata"]["uid"]},
        }
        try:
            answer = await self._client.request("DELETE", kind.path(self._namespace, name), body=options)
        except ClusterNotFoundError:
            return
        # With finalizers or a grace period the answer is the object, which now ends; else it may be a Status. One that
        # the kubelet ended at the same moment comes without a version: the watch tells of its end.
        if answer.get("kind") == kind.name and is_terminating(answer) and "resourceVersion" in answer["metadata"]:
            self._keep(kind, answer)

    async def lift_gate(self, pod: Live) -> None:
        """Let this pod be scheduled; nothing happens when it has no gate of ours or is gone.

        ClusterConflictError: the pod has changed since it was seen.
        """
        gates = [gate["name"] for gate in pod["spec"].get("schedulingGates", ())]
        if GATE not in gates:
            return
        at = f"/spec/schedulingGates/{gates.index(GATE)}"
        steps = [
            {"op": "test", "path": "/metadata/uid", "value": pod["metadata"]["uid"]},
            {"op": "test", "path": f"{at}/name", "value": GATE},
            {"op": "remove", "path": at},
        ]
        try:
            await self._patch(KINDS["Pod"], pod["metadata"]["name"], steps, content_type=JSON_PATCH)
        except ClusterNotFoundError:
            return
        except ClusterRefusedError as error:
            # A failed test of a JSON patch is 422.
            raise ClusterConflictError(str(error)) from error

    async def touch(self, pod: Live) -> None:
        """Change an annotation, so that the kubelet refreshes the pod's ConfigMap volumes now and not in a minute."""
        change = {"uid": pod["metadata"]["uid"], "annotations": {ANNOTATION_TOUCHED: str(time.time_ns())}}
        try:
            await self._patch(KINDS["Pod"], pod["metadata"]["name"], {"metadata": change}, content_type=MERGE_PATCH)
        except ClusterNotFoundError:
            return

    async def roll_out(self, name: str, *, images: Mapping[str, str]) -> None:
        """Have the pods of a Deployment that need not be ours made anew, with these images by container name."""
        restarted = {ANNOTATION_RESTARTED: datetime.now(UTC).isoformat(timespec="microseconds")}
        template: dict[str, Any] = {"metadata": {"annotations": restarted}}
        if images:
            template["spec"] = {"containers": [{"name": name, "image": image} for name, image in images.items()]}
        await self._client.request(
            "PATCH",
            KINDS["Deployment"].path(self._namespace, name),
            query={"fieldManager": ROLLOUT_MANAGER, "fieldValidation": "Strict"},
            body={"spec": {"template": template}},
            content_type=STRATEGIC_PATCH,
        )

    # ---------------------------------------------------------------------------------------------------------------

    async def _read(self, kind: Kind, name: str) -> Live | None:
        try:
            return stripped(await self._client.request("GET", kind.path(self._namespace, name)))
        except ClusterNotFoundError:
            return None

    async def _read_ours(self, kind: Kind, name: str) -> Live | None:
        live = await self._read(kind, name)
        if live is not None:
            _check_ours(kind, live)
        return live

    async def _replace(self, kind: Kind, manifest: Manifest, known: Live) -> Live:
        await self.delete(known)
        await self._gone(kind, known)
        return await self._patch_whole(kind, manifest, None)

    async def _patch_whole(self, kind: Kind, manifest: Manifest, known: Live | None) -> Live:
        body = dict(manifest)
        if known is not None:
            # With the UID the API server changes this object or none: not a namesake that somebody made meanwhile.
            body["metadata"] = {**manifest["metadata"], "uid": known["metadata"]["uid"]}
        query = {"fieldManager": FIELD_MANAGER, "force": "true", "fieldValidation": "Strict"}
        try:
            return await self._patch(kind, manifest["metadata"]["name"], body, content_type=APPLY, query=query)
        except ClusterUnavailableError as error:
            if NEVER_VALID in str(error):
                raise ClusterRefusedError(str(error)) from error
            raise

    async def _patch(
        self, kind: Kind, name: str, body: Any, *, content_type: str, query: Mapping[str, str] | None = None
    ) -> Live:
        path, query = kind.path(self._namespace, name), query or {"fieldManager": FIELD_MANAGER}
        try:
            answer = await self._client.request("PATCH", path, query=query, body=body, content_type=content_type)
        except ClusterRefusedError as error:
            if ANOTHER_UID in str(error):
                raise ClusterConflictError(str(error)) from error
            raise
        return self._keep(kind, answer)

    def _keep(self, kind: Kind, answer: dict[str, Any]) -> Live:
        live = stripped(answer)
        if kind.cached:
            self._cache.merge(kind, live)
        return live

    async def _gone(self, kind: Kind, live: Live) -> None:
        name, uid = live["metadata"]["name"], live["metadata"]["uid"]

        def gone() -> bool | None:
            now = self._cache.get(kind.name, name)
            return True if now is None or now["metadata"]["uid"] != uid else None

        await self._cache.until(gone, within=GONE_WAIT)


def _stays_headless(live: Live, manifest: Manifest) -> bool:
    """A Service that is to get an address is answered with 200, and keeps having none."""
    wanted, given = (item.get("spec", {}).get("clusterIP") for item in (manifest, live))
    return bool(live["kind"] == "Service" and given == "None" and wanted != "None")


def _check_ours(kind: Kind, live: Live) -> None:
    if not owner_selector().items() <= labels(live).items():
        name = live["metadata"]["name"]
        label = ", ".join(f"{key}={value}" for key, value in owner_selector().items())
        raise ClusterRefusedError(
            f"{kind.name} {name} exists and is not ours (it has no label {label}): it is left alone. "
            "Rename or delete it, or use a namespace of its own for Home Assistant."
        )
