"""The Lease's record, and that the times it is kept by fit together."""

from typing import Any

import pytest

from supervisor_k8s.cluster.client import REQUEST_WAIT
from supervisor_k8s.cluster.kinds import CACHED
from supervisor_k8s.cluster.lease import Terms
from supervisor_k8s.cluster.watch import Pace
from supervisor_k8s.model import lease

IDLE_REQUESTS = 6.0
"""A minute, at most, of a Supervisor that has nothing to do."""


def a_lease(pod: str | None = "one", **spec: Any) -> dict[str, Any]:
    annotations = {} if pod is None else {lease.ANNOTATION_POD: pod}
    full = {"holderIdentity": "uid-1", "leaseDurationSeconds": 90, "acquireTime": "a", "renewTime": "r", **spec}
    return {"metadata": {"uid": "lease-1", "annotations": annotations}, "spec": full}


def test_first_holder() -> None:
    """The first one begins the count of transitions."""
    expected = {
        "holderIdentity": "uid-1", "leaseDurationSeconds": 90, "acquireTime": "t", "renewTime": "t",
        "leaseTransitions": 0,
    }  # fmt: skip
    assert expected == lease.acquired(None, holder="uid-1", seconds=90, now="t")


@pytest.mark.parametrize("before", [a_lease(leaseTransitions=3), a_lease(holderIdentity="", leaseTransitions=3)])
def test_takeover(before: dict[str, Any]) -> None:
    """Each new holder is one transition, whether the former let go or was followed."""
    spec = lease.acquired(before, holder="uid-2", seconds=60, now="t")
    assert (spec["holderIdentity"], spec["leaseTransitions"], spec["acquireTime"]) == ("uid-2", 4, "t")
    assert spec["leaseDurationSeconds"] == 60


def test_own_lease_goes_on() -> None:
    """A process that was restarted in its pod did not take it from anybody."""
    spec = lease.acquired(a_lease(leaseTransitions=3), holder="uid-1", seconds=90, now="t")
    assert (spec["leaseTransitions"], spec["acquireTime"], spec["renewTime"]) == (3, "a", "t")


def test_release() -> None:
    """Nobody's, and over at once for clients that only look at the duration."""
    spec = lease.released(a_lease(leaseTransitions=3), now="t")
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("", 1, 3)
    assert lease.holder(a_lease(**spec)) == ""


@pytest.mark.parametrize(
    ("pod", "over"),
    [
        (None, True),
        ({"metadata": {"uid": "uid-1"}}, False),
        ({"metadata": {"uid": "uid-1"}, "status": {"phase": "Running"}}, False),
        ({"metadata": {"uid": "uid-1", "deletionTimestamp": "t"}, "status": {"phase": "Running"}}, False),
        ({"metadata": {"uid": "uid-2"}, "status": {"phase": "Running"}}, True),
        ({"metadata": {"uid": "uid-1"}, "status": {"phase": "Failed"}}, True),
        ({"metadata": {"uid": "uid-1"}, "status": {"phase": "Succeeded"}}, True),
    ],
)
def test_whether_a_holder_can_still_act(pod: dict[str, Any] | None, over: bool) -> None:
    """A pod that ends is one that runs; one that is gone, another or over is none."""
    assert over is lease.is_over(pod, "uid-1")


def test_who_is_waited_for() -> None:
    """The line in the log names the pod, so that a person can look at it."""
    text = lease.waiting_in_words(a_lease())
    assert "pod one (uid-1)" in text
    assert "90 s" in text
    assert lease.holder_in_words(a_lease(pod=None)) == "uid-1"


def test_tenure() -> None:
    """Renewals change nothing; another holder, or a Lease made anew, does."""
    first = a_lease(leaseTransitions=1)
    assert lease.tenure(first) == lease.tenure(a_lease(leaseTransitions=1, renewTime="later"))
    assert lease.tenure(first) != lease.tenure(a_lease(leaseTransitions=2))
    assert lease.tenure(first) != lease.tenure({**first, "metadata": {"uid": "lease-2"}})


def test_a_record_by_others() -> None:
    """Fields that are missing are no error: anybody may write a Lease."""
    bare: dict[str, Any] = {"metadata": {"uid": "lease-1"}, "spec": {}}
    assert lease.holder(bare) == ""
    assert lease.holder_pod(bare) is None
    assert lease.seconds(bare) > 0
    assert lease.acquired(bare, holder="u", seconds=9, now="t")["leaseTransitions"] == 1


def test_our_last_write_is_over_before_anybody_takes_over() -> None:
    """A write sent in the last moment in which we may has ended when the Lease's time is over."""
    terms = Terms()
    assert terms.renew_within + REQUEST_WAIT < terms.duration
    assert terms.renew_every + 2 * terms.answer < terms.renew_within


def test_idle_requests() -> None:
    """Watches that begin anew and renewals are all that an idle Supervisor asks, and they are few."""
    terms, pace = Terms(), Pace()
    watches = len(CACHED) * 60 / (0.9 * pace.session) + 60 / terms.session
    assert watches + 60 / terms.renew_every <= IDLE_REQUESTS
