"""The shared claim is judged before anything uses it."""

from typing import Any

import pytest

from supervisor_k8s.errors import StorageError
from supervisor_k8s.model.storage import check_claim, parse_quantity


def claim(*modes: str, size: str = "50Gi", kind: str = "nfs", phase: str = "Bound") -> dict[str, Any]:
    return {
        "spec": {
            "accessModes": list(modes),
            "storageClassName": kind,
            "resources": {"requests": {"storage": "1Gi"}},
        },
        "status": {"phase": phase, "accessModes": list(modes), "capacity": {"storage": size}},
    }


def check(live: Any, *, storage_class: str | None = None, size: str | None = None, allow_rwo: bool = False) -> None:
    check_claim(live, name="shared", storage_class=storage_class, size=size, allow_rwo=allow_rwo)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1), ("50Gi", 50 * 2**30), ("1.5Ki", 1536), ("2k", 2000), ("1M", 10**6), ("3T", 3 * 10**12),
        ("1e3", 1000), ("12E", 12 * 10**18), ("1E2", 100), ("1500m", 2), (".5Gi", 2**29), ("1Ei", 2**60),
    ],
)  # fmt: skip
def test_a_quantity_is_read_as_kubernetes_does(text: str, number: int) -> None:
    """Binary and decimal suffixes and exponents are understood; fractions of a byte are rounded up."""
    assert parse_quantity(text) == number


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "5gi", "0x10", "1.2.3", "ten"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    """A malformed quantity is named."""
    with pytest.raises(ValueError, match="is no quantity such as 50Gi"):
        parse_quantity(text)


@pytest.mark.parametrize(
    ("live", "wanted"),
    [
        (claim("ReadWriteMany"), {}),
        (claim("ReadWriteOnce", "ReadWriteMany"), {}),
        (claim("ReadWriteOnce"), {"allow_rwo": True}),
        (claim("ReadWriteMany", size="53687091200"), {"size": "50Gi", "storage_class": "nfs"}),
        (claim("ReadWriteMany", size="60Gi"), {"size": "50Gi"}),
    ],
)
def test_a_claim_as_asked_is_accepted(live: Any, wanted: Any) -> None:
    """A claim with the right mode, class and at least the size passes; its real capacity counts, not the request."""
    check(live, **wanted)


@pytest.mark.parametrize(
    ("live", "wanted", "text"),
    [
        (None, {}, "The shared claim shared does not exist"),
        (claim("ReadWriteOnce"), {}, "SUPERVISOR_K8S_ALLOW_RWO=true accepts it"),
        (claim("ReadOnlyMany"), {"allow_rwo": True}, "it has access mode ReadOnlyMany, and ReadWriteMany is needed"),
        (claim("ReadWriteOncePod"), {"allow_rwo": True}, "ReadWriteMany is needed"),
        (claim("ReadWriteMany", size="49Gi"), {"size": "50Gi"}, "it has 49Gi, and .* asks for at least 50Gi"),
        (claim("ReadWriteMany"), {"storage_class": "longhorn"}, "it has storage class nfs, and .* asks for longhorn"),
        (claim("ReadWriteMany", phase="Lost"), {}, "its volume is lost"),
    ],
)
def test_a_wrong_claim_says_what_to_change(live: Any, wanted: Any, text: str) -> None:
    """Whatever is not as asked is named with what was asked for."""
    with pytest.raises(StorageError, match=text):
        check(live, **wanted)


def test_all_faults_are_named_at_once() -> None:
    """Somebody who repairs the claim learns everything in one go."""
    with pytest.raises(StorageError) as caught:
        check(claim("ReadWriteOnce", size="1Gi"), storage_class="x", size="2Gi")
    assert len(str(caught.value).splitlines()) == 3
