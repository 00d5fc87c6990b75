"""What a new version of ours runs in before it takes over: which image, and what of our own pod."""

from typing import Any

import pytest
import yaml

from supervisor_k8s.model.desired.self_check import self_check_job, with_version
from tests import builders, golden
from tests.unit.test_settings import MANIFEST


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("ghcr.io/a/b:2026.11.0", "ghcr.io/a/b:9"),
        ("ghcr.io/a/b", "ghcr.io/a/b:9"),
        ("registry:5000/b", "registry:5000/b:9"),
        ("registry:5000/b:1@sha256:00ff", "registry:5000/b:9"),
        ("b@sha256:00ff", "b:9"),
    ],
)
def test_another_version_of_an_image(image: str, expected: str) -> None:
    """The same repository; a digest would name the old one."""
    assert with_version(image, "9") == expected


def test_the_job_is_this() -> None:
    """Made of the Deployment in `manifests/`, and reviewed as text: nothing of ours can be written."""
    deployment: dict[str, Any] = yaml.safe_load(MANIFEST.read_text())
    job = self_check_job(deployment, "ghcr.io/supervisor-k8s/supervisor:9", node="node-1", site=builders.site())
    golden.check("self-check/job.yaml", golden.manifests([job]))


def test_an_administrators_own_container_stays_out() -> None:
    """A sidecar would never end; what the image is to run is its own business, whatever the Deployment overrides."""
    own = {"name": "supervisor", "image": "a:1", "command": ["sh"], "args": ["x"]}
    pod = {"containers": [{"name": "sidecar", "image": "s:1"}, own], "initContainers": [{"name": "i"}]}
    job = self_check_job({"spec": {"template": {"spec": pod}}}, "a:2", node="", site=builders.site())
    spec = job["spec"]["template"]["spec"]
    assert spec["containers"] == [{"name": "supervisor", "image": "a:2", "args": ["--check"], "volumeMounts": []}]
    assert not {"initContainers", "nodeName"} & set(spec)
