"""The pull secret: logins as kubelets look for them."""

import base64
import json
from typing import Any

import pytest

from supervisor_k8s.errors import RefusedError
from supervisor_k8s.model.desired.compose import desired_addon
from supervisor_k8s.model.desired.pull import pull_pod
from supervisor_k8s.model.desired.registries import registries_workload
from supervisor_k8s.model.intent import Manifest
from tests import builders

ME = {"username": "me", "password": "pa:ss"}
OTHER = {"username": "other", "password": "ö"}


def auths(**registries: Any) -> Any:
    (secret,) = registries_workload(registries, builders.site()).objects
    return json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))["auths"]


def test_logins() -> None:
    """Name, password and both together, by host; a port belongs to the name."""
    found = auths(**{"ghcr.io": ME, "registry.test:5000": OTHER})
    assert found["ghcr.io"] == {**ME, "auth": base64.b64encode(b"me:pa:ss").decode()}
    assert found["registry.test:5000"] == {**OTHER, "auth": base64.b64encode("other:ö".encode()).decode()}


def test_docker_hub() -> None:
    """Both of its names in Home Assistant are the one that kubelets know; `docker.io` counts where both are there."""
    for registries in ({"docker.io": ME}, {"hub.docker.com": ME}, {"docker.io": ME, "hub.docker.com": OTHER}):
        assert {"https://index.docker.io/v1/": "me"} == {
            key: one["username"] for key, one in auths(**registries).items()
        }


def test_none() -> None:
    """The Secret is there, and of its type, even without a login: kubelets complain of one that is missing."""
    (secret,) = registries_workload({}, builders.site()).objects
    assert (secret["metadata"]["name"], secret["type"]) == ("supervisor-registries", "kubernetes.io/dockerconfigjson")
    assert auths() == {}


def test_too_large() -> None:
    """Refused in words before the API server refuses it."""
    with pytest.raises(RefusedError, match="larger than 512 kB"):
        registries_workload({"a.test": {**ME, "password": "x" * 600_000}}, builders.site())


def test_pods_name_it() -> None:
    """Every pod with images of others: the one that fetches them, and an add-on's, whatever runs it."""
    site, named = builders.site(), [{"name": "supervisor-registries"}]
    assert pull_pod("example.test/a:1", site)["spec"]["imagePullSecrets"] == named
    for startup in ("application", "once"):
        assert addon_pod(startup)["imagePullSecrets"] == named


def addon_pod(startup: str) -> Manifest:
    config = builders.addon(startup=startup)
    launch = builders.launch(config)
    objects = desired_addon(
        config, launch_id=launch.id, version=launch.version, image=launch.image, options={}, ports={},
        timezone="UTC", site=builders.site(),
    )  # fmt: skip
    pod: Manifest = objects[-1]["spec"]["template"]["spec"]
    return pod
