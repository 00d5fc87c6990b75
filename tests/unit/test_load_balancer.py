"""What a LoadBalancer Service says of its address."""

from typing import Any

import pytest

from supervisor_k8s.model.load_balancer import NOBODY, address_fault, given_addresses

CILIUM = {"type": "cilium.io/IPAMRequestSatisfied", "status": "False", "message": "no pool has it"}


def service(*ingress: dict[str, Any], conditions: tuple[Any, ...] = ()) -> dict[str, Any]:
    status = {"loadBalancer": {"ingress": list(ingress)} if ingress else {}, "conditions": list(conditions)}
    return {"kind": "Service", "metadata": {"name": "ha-internal"}, "status": status}


@pytest.mark.parametrize(
    ("live", "wanted", "reason", "expected"),
    [
        (None, "10.0.0.1", "", None),
        (service({"ip": "10.0.0.1"}), None, "", None),
        (service({"ip": "10.0.0.2"}, {"ip": "10.0.0.1"}), "10.0.0.1", "", None),
        (service({"hostname": "lb.example"}), None, "", None),
        (service(), None, "", ("address_pending", NOBODY)),
        (service(conditions=(CILIUM,)), None, "", ("address_pending", "no pool has it")),
        (service(conditions=(CILIUM,)), "10.0.0.1", "pool is full", ("address_pending", "pool is full")),
        (service({"ip": "10.0.0.2"}), "10.0.0.1", "taken", ("address_different", "taken")),
    ],
)
def test_faults(live: Any, wanted: str | None, reason: str, expected: tuple[str, str] | None) -> None:
    """None without a Service, and with an address that is the wanted one among others; else the provider's reason, by
    its Event or its condition.
    """
    fault = address_fault(live, wanted, reason)
    assert (fault and (fault.cause.value, dict(fault.extra)["message"])) == expected


def test_addresses() -> None:
    """Numbers or names, as the provider has them."""
    assert given_addresses(service({"ip": "10.0.0.1"}, {"hostname": "lb.example"})) == ["10.0.0.1", "lb.example"]
    gateway = {"kind": "Gateway", "status": {"addresses": [{"type": "IPAddress", "value": "10.0.0.3"}]}}
    assert given_addresses(gateway) == ["10.0.0.3"]
    assert given_addresses(None) == given_addresses({"kind": "Service", "metadata": {}}) == []
