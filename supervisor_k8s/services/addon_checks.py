"""Checks of installed add-ons against their stores: one whose repository or manifest is gone gets no updates any more,
and one that its authors have given up should be replaced. Slugs and meanings of the checks are upstream's.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from supervisor_k8s.model.availability import is_left_behind
from supervisor_k8s.model.intent import InstalledAddon
from supervisor_k8s.model.issue import Cause, Context, Fault
from supervisor_k8s.model.launch import config_of
from supervisor_k8s.model.site import Site
from supervisor_k8s.store.catalogue import Catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class AddonChecks:
    """Each answers with what it finds now."""

    installed: Callable[[], Mapping[str, InstalledAddon]]
    catalogue: Callable[[], Catalogue]
    site: Site

    @property
    def by_slug(self) -> Mapping[str, Callable[[], Awaitable[Sequence[Fault]]]]:
        """All of them."""
        return {
            "detached_addon_missing": self.missing,
            "detached_addon_removed": self.removed,
            "deprecated_addon": self.deprecated,
            "deprecated_arch_addon": self.left_behind,
        }

    async def missing(self) -> Sequence[Fault]:
        """Add-ons whose repository is none of ours any more."""
        known = self.catalogue().repositories
        return [
            Fault(Cause.DETACHED_ADDON_MISSING, Context.ADDON, slug)
            for slug, repository in self._detached()
            if repository not in known
        ]

    async def removed(self) -> Sequence[Fault]:
        """Add-ons that their repository does not offer any more. Of one that offers nothing, or of which some manifest
        cannot be read, nobody knows: it may not have been fetched yet, or be half of it.
        """
        catalogue = self.catalogue()
        offering = {config.repository for config in catalogue.addons.values()}
        whole = offering - {fault.repository for fault in catalogue.faults}
        return [
            Fault(Cause.DETACHED_ADDON_REMOVED, Context.ADDON, slug)
            for slug, repository in self._detached()
            if repository in whole
        ]

    async def deprecated(self) -> Sequence[Fault]:
        """Add-ons whose authors call them deprecated."""
        return [
            Fault(Cause.DEPRECATED_ADDON, Context.ADDON, slug)
            for slug, record in self.installed().items()
            if record.system.get("stage") == "deprecated"
        ]

    async def left_behind(self) -> Sequence[Fault]:
        """Add-ons for architectures or machines that Home Assistant has given up, and not for ours. Of a deprecated
        one that is said already.
        """
        return [
            Fault(Cause.DEPRECATED_ARCH_ADDON, Context.ADDON, slug)
            for slug, record in self.installed().items()
            if record.system.get("stage") != "deprecated" and is_left_behind(config_of(record), self.site)
        ]

    def _detached(self) -> Iterator[tuple[str, str]]:
        """Slug and repository of each add-on that no store offers."""
        offered = self.catalogue().addons
        for slug, record in self.installed().items():
            if slug not in offered:
                yield slug, str(record.system["repository"])
