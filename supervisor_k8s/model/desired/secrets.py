"""The Secret of one launch of an add-on: its token, and keys of its own where it has a link. Pure.

Named after the launch: a restart is a new Secret, so a program that is still ending keeps a valid token and nobody else
ever gets it. Never changed, but not marked `immutable` either: a kubelet does not look at an immutable Secret again,
and that it is gone is what keeps a kubelet from running a program once more that has ended.
"""

import base64
from collections.abc import Mapping

from supervisor_k8s.model import naming
from supervisor_k8s.model.intent import Manifest

TOKEN_KEY = "token"  # noqa: S105 - the name of the entry, no secret
TOKEN_VARIABLES = ("SUPERVISOR_TOKEN", "HASSIO_TOKEN")
"""Both names that programs look for; the value is the same."""


def token_secret(
    name: str, labels: Mapping[str, str], launch_id: str, token: str, more: Mapping[str, str] | None = None
) -> Manifest:
    """Secret with `token` for one launch of the workload `name`; `labels` are the workload's. `more`: further entries,
    as texts.
    """
    entries = {TOKEN_KEY: token, **(more or {})}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": naming.launch_secret(name, launch_id),
            "labels": {**labels, naming.LABEL_LAUNCH: launch_id},
        },
        "type": "Opaque",
        "data": {key: base64.b64encode(text.encode()).decode() for key, text in entries.items()},
    }


def token_environment(name: str, launch_id: str) -> list[Manifest]:
    """Environment entries that read the token from the launch's Secret; the token itself stands in no other object."""
    secret = naming.launch_secret(name, launch_id)
    return [
        {"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": TOKEN_KEY}}}
        for variable in TOKEN_VARIABLES
    ]
