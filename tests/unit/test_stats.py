"""Figures of a program, read off the metrics API and off a kubelet's summary."""

import pytest

from supervisor_k8s.model.stats import Capacity, Usage, from_metrics, from_summary, nothing, quantity, stats

NODE = Capacity(cores=4, memory=8 * 2**30)
POD = {"spec": {"containers": [{"name": "app"}, {"name": "hold", "resources": {"limits": {"memory": "16Mi"}}}]}}
MEASURED = {
    "containers": [
        {"name": "hold", "usage": {"cpu": "0", "memory": "1Mi"}},
        {"name": "app", "usage": {"cpu": "500000000n", "memory": "2097152Ki"}},
    ]
}


@pytest.mark.parametrize(
    ("text", "number"),
    [("250m", 0.25), ("12345678n", 0.012345678), ("2", 2), ("64Mi", 67108864), ("1.5Gi", 1610612736), ("x", 0)],
)
def test_quantities(text: str, number: float) -> None:
    assert quantity(text) == pytest.approx(number)


def test_figures_of_the_program_alone() -> None:
    """Of its own container; 100 % is all of the node's cores, and of memory what the container may have."""
    found = stats(from_metrics(MEASURED, "app"), POD, "app", NODE)
    assert (found["cpu_percent"], found["memory_percent"]) == (12.5, 25.0)
    assert (found["memory_usage"], found["memory_limit"]) == (2 * 2**30, 8 * 2**30)
    assert stats(from_metrics(MEASURED, "hold"), POD, "hold", NODE)["memory_limit"] == 16 * 2**20


def test_what_nobody_measures_is_zero() -> None:
    """Never null, which clients cannot parse."""
    for usage in (Usage(), from_metrics(MEASURED, "other"), from_summary({}, "app")):
        assert stats(usage, POD, "app", NODE) == {**nothing(), "memory_limit": NODE.memory}
    assert set(nothing().values()) == {0}


def test_figures_of_a_kubelet() -> None:
    """Processor and memory of the container, the network of its pod over all interfaces; what it leaves out is 0."""
    both = [{"name": "eth0", "rxBytes": 1000, "txBytes": 20}, {"name": "net1", "rxBytes": 1, "txBytes": 3}]
    measured = {
        "network": {**both[0], "interfaces": both},
        "containers": [
            {"name": "hold"},
            {"name": "app", "cpu": {"usageNanoCores": 500_000_000}, "memory": {"workingSetBytes": 2 * 2**30}},
        ],
    }
    found = stats(from_summary(measured, "app"), POD, "app", NODE)
    assert (found["cpu_percent"], found["memory_percent"]) == (12.5, 25.0)
    assert (found["network_rx"], found["network_tx"]) == (1001, 23)
    assert stats(from_summary(measured, "hold"), POD, "hold", NODE)["memory_usage"] == 0
    assert from_summary({"network": both[0]}, "app").received == 1000
