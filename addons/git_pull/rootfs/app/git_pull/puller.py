"""One pass: from the repository to a configuration that is live, or to a reason why it is not."""

import asyncio
import hashlib
import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from git_pull import memory
from git_pull.changes import Changes, Disk, decide, needs_restart
from git_pull.disk import fingerprint, read_disk
from git_pull.errors import ChangedMeanwhileError, ClashError, GitPullError, HomeError, InvalidError, RestartError
from git_pull.home import Home
from git_pull.memory import Memory
from git_pull.mirror import Mirror
from git_pull.needs import MAIN, Needs, needs
from git_pull.options import Options
from git_pull.switch import Switch, Target
from git_pull.tree import Commit, Tree, named, read_tree

_LOGGER = logging.getLogger(__name__)
_SHORT = 10


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


class Puller:
    def __init__(
        self, *, options: Options, places: Places, mirror: Mirror, home: Home, now: Callable[[], datetime]
    ) -> None:
        self._options = options
        self._places = places
        self._mirror = mirror
        self._home = home
        self._now = now
        self._switch = Switch(places.live)
        self._memory = memory.load(places.memory)
        self._shown = True
        """Trouble may be shown; an earlier process may have shown it."""

    async def run(self) -> None:
        """GitPullError with what the user has to know; it is shown in Home Assistant, too."""
        try:
            hint = await self._run()
        except (GitPullError, OSError) as error:
            self._shown = True
            await self._show(str(error))
            raise
        if hint is not None or self._shown:
            self._shown = False
            await self._show(hint)

    async def _run(self) -> str | None:
        """What is left to do for the user."""
        await self._finish()
        commit = await self._mirror.fetch(self._options.source)
        if self._options.prune:
            await self._mirror.prune()
        if commit == self._memory.live and self._is_ours() and not self._options.reset:
            _LOGGER.info("Nothing has changed, %s is live", commit[:_SHORT])
        else:
            await self._take(commit)
        return await self._bring_in()

    # --- the steps -------------------------------------------------------------------------------------------

    async def _finish(self) -> None:
        """End what this pass or an earlier one began. ChangedMeanwhileError when it went back."""
        plan = await asyncio.to_thread(self._switch.finish)
        if plan is not None and not plan.back:
            owed = {*self._memory.owed, *needs_restart(plan.paths, self._options.restart_ignore)}
            await self._remember(
                Memory(repository=plan.repository, live=plan.commit, owed=tuple(sorted(owed))),
            )
        await asyncio.to_thread(self._switch.close)
        if plan is not None and plan.back:
            raise ChangedMeanwhileError("A file was changed while it was being replaced; all is as it was")
        if plan is not None:
            _LOGGER.info("%s is live now: %s", plan.commit[:_SHORT], named(plan.paths))

    async def _take(self, commit: str) -> None:
        wanted = read_tree(await self._mirror.listing(commit))
        before = await self._before()
        first = before is None
        changes, disk = await self._decide(before or {}, wanted.files, first=first)
        self._tell(wanted, changes)
        if changes.clashes:
            raise ClashError(_clash_text(changes, first=first))
        if not changes.paths:
            await self._mirror.hold(commit)
            await self._remember(replace(self._memory, repository=self._address, live=commit, refused=None))
            _LOGGER.info("Nothing has changed on the disk, %s is live", commit[:_SHORT])
            return
        await self._mirror.write(changes.write, self._places.candidate)
        await self._check(commit, changes)
        await self._mirror.hold(commit)
        target = Target(commit=commit, repository=self._address, kept=self._kept(commit))
        await asyncio.to_thread(self._switch.prepare, changes, disk.ids, self._places.candidate, target)
        await self._finish()
        await asyncio.to_thread(shutil.rmtree, self._places.candidate)

    async def _decide(self, before: Tree, wanted: Tree, *, first: bool) -> tuple[Changes, Disk]:
        paths = sorted({*before, *wanted})
        like = next((entry.id for entry in (*wanted.values(), *before.values())), "")
        disk = await asyncio.to_thread(read_disk, self._places.live, paths, like=like)
        wins = self._options.adopt if first else self._options.reset
        return decide(before, wanted, disk, replace=wins), disk

    async def _check(self, commit: str, changes: Changes) -> None:
        """InvalidError; without asking Core again when nothing that could matter is another one."""
        seen = await asyncio.to_thread(fingerprint, self._places.live)
        version = await self._home.core_version()
        tried = hashlib.sha256("\0".join((commit, version, seen, *changes.paths)).encode()).hexdigest()
        if tried == self._memory.refused:
            raise InvalidError(_invalid_text(commit, self._memory.sentences))
        try:
            await self._home.check(self._places.candidate, changes.remove)
        except InvalidError as error:
            sentences = tuple(str(error).splitlines())
            await self._remember(replace(self._memory, refused=tried, sentences=sentences))
            raise InvalidError(_invalid_text(commit, sentences)) from error

    async def _bring_in(self) -> str | None:
        """Have Home Assistant read what it has not read yet. What is left to do for the user."""
        owed = self._memory.owed
        if not owed:
            return None
        needed = await self._needs(owed)
        if not needed.restart:
            for action in needed.services:
                await self._home.act(action)
            await self._settle(f"Home Assistant has read {named(needed.reload)}" if needed.reload else None)
            return None
        if not self._options.auto_restart:
            hint = f"Home Assistant has to be restarted for: {named(needed.restart)}"
            await self._settle(hint)
            return hint
        _LOGGER.info("Restarting Home Assistant for: %s", named(needed.restart))
        try:
            await self._home.restart()
        except RestartError:
            await self._settle(None)
            raise
        await self._settle("Home Assistant is up again")
        return None

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

    async def _settle(self, sentence: str | None) -> None:
        """Nothing is owed any more."""
        await self._remember(replace(self._memory, owed=()))
        if sentence is not None:
            _LOGGER.info("%s", sentence)

    # --- what is known ---------------------------------------------------------------------------------------

    @property
    def _address(self) -> str:
        return self._options.source.url

    def _is_ours(self) -> bool:
        return self._memory.repository == self._address

    async def _before(self) -> Tree | None:
        """The files that are live from this repository. None when that is not known, as at the first time."""
        live = self._memory.live
        if live is None or not self._is_ours() or not await self._mirror.has(live):
            return None
        return read_tree(await self._mirror.listing(live)).files

    async def _remember(self, known: Memory) -> None:
        if known == self._memory:
            return
        await asyncio.to_thread(memory.save, self._places.memory, known)
        self._memory = known

    def _kept(self, commit: str) -> Path:
        return self._places.kept / f"{self._now():%Y%m%dT%H%M%S.%f}-{commit[:_SHORT]}"

    # --- words -----------------------------------------------------------------------------------------------

    def _tell(self, wanted: Commit, changes: Changes) -> None:
        if wanted.skipped:
            _LOGGER.warning("Not taken from the repository, it is Home Assistant's own: %s", named(wanted.skipped))
        if changes.kept:
            _LOGGER.info("Changed on the disk only, stays so: %s", named(changes.kept))

    async def _show(self, message: str | None) -> None:
        try:
            await self._home.show(message)
        except HomeError as error:
            _LOGGER.debug("Home Assistant shows no notification: %s", error)


def _clash_text(changes: Changes, *, first: bool) -> str:
    listed = "; ".join(f"{path} ({why})" for path, why in sorted(changes.clashes.items()))
    way = "the option first_run to adopt" if first else "the option git_command to reset"
    return (
        f"Nothing was changed, because the disk and the repository differ: {listed}. To take the repository's files, "
        f"set {way}; copies of yours are kept. What is no file on the disk has to be moved away by hand"
    )


def _invalid_text(commit: str, sentences: Sequence[str]) -> str:
    return f"{commit[:_SHORT]} is not live, because Home Assistant would not take it:\n" + "\n".join(sentences)
