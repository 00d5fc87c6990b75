"""Figures of a program, read off the metrics API."""

import pytest

from supervisor_k8s.model.stats import Capacity, nothing, quantity, stats

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
    found = stats(MEASURED, POD, "app", NODE)
    assert (found["cpu_percent"], found["memory_percent"]) == (12.5, 25.0)
    assert (found["memory_usage"], found["memory_limit"]) == (2 * 2**30, 8 * 2**30)
    assert stats(MEASURED, POD, "hold", NODE)["memory_limit"] == 16 * 2**20


def test_what_nobody_measures_is_zero() -> None:
    """Never null, which clients cannot parse."""
    assert stats(None, POD, "app", NODE) == {**nothing(), "memory_limit": NODE.memory}
    assert set(nothing().values()) == {0}
