"""Making a candidate live: all of it, or nothing, whenever the power goes. Waits for the disk.

A mounted `/config` cannot be exchanged by one rename, so the exchange is written down first. Below `.git_pull` in the
configuration, so on the same volume, lie the new files, copies of those that go, and then, last and in one step, the
plan. From then on the plan is carried out, by us, by our next start or by whoever starts Home Assistant (`finish`), one
at a time: each file is replaced by a rename. A file that somebody changed meanwhile turns it around: what was replaced
is put back, and the change of the user's stays. So does whoever made a plan that was not sure yet, or our next start.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from git_pull import files
from git_pull.changes import Changes
from git_pull.disk import read_disk
from git_pull.errors import ChangedMeanwhileError, PlanError, TreeError
from git_pull.progress import Progress
from git_pull.restore import script
from git_pull.tree import OWN_FOLDER, check_path, parents
from git_pull.turn import Turn

PLAN, NEW, OLD, LOCK = "plan.json", "new", "old", "lock"
DONE = "done"
"""Empty. With it nothing of the plan is left to do, so files that the user changes from now on are the user's."""
_READABLE, _EXECUTABLE = 0o644, 0o111


@dataclass(frozen=True, slots=True)
class Step:
    """One file: git's ids of what is there and of what shall be, None for no file."""

    path: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a candidate is of. `kept` is a folder for copies of the user's files that it replaces, `restore` a program
    that brings them back. `first`: nothing is of the repository yet, so that program takes away what was not there.
    `sure`: the candidate is known to be good; otherwise it is live on trial, until `make_sure` or `take_back`.
    """

    commit: str
    repository: str
    kept: Path
    restore: Path
    first: bool = False
    sure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`back`: it was turned around, and what it has done is taken back. `sure`: as of its Target."""

    commit: str
    repository: str
    steps: tuple[Step, ...]
    back: bool = False
    sure: bool = True

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(step.path for step in self.steps)


