"""The pod that brings an image to a node before anything is installed. Pure.

Its command does not exist: the runtime can only try it once the image is there, so the container's failure to start is
the proof of the pull, and nothing of the image ever runs.
"""

import hashlib
from collections.abc import Mapping

from supervisor_k8s.model import naming
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.site import Site

PULL_SECRETS = ({"name": naming.REGISTRIES_SECRET},)
"""`imagePullSecrets` of every pod with images of others: the one Secret of model/desired/registries.py."""
TYPE_PULL = "image-pull"
KUBERNETES_ARCH = {"aarch64": "arm64"}


def pull_labels(image: str) -> Mapping[str, str]:
    """Labels of the pull pod of one image."""
    return {
        **naming.owner_selector(),
        "app.kubernetes.io/part-of": "home-assistant",
        "app.kubernetes.io/name": pull_name(image),
        naming.LABEL_MANAGED: "true",
        naming.LABEL_TYPE: TYPE_PULL,
    }


def pull_name(image: str) -> str:
    return f"image-pull-{hashlib.sha256(image.encode()).hexdigest()[:12]}"


def pull_pod(image: str, site: Site) -> Manifest:
    """Pod for `image` (with tag), on a node of the architecture that the workloads get."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pull_name(image),
            "namespace": site.namespace,
            "labels": dict(pull_labels(image)),
            "annotations": {naming.ANNOTATION_IMAGE: image},
        },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "nodeSelector": {"kubernetes.io/arch": KUBERNETES_ARCH.get(site.arch, site.arch)},
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "imagePullSecrets": list(PULL_SECRETS),
            "containers": [
                {
                    "name": "image",
                    "image": image,
                    "imagePullPolicy": site.image_pull_policy,
                    "command": ["/this-image-is-only-pulled"],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        },
    }
