"""What is allowed and cannot be had: found out by asking the cluster, and told."""

import asyncio
from typing import Any

import pytest

from supervisor_k8s.errors import ClusterUnavailableError
from supervisor_k8s.model.allowance import Allow
from supervisor_k8s.model.availability import check_available, compatibility
from supervisor_k8s.model.compatibility import Verdict, sentence
from supervisor_k8s.model.desired.compose import desired_addon
from supervisor_k8s.model.desired.security import trial_pods
from supervisor_k8s.model.intent import Manifest
from supervisor_k8s.model.issue import Cause
from supervisor_k8s.services.allowances import Allowances
from tests.builders import EVERYTHING, LAUNCH, addon, site
from tests.fakes import FakeCluster

WORDS = frozenset({"capabilities", "local_example=host_network", "devices:example.com/stick"})
REASON = 'violates PodSecurity "baseline:latest": host namespaces (hostNetwork=true)'


def allowances(cluster: FakeCluster, wait: float = 10.0) -> Allowances:
    return Allowances(cluster=cluster, allowed=WORDS, site=lambda: site(allowed=WORDS), wait=wait)


async def test_what_the_cluster_refuses_nobody_gets(caplog: pytest.LogCaptureFixture) -> None:
    """The word has no effect, which is an issue, a line in the log, and the reason in the store; once the cluster lets
    such pods in, it has.
    """
    cluster = FakeCluster()
    cluster.refusals["allow-host-network-trial"] = REASON
    made = allowances(cluster)
    await made.prepare()
    assert made.allowed == WORDS - {"local_example=host_network"}
    (fault,) = await made.check()
    assert (fault.cause, fault.reference) == (Cause.ALLOWED_IN_VAIN, "host_network")
    (said,) = caplog.messages
    assert REASON in said
    found = compatibility(addon(host_network=True), made.site, core_version=None)
    assert found.verdict is Verdict.CANNOT_RUN
    assert f"host_network (the node's own network), which the cluster refuses: {REASON}" in sentence(found)
    cluster.refusals.clear()
    assert await made.check() == []
    assert made.allowed == WORDS
    check_available(addon(host_network=True), made.site, core_version=None)


async def test_a_cluster_that_does_not_say(caplog: pytest.LogCaptureFixture) -> None:
    """What is allowed is taken for possible, and what was known stays."""
    cluster = FakeCluster()
    cluster.fail("refusal", ClusterUnavailableError("overloaded"))
    made = allowances(cluster)
    await made.prepare()
    assert made.allowed == WORDS
    assert "is not known yet: overloaded" in caplog.text
    cluster.refusals["allow-capabilities-trial"] = REASON
    await made.check()
    cluster.fail("refusal", ClusterUnavailableError("overloaded"))
    with pytest.raises(ClusterUnavailableError):
        await made.check()
    assert "capabilities" not in made.allowed


async def test_a_start_does_not_wait_for_long(caplog: pytest.LogCaptureFixture) -> None:
    """For a cluster that does not answer at all."""

    class Silent(FakeCluster):
        async def refusal(self, _manifest: Manifest) -> str | None:
            await asyncio.Event().wait()
            raise AssertionError

    made = allowances(Silent(), wait=0.01)
    await made.prepare()
    assert made.allowed == WORDS
    assert "did not answer in time" in caplog.text


async def test_a_device_that_comes_with_a_node() -> None:
    """What nodes offer is known from the look after our start and after a change; not where we may not ask. Our start
    does not wait for it.
    """
    cluster = FakeCluster()
    made, config = allowances(cluster), addon(schema={"port": "device"}, uart=True)
    await made.prepare()
    await made.check()
    check_available(config, made.site, core_version=None)
    node = {"spec": {}, "status": {"nodeInfo": {"architecture": "amd64"}, "allocatable": {"cpu": "1"}}}
    cluster.known_nodes = [node]
    await made.prepare()
    check_available(config, made.site, core_version=None)
    await made.check()
    found = compatibility(config, made.site, core_version=None)
    assert "the device example.com/stick, as SUPERVISOR_K8S_ALLOW says, which no node offers" in sentence(found)
    before = made.nodes
    await made.check()
    assert made.nodes is before
    cluster.known_nodes = [node, {"status": {"allocatable": {"example.com/stick": "1"}}}]
    await made.check()
    assert compatibility(config, made.site, core_version=None).verdict is Verdict.RUNS


def test_what_is_not_allowed_is_not_tried() -> None:
    """Nor is what fits into every namespace: resources of device plugins."""
    assert trial_pods(site()) == {}
    assert trial_pods(site(allowed={"devices:example.com/stick"})) == {}
    assert len(trial_pods(site(allowed=EVERYTHING))) == 5


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"host_network": True}, {"host_network"}),
        ({"privileged": ["SYS_ADMIN"]}, {"capabilities"}),
        ({"full_access": True, "host_pid": True, "host_ipc": True}, {"privileged"}),
        ({"journald": True}, {"host_paths"}),
        ({"usb": True}, {"devices:/dev/ttyUSB0", "privileged"}),
        ({"devices": ["/dev/net/tun"]}, {"devices:/dev/net/tun"}),
    ],
)
def test_the_trial_asks_for_what_the_pods_do(given: dict[str, Any], words: set[str]) -> None:
    """The same rights as an add-on that makes use of the word, or it would prove nothing."""
    where = site(allowed=words)
    *_, workload = desired_addon(
        addon(**given),
        launch_id=LAUNCH,
        version="1",
        image="example/app:1",
        options={},
        ports={},
        timezone="UTC",
        site=where,
        protected=False,
    )
    asked = rights(workload["spec"]["template"]["spec"])
    assert asked
    first = next(name for name in (Allow.DEVICES, *Allow) if name in trial_pods(where))
    assert rights(trial_pods(where)[first]["spec"]) >= asked


def rights(spec: dict[str, Any]) -> set[str]:
    """What a policy looks at."""
    (program, *_) = spec["containers"]
    context = program.get("securityContext", {})
    paths = {"path" for volume in spec.get("volumes", ()) if "hostPath" in volume}
    shared = {key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)}
    privileged = {"privileged"} if context.get("privileged") else set()
    return {*context.get("capabilities", {}).get("add", ()), *paths, *shared, *privileged}
