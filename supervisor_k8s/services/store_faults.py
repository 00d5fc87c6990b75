"""What is wrong with stores, as issues: one for the manifests that cannot be read in each store that the user added, or
writes himself, and one for each that could never be fetched.

What is wrong in a built-in store is nothing a user can do anything about; the log has it. A store that was fetched once
and cannot be refreshed goes on with what is on the disk.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping

from supervisor_k8s.model.issue import Cause, Context, Fault, Faults
from supervisor_k8s.store.catalogue import Catalogue


class StoreFaults:
    """Compares what is wrong now with what was said before."""

    def __init__(
        self,
        *,
        built_in: Collection[str],
        failures: Callable[[], Mapping[str, str]],
        faults: Faults,
    ) -> None:
        """`failures` gives the reasons by the slugs of those stores that the last refresh did not reach."""
        self._built_in = built_in
        self._failures = failures
        self._faults = faults
        self._said: dict[tuple[Cause, str], Fault] = {}

    def look(self, catalogue: Catalogue) -> None:
        """The store was read."""
        now = {(fault.cause, str(fault.reference)): fault for fault in self._wrong(catalogue)}
        for key, fault in self._said.items():
            if now.get(key) != fault:
                self._faults.settle(fault)
        for fault in now.values():
            self._faults.report(fault)
        self._said = now

    def _wrong(self, catalogue: Catalogue) -> Iterator[Fault]:
        reasons: dict[str, list[str]] = defaultdict(list)
        for fault in catalogue.faults:
            reasons[fault.repository].append(f"{fault.path}: {fault.reason}")
        offering = {addon.repository for addon in catalogue.addons.values()}
        for slug in catalogue.repositories:
            if slug in self._built_in:
                continue
            if slug in reasons:
                manifests = "; ".join(sorted(reasons[slug]))
                yield Fault(Cause.ADDON_MANIFEST_INVALID, Context.STORE, slug, (("manifests", manifests),))
            elif slug not in offering and (failure := self._failures().get(slug)):
                yield Fault(Cause.STORE_NOT_LOADED, Context.STORE, slug, (("message", failure),))
