"""What a commit changes on the disk, what stays, and what Home Assistant needs afterwards. Pure.

Three things are compared for each path: `before`, the commit that is live; `wanted`, the commit that shall be; and what
the disk has. Whatever neither commit has is not looked at, so it cannot be lost.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from git_pull.tree import Entry, Tree, essence

SECRETS = "secrets.yaml"
"""Files of this name, in whatever folder, leave the house with nobody."""


class Both(StrEnum):
    """What happens to a file that the user and the repository changed; nothing at all is done with STOP."""

    STOP = "stop"
    OURS = "ours"
    THEIRS = "theirs"


@dataclass(frozen=True, slots=True)
class Disk:
    """What the configuration has at the paths that were asked for: `ids` of files as git would give them, `odd` says
    why a path cannot be a file of ours. What is in neither is not there.
    """

    ids: Mapping[str, str] = field(default_factory=dict)
    odd: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """`write` and `remove` are to be done; `kept` are changes of the user's that stay; `taken` those of the first two
    that the user has changed, too; `clashes` says by path why nothing may be done at all.
    """

    write: Tree = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    clashes: Mapping[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(sorted((*self.write, *self.remove)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Edits:
    """The user's changes of files that a commit has: what is to be written, as `Changes` has it, and what was deleted.
    `left` are those that cannot or must not be given to anybody.
    """

    write: Tree = field(default_factory=dict)
    remove: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(sorted((*self.write, *self.remove)))


def decide(before: Tree, wanted: Tree, disk: Disk, *, replace: bool, both: Both = Both.STOP) -> Changes:
    """`replace`: the repository wins over changes of the user's, as `git reset --hard`. Otherwise they stay where the
    repository has nothing new, as with `git pull`; where it has, `both` says what happens.
    """
    decision = _Decision(replace=replace, both=both)
    gone = {essence(path): path for path in before if path not in wanted}
    for path in sorted({*before, *wanted}):
        twin = gone.get(essence(path)) if path not in before else None
        if twin in disk.ids and path in disk.ids:
            # One file by two names, or two: to remove the old name may take away the new one's content.
            decision.clashes[path] = f"it is {twin} on the disk as well"
            continue
        decision.take(path, before.get(path), wanted.get(path), disk)
    return Changes(
        write=decision.write,
        remove=tuple(decision.remove),
        kept=tuple(decision.kept),
        taken=tuple(decision.taken),
        clashes=decision.clashes,
    )


def with_known(before: Tree, known: Tree, disk: Disk) -> Tree:
    """`before`, as if what the user has just as `known` has it had come from there. The history of a commit that has
    `known` has the user's changes, so whatever it made of them is wanted.
    """
    theirs = {path for path in {*before, *known} if disk.ids.get(path) == _id(known.get(path))}
    return {
        **{path: entry for path, entry in before.items() if path not in theirs},
        **{path: entry for path, entry in known.items() if path in theirs},
    }


def edits(live: Tree, disk: Disk) -> Edits:
    """What the user changed since `live`, of which `disk` has all paths."""
    changed = [path for path in sorted(live) if path in disk.odd or disk.ids.get(path) != live[path].id]
    left = tuple(path for path in changed if path in disk.odd or live[path].foreign or _is_secret(path))
    given = [path for path in changed if path not in left]
    there = {path: disk.ids[path] for path in given if path in disk.ids}
    return Edits(
        write={path: Entry(identity, live[path].executable) for path, identity in there.items()},
        remove=tuple(path for path in given if path not in there),
        left=left,
    )


def _is_secret(path: str) -> bool:
    return path.casefold().rpartition("/")[2] == SECRETS


def _id(entry: Entry | None) -> str | None:
    return None if entry is None else entry.id


def between(before: Tree, wanted: Tree) -> frozenset[str]:
    """The paths at which two commits differ, whatever the disk has."""
    return frozenset(path for path in {*before, *wanted} if before.get(path) != wanted.get(path))


def needs_restart(paths: Iterable[str], ignore: Sequence[str]) -> tuple[str, ...]:
    """Those of the changed paths that are neither in `ignore` nor in a folder that is."""
    names = tuple(name.strip().strip("/") for name in ignore)
    return tuple(path for path in paths if not any(path == name or path.startswith(f"{name}/") for name in names))


@dataclass(slots=True)
class _Decision:
    replace: bool
    both: Both
    write: dict[str, Entry] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    clashes: dict[str, str] = field(default_factory=dict)

    def take(self, path: str, before: Entry | None, wanted: Entry | None, disk: Disk) -> None:
        live, odd = disk.ids.get(path), disk.odd.get(path)
        changed = odd is not None or live != _id(before)
        if changed and before == wanted and not self.replace:
            self.kept.append(path)
        elif odd is not None and wanted is not None:
            self.clashes[path] = odd
        elif odd is not None:
            self.kept.append(path)
        elif live == _id(wanted):
            if before and wanted and before.executable != wanted.executable:
                self._do(path, wanted, user_has=False)
        elif changed and not self.replace and self.both is Both.OURS:
            self.kept.append(path)
        elif changed and not self.replace and self.both is Both.STOP:
            self.clashes[path] = "deleted on the disk" if live is None else "changed on the disk and in the repository"
        else:
            self._do(path, wanted, user_has=changed and live is not None)

    def _do(self, path: str, wanted: Entry | None, *, user_has: bool) -> None:
        if wanted is None:
            self.remove.append(path)
        else:
            self.write[path] = wanted
        if user_has:
            self.taken.append(path)
