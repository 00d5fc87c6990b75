"""The shared claim: is it what the installation asked for. Pure; the claim is Kubernetes' own JSON."""

import re
from collections.abc import Iterator, Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any

from supervisor_k8s.errors import StorageError

MANY_NODES = "ReadWriteMany"
ONE_NODE = "ReadWriteOnce"

FOLDERS = (
    "homeassistant",
    "addons/data",
    "addons/local",
    "addon_configs",
    "backup",
    "media",
    "share",
    "ssl",
)
"""Folders of the shared volume that always exist: each is mounted somewhere by its subPath."""

_QUANTITY = re.compile(r"(?P<number>[+-]?(\d+\.?\d*|\.\d+))(?P<suffix>[eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def parse_quantity(text: str) -> int:
    """A Kubernetes quantity (`50Gi`, `1.5G`, `1e9`) as a whole number, rounded up. ValueError when it is none."""
    match = _QUANTITY.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is no quantity such as 50Gi")
    number, suffix = Decimal(match["number"]), match["suffix"] or ""
    if suffix in _BINARY:
        number *= 1024 ** _BINARY[suffix]
    elif suffix in _DECIMAL:
        number = number.scaleb(_DECIMAL[suffix])
    elif suffix:
        number = number.scaleb(int(suffix[1:]))
    return int(number.to_integral_value(ROUND_CEILING))


def check_claim(
    claim: Mapping[str, Any] | None, *, name: str, storage_class: str | None, size: str | None, allow_rwo: bool
) -> None:
    """StorageError with a line for each thing that is not as asked; `claim` is the live object, None when absent.

    A class or size that was not asked for is not looked at.
    """
    if claim is None:
        raise StorageError(f"The shared claim {name} does not exist; apply the manifests first")
    faults = [*_access_faults(claim, allow_rwo), *_class_faults(claim, storage_class), *_size_faults(claim, size)]
    if claim.get("status", {}).get("phase") == "Lost":
        faults.append("its volume is lost (phase Lost)")
    if faults:
        raise StorageError("\n".join(f"The shared claim {name}: {fault}" for fault in faults))


def _access_faults(claim: Mapping[str, Any], allow_rwo: bool) -> Iterator[str]:
    modes = claim["spec"].get("accessModes") or []
    if MANY_NODES in modes or (allow_rwo and ONE_NODE in modes):
        return
    has = ", ".join(modes) or "none"
    if ONE_NODE in modes:
        yield (
            f"it has access mode {has}, and {MANY_NODES} is needed; on a single node "
            "SUPERVISOR_K8S_ALLOW_RWO=true accepts it"
        )
    else:
        yield f"it has access mode {has}, and {MANY_NODES} is needed"


def _class_faults(claim: Mapping[str, Any], wanted: str | None) -> Iterator[str]:
    actual = claim["spec"].get("storageClassName") or ""
    if wanted is not None and actual != wanted:
        yield (
            f"it has storage class {actual or 'none'}, and SUPERVISOR_K8S_SHARED_PVC_STORAGE_CLASS asks for "
            f"{wanted or 'none'}"
        )


def _size_faults(claim: Mapping[str, Any], wanted: str | None) -> Iterator[str]:
    requested = claim["spec"].get("resources", {}).get("requests", {}).get("storage", "0")
    actual = claim.get("status", {}).get("capacity", {}).get("storage", requested)
    if wanted is not None and parse_quantity(actual) < parse_quantity(wanted):
        yield f"it has {actual}, and SUPERVISOR_K8S_SHARED_PVC_SIZE asks for at least {wanted}"
