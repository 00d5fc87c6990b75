"""Whether the cluster serves an API that it need not have. Pure."""

from dataclasses import dataclass

UNWATCHED = "the settings do not ask for it"


@dataclass(frozen=True, slots=True)
class Serving:
    """What the cluster says of an optional kind."""

    api: str | None
    """Group and version by which it can be used; None where it cannot."""
    why_not: str = ""
