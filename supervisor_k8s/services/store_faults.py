"""Manifests that cannot be read, as issues: one for each store that the user added, or writes himself.

What is wrong in a built-in store is nothing a user can do anything about; the log has it.
"""

from collections import defaultdict
from collections.abc import Callable, Collection

from supervisor_k8s.model.issue import Context, Fault
from supervisor_k8s.store.catalogue import Catalogue


class StoreFaults:
    """Compares what is wrong now with what was said before."""

    def __init__(
        self,
        *,
        built_in: Collection[str],
        report: Callable[[Fault], object],
        settle: Callable[[Fault], None],
    ) -> None:
        self._built_in = built_in
        self._report = report
        self._settle = settle
        self._said: frozenset[Fault] = frozenset()

    def look(self, catalogue: Catalogue) -> None:
        """The store was read."""
        wrong: dict[str, list[str]] = defaultdict(list)
        for fault in catalogue.faults:
            if fault.repository not in self._built_in:
                wrong[fault.repository].append(f"{fault.path}: {fault.reason}")
        now = frozenset(
            Fault("addon_manifest_invalid", Context.STORE, slug, (("manifests", "; ".join(sorted(reasons))),))
            for slug, reasons in wrong.items()
        )
        for gone in self._said - now:
            self._settle(gone)
        for new in now - self._said:
            self._report(new)
        self._said = now
