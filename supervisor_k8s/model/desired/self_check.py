"""The pod in which a new version of ours looks at this installation before it takes it over. Pure.

It is our own pod with another image and one argument: same account, same settings, same volumes, but these read-only,
and on our own node, for the volume with our state may only be mounted there. What belongs to serving is left out.
"""

from typing import Any

from supervisor_k8s.model.desired.one_off import one_off_job
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import Live

NAME = "supervisor-check"
ARGUMENT = "--check"
CONTAINER = "supervisor"
"""Of our Deployment."""
DEADLINE = 900
"""Seconds for all of it, the pull of the image included."""
KEPT = ("env", "envFrom", "securityContext", "resources", "imagePullPolicy")
POD_KEPT = (
    "serviceAccountName",
    "securityContext",
    "imagePullSecrets",
    "tolerations",
    "volumes",
    "hostAliases",
    "dnsConfig",
)


def self_check_job(deployment: Live, image: str, *, node: str, site: Site) -> Manifest:
    """Job with `image` (with tag) for what our Deployment runs; `node` is ours, empty where it is not known."""
    template = deployment["spec"]["template"]["spec"]
    own = own_container(deployment)
    container = {
        "name": CONTAINER,
        "image": image,
        "args": [ARGUMENT],
        **{key: own[key] for key in KEPT if key in own},
        "volumeMounts": [_read_only(mount, template) for mount in own.get("volumeMounts", ())],
    }
    pod: dict[str, Any] = {
        **{key: template[key] for key in POD_KEPT if key in template},
        "containers": [container],
    }
    if node:
        pod["nodeName"] = node
    return one_off_job(NAME, pod, deadline=DEADLINE, site=site)


def own_container(deployment: Live) -> Live:
    """Our program's container."""
    containers: list[Live] = deployment["spec"]["template"]["spec"]["containers"]
    return next((one for one in containers if one["name"] == CONTAINER), containers[0])


def with_version(image: str, version: str) -> str:
    """The same image of another version; a digest of the former one goes."""
    named = image.partition("@")[0]
    path, slash, last = named.rpartition("/")
    return f"{path}{slash}{last.partition(':')[0]}:{version}"


def _read_only(mount: Live, template: Live) -> Live:
    volume: Live = next((one for one in template.get("volumes", ()) if one["name"] == mount["name"]), {})
    return mount if "emptyDir" in volume else {**mount, "readOnly": True}
