"""Issues, suggestions and reasons why this system is unhealthy or unsupported, for `/resolution` and Core's repairs.

In memory only: whoever finds a fault raises it again after our restart, and an issue whose cause is gone is never
dragged along. Every change is an event for Core. What a user dismissed is not said again by whoever found it, until it
is gone and comes again, or the user has everything looked at anew.
"""

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from itertools import count
from typing import Any
from uuid import uuid4

from supervisor_k8s.errors import (
    CheckNotFoundError,
    IssueNotFoundError,
    RefusedError,
    SuggestionNotFoundError,
    SupervisorError,
)
from supervisor_k8s.events import Signal
from supervisor_k8s.model import issue as shapes
from supervisor_k8s.model.issue import Context, Cure, Fault, Issue, Suggestion, Unhealthy
from supervisor_k8s.waits import hears

_LOGGER = logging.getLogger(__name__)

CHECK_EVERY = 3600.0
"""Seconds between two runs of all checks."""

type Check = Callable[[], Awaitable[Sequence[Fault]]]
"""Looks for one kind of trouble and returns what it finds now."""
type Remedy = Callable[[Fault], Awaitable[None]]
"""Does what a suggestion says."""


class Resolution:
    """The collection of what is wrong, with what can be done."""

    def __init__(
        self,
        *,
        checks: Mapping[str, Check],
        remedies: Mapping[tuple[Context, Cure], Remedy],
        disabled: Callable[[], Collection[str]],
        save_disabled: Callable[[Sequence[str]], Awaitable[None]],
        makes_sense: Callable[[Fault, Cure], bool] = lambda _fault, _cure: True,
    ) -> None:
        """`checks` by slug; `remedies` by context and suggestion; two keep which checks are off; `makes_sense`: as
        things are now.
        """
        self.event: Signal[Mapping[str, Any]] = Signal()
        """Messages for Core's `supervisor/event`."""
        self._checks = checks
        self._remedies = remedies
        self._disabled = disabled
        self._save_disabled = save_disabled
        self._makes_sense = makes_sense
        self._issues: dict[Fault, Issue] = {}
        self._suggestions: dict[str, Suggestion] = {}
        self._found: dict[str, frozenset[Fault]] = {}
        self._dismissed: set[Fault] = set()
        self._said: dict[Fault, int] = {}
        """When a fault was reported last, as a number that grows."""
        self._clock = count(1)
        self._asked = asyncio.Event()
        self._unhealthy: frozenset[Unhealthy] = frozenset()
        self._unsupported: frozenset[str] = frozenset()

    # --- reading ---------------------------------------------------------------------------------------------

    @property
    def issues(self) -> Sequence[Issue]:
        return tuple(self._issues.values())

    @property
    def suggestions(self) -> Sequence[Suggestion]:
        return tuple(self._suggestions.values())

    @property
    def unhealthy(self) -> Sequence[str]:
        return sorted(self._unhealthy)

    @property
    def unsupported(self) -> Sequence[str]:
        return sorted(self._unsupported)

    @property
    def healthy(self) -> bool:
        return not self._unhealthy

    @property
    def supported(self) -> bool:
        return not self._unsupported

    @property
    def checks(self) -> Mapping[str, bool]:
        """Slug to whether it is enabled."""
        off = set(self._disabled())
        return {slug: slug not in off for slug in self._checks}

    def suggestions_for(self, uuid: str) -> Sequence[Suggestion]:
        """What can be done about an issue. IssueNotFoundError."""
        return self._of(self._issue(uuid).fault)

    # --- raising and withdrawing -----------------------------------------------------------------------------

    def report(self, fault: Fault) -> None:
        """There is a fault; said again, nothing happens."""
        self._said[fault] = next(self._clock)
        if fault in self._issues or fault in self._dismissed:
            return
        issue = self._issues[fault] = Issue(uuid=uuid4().hex, fault=fault)
        for cure in filter(functools.partial(self._makes_sense, fault), shapes.cures(fault)):
            suggestion = Suggestion(uuid=uuid4().hex, type=cure, fault=fault)
            self._suggestions[suggestion.uuid] = suggestion
        self.event(shapes.changed(issue, self._of(fault)))

    def settle(self, fault: Fault) -> None:
        """The fault is gone; an unknown one is fine."""
        self._dismissed.discard(fault)
        self._said.pop(fault, None)
        self._withdraw(fault)

    def _withdraw(self, fault: Fault) -> None:
        issue = self._issues.pop(fault, None)
        if issue is None:
            return
        for suggestion in self._of(fault):
            del self._suggestions[suggestion.uuid]
        self.event(shapes.removed(issue))

    def set_unhealthy(self, reason: Unhealthy, present: bool) -> None:
        now = self._unhealthy | {reason} if present else self._unhealthy - {reason}
        if now != self._unhealthy:
            self._unhealthy = now
            self.event(shapes.health(now))

    def set_unsupported(self, reason: str, present: bool) -> None:
        now = self._unsupported | {reason} if present else self._unsupported - {reason}
        if now != self._unsupported:
            self._unsupported = now
            self.event(shapes.support(now))

    # --- what users do ---------------------------------------------------------------------------------------

    def dismiss_issue(self, uuid: str) -> None:
        """IssueNotFoundError. Its suggestions go with it."""
        fault = self._issue(uuid).fault
        self._dismissed.add(fault)
        self._withdraw(fault)

    def dismiss_suggestion(self, uuid: str) -> None:
        """SuggestionNotFoundError."""
        suggestion = self._suggestion(uuid)
        del self._suggestions[uuid]
        issue = self._issues.get(suggestion.fault)
        if issue is not None:
            self.event(shapes.changed(issue, self._of(suggestion.fault)))

    async def apply(self, uuid: str) -> None:
        """Do what the suggestion says. The issue goes when that worked and nobody has found it again meanwhile; the
        checks run again. SuggestionNotFoundError, RefusedError, and whatever hinders the remedy.
        """
        suggestion = self._suggestion(uuid)
        fault = suggestion.fault
        remedy = self._remedies.get((fault.context, suggestion.type))
        if remedy is None:
            raise RefusedError(f"Suggestion {suggestion.type} cannot be applied here")
        before = self._said.get(fault)
        await remedy(fault)
        if self._said.get(fault) == before:
            self.settle(fault)
        await self.look()

    async def set_check(self, slug: str, enabled: bool) -> None:
        """CheckNotFoundError."""
        self._known_check(slug)
        off = set(self._disabled())
        await self._save_disabled(sorted(off - {slug} if enabled else off | {slug}))

    async def run_check(self, slug: str) -> None:
        """A user wants to know now what a check finds, also what was dismissed before. CheckNotFoundError."""
        self._known_check(slug)
        self._dismissed -= self._found.get(slug, frozenset())
        await self._do_check(slug)

    async def healthcheck(self) -> None:
        """A user wants to know now what all enabled checks find, also what was dismissed before."""
        for slug, enabled in self.checks.items():
            if enabled:
                self._dismissed -= self._found.get(slug, frozenset())
        await self.look()

    async def _do_check(self, slug: str) -> None:
        """Report what the check finds now, settle what it found before and is gone."""
        now = frozenset(await self._checks[slug]())
        for gone in self._found.get(slug, frozenset()) - now:
            self.settle(gone)
        for fault in now:
            self.report(fault)
        self._found[slug] = now

    async def look(self) -> None:
        """Run all enabled checks; one that cannot be done does not hold up the others."""
        for slug, enabled in self.checks.items():
            if not enabled:
                continue
            try:
                await self._do_check(slug)
            except SupervisorError as error:
                _LOGGER.warning("Check %s could not be done: %s", slug, error)

    async def run(self) -> None:
        """Look now, every hour (as upstream does) and whenever asked to, until cancelled."""
        while True:
            self._asked.clear()
            await self.look()
            await hears(self._asked, within=CHECK_EVERY)

    def look_soon(self) -> None:
        """Something changed that a check is about."""
        self._asked.set()

    def _of(self, fault: Fault) -> Sequence[Suggestion]:
        return [suggestion for suggestion in self._suggestions.values() if suggestion.fault == fault]

    def _issue(self, uuid: str) -> Issue:
        for issue in self._issues.values():
            if issue.uuid == uuid:
                return issue
        raise IssueNotFoundError(uuid=uuid)

    def _suggestion(self, uuid: str) -> Suggestion:
        if uuid not in self._suggestions:
            raise SuggestionNotFoundError(uuid=uuid)
        return self._suggestions[uuid]

    def _known_check(self, slug: str) -> None:
        if slug not in self._checks:
            raise CheckNotFoundError(check=slug)
