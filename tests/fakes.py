"""The doubles at our outer ports, one class each. Everything else in a test is the real thing.

`FakeCluster` stands for a Kubernetes cluster: it keeps what was applied and plays just enough controller and kubelet
that pods come, run and go. It knows no defaulting, merging or conflicts of fields: what needs these is an integration
test.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from supervisor_k8s.cluster.kinds import KINDS
from supervisor_k8s.errors import (
    ClusterConflictError,
    ClusterInterruptedError,
    ClusterNotFoundError,
    ClusterRefusedError,
    TookTooLongError,
)
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.naming import GATE, owner_selector
from supervisor_k8s.model.serving import Serving

type Object = dict[str, Any]
type Listener = Callable[[str, Mapping[str, Any] | None, Mapping[str, Any] | None], None]

MAKERS = ("Deployment", "StatefulSet", "Job")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What happens to containers of one image once their pod is let go."""

    ready: bool = True
    pull_error: str | None = None
    """The runtime's sentence; the container then waits with ImagePullBackOff."""
    exit_code: int | None = None
    """The program ends at once with this code."""
    pulling: bool = False
    """The image is on its way; `run_pod` with another behaviour says that it has come."""
    start_error: str | None = None
    """Why the runtime cannot execute the program; nobody tries again in that pod."""
    crash_loop: int | None = None
    """It is started again and again and ends with this code each time."""
    says: tuple[str, ...] = ()
    """Lines of its log."""
    message: str = ""
    """What it leaves as termination message."""
    before: int | None = None
    """How the first container that runs before the pod's programs ends; with another code than 0 they never begin, and
    it says what they would have said.
    """

    @property
    def runs(self) -> bool:
        """The program is running, for a moment at least."""
        return not self.pulling and (self.pull_error, self.crash_loop, self.start_error) == (None, None, None)


