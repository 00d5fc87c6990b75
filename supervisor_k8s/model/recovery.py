"""What the cluster still shows of Home Assistant Core, as a record: for when ours is lost. Pure.

Without it, a damaged `core.json` would take a running Core for a new installation and replace it.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from supervisor_k8s.model import naming
from supervisor_k8s.model.desired.core import desired_core
from supervisor_k8s.model.desired.secrets import TOKEN_KEY, token_secret
from supervisor_k8s.model.intent import CoreRecord, Intent, Launch, Wanted
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.token import digest

type Live = Mapping[str, Any]


def core_token_secret(stateful_set: Live) -> str:
    """Name of the Secret with the token of the launch that a live StatefulSet carries."""
    return naming.launch_secret(naming.CORE, _launch_id(stateful_set))


def recovered_core(stateful_set: Live | None, secret: Live | None, *, uuid: str, site: Site) -> CoreRecord | None:
    """The record of the Core that `stateful_set` runs, with the launch and token it has; None when they do not tell.

    The user's choices (image, boot, watchdog …) are lost; port and TLS Core tells again at its next start.
    """
    if stateful_set is None or secret is None:
        return None
    annotations = stateful_set["metadata"].get("annotations", {})
    version, image = annotations.get(naming.ANNOTATION_VERSION), annotations.get(naming.ANNOTATION_IMAGE)
    token, launch_id = _token(secret), _launch_id(stateful_set)
    if not version or not image or not token or not launch_id:
        return None
    timezone = _environment(stateful_set).get("TZ", "UTC")
    record = CoreRecord(version=version, uuid=uuid, timezone=timezone)
    frozen = token_secret(naming.CORE, naming.core_labels(), launch_id, token)
    objects = desired_core(record, launch_id=launch_id, version=version, image=image, site=site)
    launch = Launch(launch_id, version, image, digest(token), (frozen, *objects), timezone=timezone)
    wanted = Wanted.RUNNING if stateful_set["spec"].get("replicas") else Wanted.STOPPED
    return CoreRecord(version=version, uuid=uuid, timezone=timezone, intent=Intent(wanted, launch))


def _launch_id(stateful_set: Live) -> str:
    labels: Live = stateful_set["spec"]["template"]["metadata"].get("labels", {})
    return str(labels.get(naming.LABEL_LAUNCH, ""))


def _environment(stateful_set: Live) -> dict[str, str]:
    containers = stateful_set["spec"]["template"]["spec"].get("containers") or [{}]
    return {item["name"]: item["value"] for item in containers[0].get("env", ()) if "value" in item}


def _token(secret: Live) -> str | None:
    try:
        return base64.b64decode(secret["data"][TOKEN_KEY], validate=True).decode()
    except (KeyError, binascii.Error, UnicodeDecodeError):
        return None
