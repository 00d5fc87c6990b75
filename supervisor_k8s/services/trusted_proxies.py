"""Home Assistant Core behind a proxy: it takes `X-Forwarded-For` from those that the settings name, and from nobody
else. Core before 2026.8 is told in configuration.yaml, which is checked before it is live and followed by a restart;
later Core is told by commands, tries the settings with a restart of its own, and is told that they are good.

Looked at whenever Core is up. Which proxies came from us is remembered, so that what the setting does not name any more
is not trusted any more, and what the user added himself stays. Without the setting nothing is ever touched.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from supervisor_k8s.errors import (
    CandidateInvalidError,
    ConfigurationNotEditableError,
    CoreUnreachableError,
    StorageError,
    SupervisorError,
)
from supervisor_k8s.jobs import Jobs
from supervisor_k8s.model.config_check import CHECK_GROUP, CHECK_JOB, CHECK_REFERENCE
from supervisor_k8s.model.configuration_yaml import MARK, proxies_of_ours, snippet, with_trusted_proxies
from supervisor_k8s.model.desired.config_check import LIVE, Candidate
from supervisor_k8s.model.http_config import PROXIES, STORE_SINCE, Decision, Step, decide
from supervisor_k8s.model.intent import CORE_GROUP
from supervisor_k8s.model.issue import Cause, Context, Fault, Faults
from supervisor_k8s.model.versions import at_least
from supervisor_k8s.waits import hears

_LOGGER = logging.getLogger(__name__)
NAME = "configuration.yaml"
FILE = f"{LIVE}/{NAME}"
BACKUP = f"{FILE}.before-supervisor"
CANDIDATE = ".supervisor-k8s-candidate"
"""Where a text waits for its check: on the shared volume, and below nothing that add-ons write."""
AGAIN = 330.0
"""Seconds until the next look while something is not as it should be; a trial of Core's takes 300."""


