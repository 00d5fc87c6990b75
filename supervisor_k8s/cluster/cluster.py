"""The cluster as everybody above sees it: one object with the reads, the waits and the writes.

`reconcile.py` declares what it and the services need of it (a Protocol, so that contract tests can run on a double);
the parts are in the files beside this one.
"""

import contextlib
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from datetime import datetime

from supervisor_k8s.cluster.apply import Applier
from supervisor_k8s.cluster.cache import Cache, Listener, stripped
from supervisor_k8s.cluster.client import Client
from supervisor_k8s.cluster.kinds import GATEWAY_API, KINDS, OPTIONAL, Kind, rights
from supervisor_k8s.cluster.kubelets import Kubelets
from supervisor_k8s.cluster.pods import Pods
from supervisor_k8s.cluster.watch import Pace, Watches
from supervisor_k8s.errors import ClusterNotFoundError, ClusterRefusedError
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.naming import owner_selector
from supervisor_k8s.model.serving import Serving
from supervisor_k8s.model.status import Live

ACCESS_API = "authorization.k8s.io/v1"


class Cluster:
    """One namespace of one cluster. Nothing is known before `run` has been started and `listed` has returned."""

    def __init__(
        self, *, client: Client, namespace: str, optional: Collection[str] = (), pace: Pace | None = None
    ) -> None:
        """`optional` names the kinds that are wanted of those that a cluster need not serve. `pace`: how patient the
        watches are; None for the ordinary values.
        """
        self.namespace = namespace
        self._client = client
        self._optional = optional
        self._cache = Cache(optional)
        self._applier = Applier(client=client, cache=self._cache, namespace=namespace)
        self._pods = Pods(client=client, namespace=namespace)
        self._kubelets = Kubelets(
            client=client, may_ask=lambda: self._may({"resource": "nodes", "verb": "get", "subresource": "stats"})
        )
        self._watches = Watches(
            client=client,
            cache=self._cache,
            namespace=namespace,
            selector=owner_selector(),
            optional=optional,
            pace=pace,
        )

    async def run(self) -> None:
        """Keep the cache true until cancelled; never gives up on an API server that is away."""
        await self._watches.run()

    async def listed(self, *, within: float) -> None:
        """Wait until the cache knows everything once. ClusterUnavailableError after `within` seconds."""
        await self._cache.listed(within=within)

    @property
    def connected(self) -> bool:
        """Whether every watch hears the API server now; when not, the cache is what was true before."""
        return self._watches.connected

    def on_connected(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever `connected` has become true: at our start, and after each interruption."""
        self._watches.on_connected.append(listener)

    def serving(self, kind: str) -> Serving:
        """Whether the cluster serves an optional kind; known once `listed` has returned."""
        return self._watches.serving[kind]

    def on_serving(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the cluster begins or ceases to serve an optional kind that is wanted."""
        self._watches.on_serving.append(listener)

    # --- from the cache ------------------------------------------------------------------------------------------

    def get(self, kind: str, name: str) -> Live | None:
        """The object, None when there is none of ours. ClusterUnavailableError before the first list."""
        return self._cache.get(kind, name)

    def select(self, kind: str, labels: Mapping[str, str]) -> Sequence[Live]:
        """Our objects with these labels, by name. ClusterUnavailableError before the first list."""
        return self._cache.select(kind, labels)

    async def until[T](self, condition: Callable[[], T | None], *, within: float) -> T:
        """Wait until `condition` gives something else than None; asked after every change of the cache.

        TookTooLongError after `within` seconds.
        """
        return await self._cache.until(condition, within=within)

    @property
    def revision(self) -> object:
        """Another one after every change of one of our objects: while it is the same, what was read is still true."""
        return self._cache.revision

    def subscribe(self, listener: Listener) -> None:
        """Call `listener(kind, old, new)` at every change of one of our objects, in order."""
        self._cache.subscribe(listener)

    # --- requests ------------------------------------------------------------------------------------------------

    async def read(self, kind: str, name: str) -> Live | None:
        """The object by a request of its own, ours or not; None when there is none."""
        return await self._applier.read(kind, name)

    async def version(self) -> str:
        """The API server's version, such as `v1.36.3`."""
        return str((await self._client.request("GET", "/version"))["gitVersion"])

    async def api_groups(self) -> Collection[str]:
        """Names of the API groups that the cluster serves, those of other people's programs included."""
        return [group["name"] for group in (await self._client.request("GET", "/apis"))["groups"]]

    async def node(self, name: str) -> Live | None:
        """The node; None where we may not ask for it: `manifests/components/nodes` is optional."""
        if not await self._may({"resource": "nodes", "verb": "get", "name": name}):
            return None
        found: Live = await self._client.request("GET", f"/api/v1/nodes/{name}")
        return found

    async def nodes(self) -> Sequence[Live] | None:
        """All nodes; None where we may not ask for them."""
        if not await self._may({"resource": "nodes", "verb": "list"}):
            return None
        found: Sequence[Live] = (await self._client.request("GET", "/api/v1/nodes"))["items"]
        return found

    async def left_over(self) -> Sequence[Live]:
        """Our objects of optional kinds that nobody wants any more; none where we may not look. ClusterError."""
        unwanted = [kind for kind in OPTIONAL if kind.name not in self._optional]
        about = {"namespace": self.namespace, "group": GATEWAY_API, "verb": "list"}
        # Whoever grants a look at one of them grants all: `manifests/components/gateway`.
        if not unwanted or not await self._may({**about, "resource": unwanted[0].plural}):
            return []
        return [live for kind in unwanted for live in await self._ours(kind)]

    async def _ours(self, kind: Kind) -> Sequence[Live]:
        query = {"labelSelector": ",".join(f"{key}={value}" for key, value in owner_selector().items())}
        for api in (kind.api, *kind.older):
            with contextlib.suppress(ClusterNotFoundError):
                page = await self._client.request("GET", kind.at(api).path(self.namespace), query=query)
                return [{"apiVersion": api, "kind": kind.name, **stripped(item)} for item in page["items"]]
        return ()

    async def _may(self, about: Mapping[str, str]) -> bool:
        """Asked first, or a refused request would stand in the cluster's audit log at each of our starts."""
        spec = {"resourceAttributes": about}
        review = {"apiVersion": ACCESS_API, "kind": "SelfSubjectAccessReview", "spec": spec}
        answer = await self._client.request("POST", f"/apis/{ACCESS_API}/selfsubjectaccessreviews", body=review)
        return bool(answer["status"]["allowed"])

    async def refusal(self, manifest: Manifest) -> str | None:
        """Why the cluster would not take this new object, in its words; None when it would. Nothing is made."""
        path = KINDS[manifest["kind"]].path(self.namespace)
        try:
            await self._client.request("POST", path, query={"dryRun": "All"}, body=manifest)
        except ClusterRefusedError as error:
            return str(error)
        return None

    async def apply(self, manifest: Manifest) -> Live:
        """Server-side apply, forced; replaces what cannot be changed; the answer is in the cache."""
        return await self._applier.apply(manifest)

    async def delete(self, live: Live) -> None:
        """Delete exactly this object; gone already is fine. Does not wait for its end."""
        await self._applier.delete(live)

    async def lift_gate(self, pod: Live) -> None:
        """Remove our scheduling gate from this pod."""
        await self._applier.lift_gate(pod)

    async def touch(self, pod: Live) -> None:
        """Make the kubelet refresh the pod's ConfigMap volumes now."""
        await self._applier.touch(pod)

    async def roll_out(self, name: str, *, images: Mapping[str, str]) -> None:
        """Have a Deployment's pods made anew, with these images by container; it need not be ours."""
        await self._applier.roll_out(name, images=images)

    async def lacking_rights(self) -> Sequence[str]:
        """What we need in our namespace and may not do, such as `list events`; nothing where the cluster cannot tell
        all our rights. ClusterError.
        """
        review = {"apiVersion": ACCESS_API, "kind": "SelfSubjectRulesReview", "spec": {"namespace": self.namespace}}
        answer = await self._client.request("POST", f"/apis/{ACCESS_API}/selfsubjectrulesreviews", body=review)
        rules = answer["status"].get("resourceRules") or ()
        lacking = [right for right in rights(self._optional) if not any(right.is_granted(rule) for rule in rules)]
        return [] if answer["status"].get("incomplete") else [f"{right.verb} {right.resource}" for right in lacking]

    async def warnings(self, uid: str) -> Sequence[Live]:
        """Warning Events about the object with this UID. ClusterError."""
        query = {"fieldSelector": f"involvedObject.uid={uid},type=Warning"}
        found = await self._client.request("GET", KINDS["Event"].path(self.namespace), query=query)
        events: list[Live] = found["items"]
        return events

    async def pod_stats(self, pod: Live) -> Live | None:
        """What a pod uses, by its kubelet; None when that did not measure it, or we may not ask."""
        return await self._kubelets.measured(pod)

    async def pod_metrics(self, pod: Live) -> Live | None:
        """What a pod uses, by the metrics API; None when nobody measured it."""
        return await self._pods.metrics(pod["metadata"]["name"])

    async def write_stdin(self, pod: str, container: str, content: bytes) -> None:
        """Write to the standard input of a container's program; see `Pods.write`."""
        await self._pods.write(pod, container, content)

    def logs(  # noqa: PLR0913 - the log's own parameters
        self,
        pod: str,
        container: str,
        *,
        tail_lines: int | None = None,
        follow: bool = False,
        since: datetime | None = None,
        previous: bool = False,
        timestamps: bool = False,
    ) -> AsyncGenerator[bytes]:
        """Lines of a container's log, oldest first; see `Pods.logs`."""
        return self._pods.logs(
            pod,
            container,
            tail_lines=tail_lines,
            follow=follow,
            since=since,
            previous=previous,
            timestamps=timestamps,
        )
