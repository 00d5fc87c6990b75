"""What controllers say of Gateways and routes."""

from typing import Any

import pytest

from supervisor_k8s.model.route_status import NOBODY, NOT_YET, complaint


def said(status: str, kind: str, reason: str = "", observed: int | None = None) -> dict[str, Any]:
    """One condition."""
    found = {"type": kind, "status": status, "reason": reason or "Because", "message": f"{kind} is {status}"}
    return found if observed is None else {**found, "observedGeneration": observed}


GOOD = (said("True", "Accepted"), said("True", "Programmed"))


def gateway(*conditions: dict[str, Any], listeners: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    status = {"conditions": list(conditions), "listeners": [{"name": "https", "conditions": listeners}]}
    spec = {"gatewayClassName": "eg"}
    return {"kind": "Gateway", "metadata": {"name": "a", "generation": 2}, "spec": spec, "status": status}


def route(*parents: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    status = {"parents": [{"conditions": list(conditions)} for conditions in parents]}
    return {"kind": "TCPRoute", "metadata": {"name": "a", "generation": 2}, "status": status}


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (gateway(*GOOD), None),
        (gateway(*GOOD, said("False", "Ready")), None),
        (gateway(), NOBODY),
        (gateway(said("Unknown", "Accepted", "Pending"), said("Unknown", "Programmed")), "is there a GatewayClass eg"),
        (gateway(GOOD[0], said("False", "Programmed", "AddressNotAssigned")), "is False (AddressNotAssigned)"),
        (gateway(GOOD[0]), NOT_YET),
        (gateway(GOOD[0], said("True", "Programmed", observed=1)), NOT_YET),
        (gateway(said("True", "Accepted", observed=1), GOOD[1]), NOBODY),
        (gateway(*GOOD, listeners=(said("False", "ResolvedRefs"),)), "https: ResolvedRefs is False"),
        (gateway(*GOOD, listeners=(said("False", "ResolvedRefs", observed=1),)), None),
        (gateway(*GOOD, listeners=(said("True", "Conflicted"),)), "https: Conflicted is True"),
        (gateway(*GOOD, listeners=(said("False", "Conflicted"),)), None),
        (route((said("True", "Accepted"), said("True", "ResolvedRefs"))), None),
        (route(), NOBODY),
        (route((said("False", "Accepted", "NoMatchingParent"),)), "Accepted is False (NoMatchingParent)"),
        (route((said("True", "Accepted"), said("False", "ResolvedRefs"))), "ResolvedRefs is False"),
        (route((said("True", "Accepted", observed=1),)), NOBODY),
        ({"kind": "HTTPRoute", "metadata": {"name": "a"}}, NOBODY),
        ({"kind": "Gateway", "metadata": {"name": "a"}, "status": {}}, NOBODY),
    ],
)
def test_complaints(live: dict[str, Any], expected: str | None) -> None:
    """None where it works; what is said of a former version of the object counts for nothing."""
    found = complaint(live)
    assert found is None if expected is None else expected in (found or "")
