"""What the cluster still shows of Home Assistant Core and of add-ons, as records: for when ours are lost. Pure.

Without it, a damaged `core.json` would take a running Core for a new installation and replace it, and an add-on without
a record would be taken for what an uninstall left behind.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from supervisor_k8s.model import naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.build import untagged
from supervisor_k8s.model.desired.core import desired_core
from supervisor_k8s.model.desired.secrets import TOKEN_KEY, token_secret
from supervisor_k8s.model.intent import CoreRecord, InstalledAddon, Intent, Launch, Manifest, Wanted
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.status import is_terminating, labels
from supervisor_k8s.model.token import digest

type Live = Mapping[str, Any]
PROGRAMS = ("Deployment", "Job")
"""Kinds that run an add-on: where there is one, the add-on is installed. An uninstall takes them away before the
record; Secrets and Services may be its leftovers.
"""
KEPT = ("name", "namespace", "labels", "annotations")
"""Metadata that a manifest of ours has."""
JOB_LABELS = ("controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name")
"""What the API server puts on a Job's template: another Job must not have it."""
GIVEN = {"Deployment": (), "Job": ("selector",), "Service": ("clusterIP", "clusterIPs")}
"""Fields of a spec that the API server chose: not ours to ask for again."""

_NO_RIGHTS: Mapping[str, Any] = {
    "hassio_api": False,
    "homeassistant_api": False,
    "auth_api": False,
    "hassio_role": "default",
    "services": (),
    "discovery": (),
}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the cluster has of an add-on without a record, as it was started; `image` is with tag."""

    slug: str
    version: str
    image: str
    program: Live
    """Deployment or Job."""


def addons_without_record(objects: Iterable[Live], known: Iterable[str]) -> tuple[Found, ...]:
    """Add-ons that the cluster runs or keeps stopped and whose slugs are not `known`."""
    records, found = set(known), {}
    for live in objects:
        annotations: Live = live["metadata"].get("annotations") or {}
        told = [annotations.get(key) for key in _TOLD]
        if live["kind"] in PROGRAMS and not is_terminating(live) and all(told) and told[0] not in records:
            found[told[0]] = Found(slug=str(told[0]), version=str(told[1]), image=str(told[2]), program=live)
    return tuple(found.values())


def recovered_addon(  # noqa: PLR0913 - the parts of a record, by name
    found: Found,
    config: AddonConfig,
    *,
    secret: Live | None,
    service: Live | None,
    options: Mapping[str, Any],
    ports: Mapping[str, int | None],
    uuid: str,
    ingress_token: str,
) -> InstalledAddon:
    """The record of an add-on as the cluster runs it, which goes on as it is. `config` is the store's manifest,
    `options` what its last start was given, `ports` what it publishes since. Without the launch's Secret its program
    has ended, or nobody knows its token: its pod may be read, and nothing of it runs. A launch of another version than
    the store's has no rights at our API: its next start gives it those of the store's.
    """
    image = untagged(found.image, found.version)
    user = {
        "version": found.version,
        "image": image,
        "options": options,
        "uuid": uuid,
        "ingress_token": ingress_token,
        "protected": True,
        **({"network": {key: ports.get(key if "/" in key else f"{key}/tcp") for key in config.ports}} if ports else {}),
    }
    token = secret and _token(secret)
    launch_id = _launch_id(found.program)
    up = bool(found.program["spec"].get("replicas", 1))
    intent = Intent()
    if launch_id and (token or up):
        objects = tuple(_manifest(live) for live in (secret, service, found.program) if live is not None)
        known = digest(token) if token else ""
        launch = Launch(
            launch_id,
            found.version,
            found.image,
            known,
            objects,
            options=options,
            ports=ports,
            config=_own(found, config),
        )
        intent = Intent((Wanted.RUNNING if token else Wanted.EXITED) if up else Wanted.STOPPED, launch)
    system = {**config.raw, "repository": config.repository}
    return InstalledAddon(slug=found.slug, user=user, system=system, intent=intent)


def _own(found: Found, config: AddonConfig) -> Mapping[str, Any]:
    """The manifest to freeze in the launch: whoever changes the store's must not give rights to what runs already."""
    return config.raw if config.version == found.version else {**config.raw, **_NO_RIGHTS}


def addon_token_secret(found: Found) -> str:
    """Name of the Secret with the token of the launch that the cluster has."""
    return naming.launch_secret(naming.addon_name(found.slug), _launch_id(found.program))


_TOLD = (naming.ANNOTATION_SLUG, naming.ANNOTATION_VERSION, naming.ANNOTATION_IMAGE)


def _manifest(live: Live) -> Manifest:
    """A live object as a manifest of ours that changes nothing of it: no pod is made anew because of it."""
    metadata = {key: value for key, value in live["metadata"].items() if key in KEPT}
    metadata["annotations"] = {key: value for key, value in (metadata.get("annotations") or {}).items() if key in _TOLD}
    rest = {key: value for key, value in live.items() if key not in {"metadata", "spec", "status"}}
    if "spec" not in live:
        return {**rest, "metadata": metadata}
    spec = {key: value for key, value in live["spec"].items() if key not in GIVEN.get(live["kind"], ())}
    if "template" in spec:
        inner = spec["template"]["metadata"]
        own = {key: value for key, value in labels(spec["template"]).items() if key not in JOB_LABELS}
        spec["template"] = {**spec["template"], "metadata": {**inner, "labels": own}}
        spec["template"]["metadata"].pop("creationTimestamp", None)
    return {**rest, "metadata": metadata, "spec": spec}


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
