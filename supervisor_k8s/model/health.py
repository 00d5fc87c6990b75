"""The check of its health that an image may carry (`HEALTHCHECK`), and what becomes of it here. Pure.

Docker runs it in the container, and an add-on counts as started once it succeeds. Kubernetes does not know it, so it
becomes a readiness probe: never more, for whether an unhealthy add-on is ended is the watchdog's decision, as upstream.
"""

import math
from collections.abc import Mapping
from typing import Any

from supervisor_k8s.model.intent import Manifest

LOOK_EVERY = 10
"""Seconds between two looks at most. The same probe finds out that a program is up and that it no longer is; what lets
itself be asked every minute would be seen to be up a minute late.
"""
LONGEST, MOST = 24 * 3600.0, 1000
"""Seconds and attempts that are believed."""
_SECOND = 1e9
_SHELL = ("/bin/sh", "-c")


def health_of(config: Any) -> dict[str, Any] | None:
    """The check in an image's `config`, with Docker's defaults: `command`, `interval` and `timeout` in seconds,
    `retries`. None where there is none, or none that could be run.
    """
    check = config.get("Healthcheck") if isinstance(config, Mapping) else None
    if not isinstance(check, Mapping):
        return None
    test = check.get("Test")
    if not isinstance(test, list) or not test[1:] or not all(isinstance(word, str) for word in test):
        return None
    kind, *words = test
    if kind == "CMD-SHELL":
        words = [*_shell(config.get("Shell")), words[0]]
    elif kind != "CMD":
        return None
    return {
        "command": words,
        "interval": _amount(check.get("Interval"), 30.0, LONGEST, unit=_SECOND),
        "timeout": _amount(check.get("Timeout"), 30.0, LONGEST, unit=_SECOND),
        "retries": int(_amount(check.get("Retries"), 3, MOST)),
    }


def health_probe(health: Mapping[str, Any]) -> Manifest:
    """The readiness probe of what `health_of` found. It fails once Docker would call the container unhealthy."""
    period = max(1, min(LOOK_EVERY, math.floor(health["interval"])))
    return {
        "exec": {"command": list(health["command"])},
        "periodSeconds": period,
        "timeoutSeconds": max(1, math.ceil(health["timeout"])),
        "failureThreshold": max(1, math.ceil(health["retries"] * health["interval"] / period)),
    }


def _shell(given: Any) -> list[str]:
    own = isinstance(given, list) and given and all(isinstance(word, str) for word in given)
    return list(given if own else _SHELL)


def _amount(given: Any, default: float, most: float, *, unit: float = 1) -> float:
    """Zero, and what is no number, is Docker's way to say its default."""
    fits = isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given) and given > 0
    return min(given / unit, most) if fits else default
