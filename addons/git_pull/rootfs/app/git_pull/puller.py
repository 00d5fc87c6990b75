"""One pass: from the repository to a configuration that is live, or to a reason why it is not."""

import asyncio
import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import NoReturn

from git_pull import memory
from git_pull.changes import Both, Changes, Disk, between, decide, edits, needs_restart, with_known
from git_pull.disk import BY_PEOPLE, CHECKED, fingerprint, read_disk
from git_pull.errors import (
    ChangedMeanwhileError,
    ClashError,
    GitError,
    GitPullError,
    HomeError,
    InvalidError,
    RestartError,
    ReturnedError,
    SignatureError,
    TreeError,
)
from git_pull.give import Giver
from git_pull.history import SAID, SHORT, Outcome, Run
from git_pull.home import Home
from git_pull.memory import Memory
from git_pull.mirror import Mirror
from git_pull.needs import MAIN, Needs, needs
from git_pull.options import Options
from git_pull.switch import Switch, Target
from git_pull.tree import Commit, Tree, named, read_tree
from git_pull.words import bad_text, clash_text, invalid_text, together

_LOGGER = logging.getLogger(__name__)
_OUTCOMES: dict[type[Exception], Outcome] = {
    InvalidError: Outcome.INVALID,
    TreeError: Outcome.INVALID,
    SignatureError: Outcome.UNTRUSTED,
    ClashError: Outcome.CLASH,
    ChangedMeanwhileError: Outcome.CLASH,
    ReturnedError: Outcome.RETURNED,
}
"""All other errors are FAILED."""


@dataclass(frozen=True, slots=True)
class Places:
    """`live` is the configuration, `data` ours alone and kept."""

    live: Path
    data: Path

    @property
    def mirror(self) -> Path:
        return self.data / "mirror.git"

    @property
    def memory(self) -> Path:
        return self.data / "memory.json"

    @property
    def candidate(self) -> Path:
        return self.data / "candidate"

    @property
    def kept(self) -> Path:
        """Files of the user's that the repository replaced, one folder for each time."""
        return self.data / "kept"

    @property
    def restore(self) -> Path:
        """Programs that bring them back, one for each time."""
        return self.data / "restore"


@dataclass(slots=True)
class _Found:
    """What a run has seen so far."""

    before: str | None
    commit: str | None = None
    outcome: Outcome = Outcome.UNCHANGED
    needs: str = ""


