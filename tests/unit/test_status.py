"""States read off pods: what a person sees of an add-on and of Core."""

from typing import Any

import pytest

from supervisor_k8s.model.intent import Intent, Wanted
from supervisor_k8s.model.status import (
    AddonState,
    PullState,
    Status,
    current_pod,
    nothing_runs,
    observe_addon,
    observe_core,
    observe_pull,
    pod_address,
    running_container,
)
from tests.builders import cleared_away, condition, ended, intent, pod, running, terminating, waiting

CREATING = waiting("ContainerCreating")


def observed(*pods: dict[str, Any], wanted: Wanted = Wanted.RUNNING, failure: str | None = None) -> Status:
    return observe_addon(pods, intent(wanted, failure=failure))


def test_a_ready_pod_is_a_started_addon() -> None:
    """Program and hold run and the pod is ready: started."""
    assert observed(pod()) == Status(state=AddonState.STARTED, ready=True)


@pytest.mark.parametrize(
    ("code", "state"),
    [(0, AddonState.STOPPED), (1, AddonState.ERROR), (143, AddonState.ERROR)],
)
@pytest.mark.parametrize("wanted", [Wanted.RUNNING, Wanted.EXITED])
def test_a_program_that_ended_is_stopped_or_error_by_its_exit_code(
    code: int, state: AddonState, wanted: Wanted
) -> None:
    """Docker's rule: exit 0 is stopped, any other code is error; the exit code stays readable."""
    status = observed(pod(program=ended(code)), wanted=wanted)
    assert (status.state, status.exit_code, status.fatal, status.sandbox_lost) == (state, code, True, False)


def test_out_of_memory_is_said() -> None:
    """The kubelet's word for why it ended is part of the reason."""
    killed = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
    assert observed(pod(program=killed)).reason == "the program ended with exit code 137 (OOMKilled)"


@pytest.mark.parametrize("reason", ["StartError", "ContainerCannotRun"])
def test_a_program_that_cannot_be_executed_never_ran(reason: str) -> None:
    """A start that fails in the runtime has no exit code: the start is to be withdrawn, with the runtime's words."""
    broken = {"terminated": {"exitCode": 128, "reason": reason, "message": "exec: not found"}}
    status = observed(pod(program=broken))
    assert (status.state, status.exit_code, status.fatal) == (AddonState.ERROR, None, True)
    assert not status.tried_again
    assert status.reason == "the program cannot be executed: exec: not found"


