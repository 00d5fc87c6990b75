"""Trusted proxies among the settings of Core's `http` integration: what is to become of them there. Pure.

Core before STORE_SINCE reads them in configuration.yaml (`model/configuration_yaml.py`). Later ones have a store of
their own and import the file once. Facts of that store (`components/http` of Core 2026.11): `http/config` tells
`stable`, `pending` and which of the two the server runs with; `http/config/configure` takes all settings, makes them
`pending` and restarts Core; from then on they are on trial for five minutes: who does not send `http/config/promote`
meanwhile has them taken back by another restart, with `error` in them, and they are not tried again. Core takes
`use_x_forwarded_for` only together with a proxy.
"""

import ipaddress
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

STORE_SINCE = "2026.8.0.dev0"
"""First Core with a store of its own for these settings."""
USE, PROXIES = "use_x_forwarded_for", "trusted_proxies"
NOT_PROMOTED = "not_promoted"
"""Core's word for a trial that nobody said was good."""
_ABOUT = frozenset({"created_at", "error", "error_message"})
"""What Core keeps beside settings and does not take back."""


class Step(Enum):
    """What comes next."""

    DONE = auto()
    CONFIGURE = auto()
    PROMOTE = auto()
    WAIT = auto()
    """For somebody else's trial to end."""
    RESTART_MISSING = auto()
    """Ours were taken, and Core has not restarted with them."""
    REFUSED = auto()
    """Ours were on trial, and are no more."""


@dataclass(frozen=True, slots=True)
class Decision:
    """`settings` as they are to be, all of them; `reason` is Core's word for a refusal."""

    step: Step
    settings: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None
    forgotten: bool = False
    """Of a refusal: that nobody was there to say it is good, so another trial may end better."""

    @property
    def trusted(self) -> Sequence[str]:
        return self.settings.get(PROXIES) or ()


def decide(told: Mapping[str, Any], proxies: Sequence[str], former: Collection[str]) -> Decision:
    """What to do after Core's answer to `http/config`. `former` are those proxies that came from us."""
    stable, pending = _settings(told["stable"]), told.get("pending")
    wanted = trusting(stable, proxies, former)
    if pending is not None and pending.get("error") is None:
        ours, on_trial = _settings(pending) == wanted, told.get("active_config_type") == "pending"
        step = (Step.PROMOTE if on_trial else Step.RESTART_MISSING) if ours else Step.WAIT
        return Decision(step, wanted)
    if wanted == stable:
        return Decision(Step.DONE, wanted)
    if pending is not None and _settings(pending) == wanted:
        error = str(pending["error"])
        return Decision(Step.REFUSED, wanted, pending.get("error_message") or error, error == NOT_PROMOTED)
    return Decision(Step.CONFIGURE, wanted)


def trusting(settings: Mapping[str, Any], proxies: Sequence[str], former: Collection[str]) -> Mapping[str, Any]:
    """The settings with these proxies beside the user's, and without others of ours."""
    known = settings.get(PROXIES) or []
    kept = [proxy for proxy in known if proxy in proxies or proxy not in former]
    trusted = [*kept, *(proxy for proxy in proxies if not covered(proxy, kept))]
    if not trusted:
        return {key: value for key, value in settings.items() if key not in {USE, PROXIES}} if known else settings
    return {**settings, PROXIES: trusted, **({USE: True} if proxies else {})}


def covered(proxy: str, known: Iterable[str]) -> bool:
    """Whether the network `proxy` is one of the known ones or inside of one. What is no network covers nothing."""
    wanted = ipaddress.ip_network(proxy)
    return any(_holds(one, wanted) for one in known)


def _holds(text: str, wanted: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    try:
        known = ipaddress.ip_network(text)
    except ValueError:
        return False
    if isinstance(known, ipaddress.IPv4Network) and isinstance(wanted, ipaddress.IPv4Network):
        return wanted.subnet_of(known)
    if isinstance(known, ipaddress.IPv6Network) and isinstance(wanted, ipaddress.IPv6Network):
        return wanted.subnet_of(known)
    return False


def _settings(config: Mapping[str, Any]) -> Mapping[str, Any]:
    return {key: value for key, value in config.items() if key not in _ABOUT}
