"""Add-ons that were to come up by themselves and did not: an issue for each, until it runs, is not meant to any more,
or is gone. (Upstream's `boot_fail`; Core's repair offers to start the add-on, or to leave it down at the next boot.)
"""

from collections.abc import Callable

from supervisor_k8s.model.intent import InstalledAddon, Wanted
from supervisor_k8s.model.issue import Cause, Context, Fault, Faults
from supervisor_k8s.model.launch import boot_phase
from supervisor_k8s.model.status import AddonState


class BootFailures:
    """Told of failures by `failed`, of everything else by `look`."""

    def __init__(
        self,
        *,
        record: Callable[[str], InstalledAddon | None],
        state: Callable[[str], AddonState],
        faults: Faults,
    ) -> None:
        self._record = record
        self._state = state
        self._faults = faults
        self._failed: set[str] = set()

    def begin(self, slug: str) -> None:
        """At our start: what could not be started before cannot be started still."""
        record = self._record(slug)
        if record is not None and record.intent.wanted is Wanted.STOPPED:
            self.failed(slug)

    def failed(self, slug: str) -> None:
        """An add-on was to come up, by nobody's request, and did not."""
        if self._fails(slug):
            self._failed.add(slug)
            self._faults.report(_fault(slug))

    def look(self, slug: str) -> None:
        """Something about the add-on changed."""
        if slug in self._failed and not self._fails(slug):
            self._failed.discard(slug)
            self._faults.settle(_fault(slug))

    def _fails(self, slug: str) -> bool:
        """Whether it is to come up by itself and is not up. One that is to run may be on its way; `failed` told that it
        did not get there.
        """
        record = self._record(slug)
        if record is None or boot_phase(record) is None or self._state(slug) is AddonState.STARTED:
            return False
        ended = record.intent.wanted in (Wanted.STOPPED, Wanted.EXITED)
        return record.intent.failure is not None if ended else record.intent.wanted is not Wanted.REMOVED


def _fault(slug: str) -> Fault:
    return Fault(Cause.BOOT_FAIL, Context.ADDON, slug)
