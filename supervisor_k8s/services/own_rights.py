"""Whether the cluster lets us do what we need to: manifests that are older than the program lack some right, and what
fails for it fails late and far from the cause.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from supervisor_k8s.model.issue import Cause, Context, Fault


@dataclass(frozen=True, slots=True)
class OwnRights:
    """`lacking` gives the rights that our account does not have, in words; ClusterError."""

    lacking: Callable[[], Awaitable[Sequence[str]]]

    async def check(self) -> Sequence[Fault]:
        """For the check `rights`."""
        missing = await self.lacking()
        if not missing:
            return []
        return [Fault(Cause.RIGHTS_MISSING, Context.SUPERVISOR, extra=(("message", ", ".join(missing)),))]