@pytest.mark.parametrize(
    "live",
    [
        pod(program=ended(255), hold=ended(255)),
        pod(
            containerStatuses=[
                {"name": "addon", "restartCount": 0, "state": ended(255)},
                {"name": "hold", "restartCount": 1, "state": running()},
            ]
        ),
        pod(hold=ended(0)),
        pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory."),
        pod(phase="Failed", reason="Terminated", message="Pod was terminated in response to imminent node shutdown."),
        pod(program={"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}}),
    ],
    ids=["both ended", "hold restarted", "hold ended alone", "evicted", "node shutdown", "status unknown"],
)
def test_a_lost_sandbox_is_never_taken_for_an_exit(live: dict[str, Any]) -> None:
    """When hold did not outlive the program, the pod's exit codes mean nothing."""
    status = observed(live)
    assert status.sandbox_lost
    assert status.exit_code is None
    assert status.reason


@pytest.mark.parametrize(
    "reason",
    ["ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CreateContainerError", "RunContainerError"],
)
@pytest.mark.parametrize("which", ["program", "hold"])
def test_a_container_that_cannot_start_is_an_error_at_once(reason: str, which: str) -> None:
    """No waiting for what will not come; the reason carries the runtime's sentence, which names the image."""
    state: Any = {which: waiting(reason, "pulling image nowhere/at:all")}
    status = observed(pod(**state, phase="Pending"))
    assert (status.state, status.fatal, status.tried_again) == (AddonState.ERROR, True, True)
    assert f"{reason}: pulling image nowhere/at:all" in (status.reason or "")


@pytest.mark.parametrize(
    ("live", "reason"),
    [
        (pod(program=CREATING, hold=CREATING, phase="Pending"), None),
        (pod(program=waiting("ErrImagePull", "timeout"), phase="Pending"), "ErrImagePull: timeout"),
        (
            pod(program=waiting("CreateContainerConfigError", "failed to sync secret cache"), phase="Pending"),
            "CreateContainerConfigError: failed to sync secret cache",
        ),
        (pod(ready=False), None),
        (
            {**pod(phase="Pending", containerStatuses=[], ready=False), "spec": {"schedulingGates": [{"name": "x"}]}},
            "its turn",
        ),
        (
            pod(
                phase="Pending",
                containerStatuses=[],
                conditions=[condition("PodScheduled", "False", reason="Unschedulable", message="0/1 nodes")],
            ),
            "no node can take it: 0/1 nodes",
        ),
    ],
    ids=["creating", "first pull error", "secret not seen yet", "not ready", "gated", "unschedulable"],
)
def test_what_may_still_come_is_startup(live: dict[str, Any], reason: str | None) -> None:
    """A start that only takes long is startup, with what it waits for."""
    status = observed({**live, "metadata": pod()["metadata"]})
    assert (status.state, status.fatal, status.ready) == (AddonState.STARTUP, False, False)
    assert status.reason is None if reason is None else reason in (status.reason or "")


def test_an_addon_that_was_ready_stays_started_when_its_probe_fails() -> None:
    """Startup is for the way up only, as with upstream's health checks."""
    live = pod(conditions=[condition("Ready", "False", at="2026-11-21T10:30:00Z")])
    status = observed(live)
    assert (status.state, status.ready) == (AddonState.STARTED, False)


def test_a_silent_node_is_no_fault_of_the_addon() -> None:
    """The node controller then calls its pods not ready; their containers stay as they were last reported."""
    live = pod(
        conditions=[condition("Ready", "False", at="2026-11-21T10:30:00Z"), condition("ContainersReady", "True")]
    )
    assert (observed(live).state, observed(live).unreported) == (AddonState.STARTED, True)
    assert running_container(live, "addon") is None
    failing = pod(conditions=[condition("Ready", "False"), condition("ContainersReady", "False")])
    assert not observed(failing).unreported
    assert running_container(failing, "addon") is not None


def test_pods_of_other_launches_do_not_count() -> None:
    """While the former launch's pod is ending, the new launch is in startup."""
    status = observed(terminating(pod(launch_id="ffffffff")))
    assert status == Status(state=AddonState.STARTUP, reason="the former pod has not ended yet")


def test_a_terminating_pod_is_not_the_running_one() -> None:
    """A pod deleted by hand leaves a started add-on in startup until its replacement is there."""
    assert observed(terminating(pod())).state is AddonState.STARTUP
    assert observed(terminating(pod()), pod()).state is AddonState.STARTED


def test_an_evicted_pod_does_not_hide_its_replacement() -> None:
    """The ReplicaSet leaves evicted pods lying about; the running one counts whatever its age."""
    evicted = pod(phase="Failed", reason="Evicted")
    evicted["metadata"]["creationTimestamp"] = "2026-11-21T11:00:00Z"
    assert observed(evicted, pod()).state is AddonState.STARTED


@pytest.mark.parametrize(
    ("pods", "failure", "state"),
    [
        ((), None, AddonState.STOPPED),
        ((), "image cannot be pulled", AddonState.ERROR),
        ((terminating(pod()),), None, AddonState.STARTED),
        ((terminating(pod(program=ended(143))),), None, AddonState.STOPPED),
    ],
    ids=["no pod", "withdrawn start", "still runs", "program ended"],
)
def test_an_addon_that_shall_be_stopped(
    pods: tuple[dict[str, Any], ...], failure: str | None, state: AddonState
) -> None:
    """Stopped once its program is gone, error when its last start was withdrawn."""
    assert observed(*pods, wanted=Wanted.STOPPED, failure=failure).state is state


def test_an_exited_addon_without_pod_keeps_its_failure() -> None:
    """When the pod of an exited program is gone (node removed), the intent's own word remains."""
    assert observed(wanted=Wanted.EXITED).state is AddonState.STOPPED
    assert observed(wanted=Wanted.EXITED, failure="exit code 3").state is AddonState.ERROR


def test_an_addon_that_never_started_is_stopped() -> None:
    """No launch, no pod: stopped."""
    assert observe_addon((), Intent()).state is AddonState.STOPPED


def test_a_finished_job_is_read_without_hold() -> None:
    """The pod of a `once` add-on has no hold; its exit code counts when the program ended by itself."""
    done = pod(phase="Succeeded", containerStatuses=[{"name": "addon", "restartCount": 0, "state": ended(0)}])
    failed = pod(phase="Failed", containerStatuses=[{"name": "addon", "restartCount": 0, "state": ended(2)}])
    assert observed(done).state is AddonState.STOPPED
    assert (observed(failed).state, observed(failed).exit_code) == (AddonState.ERROR, 2)


# --- Core --------------------------------------------------------------------------------------------------------


def core(state: dict[str, Any], *, ready: bool = False, link: dict[str, Any] | None = None) -> dict[str, Any]:
    return pod(
        conditions=[condition("Ready", "True" if ready else "False")],
        initContainerStatuses=[{"name": "core-link", "restartCount": 0, "state": link or running()}],
        containerStatuses=[
            {
                "name": "homeassistant",
                "restartCount": 1,
                "state": state,
                "lastState": {"terminated": {"exitCode": 1}},
            }
        ],
    )


@pytest.mark.parametrize(
    ("live", "state"),
    [
        (None, AddonState.STOPPED),
        (terminating(core(running(), ready=True)), AddonState.STOPPED),
        (core(running(), ready=True), AddonState.STARTED),
        (core(running()), AddonState.STARTUP),
        (core(waiting("PodInitializing"), link=waiting("ContainerCreating")), AddonState.STARTUP),
        (core(waiting("CrashLoopBackOff", "back-off 10s")), AddonState.ERROR),
        (core(waiting("ImagePullBackOff", "no such image")), AddonState.ERROR),
        (core(waiting("PodInitializing"), link=waiting("InvalidImageName")), AddonState.ERROR),
    ],
)
def test_core_as_its_pod_says(live: dict[str, Any] | None, state: AddonState) -> None:
    """Core's state comes from its pod alone; the link's container is part of it."""
    assert observe_core(live).state is state


def test_a_crash_of_core_names_its_exit_code() -> None:
    """The reason of a crash loop is the last exit code, not the back-off."""
    assert "exit code 1" in (observe_core(core(waiting("CrashLoopBackOff"))).reason or "")


# --- addresses and pulls -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pods", "address"),
    [
        ([], "0.0.0.0"),
        ([pod()], "10.0.0.7"),
        ([pod(podIPs=[{"ip": "fd00::7"}, {"ip": "10.0.0.8"}], podIP="fd00::7")], "10.0.0.8"),
        ([pod(podIPs=[{"ip": "fd00::7"}], podIP="fd00::7")], "0.0.0.0"),
        ([terminating(pod())], "0.0.0.0"),
        ([pod(phase="Succeeded")], "0.0.0.0"),
        ([pod(podIPs=None, podIP=None)], "0.0.0.0"),
    ],
    ids=["none", "one", "dual stack", "IPv6 only", "terminating", "over", "not yet"],
)
def test_the_address_is_the_pods_ipv4(pods: list[dict[str, Any]], address: str) -> None:
    """Clients parse IPv4 only: without one the answer is 0.0.0.0."""
    assert pod_address(pods) == address


def pull(state: dict[str, Any] | None, **status: Any) -> dict[str, Any]:
    statuses = [{"name": "image", "restartCount": 0, "state": state}] if state else []
    return pod(phase="Pending", containerStatuses=statuses, **status)


NOT_SCHEDULED = [condition("PodScheduled", "False", reason="Unschedulable", message="0/1 nodes")]


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        ([], PullState()),
        ([pull(None, conditions=[])], PullState(stage="waiting for a node")),
        ([pull(None, conditions=NOT_SCHEDULED)], PullState(stage="no node can take it: 0/1 nodes")),
        ([pull(None)], PullState(stage="scheduled")),
        ([pull(CREATING)], PullState(stage="pulling")),
        ([pull(waiting("ErrImagePull", "dns"))], PullState(stage="pulling")),
        (
            [pull(waiting("ImagePullBackOff", "nowhere/at:all: not found"))],
            PullState(stage="failed", done=True, failure="nowhere/at:all: not found"),
        ),
        ([pull(waiting("InvalidImageName"))], PullState(stage="failed", done=True, failure="InvalidImageName")),
        ([pull(waiting("CreateContainerError", "no command"))], PullState(stage="pulled", done=True)),
        ([pull(waiting("RunContainerError", "no command"))], PullState(stage="pulled", done=True)),
        ([pull(ended(128))], PullState(stage="pulled", done=True)),
        ([pull(running())], PullState(stage="pulled", done=True)),
        (
            [pod(phase="Failed", reason="Evicted", message="disk is full", containerStatuses=[])],
            PullState(stage="failed", done=True, failure="Evicted: disk is full"),
        ),
    ],
)
def test_how_far_a_pull_is(pods: list[dict[str, Any]], expected: PullState) -> None:
    """That the container was created, or could not be, shows that its image is there."""
    assert observe_pull(pods) == expected