class Files(Protocol):
    """What is needed of the shared volume (state.storage.SharedVolume). StorageError."""

    async def read(self, path: str) -> bytes | None: ...

    async def make_directories(self, paths: Sequence[str]) -> None: ...

    async def write_private(self, path: str, content: bytes) -> None: ...

    async def remove_tree(self, path: str) -> None: ...

    async def exchange(self, path: str, before: bytes, after: bytes, *, backup: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """What is needed of Core and of our memory."""

    version: Callable[[], str]
    """The one that runs."""
    command: Callable[..., Awaitable[Any]]
    """A command of Core's websocket. CoreUnreachableError, CoreAnswerError."""
    check: Callable[[Candidate], Awaitable[object]]
    """Whether Core would take a candidate. CandidateInvalidError; others when nobody knows."""
    restart: Callable[[], Awaitable[None]]
    """Unless it is stopped by now."""
    former: Callable[[], Sequence[str]]
    """Proxies that came from us."""
    remember: Callable[[Sequence[str]], Awaitable[None]]


class _TakenBackError(SupervisorError):
    message = (
        "somebody has taken the Supervisor's lines out of configuration.yaml. Where it comes from a repository, write "
        "there, below `http:`\n{lines}"
    )


class _TrialError(SupervisorError):
    """Core did not keep what it was told."""


class TrustedProxies:
    """Looks when `look_soon` was called and `run` runs."""

    def __init__(
        self, *, proxies: Sequence[str], files: Files, jobs: Jobs, neighbours: Neighbours, faults: Faults
    ) -> None:
        """`proxies` are networks; what keeps Core from trusting them is told to `faults`."""
        self._proxies = proxies
        self._files = files
        self._jobs = jobs
        self._to = neighbours
        self._faults = faults
        self._said: Fault | None = None
        self._edited: set[bytes] = set()
        """Texts that were made into others: one that comes again was put back by somebody."""
        self._refused: tuple[bytes, SupervisorError] | None = None
        """A text that Core's checker did not take: it is not asked again about the same."""
        self._told = False
        """Whether Core was told them by this process: a trial that was forgotten is begun once more, no oftener."""
        self._asked = asyncio.Event()

    def look_soon(self) -> None:
        """Core is up."""
        self._asked.set()

    async def run(self) -> None:
        """Until cancelled; never at the first moment, for nobody knows yet whether Core is up."""
        settled = True
        while True:
            await hears(self._asked, within=None if settled else AGAIN)
            self._asked.clear()
            settled = await self._look()

    async def _look(self) -> bool:
        """Whether there is nothing more to do until Core is up again."""
        if not self._proxies and not self._to.former():
            return True
        await self._jobs.idle(CORE_GROUP)
        try:
            by_store = at_least(self._to.version(), STORE_SINCE)
            settled = await (self._by_commands() if by_store else self._by_file())
        except CoreUnreachableError as error:
            _LOGGER.info("Trusted proxies: %s", error)
            return False
        except ConfigurationNotEditableError as error:
            lines = f". Please write there, below `http:`\n{snippet(self._proxies)}" if self._proxies else ""
            self._say(f"{error}{lines}")
            return False
        except SupervisorError as error:
            self._say(str(error))
            return False
        except Exception as failure:  # one fault must not end the Supervisor
            _LOGGER.exception("Trusted proxies: what nobody foresaw")
            self._say(type(failure).__name__)
            return False
        if settled:
            self._say(None)
        return settled

    def _say(self, message: str | None) -> None:
        """What keeps Core from trusting them now; None for nothing."""
        former = self._said
        extra = (("message", message),)
        self._said = Fault(Cause.PROXIES_NOT_TRUSTED, Context.CORE, extra=extra) if message else None
        if former is not None and former != self._said:
            self._faults.settle(former)
        if self._said is not None and former != self._said:
            _LOGGER.warning("Trusted proxies: %s", message)
            self._faults.report(self._said)

    # --- configuration.yaml ----------------------------------------------------------------------------------

    async def _by_file(self) -> bool:
        """Our lines are in the file, Core would take it, and has restarted since."""
        content = await self._files.read(FILE)
        if content is None:
            return False
        edited = await asyncio.to_thread(with_trusted_proxies, content, self._proxies)
        ours, former = await asyncio.to_thread(proxies_of_ours, edited), set(self._to.former())
        if edited != content:
            await self._write(content, edited)
        if edited != content or former != set(ours):
            _LOGGER.info("Home Assistant restarts with its trusted proxies: %s", ", ".join(self._proxies) or "none")
            await self._jobs.do(
                "home_assistant_core_restart", None, CORE_GROUP, lambda _: self._to.restart(), queue=True
            )
            # Not before: a restart that failed is tried again, also by the next process of ours.
            await self._to.remember(ours)
        return True

    async def _write(self, content: bytes, edited: bytes) -> None:
        if content in self._edited:
            raise _TakenBackError(lines=snippet(self._proxies))
        if self._refused is not None and self._refused[0] == edited:
            raise self._refused[1]
        await self._check(edited)
        await self._files.exchange(FILE, content, edited, backup=BACKUP)
        self._edited.add(content)

    async def _check(self, edited: bytes) -> None:
        await self._files.make_directories([CANDIDATE])
        try:
            await self._files.write_private(f"{CANDIDATE}/{NAME}", edited)
            await self._jobs.idle(CHECK_GROUP)
            await self._jobs.do(CHECK_JOB, CHECK_REFERENCE, CHECK_GROUP, lambda _: self._to.check(Candidate(CANDIDATE)))
        except CandidateInvalidError as error:
            self._refused = edited, error
            raise
        finally:
            await self._files.remove_tree(CANDIDATE)

    # --- commands --------------------------------------------------------------------------------------------

    async def _by_commands(self) -> bool:
        """Core has them for good."""
        former = self._to.former()
        told = await self._to.command("http/config")
        decision = decide(told, self._proxies, former)
        if decision.step is Step.PROMOTE:
            await self._to.command("http/config/promote")
            _LOGGER.info("Home Assistant trusts these proxies: %s", ", ".join(decision.trusted) or "none")
        elif decision.step is not Step.DONE:
            await self._not_done(decision, told)
            return False
        if (left := [proxy for proxy in former if proxy in self._proxies]) != list(former):
            await self._to.remember(left)
        await self._tidy()
        return True

    async def _not_done(self, decision: Decision, told: Any) -> None:
        again = decision.forgotten and not self._told
        if decision.step is Step.CONFIGURE or again:
            known = told["stable"].get(PROXIES) or ()
            new = [proxy for proxy in decision.trusted if proxy not in known]
            await self._to.remember(list(dict.fromkeys([*self._to.former(), *new])))
            _LOGGER.info("Home Assistant is told its trusted proxies, and restarts for them")
            self._told = True
            await self._to.command("http/config/configure", config=decision.settings)
        elif decision.step is Step.RESTART_MISSING:
            raise _TrialError("Home Assistant was told of them and has not restarted. Please restart it")
        elif decision.step is Step.REFUSED:
            raise _TrialError(f"Home Assistant has tried them and gone back ({decision.reason})")
        else:
            _LOGGER.info("Trusted proxies: other network settings of Home Assistant are on trial")

    async def _tidy(self) -> None:
        """What we wrote for an older Core is not read any more, and a repair of Core's complains of it."""
        try:
            content = await self._files.read(FILE)
            if content is not None and MARK.encode() in content:
                edited = await asyncio.to_thread(with_trusted_proxies, content, ())
                if edited != content:
                    await self._files.exchange(FILE, content, edited, backup=BACKUP)
        except (StorageError, ConfigurationNotEditableError) as error:
            _LOGGER.info("Lines of ours stay in configuration.yaml, which are not read any more: %s", error)
