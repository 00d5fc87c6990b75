"""A program that runs once for an answer of ours, and leaves nothing behind: the Job around its pod. Pure.

A Job and no bare pod: it has a deadline, and the cluster removes it some time after its end, so that whatever becomes
of us it neither runs for ever nor stays. Its name is fixed, hence never two of one kind at once.
"""

from typing import Any

from supervisor_k8s.model import naming
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.site import Site

TYPE_ONE_OFF = "one-off"
LEFT = 300
"""Seconds that one stays after its end when we do not remove it ourselves."""


def one_off_labels(name: str) -> dict[str, str]:
    """Labels of the Job and its pod; those of no workload."""
    return {**naming.supervisor_labels(), "app.kubernetes.io/name": name, naming.LABEL_TYPE: TYPE_ONE_OFF}


def one_off_job(name: str, pod: Manifest, *, deadline: int, site: Site) -> Manifest:
    """Job `name` for a pod's spec; after `deadline` seconds from now it is ended, wherever it is."""
    labels = one_off_labels(name)
    spec: dict[str, Any] = {
        **pod,
        "restartPolicy": "Never",
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "namespace": site.namespace, "labels": labels},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": deadline,
            "ttlSecondsAfterFinished": LEFT,
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }
