"""What nodes need to pull from registries that ask for a login: one Secret, named in every pod with images. Pure.

The Secret is there even when it is empty. So no pod has to change when a registry is added, and no kubelet complains of
a Secret that is missing.
"""

import base64
from collections.abc import Mapping

import orjson

from supervisor_k8s.errors import RefusedError
from supervisor_k8s.model import naming
from supervisor_k8s.model.image_pull import HUB_NAMES
from supervisor_k8s.model.plan import Workload
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import Live

REGISTRIES_KEY = "registries"
"""Key of the Secret among the workloads."""
TYPE_REGISTRIES = "registries"
DOCUMENT = ".dockerconfigjson"
DOCKER_HUB_KEY = "https://index.docker.io/v1/"
"""And the one under which kubelets look for it."""
LARGEST = 512 * 1024
"""Bytes of the document: the API server takes a Secret of 1 MiB, encoded."""

type Registries = Mapping[str, Mapping[str, str]]
"""Host name to `username` and `password`."""


def registries_workload(registries: Registries, site: Site) -> Workload:
    """The Secret as a workload of its own. RefusedError when it would be too large."""
    labels = {**naming.supervisor_labels(), naming.LABEL_TYPE: TYPE_REGISTRIES}
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": naming.REGISTRIES_SECRET, "namespace": site.namespace, "labels": labels},
        "type": "kubernetes.io/dockerconfigjson",
        "data": {DOCUMENT: base64.b64encode(document(registries)).decode()},
    }
    return Workload(key=REGISTRIES_KEY, labels={naming.LABEL_TYPE: TYPE_REGISTRIES}, objects=(secret,), running=False)


def document(registries: Registries) -> bytes:
    """The logins in the form of Docker's own configuration file. RefusedError when it is too large."""
    ordered = sorted(registries, key=lambda host: HUB_NAMES.index(host) if host in HUB_NAMES else -1)
    auths = {_key(host): _entry(registries[host]) for host in ordered}
    content = orjson.dumps({"auths": auths}, option=orjson.OPT_SORT_KEYS)
    if len(content) > LARGEST:
        raise RefusedError(f"The logins of all registries together are larger than {LARGEST // 1024} kB")
    return content


def stored(secret: Live | None) -> Registries:
    """The logins in a live Secret; none where it is missing or something else stands there."""
    encoded = (secret or {}).get("data", {}).get(DOCUMENT) or ""
    try:
        auths = orjson.loads(base64.b64decode(encoded, validate=True))["auths"]
        names = {host: HUB_NAMES[-1] if host == DOCKER_HUB_KEY else host for host in auths}
        return {
            names[host]: {key: str(entry[key]) for key in ("username", "password")} for host, entry in auths.items()
        }
    except (ValueError, LookupError, TypeError, AttributeError):
        return {}


def _key(host: str) -> str:
    return DOCKER_HUB_KEY if host in HUB_NAMES else host


def _entry(login: Mapping[str, str]) -> dict[str, str]:
    both = f"{login['username']}:{login['password']}"
    return {**login, "auth": base64.b64encode(both.encode()).decode()}