class FakeCluster:
    """See `supervisor_k8s.reconcile.Cluster`. `behaviours` by image; `calls` has every write as (verb, kind, name)."""

    def __init__(self, *, namespace: str = "home-assistant") -> None:
        self.namespace = namespace
        self.connected = True
        self.behaviours: dict[str, Behaviour] = {}
        self.programs: dict[str, Callable[[Object], Behaviour]] = {}
        """What happens to the containers of a pod, by the pod's `app.kubernetes.io/name`, instead of by image."""
        self.calls: list[tuple[str, str, str]] = []
        self.lacking: list[str] = []
        """What our account may not do."""
        self.events: dict[str, list[Object]] = defaultdict(list)
        """Warning Events by the UID of what they are about."""
        self.refused: dict[str, str] = {}
        """Kinds that the API server does not accept, with its reason."""
        self.refusals: dict[str, str] = {}
        """What it says to a dry run of the object of a name."""
        self.groups: list[str] = []
        """API groups that it serves."""
        self.not_served: dict[str, str] = {}
        """Optional kinds that it does not, with the reason; `serve` changes it."""
        self.unwatched: list[Object] = []
        """Our objects of optional kinds that the settings do not ask for."""
        self._serving_listeners: list[Callable[[], None]] = []
        self.known_nodes: list[Object] | None = None
        """What a list of nodes has; None where we may not ask."""
        self.metrics: dict[str, Object] = {}
        self.stats: dict[str, Object] = {}
        """What kubelets measured, by the pod."""
        self.followers = 0
        """How many logs are being followed."""
        self.slow_stop = False
        """Deleted pods stay Terminating until `end` is called."""
        self._objects: dict[tuple[str, str], Object] = {}
        self._templates: dict[str, Object] = {}
        """The template each pod was made from, by the pod's UID."""
        self._logs: dict[tuple[str, str], list[tuple[str, bytes]]] = defaultdict(list)
        self._former_logs: dict[tuple[str, str], list[tuple[str, bytes]]] = defaultdict(list)
        """Of the container before a restart."""
        self._connection = object()
        """Of those who follow logs; they lose it when it is another one."""
        self._politely = True
        self.inputs: dict[tuple[str, str], bytes] = defaultdict(bytes)
        """What programs were told, by pod and container."""
        self._failures: dict[str, list[Exception]] = defaultdict(list)
        self._listeners: list[Listener] = []
        self._changed = asyncio.Event()
        self.revision = object()
        self._version = 100
        self._now = datetime(2026, 11, 21, 12, tzinfo=UTC)

    # --- what the product calls --------------------------------------------------------------------------------------

    def get(self, kind: str, name: str) -> Object | None:
        live = self._objects.get((kind, name))
        return live if live is not None and _is_ours(live) else None

    def select(self, kind: str, labels: Mapping[str, str]) -> Sequence[Object]:
        wanted = {**owner_selector(), **labels}
        names = sorted(name for its, name in self._objects if its == kind)
        found = (self._objects[kind, name] for name in names)
        return [live for live in found if wanted.items() <= live["metadata"].get("labels", {}).items()]

    def serving(self, kind: str) -> Serving:
        why_not = self.not_served.get(kind, "")
        return Serving(None if why_not else KINDS[kind].api, why_not)

    def on_serving(self, listener: Callable[[], None]) -> None:
        self._serving_listeners.append(listener)

    async def left_over(self) -> Sequence[Object]:
        self._fail("left_over")
        return list(self.unwatched)

    async def read(self, kind: str, name: str) -> Object | None:
        self._fail("read")
        return self._objects.get((kind, name))

    async def until[T](self, condition: Callable[[], T | None], *, within: float) -> T:
        try:
            async with asyncio.timeout(within):
                while (found := condition()) is None:
                    await self._changed.wait()
                return found
        except TimeoutError:
            raise TookTooLongError(f"The cluster did not get there within {within:.0f} seconds") from None

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    async def apply(self, manifest: Manifest) -> Object:
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        self._call("apply", kind, name)
        if kind in self.refused:
            raise ClusterRefusedError(f"{kind} {name} was refused: {self.refused[kind]}")
        old = self._objects.get((kind, name))
        if old is not None and not _is_ours(old):
            raise ClusterRefusedError(f"{kind} {name} exists and is not ours")
        new = _copy(manifest)
        version = new["metadata"].get("resourceVersion")
        if version is not None and (old is None or old["metadata"]["resourceVersion"] != version):
            raise ClusterConflictError(f"{kind} {name} is another one by now")
        new["metadata"] = {**new["metadata"], **(_identity(old) if old else self._birth())}
        if old is not None:
            new["status"] = old.get("status", {})
        if kind == "Service":
            new["spec"].setdefault("clusterIP", old["spec"]["clusterIP"] if old else self._service_address())
        if new != old:
            self.put(new)
            self._play(self._objects[kind, name])
        return self._objects[kind, name]

    async def delete(self, live: Mapping[str, Any]) -> None:
        kind, name = live["kind"], live["metadata"]["name"]
        self._call("delete", kind, name)
        known = self._objects.get((kind, name))
        if known is None:
            return
        if known["metadata"]["uid"] != live["metadata"]["uid"]:
            raise ClusterConflictError(f"{kind} {name} is another object by now")
        self.remove(kind, name)

    async def lift_gate(self, pod: Mapping[str, Any]) -> None:
        name = pod["metadata"]["name"]
        self._call("lift_gate", "Pod", name)
        if ("Pod", name) in self._objects:
            spec = {key: value for key, value in self._objects["Pod", name]["spec"].items() if key != "schedulingGates"}
            self._change("Pod", name, spec=spec)
            self.run_pod(name)

    async def touch(self, pod: Mapping[str, Any]) -> None:
        self._call("touch", "Pod", pod["metadata"]["name"])

    async def refusal(self, manifest: Manifest) -> str | None:
        self._fail("refusal")
        return self.refusals.get(manifest["metadata"]["name"])

    async def api_groups(self) -> Sequence[str]:
        self._fail("api_groups")
        return self.groups

    async def nodes(self) -> Sequence[Object] | None:
        return self.known_nodes

    async def lacking_rights(self) -> Sequence[str]:
        return self.lacking

    async def warnings(self, uid: str) -> Sequence[Object]:
        self._call("warnings", "Event", uid)
        return self.events[uid]

    async def roll_out(self, name: str, *, images: Mapping[str, str]) -> None:
        self._call("roll_out", "Deployment", name)
        live = self._objects.get(("Deployment", name))
        if live is None:
            raise ClusterNotFoundError(f"deployments.apps {name!r} not found")
        new = _copy(live)
        for container in new["spec"]["template"]["spec"]["containers"]:
            container["image"] = images.get(container["name"], container["image"])
        self.put(new)

    async def pod_stats(self, pod: Mapping[str, Any]) -> Object | None:
        self._call("pod_stats", "Pod", pod["metadata"]["name"])
        return self.stats.get(pod["metadata"]["name"])

    async def pod_metrics(self, pod: Mapping[str, Any]) -> Object | None:
        self._call("pod_metrics", "Pod", pod["metadata"]["name"])
        return self.metrics.get(pod["metadata"]["name"])

    async def write_stdin(self, pod: str, container: str, content: bytes) -> None:
        self._call("write_stdin", "Pod", pod)
        self.inputs[pod, container] += content

    async def logs(  # noqa: PLR0913 - the log's own parameters
        self,
        pod: str,
        container: str,
        *,
        tail_lines: int | None,
        since: datetime | None = None,
        follow: bool,
        previous: bool = False,
        timestamps: bool,
    ) -> AsyncGenerator[bytes]:
        kept, connection = self._former_logs if previous else self._logs, self._connection
        lines = kept[pod, container]
        before = f"{since:%Y-%m-%dT%H:%M:%SZ}" if since else ""
        told = sum(time < before for time, _ in lines) if tail_lines is None else max(0, len(lines) - tail_lines)
        self.followers += follow
        try:
            while True:
                if follow and connection is not self._connection:
                    if self._politely:
                        return
                    raise ClusterInterruptedError("The Kubernetes API server cannot be reached: connection lost")
                for time, line in lines[told:]:
                    told += 1
                    yield f"{time} ".encode() + line if timestamps else line
                if not follow or ("Pod", pod) not in self._objects or kept[pod, container] is not lines:
                    return
                if told == len(lines):
                    await self._changed.wait()
        finally:
            self.followers -= follow

    # --- what a test does --------------------------------------------------------------------------------------------

    def pods(self, **labels: str) -> Sequence[Object]:
        """All pods, or those with these labels (dots of a label name written as `__`)."""
        return self.select("Pod", {key.replace("__", "."): value for key, value in labels.items()})

    def everything(self) -> Mapping[tuple[str, str], Object]:
        """All objects, by kind and name."""
        return dict(self._objects)

    def put(self, live: Mapping[str, Any]) -> None:
        """An object as somebody else made or changed it."""
        key = live["kind"], live["metadata"]["name"]
        old = self._objects.get(key)
        self._version += 1
        new = _copy(live)
        new["metadata"] = {**self._birth(), **new["metadata"], "resourceVersion": str(self._version)}
        self._objects[key] = new
        self._tell(key[0], old, new)

    def serve(self, kind: str, why_not: str = "") -> None:
        """Begin to serve an optional kind, or, with a reason, cease to."""
        self.not_served[kind] = why_not
        for listener in self._serving_listeners:
            listener()

    def change_unheard(self, live: Mapping[str, Any]) -> None:
        """An object as somebody changed it while nobody watched."""
        self._objects[live["kind"], live["metadata"]["name"]] = _copy(live)

    def remove(self, kind: str, name: str) -> None:
        """An object is deleted, by us or by somebody else; its pods go with it, its owner makes a new one."""
        live = self._objects[kind, name]
        slow = self.slow_stop and live["spec"].get("terminationGracePeriodSeconds") != 0 if kind == "Pod" else False
        if slow and "containerStatuses" in live.get("status", {}):
            if "deletionTimestamp" not in live["metadata"]:
                self._change(kind, name, metadata={**live["metadata"], "deletionTimestamp": self._time()})
                self._play_owner(live)
            return
        self._tell(kind, self._objects.pop((kind, name)), None)
        for pod in self._pods_of(live):
            self.remove("Pod", pod["metadata"]["name"])
        if kind == "Pod":
            self._play_owner(live)

    def end(self, pod: str) -> None:
        """A Terminating pod is gone at last."""
        assert "deletionTimestamp" in self._objects["Pod", pod]["metadata"], f"Nobody has deleted {pod} yet"
        live = self._objects.pop(("Pod", pod))
        self._tell("Pod", live, None)
        self._play_owner(live)

    async def stopping(self, pod: str) -> None:
        """Wait until somebody has deleted a pod that is slow to stop."""

        def deleted() -> bool | None:
            return "deletionTimestamp" in self._objects["Pod", pod]["metadata"] or None

        await self.until(deleted, within=10)

    def exit(self, pod: str, container: str, code: int, message: str = "") -> None:
        """The program of a container ends; a container beside it runs on."""
        ended: Object = {"exitCode": code, "reason": "Completed" if code == 0 else "Error", "finishedAt": self._time()}
        ended |= {"message": message} if message else {}
        statuses = [
            {**status, "ready": False, "state": {"terminated": ended}} if status["name"] == container else status
            for status in self._objects["Pod", pod]["status"]["containerStatuses"]
        ]
        over = all("terminated" in status["state"] for status in statuses)
        phase = "Running" if not over else "Succeeded" if code == 0 else "Failed"
        self.set_status("Pod", pod, phase=phase, containerStatuses=statuses, conditions=[_ready(False, self._time())])

    def restart(self, pod: str, container: str, code: int = 1) -> None:
        """The program of a container ends, and the kubelet makes a new container for it."""
        self._former_logs[pod, container] = self._logs.pop((pod, container), [])
        ended = {"exitCode": code, "reason": "Error", "finishedAt": self._time()}
        again = {"state": {"running": {"startedAt": self._time()}}, "lastState": {"terminated": ended}}
        statuses = [
            {**status, **again, "restartCount": status["restartCount"] + 1} if status["name"] == container else status
            for status in self._objects["Pod", pod]["status"]["containerStatuses"]
        ]
        self.set_status("Pod", pod, containerStatuses=statuses)

    def set_status(self, kind: str, name: str, **status: Any) -> None:
        """Change fields of the status."""
        self._change(kind, name, status={**self._objects[kind, name].get("status", {}), **status})
        if status.get("phase") in {"Succeeded", "Failed"}:
            self._play_owner(self._objects[kind, name])

    def say(self, pod: str, container: str, *lines: str) -> None:
        """Lines for the container's log."""
        self._logs[pod, container] += [(self._time(), line.encode()) for line in lines]
        self._wake()

    def cut(self, *, politely: bool) -> None:
        """Who follows a log loses the connection: by its end, or rudely."""
        self._connection, self._politely = object(), politely
        self._wake()

    def fail(self, verb: str, error: Exception) -> None:
        """The next call of this verb (apply, delete, lift_gate, touch, refusal) raises the error."""
        self._failures[verb].append(error)

    def fails(self, verb: str) -> bool:
        """Whether such an error is still to come."""
        return bool(self._failures[verb])

    def run_pod(self, name: str) -> None:
        """What scheduler and kubelet do with a pod that has no gate."""
        pod = self._objects["Pod", name]
        behaviours = {c["name"]: self._behaviour(pod, c["image"]) for c in pod["spec"]["containers"]}
        if self._ended_before(pod, next(iter(behaviours.values()))):
            return
        if pod["spec"].get("restartPolicy", "Always") == "Never":
            behaviours = {name: replace(behaviour, crash_loop=None) for name, behaviour in behaviours.items()}
        since = self._time()
        statuses = [self._container(c, behaviours[c["name"]]) for c in pod["spec"]["containers"]]
        runs = all(b.runs for b in behaviours.values())
        ready = runs and all(b.ready for b in behaviours.values())
        address = f"10.42.0.{len(self.calls) % 250 + 1}"
        self._change("Pod", name, spec={**pod["spec"], "nodeName": "node"})
        self.set_status(
            "Pod", name, phase="Running" if runs else "Pending", podIP=address, podIPs=[{"ip": address}],
            startTime=self._time(), containerStatuses=statuses,
            conditions=[{"type": "PodScheduled", "status": "True"}, _ready(ready, self._time() if ready else since)],
        )  # fmt: skip
        for container, behaviour in behaviours.items():
            self.say(name, container, *behaviour.says)
            if runs and behaviour.exit_code is not None:
                self.exit(name, container, behaviour.exit_code, behaviour.message)

    def _ended_before(self, pod: Object, behaviour: Behaviour) -> bool:
        """Play the pod's first container, where its end is said; whether it was the pod's."""
        name, first = pod["metadata"]["name"], next(iter(pod["spec"].get("initContainers", ())), None)
        if first is None or behaviour.before is None:
            return False
        ended = {"terminated": {"exitCode": behaviour.before, "finishedAt": self._time()}}
        self.set_status("Pod", name, initContainerStatuses=[{"name": first["name"], "state": ended}])
        if behaviour.before:
            self.say(name, first["name"], *behaviour.says)
            self.set_status("Pod", name, phase="Failed")
        return bool(behaviour.before)

    # -----------------------------------------------------------------------------------------------------------------

    def _play(self, maker: Object) -> None:
        """What the controllers do: pods as the maker wants them."""
        if maker["kind"] not in MAKERS:
            if maker["kind"] == "Pod" and "phase" not in maker.get("status", {}):
                self._start(maker)
            return
        wanted = maker["spec"].get("replicas", 1)
        pods = [pod for pod in self._pods_of(maker) if "deletionTimestamp" not in pod["metadata"]]
        if maker["kind"] == "Deployment":  # whose ReplicaSet leaves a pod that is over where it is, and makes another
            pods = [pod for pod in pods if pod.get("status", {}).get("phase") not in {"Succeeded", "Failed"}]
        template = maker["spec"]["template"]
        for pod in pods:
            if wanted == 0 or (
                maker["kind"] == "Deployment" and self._templates.get(pod["metadata"]["uid"], template) != template
            ):
                self.remove("Pod", pod["metadata"]["name"])
                return  # which plays again
        if wanted and not pods and not (maker["kind"] == "StatefulSet" and self._pods_of(maker)):
            self._version += 1
            name = f"{maker['metadata']['name']}-{0 if maker['kind'] == 'StatefulSet' else self._version}"
            owner = {"kind": maker["kind"], "name": maker["metadata"]["name"], "uid": maker["metadata"]["uid"]}
            metadata = {**template["metadata"], "name": name, "ownerReferences": [owner]}
            self.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"], "status": {}})
            self._templates[self._objects["Pod", name]["metadata"]["uid"]] = template
            self._start(self._objects["Pod", name])

    def _start(self, pod: Object) -> None:
        name = pod["metadata"]["name"]
        self.set_status("Pod", name, phase="Pending")
        if GATE not in [gate["name"] for gate in pod["spec"].get("schedulingGates", ())]:
            self.run_pod(name)

    def _play_owner(self, pod: Object) -> None:
        for owner in pod["metadata"].get("ownerReferences", ()):
            maker = self._objects.get((owner["kind"], owner["name"]))
            if maker is not None and maker["kind"] != "Job":
                self._play(maker)
            elif maker is not None and not maker.get("status"):  # a pod that is deleted counts as one that failed
                self.set_status("Job", owner["name"], conditions=[{"type": "Failed", "status": "True"}])

    def _pods_of(self, maker: Object) -> list[Object]:
        uid = maker["metadata"]["uid"]
        pods = [live for (kind, _), live in self._objects.items() if kind == "Pod"]
        return [pod for pod in pods if uid in [o["uid"] for o in pod["metadata"].get("ownerReferences", ())]]

    def _behaviour(self, pod: Object, image: str) -> Behaviour:
        program = self.programs.get(pod["metadata"].get("labels", {}).get("app.kubernetes.io/name", ""))
        return self.behaviours.get(image, Behaviour()) if program is None else program(pod)

    def _container(self, container: Object, behaviour: Behaviour) -> Object:
        state: Object = {"running": {"startedAt": self._time()}}
        if behaviour.pull_error is not None:
            state = {"waiting": {"reason": "ImagePullBackOff", "message": behaviour.pull_error}}
        if behaviour.start_error is not None:
            state = {"terminated": {"exitCode": 128, "reason": "StartError", "message": behaviour.start_error}}
        if behaviour.pulling:
            state = {"waiting": {"reason": "ContainerCreating"}}
        last: Object = {}
        if behaviour.crash_loop is not None:
            state = {"waiting": {"reason": "CrashLoopBackOff"}}
            last = {"lastState": {"terminated": {"exitCode": behaviour.crash_loop}}}
        status = {"name": container["name"], "image": container["image"], "restartCount": 0, "state": state, **last}
        return {**status, "started": behaviour.runs, "ready": behaviour.runs and behaviour.ready}

    def _change(self, kind: str, name: str, **fields: Any) -> None:
        self.put({**self._objects[kind, name], **fields})

    def _call(self, verb: str, kind: str, name: str) -> None:
        self.calls.append((verb, kind, name))
        self._fail(verb)

    def _fail(self, verb: str) -> None:
        if self._failures[verb]:
            raise self._failures[verb].pop(0)

    def _tell(self, kind: str, old: Object | None, new: Object | None) -> None:
        self.revision = object()
        if _is_ours(new or old or {}):
            for listener in self._listeners:
                listener(kind, old, new)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _service_address(self) -> str:
        self._version += 1
        return f"10.96.{self._version // 256}.{self._version % 256}"

    def _birth(self) -> Object:
        self._version += 1
        return {"uid": f"uid-{self._version}", "creationTimestamp": self._time(), "resourceVersion": str(self._version)}

    def _time(self) -> str:
        self._now += timedelta(seconds=1)
        return self._now.isoformat().replace("+00:00", "Z")


def _copy(live: Mapping[str, Any]) -> Object:
    """As it would come over the wire; many times faster than `copy.deepcopy`."""
    copied: Object = orjson.loads(orjson.dumps(live))
    return copied


def _is_ours(live: Mapping[str, Any]) -> bool:
    return bool(owner_selector().items() <= live["metadata"].get("labels", {}).items())


def _identity(live: Object) -> Object:
    return {key: live["metadata"][key] for key in ("uid", "creationTimestamp", "resourceVersion")}


def _ready(ready: bool, since: str) -> Object:
    return {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": since}
