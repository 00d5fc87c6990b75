"""What a LoadBalancer Service, or a Gateway, says of its address: whether it has one, and the one asked for. Pure."""

from collections.abc import Sequence

from supervisor_k8s.model.issue import Cause, Context, Fault
from supervisor_k8s.model.status import Live

NOBODY = "nobody in the cluster gives addresses to Services of type LoadBalancer"


def given_addresses(service: Live | None) -> Sequence[str]:
    """Addresses or host names that its provider has written into the status."""
    status = (service or {}).get("status", {})
    ingress = status.get("loadBalancer", {}).get("ingress") or ()
    addresses = status.get("addresses") or ()
    given = (*(item.get("ip") or item.get("hostname") for item in ingress), *(item.get("value") for item in addresses))
    return [found for found in given if found]


def address_fault(service: Live | None, wanted: str | None, reason: str) -> Fault | None:
    """Why published ports are not reached where people look for them; None when they are, or nothing is published.
    `reason` is the provider's.
    """
    given = given_addresses(service)
    if service is None or (given and wanted in (None, *given)):
        return None
    name = service["metadata"]["name"]
    if not given:
        message = reason or _said(service) or NOBODY
        return Fault(Cause.ADDRESS_PENDING, Context.SYSTEM, name, (("message", message),))
    extra = (("wanted", wanted), ("address", ", ".join(given)), ("message", reason or _said(service)))
    return Fault(Cause.ADDRESS_DIFFERENT, Context.SYSTEM, name, extra)


def _said(service: Live) -> str:
    """What a provider writes into conditions, as Cilium does."""
    conditions = service.get("status", {}).get("conditions") or ()
    return next((str(item.get("message", "")) for item in conditions if item.get("status") == "False"), "")
