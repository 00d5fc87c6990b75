"""What controllers say of Gateways and routes in their status: whether they do their work, and if not, why. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from supervisor_k8s.model.status import Live

NOBODY = "nobody in the cluster has taken it up"
NO_CLASS = NOBODY + "; is there a GatewayClass {name}, and its controller?"
NOT_YET = "its controller has not made it work yet"
_GOOD = ("Accepted", "Programmed", "ResolvedRefs")
_BAD = ("Conflicted", "PartiallyInvalid")
"""Conditions of parts that are told only when there is something to tell."""


def complaint(live: Live) -> str | None:
    """Why a Gateway or a route does not work, in its controller's words; None when it does."""
    status, generation = live.get("status") or {}, live["metadata"].get("generation", 0)
    if live["kind"] != "Gateway":
        return next(_of_route(status, generation), None)
    gateway_class = str((live.get("spec") or {}).get("gatewayClassName"))
    return next(_of_gateway(status, generation, gateway_class), None)


def _of_gateway(status: Mapping[str, Any], generation: int, gateway_class: str) -> Iterator[str]:
    listeners = status.get("listeners") or ()
    for listener in listeners:  # what they say is closer to the cause
        for words in _wrong(listener.get("conditions") or (), generation):
            yield f"{listener.get('name')}: {words}"
    conditions = status.get("conditions") or ()
    yield from _wrong(conditions, generation)
    good = {item["type"] for item in conditions if item["status"] == "True" and _is_current(item, generation)}
    if "Accepted" not in good:
        yield NO_CLASS.format(name=gateway_class)
    if "Programmed" not in good:
        yield NOT_YET


def _of_route(status: Mapping[str, Any], generation: int) -> Iterator[str]:
    parents = status.get("parents") or ()
    for parent in parents:
        yield from _wrong(parent.get("conditions") or (), generation)
    accepted = [
        item
        for parent in parents
        for item in parent.get("conditions") or ()
        if item["type"] == "Accepted" and _is_current(item, generation)
    ]
    if not accepted:
        yield NOBODY


def _wrong(conditions: Sequence[Mapping[str, Any]], generation: int) -> Iterator[str]:
    for item in conditions:
        bad = (item["type"] in _GOOD and item["status"] == "False") or (
            item["type"] in _BAD and item["status"] == "True"
        )
        if bad and _is_current(item, generation):
            yield _words(item)


def _is_current(condition: Mapping[str, Any], generation: int) -> bool:
    """Whether it is about the object as it is now; controllers need not say it."""
    return int(condition.get("observedGeneration") or generation) >= generation


def _words(condition: Mapping[str, Any]) -> str:
    message, reason = condition.get("message") or condition["type"], condition.get("reason")
    return f"{message} ({reason})" if reason else str(message)