class Switch:
    """`live` is the configuration."""

    def __init__(self, live: Path) -> None:
        self._live = live
        self._folder = live / OWN_FOLDER
        self._turn = Turn(self._folder / LOCK)
        """Taken by who exchanges files: also a pass that is told to end leaves its thread behind for a moment."""

    # --- before ----------------------------------------------------------------------------------------------

    def prepare(self, changes: Changes, ids: Mapping[str, str], candidate: Path, target: Target) -> None:
        """Lay everything aside and write the plan; `ids` is what the disk had when `changes` was decided. Files of the
        user's that would be replaced are copied to `target.kept`, too. ChangedMeanwhileError, OSError: nothing is done.
        """
        self.close()
        try:
            self._save(self._laid_aside(changes, ids, candidate, target))
        except (OSError, ChangedMeanwhileError):
            # On a full disk it is Home Assistant that needs the space.
            self.close()
            raise

    def _laid_aside(self, changes: Changes, ids: Mapping[str, str], candidate: Path, target: Target) -> Plan:
        for folder in (NEW, OLD):
            (self._folder / folder).mkdir(parents=True)
        (self._folder / LOCK).touch()
        steps, progress = list[Step](), Progress()
        for number, path in enumerate(changes.paths):
            progress(f"Laying files aside: {number} of {len(changes.paths)}")
            entry = changes.write.get(path)
            step = Step(path, ids.get(path), entry.id if entry else None)
            self._lay_aside(number, step, candidate, executable=entry is not None and entry.executable)
            if path in changes.taken:
                _keep(self._folder / OLD / str(number), target.kept / path)
            steps.append(step)
        _write_restore(changes.taken, steps, target)
        for folder in (NEW, OLD):
            files.sync(self._folder / folder)
        files.sync(self._live)
        return Plan(commit=target.commit, repository=target.repository, steps=tuple(steps), sure=target.sure)

    def _lay_aside(self, number: int, step: Step, candidate: Path, *, executable: bool) -> None:
        live, mode = self._live / step.path, _READABLE
        if step.old is not None:
            old = self._folder / OLD / str(number)
            mode = live.lstat().st_mode & 0o777
            files.copy(live, old, mode=mode, keep_time=True)
            if files.blob_id(old, like=step.old) != step.old:
                raise ChangedMeanwhileError(f"{step.path} was changed just now")
        if step.new is not None:
            mode = mode & ~_EXECUTABLE | (_EXECUTABLE if executable else 0)
            files.copy(candidate / step.path, self._folder / NEW / str(number), mode=mode)

    # --- the exchange ----------------------------------------------------------------------------------------

    def finish(self) -> Plan | None:
        """Carry out the plan, if there is one; the answer says whether it went back. Until `close` it can be asked
        again. HeldError, PlanError: all is as it was found.
        """
        with self._turn.taken():
            plan = self._load()
            return None if plan is None else self._finish(plan)

    def make_sure(self) -> None:
        """Whatever happens now, the plan is carried out."""
        with self._turn.taken():
            plan = self._load()
            if plan is not None:
                self._save(replace(plan, sure=True))

    def take_back(self) -> None:
        """Undo and forget a plan that is not sure; a change of the user's since then stays."""
        with self._turn.taken():
            plan = self._load()
            if plan is None or plan.sure:
                return
            self._finish(self._save(replace(plan, back=True)))
            self._close()

    def close(self) -> None:
        """Forget the plan, or what was laid aside for one that was never written."""
        with self._turn.taken():
            self._close()

    def _finish(self, plan: Plan) -> Plan:
        done = self._folder / DONE
        if done.exists():
            return plan
        if not plan.back and not self._forward(plan.steps):
            plan = self._save(replace(plan, back=True))
        if plan.back:
            self._back(plan.steps)
        for folder in self._folders(plan.steps):
            files.sync(folder)
        if plan.sure or plan.back:
            files.write(done, b"")
        return plan

    def _close(self) -> None:
        with suppress(FileNotFoundError):
            (self._folder / PLAN).unlink()
            files.sync(self._folder)
        with suppress(FileNotFoundError):
            shutil.rmtree(self._folder)

    def _forward(self, steps: Sequence[Step]) -> bool:
        """False when a file has something else than either side of the plan."""
        progress = Progress()
        for number, step in enumerate(steps):
            progress(f"Replacing files: {number} of {len(steps)}")
            place, new = self._live / step.path, self._folder / NEW / str(number)
            found = self._found(step)
            if found not in (step.old, step.new):
                return False
            if step.new is None:
                if found is not None:
                    place.unlink()
                    self._prune(step.path)
            elif new.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                new.replace(place)
        return True

    def _back(self, steps: Sequence[Step]) -> None:
        """What has the new content gets the old one; what somebody else wrote stays."""
        progress = Progress()
        for number, step in enumerate(steps):
            progress(f"Putting files back: {number} of {len(steps)}")
            place, old = self._live / step.path, self._folder / OLD / str(number)
            if step.new == step.old or self._found(step) != step.new:
                continue
            if step.old is None:
                place.unlink()
                self._prune(step.path)
            elif old.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                old.replace(place)

    def _found(self, step: Step) -> str | None:
        """The id of what is there; a sentence, which is never an id, when that is no file."""
        like = step.old or step.new or ""
        disk = read_disk(self._live, (step.path,), like=like)
        return disk.odd.get(step.path) or disk.ids.get(step.path)

    def _prune(self, path: str) -> None:
        """Git knows no empty folders: one that becomes empty goes."""
        with suppress(OSError):
            for above in parents(path):
                (self._live / above).rmdir()

    def _folders(self, steps: Sequence[Step]) -> Iterator[Path]:
        """All that have a changed file or lost a folder, each once."""
        names = {above for step in steps for above in parents(step.path)}
        yield from (folder for name in sorted(names) if (folder := self._live / name).is_dir())
        yield self._live

    # --- the plan --------------------------------------------------------------------------------------------

    def _load(self) -> Plan | None:
        try:
            return _plan((self._folder / PLAN).read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, KeyError, AttributeError, TreeError) as error:
            raise PlanError(
                f"{self._folder / PLAN} is damaged ({error}), so the files of the configuration may be of two commits. "
                f"What was there before lies in {self._folder / OLD}, what was to come in {self._folder / NEW}: please "
                f"put the files right, then delete {self._folder}"
            ) from error

    def _save(self, plan: Plan) -> Plan:
        files.write(self._folder / PLAN, json.dumps(asdict(plan)).encode())
        return plan


def _plan(text: bytes) -> Plan:
    """Of a text that anybody may have written: as soon as it is none of ours any of a few errors is raised."""
    given = json.loads(text)
    steps = tuple(Step(**step) for step in given["steps"])
    for step in steps:
        check_path(step.path)
        if not all(isinstance(identity, str | None) for identity in (step.old, step.new)):
            raise TypeError(f"{step.path} has an id that is no text")
    return Plan(**{**given, "steps": steps})


def _keep(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    files.copy(source, target, mode=source.stat().st_mode & 0o777)
    files.sync(target.parent)


def _write_restore(taken: Sequence[str], steps: Sequence[Step], target: Target) -> None:
    """Before anything is replaced; nothing where nothing could be missed."""
    added = tuple(step.path for step in steps if step.old is None) if target.first else ()
    if taken or added:
        target.restore.parent.mkdir(parents=True, exist_ok=True)
        files.write(target.restore, script(target.kept.name, back=taken, away=added).encode())