def test_the_newest_pod_counts() -> None:
    """Of two pods that run the newest is the current one."""
    old, new = pod(), pod()
    new["metadata"]["creationTimestamp"] = "2026-11-21T12:00:00Z"
    assert current_pod([new, old]) is new


def test_nothing_runs_in_a_pod_that_is_cleared_away() -> None:
    """A pod that is being deleted, with a final phase and the end of every container, runs nothing any more."""
    assert nothing_runs(terminating(cleared_away(pod())))


LOST = {"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}}
OVER = terminating(cleared_away(pod()))


@pytest.mark.parametrize(
    "doubtful",
    [
        pytest.param(cleared_away(pod()), id="not being deleted"),
        pytest.param(terminating(pod(program=ended(0), hold=ended(0))), id="no final phase"),
        pytest.param(terminating(pod(phase="Failed")), id="evicted, and its containers still end"),
        pytest.param(terminating(pod(phase="Failed", program=ended(0))), id="one container still runs"),
        pytest.param(terminating(pod(phase="Failed", program=LOST, hold=ended(0))), id="a container was lost"),
        pytest.param(terminating(pod(phase="Failed", containerStatuses=[])), id="nobody told of containers"),
        pytest.param(
            {**OVER, "spec": {**OVER["spec"], "initContainers": [{"name": "setup"}]}}, id="an init container is missing"
        ),
        pytest.param({**OVER, "spec": {**OVER["spec"], "hostPID": True}}, id="among the node's processes"),
    ],
)
def test_a_pod_of_which_it_is_not_certain_may_run(doubtful: dict[str, Any]) -> None:
    """Without its node's word for the end of every container, a pod may still run."""
    assert not nothing_runs(doubtful)
