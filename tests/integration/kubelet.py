"""A kubelet that runs nothing: pods of one namespace get a node, statuses and an end, as a real node would give them.

It knows what the API server cannot promise: what runs at each moment. Two pods of one add-on that run at the same time
are written down in `faults`, with the moment's circumstances.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from supervisor_k8s.cluster.client import MERGE_PATCH, Client
from supervisor_k8s.errors import ClusterConflictError, ClusterError, ClusterNotFoundError
from supervisor_k8s.model.naming import ADDON_CONTAINER, HOLD_CONTAINER, LABEL_ADDON, LABEL_TYPE

HEARTBEAT = 10.0
"""Seconds; the node controller gives a silent node 50 before it touches its pods."""
AWAY = 0.2
"""Seconds between tries while there is no API server."""
PULL = "image-pull"
ABSENT_IMAGE = "nowhere.test/"
"""Images below this name are in no registry."""

type Pod = Mapping[str, Any]


@dataclass(slots=True)
class _Known:
    """A pod as last seen, and what was done for it."""

    pod: Pod
    task: asyncio.Task[None]
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def dying(self) -> bool:
        return "deletionTimestamp" in self.pod["metadata"]


class Kubelet:
    """One node. `chance` decides how long things take: seconds from `fast` to `slow`."""

    def __init__(
        self, client: Client, namespace: str, *, chance: random.Random, fast: float = 0.005, slow: float = 0.08
    ) -> None:
        self.node = f"node-{namespace}"
        self.running: dict[str, str] = {}
        """Pod name to add-on (or to the pod's own name) of everything that runs now."""
        self.starts: list[str] = []
        """Add-ons in the order in which their pods began to run."""
        self.hindered: dict[str, str] = {}
        """Add-ons whose containers cannot be created, with the reason that is reported; tried again all the time."""
        self.faults: list[str] = []
        self.codes: dict[str, int] = {}
        """How programs of Jobs end, by the pod's `app.kubernetes.io/name`; 0 where nothing is said."""
        self._client = client
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._chance, self._fast, self._slow = chance, fast, slow
        self._known: dict[str, _Known] = {}

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator["Kubelet"]:
        """It works inside of the block."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._beat()), group.create_task(self._watch(group))]
            try:
                yield self
            finally:
                for task in (*tasks, *(known.task for known in self._known.values())):
                    task.cancel()

    # --- what happens to nodes and programs --------------------------------------------------------------------

    async def end_program(self, addon: str, code: int) -> None:
        """The add-on's program ends by itself."""
        (name,) = (pod for pod, owner in self.running.items() if owner == addon)
        ended = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}
        await self._report(name, {ADDON_CONTAINER: ended}, phase="Running")

    async def lose_sandboxes(self) -> None:
        """What the node reports after a reboot: programs are gone, and whoever may be restarted was."""
        for known in list(self._known.values()):
            name = known.pod["metadata"]["name"]
            if name in self.running:
                lost = {"terminated": {"exitCode": 255, "reason": "Unknown"}}
                states = {ADDON_CONTAINER: _ended(known.pod) or lost, HOLD_CONTAINER: _running()}
                await self._report(name, states, phase="Running", restarts=1)

    async def lose_pods(self) -> None:
        """All pods of add-ons are taken from the API at once, as by somebody who gives a dead node up."""
        for known in list(self._known.values()):
            if LABEL_ADDON in known.pod["metadata"].get("labels", {}):
                await self._delete(known.pod)

    def started_by(self, *addons: str) -> list[str]:
        """Those of these add-ons that began to run since the last call of this, in order."""
        found = [addon for addon in self.starts if addon in addons]
        self.starts.clear()
        return found

    # --- one pod's life ----------------------------------------------------------------------------------------

    async def _live(self, uid: str) -> None:
        known = self._known[uid]
        name = known.pod["metadata"]["name"]
        await self._until(known, lambda: known.dying or not known.pod["spec"].get("schedulingGates"))
        with contextlib.suppress(ClusterNotFoundError):
            if not known.dying:
                await self._pause()
                await self._bind(name)
            await self._until(known, lambda: known.dying or "nodeName" in known.pod["spec"])
            if not known.dying:
                await self._pause()
            if not known.dying:
                await self._start(known)
            await self._until(known, lambda: known.dying)
            await self._pause()
            self.running.pop(name, None)
            await self._delete(known.pod)

    async def _start(self, known: _Known) -> None:
        metadata = known.pod["metadata"]
        name, labels = metadata["name"], metadata.get("labels", {})
        if labels.get(LABEL_TYPE) == PULL:
            await self._pull(known)
            return
        owner = labels.get(LABEL_ADDON, name)
        if owner in self.hindered:
            waiting = {"waiting": {"reason": self.hindered[owner], "message": "the runtime is not there yet"}}
            await self._report(name, {ADDON_CONTAINER: waiting}, phase="Pending")
        while owner in self.hindered:
            await self._pause()
            if known.dying:
                return
        if others := [pod for pod, runs in self.running.items() if runs == owner]:
            self.faults.append(f"{name} starts while {', '.join(others)} runs")
        self.running[name] = owner
        self.starts.append(owner)
        if "ownerReferences" in metadata and metadata["ownerReferences"][0]["kind"] == "Job":
            await self._report(name, {}, phase="Running")
            await self._pause()
            self.running.pop(name, None)
            code = self.codes.get(labels.get("app.kubernetes.io/name", ""), 0)
            ended = {"terminated": {"exitCode": code, "reason": "Error" if code else "Completed"}}
            states = {one["name"]: ended for one in known.pod["spec"]["containers"]}
            await self._report(name, states, phase="Failed" if code else "Succeeded")
            return
        await self._report(name, {one["name"]: _running() for one in known.pod["spec"]["containers"]}, phase="Running")

    async def _pull(self, known: _Known) -> None:
        """The image is fetched and then tried with a program that it does not have."""
        name, (container,) = known.pod["metadata"]["name"], known.pod["spec"]["containers"]
        if container["image"].startswith(ABSENT_IMAGE):
            state: dict[str, Any] = {"waiting": {"reason": "ImagePullBackOff", "message": "there is no such image"}}
        else:
            state = {"terminated": {"exitCode": 128, "reason": "StartError", "message": "no such file"}}
        await self._report(name, {container["name"]: state}, phase="Pending" if "waiting" in state else "Failed")

    async def _delete(self, pod: Pod) -> None:
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod["metadata"]["uid"]}}
        path = f"{self._pods}/{pod['metadata']['name']}"
        await self._client.request("DELETE", path, body={"kind": "DeleteOptions", **options})

    async def _bind(self, name: str) -> None:
        target = {"apiVersion": "v1", "kind": "Node", "name": self.node}
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
        with contextlib.suppress(ClusterConflictError):  # it is being deleted, and we hear of that in a moment
            await self._client.request("POST", f"{self._pods}/{name}/binding", body=body)

    async def _report(self, name: str, states: Mapping[str, Any], *, phase: str, restarts: int = 0) -> None:
        known = next(known for known in self._known.values() if known.pod["metadata"]["name"] == name)
        containers = [one["name"] for one in known.pod["spec"]["containers"]]
        states = {one: states.get(one) or _running() for one in containers}
        ready = all("running" in state for state in states.values())
        conditions = [
            {"type": kind, "status": "True" if ready else "False", "lastTransitionTime": _now()}
            for kind in ("ContainersReady", "Ready")
        ]
        statuses = [
            {
                "name": one, "image": "", "imageID": "", "ready": "running" in state, "state": state,
                "restartCount": restarts if "running" in state else 0,
            }
            for one, state in states.items()
        ]  # fmt: skip
        scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": _now()}
        status = {
            "phase": phase,
            # Nobody listens there: whoever dials an add-on or Core is refused at once.
            "podIP": "127.0.0.1",
            "podIPs": [{"ip": "127.0.0.1"}],
            "conditions": [scheduled, *conditions],
            "containerStatuses": statuses,
        }
        await self._patch(f"{self._pods}/{name}/status", {"status": status})

    async def _until(self, known: _Known, condition: Callable[[], bool]) -> None:
        while not condition():
            known.changed.clear()
            await known.changed.wait()

    async def _pause(self) -> None:
        await asyncio.sleep(self._chance.uniform(self._fast, self._slow))

    # --- what there is -----------------------------------------------------------------------------------------

    async def _watch(self, group: asyncio.TaskGroup) -> None:
        while True:
            try:
                found = await self._client.request("GET", self._pods)
            except ClusterError:
                await asyncio.sleep(AWAY)
                continue
            names = {pod["metadata"]["uid"] for pod in found["items"]}
            for gone in set(self._known) - names:
                self._forget(gone)
            for pod in found["items"]:
                self._see(pod, group)
            query = {"watch": "true", "resourceVersion": found["metadata"]["resourceVersion"], "timeoutSeconds": "300"}
            with contextlib.suppress(ClusterError):
                async with self._client.stream(self._pods, query=query, silence=None) as lines:
                    async for line in lines:
                        event = orjson.loads(line)
                        if event["type"] == "DELETED":
                            self._forget(event["object"]["metadata"]["uid"])
                        elif event["type"] != "ERROR":
                            self._see(event["object"], group)

    def _see(self, pod: Pod, group: asyncio.TaskGroup) -> None:
        uid = pod["metadata"]["uid"]
        if uid not in self._known:
            self._known[uid] = _Known(pod, group.create_task(self._live(uid)))
        self._known[uid].pod = pod
        self._known[uid].changed.set()

    def _forget(self, uid: str) -> None:
        if known := self._known.pop(uid, None):
            known.task.cancel()
            self.running.pop(known.pod["metadata"]["name"], None)

    async def _beat(self) -> None:
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.node}}
        await self._client.request("POST", "/api/v1/nodes", body=node)
        while True:
            ready = {
                "type": "Ready",
                "status": "True",
                "reason": "Imagined",
                "message": "",
                "lastHeartbeatTime": _now(),
            }
            with contextlib.suppress(ClusterError):
                await self._patch(f"/api/v1/nodes/{self.node}/status", {"status": {"conditions": [ready]}})
            await asyncio.sleep(HEARTBEAT)

    async def _patch(self, path: str, body: Any) -> None:
        await self._client.request("PATCH", path, body=body, content_type=MERGE_PATCH)


def _ended(pod: Pod) -> Mapping[str, Any] | None:
    """The state of a program that has ended by itself."""
    states = (one["state"] for one in pod["status"]["containerStatuses"] if one["name"] == ADDON_CONTAINER)
    return next((state for state in states if "terminated" in state), None)


def _running() -> dict[str, Any]:
    return {"running": {"startedAt": _now()}}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
