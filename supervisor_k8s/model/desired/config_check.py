"""The pod in which Home Assistant Core checks a configuration that it does not run. Pure.

Core's own image with its own checker. It sees the configuration and what a configuration may name (`/ssl`, `/share`,
`/media`), all read-only, and no token: neither Core's nor a service account's.

A *candidate* is a folder that would become the configuration. What it is checked with is laid out on a volume of the
pod's own: the candidate's files, copied by a container of ours that follows no link of theirs, and for everything that
is only in the live tree (secrets, `.storage`, integrations of the user's) a link to it (`state/overlay.py`). So a large
tree costs no copy, and nothing is left behind.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.one_off import one_off_job
from supervisor_k8s.model.desired.pull import PULL_SECRETS
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.site import Site

NAME = "homeassistant-check"
PROGRAM = "check"
OVERLAY = "overlay"
"""The container that lays a candidate out."""
DEADLINE = 600
"""Seconds for all of it, a pull of the image included. A check takes five where nothing has to be installed for it."""
LIVE = "homeassistant"
"""The live configuration on the shared volume."""
LARGEST = "512Mi"
"""Of the volume that a candidate is laid out on; the copy itself stops earlier and says so."""
VARIABLE = "OVERLAY"
"""Environment of the overlay: JSON with `candidate` (a path on the shared volume) and `without` (paths)."""
_COMMAND = ["python3", "-m", "homeassistant", "-c", "/config", "--script", "check_config"]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A folder on the shared volume, and paths of the live tree that would be no more."""

    directory: str
    without: Sequence[str] = ()


def check_job(
    image: str, timezone: str, site: Site, *, candidate: Candidate | None = None, data: bool = False
) -> Manifest:
    """Job that checks the live configuration or a candidate with `image` (with tag). `data`: the result is JSON and not
    a text for people.
    """
    folders = [_shared("/ssl", "ssl"), _shared("/share", "share"), _shared("/media", "media")]
    if candidate is None:
        mounts = [_shared("/config", LIVE), *folders]
    else:
        mounts = [{"name": "tree", "mountPath": "/config"}, _shared("/live", LIVE), *folders]
    program = {
        "name": PROGRAM,
        "image": image,
        "imagePullPolicy": site.image_pull_policy,
        "command": [*_COMMAND, "--json"] if data else _COMMAND,
        "env": [{"name": "TZ", "value": timezone}],
        "workingDir": "/config",
        "securityContext": _only("DAC_OVERRIDE"),
        "volumeMounts": [*mounts, {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - inside the check's container
    }
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "imagePullSecrets": list(PULL_SECRETS),
        "securityContext": _pod_security(site),
        "affinity": _near_core(),
        "containers": [program],
        "volumes": [
            {"name": "shared", "persistentVolumeClaim": {"claimName": site.shared_claim}},
            {"name": "tmp", "emptyDir": {}},
        ],
    }
    if candidate is not None:
        pod["initContainers"] = [_overlay(candidate, site)]
        pod["volumes"].append({"name": "tree", "emptyDir": {"sizeLimit": LARGEST}})
    return one_off_job(NAME, pod, deadline=DEADLINE, site=site)


def _overlay(candidate: Candidate, site: Site) -> Manifest:
    """It alone sees the whole volume: it is our program, and a mount of the candidate's own path would follow a link
    that somebody puts there meanwhile.
    """
    wanted = json.dumps({"candidate": candidate.directory, "without": list(candidate.without)})
    return {
        "name": OVERLAY,
        "image": site.supervisor_image,
        "imagePullPolicy": site.image_pull_policy,
        "command": ["python3", "-m", "supervisor_k8s.state.overlay"],
        "env": [{"name": VARIABLE, "value": wanted}],
        "securityContext": {**_only("DAC_OVERRIDE"), "runAsUser": 0, "readOnlyRootFilesystem": True},
        "volumeMounts": [
            {"name": "shared", "mountPath": "/data", "readOnly": True},
            {"name": "tree", "mountPath": "/tree"},
        ],
    }


def _shared(path: str, folder: str) -> Manifest:
    return {"name": "shared", "mountPath": path, "subPath": folder, "readOnly": True}


def _only(*capabilities: str) -> dict[str, Any]:
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"], "add": list(capabilities)}}


def _pod_security(site: Site) -> Manifest:
    context: dict[str, Any] = {"seccompProfile": {"type": "RuntimeDefault"}}
    if site.selinux_level:
        context["seLinuxOptions"] = {"level": site.selinux_level}
    return context


def _near_core() -> Manifest:
    """Where Core runs, its image is on the node already."""
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {naming.LABEL_TYPE: naming.TYPE_CORE}},
    }
    return {
        "podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "podAffinityTerm": term}]}
    }