class Puller:
    def __init__(
        self, *, options: Options, places: Places, mirror: Mirror, home: Home, now: Callable[[], datetime]
    ) -> None:
        self._options = options
        self._places = places
        self._mirror = mirror
        self._home = home
        self._now = now
        self._giver = Giver(mirror=mirror, source=options.source, branch=options.give, live=places.live)
        self._switch = Switch(places.live)
        self._memory = memory.load(places.memory)
        self._found = _Found(None)
        self._shown = True
        """Trouble may be shown; an earlier process may have shown it."""

    @property
    def known(self) -> Memory:
        return self._memory

    async def run(self, trigger: str, to: str | None = None) -> Run:
        """What became of it. What the user has to know is shown in Home Assistant, too. `to` is a commit that shall be
        live until the repository has another one than now.
        """
        found = self._found = _Found(self._memory.live)
        at, begun = self._now().timestamp(), time.monotonic()
        try:
            said = await self._run(to)
        except (GitPullError, OSError) as error:
            said, found.outcome = str(error), _OUTCOMES.get(type(error), Outcome.FAILED)
            self._shown = True
            await self._show(said)
        else:
            if said is not None or self._shown:
                self._shown = False
                await self._show(said)
        return Run(
            at=at, until=at, trigger=trigger, before=found.before, commit=found.commit, outcome=found.outcome,
            needs=found.needs, said=(said or "")[:SAID], seconds=round(time.monotonic() - begun, 3),
        )  # fmt: skip

    async def _run(self, to: str | None) -> str | None:
        """What is left to do for the user."""
        await asyncio.to_thread(self._switch.take_back)
        await self._finish()
        held = self._memory.held
        commit = self._found.commit = await self._go_to(to) if to else await self._mirror.fetch(self._options.source)
        if self._options.prune:
            await self._mirror.prune()
        if not to and commit != held is not None:
            await self._remember(replace(self._memory, held=None))
        before = await self._give() if self._options.reset else None
        try:
            if commit == self._memory.held != self._memory.live:
                self._found.outcome = Outcome.WAITS
            elif commit != self._memory.live or not self._is_ours() or self._options.reset:
                await self._take(commit)
        except (InvalidError, ClashError, SignatureError, TreeError) as error:
            await self._remember(replace(self._memory, held=held))
            raise type(error)(together(str(error), await self._give(), await self._bring_in())) from error
        return together(before or await self._give(), await self._bring_in())

    async def _go_to(self, commit: str) -> str:
        """What the repository has now waits. GitError when the commit is not there any more."""
        head = await self._mirror.fetched()
        await self._read(commit)
        await self._remember(replace(self._memory, held=None if commit == head else head))
        return commit

    # --- the steps -------------------------------------------------------------------------------------------

    async def _finish(self) -> None:
        """End what this pass or an earlier one began. ChangedMeanwhileError when it went back."""
        plan = await asyncio.to_thread(self._switch.finish)
        if plan is not None and not plan.back:
            owed = {*self._memory.owed, *needs_restart(plan.paths, self._options.restart_ignore)}
            known = replace(self._memory, repository=plan.repository, live=plan.commit, owed=tuple(sorted(owed)))
            await self._remember(replace(known, good=self._good(), refused=None, sentences=()))
        await asyncio.to_thread(self._switch.close)
        if plan is not None and plan.back:
            raise ChangedMeanwhileError("A file was changed while it was being replaced; all is as it was")
        if plan is not None:
            self._found.commit, self._found.outcome = plan.commit, Outcome.LIVE

    async def _take(self, commit: str) -> None:
        if self._options.signers.wanted:
            await self._mirror.verify(commit, self._options.signers)
        wanted = await self._read(commit)
        before = await self._before()
        first = before is None
        known = await self._giver.known(commit) if self._options.give else None
        changes, disk = await self._decide(before or {}, wanted.files, first=first, known=known)
        self._tell(wanted, changes)
        if changes.clashes:
            raise ClashError(clash_text(changes, first=first, branch=self._options.give))
        if not changes.paths:
            if commit != self._memory.live or not self._is_ours():
                self._found.outcome = Outcome.LIVE
            await self._mirror.hold(commit)
            await self._remember(replace(self._memory, repository=self._address, live=commit, refused=None))
            return
        await self._mirror.write(changes.write, self._places.candidate)
        target = self._target(commit, first=first)
        await self._try(changes, disk, between(before or {}, wanted.files), target)
        if target.restore.exists():
            _LOGGER.info("What was there before is brought back by: sh %s %s", target.restore, self._places.live)

    async def _decide(
        self, before: Tree, wanted: Tree, *, first: bool, known: Tree | None = None
    ) -> tuple[Changes, Disk]:
        paths = sorted({*before, *wanted})
        like = next((entry.id for entry in (*wanted.values(), *before.values())), "")
        disk = await asyncio.to_thread(read_disk, self._places.live, paths, like=like)
        wins = self._options.adopt if first else self._options.reset
        both = Both.STOP if first else self._options.both
        known = before if known is None else with_known(before, known, disk)
        return decide(known, wanted, disk, replace=wins, both=both), disk

    async def _give(self) -> str | None:
        """Changes of the user's, to the repository. What is left to do for the user."""
        before = await self._before() if self._options.give else None
        if before is None or self._memory.live is None:
            return None
        disk = await asyncio.to_thread(read_disk, self._places.live, before, like=self._memory.live)
        found = edits(before, disk)
        if found.left:
            _LOGGER.info("Changed on the disk, not given to the repository: %s", named(found.left))
        if not found.paths:
            return None
        try:
            await self._giver.give(found, self._memory.live)
        except (GitError, ChangedMeanwhileError) as error:
            return f"Not yet in the repository are changes of {named(found.paths)}: {error}"
        return None

    async def _try(self, changes: Changes, disk: Disk, differing: Collection[str], target: Target) -> None:
        """InvalidError; without asking Core again when nothing that could matter is another one."""
        commit = target.commit
        version = await self._home.core_version()
        if await self._mark(commit, version, differing, BY_PEOPLE) == self._memory.bad:
            raise InvalidError(bad_text(commit, self._memory.trouble))
        tried = await self._mark(commit, version, (*differing, *changes.paths), CHECKED)
        if tried == self._memory.refused:
            raise InvalidError(invalid_text(commit, self._memory.sentences))
        try:
            checked = await self._home.check(self._places.candidate, changes.remove)
            await self._remember(replace(self._memory, version=version))
            await self._exchange(changes, disk, replace(target, sure=checked))
        except InvalidError as error:
            sentences = tuple(str(error).splitlines())
            await self._remember(replace(self._memory, refused=tried, sentences=sentences))
            raise InvalidError(invalid_text(commit, sentences)) from error

    async def _mark(self, commit: str, version: str, differing: Collection[str], kinds: tuple[str, ...]) -> str:
        """Of all that decides whether Home Assistant works with a commit: another mark, another try. `differing` are
        the paths that the commit brings.
        """
        seen = await asyncio.to_thread(fingerprint, self._places.live, kinds, but=frozenset(differing))
        return hashlib.sha256("\0".join((commit, version, seen, *sorted(set(differing)))).encode()).hexdigest()

    async def _exchange(self, changes: Changes, disk: Disk, target: Target) -> None:
        await self._mirror.hold(target.commit, before=self._good())
        await asyncio.to_thread(self._switch.prepare, changes, disk.ids, self._places.candidate, target)
        if not target.sure:
            await self._on_trial()
        await self._finish()
        await asyncio.to_thread(shutil.rmtree, self._places.candidate)

    async def _on_trial(self) -> None:
        """Live while Home Assistant looks at it; all is as it was unless it takes that."""
        try:
            plan = await asyncio.to_thread(self._switch.finish)
            if plan is not None and not plan.back:
                await self._home.check_live()
                await asyncio.to_thread(self._switch.make_sure)
        except BaseException:
            await asyncio.to_thread(self._switch.take_back)
            raise

    async def _bring_in(self) -> str | None:
        """Have Home Assistant read what it has not read yet. What is left to do for the user."""
        owed = self._memory.owed
        if not owed:
            return None
        needed = await self._needs(owed)
        if not needed.restart:
            for action in needed.services:
                await self._home.act(action)
            await self._settle(f"Home Assistant has read {named(needed.reload)}" if needed.reload else "")
            return None
        if not self._options.auto_restart:
            hint = f"Home Assistant has to be restarted for: {named(needed.restart)}"
            await self._settle("")
            return hint
        _LOGGER.info("Restarting Home Assistant for: %s", named(needed.restart))
        try:
            await self._home.restart()
        except RestartError as error:
            await self._return(error)
        await self._settle(f"Home Assistant was restarted for {named(needed.restart)}")
        return None

    async def _return(self, error: RestartError) -> NoReturn:
        """Home Assistant did not come up with the commit that is live: the last one that it came up with is made live
        again. ReturnedError, RestartError when there is no way back.
        """
        trouble = f"Home Assistant did not come up: {error}"
        bad, good = self._memory.live, self._memory.good
        if bad is None or good is None or good == bad or not self._is_ours() or not await self._mirror.has(good):
            await self._settle("")
            raise RestartError(f"{trouble}. No earlier commit is known that could be made live again") from error
        before, wanted = [(await self._read(commit)).files for commit in (bad, good)]
        changes, disk = await self._decide(before, wanted, first=False)
        if changes.clashes:
            await self._settle("")
            raise RestartError(f"{trouble}. {clash_text(changes, first=False)}") from error
        _LOGGER.error("%s. Returning to %s", trouble, good[:SHORT])
        mark = await self._mark(bad, self._memory.version, between(before, wanted), BY_PEOPLE)
        await self._remember(replace(self._memory, bad=mark, trouble=str(error)))
        await self._mirror.write(changes.write, self._places.candidate)
        await self._exchange(changes, disk, self._target(good))
        try:
            await self._home.restart()
        except RestartError as again:
            await self._settle("")
            raise RestartError(f"{trouble}. Nor does it with {good[:SHORT]}, which is live again: {again}") from again
        self._found.commit = bad
        await self._settle("Home Assistant was restarted twice")
        raise ReturnedError(f"{bad_text(bad, str(error))}\n{good[:SHORT]} is live again")

    async def _needs(self, paths: tuple[str, ...]) -> Needs:
        main = self._places.live / MAIN
        text = await asyncio.to_thread(main.read_text, errors="replace") if main.exists() else ""
        needed = needs(paths, text)
        if not needed.services or await self._can_reload(needed):
            return needed
        return needed.by_restart()

    async def _can_reload(self, needed: Needs) -> bool:
        if needed.restart or not self._options.auto_reload:
            return False
        return set(needed.services) <= set(await self._home.actions())

    async def _settle(self, sentence: str) -> None:
        """Nothing is owed any more."""
        await self._remember(replace(self._memory, owed=()))
        self._found.needs = sentence

    # --- what is known ---------------------------------------------------------------------------------------

    @property
    def _address(self) -> str:
        """With submodules it has other files."""
        return f"{self._options.source.url}{' with submodules' if self._options.submodules else ''}"

    def _is_ours(self) -> bool:
        return self._memory.repository == self._address

    def _good(self) -> str | None:
        """The last commit with which Home Assistant has nothing left to read: whom a restart could not hurt."""
        return self._memory.good if self._memory.owed else self._memory.live

    async def _before(self) -> Tree | None:
        """The files that are live from this repository. None when that is not known, as at the first time."""
        live = self._memory.live
        if live is None or not self._is_ours() or not await self._mirror.has(live):
            return None
        return (await self._read(live)).files

    async def _read(self, commit: str) -> Commit:
        """With what it only points to. GitError, TreeError."""
        await self._mirror.complete(self._options.source, commit)
        return read_tree(await self._mirror.listing(commit))

    async def _remember(self, known: Memory) -> None:
        if known == self._memory:
            return
        await asyncio.to_thread(memory.save, self._places.memory, known)
        self._memory = known

    def _target(self, commit: str, *, first: bool = False) -> Target:
        name = f"{self._now():%Y%m%dT%H%M%S.%f}-{commit[:SHORT]}"
        kept, restore = self._places.kept / name, self._places.restore / f"{name}.sh"
        return Target(commit=commit, repository=self._address, kept=kept, restore=restore, first=first)

    # --- words -----------------------------------------------------------------------------------------------

    def _tell(self, wanted: Commit, changes: Changes) -> None:
        if wanted.skipped:
            _LOGGER.warning("Not taken from the repository, it is Home Assistant's own: %s", named(wanted.skipped))
        if wanted.modules:
            _LOGGER.info("Submodules that are left out, see the option submodules: %s", named(wanted.modules))
        if changes.kept:
            _LOGGER.info("Changed on the disk, stays so: %s", named(changes.kept))
        if changes.taken:
            _LOGGER.info("To be replaced by the repository's, with a copy kept: %s", named(changes.taken))

    async def _show(self, message: str | None) -> None:
        try:
            await self._home.show(message)
        except HomeError as error:
            _LOGGER.debug("Home Assistant shows no notification: %s", error)
