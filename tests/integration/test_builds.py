"""The pod that builds images, shown to a real API server."""

from supervisor_k8s.cluster.client import Client
from supervisor_k8s.cluster.cluster import Cluster
from supervisor_k8s.model.build import Recipe
from supervisor_k8s.model.desired.build import Builder, build_job, trial_pod
from supervisor_k8s.model.intent import Manifest
from tests.builders import site
from tests.cluster.controlplane import ControlPlane
from tests.integration.test_pod_security import enforce
from tests.integration.test_real_addons import dry_run


def job(namespace: str) -> Manifest:
    builder = Builder(image="example/buildah:1", push="http://registry.test:5000", deadline=60)
    recipe = Recipe("Dockerfile", {"BUILD_ARCH": "amd64"}, {"io.hass.name": "Example"})
    return build_job("local_example", "amd64-addon-local-example:1.0.0", recipe, builder, site(namespace=namespace))


async def test_it_is_taken(plane: ControlPlane, namespace: str, cluster: Cluster) -> None:
    """Without an unknown field or a warning, where the namespace's level is `privileged`."""
    made = dict(job(namespace))
    assert await dry_run(plane, [made, dict(trial_pod(made))]) == (2, "")
    assert await cluster.refusal(trial_pod(made)) is None


async def test_it_is_refused_at_baseline(admin: Client, namespace: str, cluster: Cluster) -> None:
    """In the API server's words, which say why; a Job alone would be taken, and wait until its deadline."""
    await enforce(admin, namespace, "baseline")
    refused = await cluster.refusal(trial_pod(job(namespace)))
    assert refused is not None
    assert "PodSecurity" in refused
    assert await cluster.refusal(job(namespace)) is None
