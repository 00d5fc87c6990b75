"""Pod Security: the whole installation in a namespace at `baseline`, and plain words where a namespace forbids more."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from supervisor_k8s.cluster.client import MERGE_PATCH, Client
from supervisor_k8s.errors import AddonNotSupportedError, ClusterRefusedError, SupervisorError
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.availability import check_available
from supervisor_k8s.model.desired.compose import desired_addon
from supervisor_k8s.model.desired.config_check import Candidate, check_job
from supervisor_k8s.model.desired.core import desired_core
from supervisor_k8s.model.desired.dns import dns_deployment
from supervisor_k8s.model.desired.pull import pull_pod
from supervisor_k8s.model.desired.self_check import self_check_job
from supervisor_k8s.model.intent import CoreRecord
from tests.builders import EVERYTHING, LAUNCH, site
from tests.cluster.controlplane import ControlPlane
from tests.integration.lives import living
from tests.integration.overlay import rendered
from tests.real_addons import real_addons

ROOT = Path(__file__).parents[2]
MANIFESTS = ROOT / "manifests"
PLUGIN = frozenset({"devices:example.com/stick"})
LABEL = "pod-security.kubernetes.io/enforce"


async def enforce(admin: Client, namespace: str, level: str) -> None:
    """From now on the API server refuses pods beyond this level."""
    change = {"metadata": {"labels": {LABEL: level}}}
    await admin.request("PATCH", f"/api/v1/namespaces/{namespace}", body=change, content_type=MERGE_PATCH)


async def try_pod(admin: Client, namespace: str, name: str, template: Mapping[str, Any]) -> None:
    """A dry-run of the pod of this template: a Deployment's own passes whatever its pods ask for."""
    spec = {key: value for key, value in template["spec"].items() if key != "serviceAccountName"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    await admin.request("POST", f"/api/v1/namespaces/{namespace}/pods", query={"dryRun": "All"}, body=pod)


def templates() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Pods of the Supervisor, of both kinds of Core, of the names' server, of a pull, and of what runs once."""
    deployment = yaml.safe_load((MANIFESTS / "base" / "deployment.yaml").read_text())
    yield "supervisor", deployment["spec"]["template"]
    candidate = Candidate("share/candidate")
    for job in (
        check_job("core:1", "UTC", site(), candidate=candidate),
        self_check_job(deployment, "ours:1", node="n", site=site()),
    ):
        yield job["metadata"]["name"], job["spec"]["template"]
    for version in ("2026.11.0", "2026.2.3"):
        objects = desired_core(
            CoreRecord(version=version), launch_id=LAUNCH, version=version, image=f"core:{version}", site=site()
        )
        (core,) = (item for item in objects if item["kind"] == "StatefulSet")
        yield f"core-{version}", core["spec"]["template"]
    yield "dns", dns_deployment(site(), "example/coredns:1", None)["spec"]["template"]
    yield "pull", pull_pod("example/app:1", site())


def workload(config: AddonConfig, *allowed: str) -> Mapping[str, Any]:
    objects = desired_addon(
        config,
        launch_id=LAUNCH,
        version=config.version,
        image="example/app:1",
        options={},
        ports=config.ports,
        timezone="UTC",
        site=site(allowed=frozenset(allowed)),
        protected=False,
    )
    template: Mapping[str, Any] = objects[-1]["spec"]["template"]
    return template


async def test_everything_we_render_fits_into_baseline(admin: Client, namespace: str) -> None:
    """Our own pods, and those of every real add-on that can be installed, also with devices of a plugin; the others are
    refused by name before.
    """
    await enforce(admin, namespace, "baseline")
    for name, template in templates():
        await try_pod(admin, namespace, name, template)
    seen = Counter[str]()
    for number, config in enumerate(real_addons().values()):
        try:
            check_available(config, site(allowed=PLUGIN), core_version=None)
        except AddonNotSupportedError:
            seen["refused"] += 1
        except SupervisorError:
            seen["elsewhere"] += 1  # another architecture or machine
        else:
            await try_pod(admin, namespace, f"addon-{number}", workload(config, *PLUGIN))
            seen["fits"] += 1
    assert seen["fits"] >= 30, seen
    assert seen["refused"] >= 10, seen


async def test_the_api_server_does_enforce(admin: Client, namespace: str) -> None:
    """The test above would notice: what baseline forbids is refused here."""
    await enforce(admin, namespace, "baseline")
    config = next(addon for addon in real_addons().values() if addon.privileged)
    with pytest.raises(ClusterRefusedError, match="PodSecurity"):
        await try_pod(admin, namespace, "addon", workload(config, "capabilities"))


async def test_the_api_server_takes_what_can_be_allowed(admin: Client, namespace: str) -> None:
    """The node's network, its folders, devices and all else, at the level that the manifests set."""
    await enforce(admin, namespace, "privileged")
    everything, seen = site(allowed=EVERYTHING), Counter[str]()
    for number, config in enumerate(real_addons().values()):
        try:
            check_available(config, everything, core_version=None)
        except SupervisorError:
            continue
        template = workload(config, *EVERYTHING)
        await try_pod(admin, namespace, f"addon-{number}", template)
        text = json.dumps(template)
        seen.update(
            word for word in ("hostNetwork", "hostIPC", '"privileged": true', "hostPath", "stick") if word in text
        )
    assert seen["hostNetwork"] >= 10, seen
    assert len(seen) == 5, seen


async def test_a_house_at_baseline(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path) -> None:
    """The program itself: Core runs, an add-on with a page is installed and runs, by what
    `manifests/components/baseline` sets; what it does without is told.
    """
    objects = await rendered(tmp_path / "overlay", "baseline")
    await enforce(admin, namespace, objects["Namespace"]["metadata"]["labels"][LABEL])
    addons = [{"slug": "a", "ingress": True}, {"slug": "b", "host_network": True}]
    async with living(plane, admin, namespace, tmp_path, addons, DOCKER_NETWORK="auto", ALLOW="host_network") as life:
        await life.do("/store/addons/local_a/install")
        await life.do("/addons/local_a/start")
        assert await life.program.states() == {"local_a": "started"}
        await life.do("/resolution/healthcheck")
        issues = (await life.program.ask("GET", "/resolution/info")).body["data"]["issues"]
        extras = [issue["reference_extra"] or {} for issue in issues]
        for reason in ("docker_network_off", "allowed_in_vain"):
            (told,) = (extra for extra in extras if extra.get("reason") == reason)
            assert 'violates PodSecurity "baseline' in told["message"]
        refused = await life.program.ask("POST", "/store/addons/local_b/install")
        assert "which the cluster refuses: " in refused.body["message"]
        await life.program.end()


async def test_a_namespace_that_allows_less(plane: ControlPlane, admin: Client, namespace: str, tmp_path: Path) -> None:
    """At `restricted` nothing of Home Assistant can run. Whoever asks for an add-on is told by whom it was refused."""
    async with living(plane, admin, namespace, tmp_path, [{"slug": "a"}]) as life:
        await enforce(admin, namespace, "restricted")
        answer = await life.program.ask("POST", "/store/addons/local_a/install")
        assert answer.status != 200
        assert 'violates PodSecurity "restricted' in answer.body["message"]
        await life.program.end()
