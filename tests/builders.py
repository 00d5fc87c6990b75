"""Small valid values for tests: give only what the test is about.

Everything is built by the product's own code where there is some (`normalise`, `desired_addon`), so a value made here
is one that the product could have made.
"""

from collections.abc import Mapping
from typing import Any

from supervisor_k8s.model import naming
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.addon_schema import normalise
from supervisor_k8s.model.desired.compose import desired_addon
from supervisor_k8s.model.desired.link import KeyPair, LinkKeys
from supervisor_k8s.model.desired.secrets import token_secret
from supervisor_k8s.model.intent import InstalledAddon, Intent, Launch, Wanted
from supervisor_k8s.model.site import Site
from supervisor_k8s.model.token import digest

LAUNCH = "0a1b2c3d"
TOKEN = "token-of-the-launch"
LINK_KEYS = LinkKeys(KeyPair("authority"), KeyPair("server", "server's key"), KeyPair("client", "client's key"))
"""Where nobody looks into them."""
EVERYTHING = frozenset(
    {"capabilities", "host_network", "privileged", "host_paths", "devices:example.com/stick", "devices:/dev/ttyUSB0"}
)
"""All that an administrator can let add-ons have."""
STARTED_AT = "2026-11-21T10:00:00Z"


def manifest(**changes: Any) -> dict[str, Any]:
    """A raw `config.yaml` as a store has it."""
    return {
        "name": "Example",
        "version": "1.0.0",
        "slug": "example",
        "description": "An example.",
        "arch": ["amd64", "aarch64"],
        "image": "ghcr.io/example/{arch}-app-example",
        "init": False,
        **changes,
    }


def addon(repository: str = "local", **changes: Any) -> AddonConfig:
    """A valid add-on; `changes` are keys of its raw manifest."""
    return AddonConfig.from_normalised(normalise(manifest(**changes)), repository=repository)


def unbuilt(**changes: Any) -> AddonConfig:
    """One without an image."""
    raw = {key: value for key, value in manifest(**changes).items() if key != "image"}
    return AddonConfig.from_normalised(normalise(raw), repository="local")


def site(**changes: Any) -> Site:
    return Site(
        **{
            "namespace": "home-assistant",
            "cluster_domain": "cluster.local",
            "supervisor_image": "localhost/supervisor-k8s:test",
            "supervisor_address": "10.96.0.20",
            "shared_claim": "home-assistant-shared",
            "dns_address": "10.96.0.30",
            **changes,
        }
    )


def launch(config: AddonConfig | None = None, **changes: Any) -> Launch:
    """A launch of `config` as a start freezes it; `changes` are fields of Launch."""
    config = config or addon()
    values: dict[str, Any] = {
        "id": LAUNCH,
        "version": config.version,
        "image": f"{(config.image or '').replace('{arch}', 'amd64')}:{config.version}",
        "token_digest": digest(TOKEN),
        "options": dict(config.options),
        "ports": dict(config.ports),
        "timezone": "Europe/Amsterdam",
        "config": config.raw,
        **changes,
    }
    objects = desired_addon(
        config,
        launch_id=values["id"],
        site=site(),
        **{key: values[key] for key in ("version", "image", "options", "ports", "timezone")},
    )
    name = naming.addon_name(config.slug)
    secret = token_secret(name, naming.addon_labels(config.slug), values["id"], TOKEN)
    return Launch(**{"objects": (secret, *objects), **values})


def intent(wanted: Wanted = Wanted.RUNNING, config: AddonConfig | None = None, failure: str | None = None) -> Intent:
    """An intent with a launch of `config`."""
    return Intent(wanted, launch(config), failure)


def installed(config: AddonConfig | None = None, *, wanted: Intent | None = None, **user: Any) -> InstalledAddon:
    """The record of an installed add-on; `user` are keys of its user half, `wanted` its intent (default: stopped)."""
    config = config or addon()
    half = {
        "version": config.version,
        "image": (config.image or "").replace("{arch}", "amd64"),
        "options": {},
        "uuid": "0" * 32,
        "ingress_token": "ingress-token",
        "protected": True,
        **user,
    }
    system = {**config.raw, "repository": config.repository}
    return InstalledAddon(slug=config.slug, user=half, system=system, intent=wanted or Intent())


def pod(
    slug: str = "local_example",
    *,
    launch_id: str = LAUNCH,
    program: Mapping[str, Any] | None = None,
    hold: Mapping[str, Any] | None = None,
    ready: bool | None = None,
    **status: Any,
) -> dict[str, Any]:
    """An add-on's live pod. `program` and `hold` are container states, by default running; `status` is merged in.

    `ready` is the pod's condition, by default as the two states say.
    """
    states = {"addon": program or running(), "hold": hold or running()}
    up = all("running" in state for state in states.values())
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{naming.addon_name(slug)}-5d8c7f6b9-abcde",
            "uid": "9d0f8a5e-0000-4000-8000-000000000001",
            "creationTimestamp": "2026-11-21T09:59:59Z",
            "labels": {**naming.addon_labels(slug), naming.LABEL_LAUNCH: launch_id},
        },
        "spec": {"containers": [{"name": name} for name in states]},
        "status": {
            "phase": "Running",
            "podIP": "10.0.0.7",
            "podIPs": [{"ip": "10.0.0.7"}],
            "conditions": [
                condition("PodScheduled", "True"),
                condition("Ready", "True" if (up if ready is None else ready) else "False"),
            ],
            "containerStatuses": [
                {"name": name, "restartCount": 0, "state": dict(state)} for name, state in states.items()
            ],
            **status,
        },
    }


def condition(kind: str, status: str, *, at: str = "2026-11-21T09:59:59Z", **more: str) -> dict[str, str]:
    return {"type": kind, "status": status, "lastTransitionTime": at, **more}


def running() -> dict[str, Any]:
    return {"running": {"startedAt": STARTED_AT}}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def ended(code: int, **more: str) -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": "Completed" if code == 0 else "Error", **more}}


def cleared_away(live: Mapping[str, Any]) -> dict[str, Any]:
    """The same pod as its node reports it last: nothing runs any more, and only its folders are still to go."""
    containers = live["spec"]["containers"]
    statuses = [{"name": one["name"], "restartCount": 0, "state": ended(0)} for one in containers]
    return {**live, "status": {**live["status"], "phase": "Succeeded", "containerStatuses": statuses}}


def terminating(live: Mapping[str, Any]) -> dict[str, Any]:
    """The same object, being deleted."""
    return {**live, "metadata": {**live["metadata"], "deletionTimestamp": "2026-11-21T10:05:00Z"}}
