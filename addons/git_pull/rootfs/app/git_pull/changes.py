"""What a commit changes on the disk, what stays, and what Home Assistant needs afterwards. Pure.

Three things are compared for each path: `before`, the commit that is live; `wanted`, the commit that shall be; and what
the disk has. Whatever neither commit has is not looked at, so it cannot be lost.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from git_pull.tree import Entry, Tree


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


def decide(before: Tree, wanted: Tree, disk: Disk, *, replace: bool) -> Changes:
    """`replace`: the repository wins over changes of the user's, as `git reset --hard`. Otherwise they stay where the
    repository has nothing new, and are a clash where it has, as with `git pull`.
    """
    decision = _Decision(replace=replace)
    for path in sorted({*before, *wanted}):
        decision.take(path, before.get(path), wanted.get(path), disk)
    return Changes(
        write=decision.write,
        remove=tuple(decision.remove),
        kept=tuple(decision.kept),
        taken=tuple(decision.taken),
        clashes=decision.clashes,
    )


def needs_restart(paths: Iterable[str], ignore: Sequence[str]) -> tuple[str, ...]:
    """Those of the changed paths that are neither in `ignore` nor in a folder that is."""
    names = tuple(name.strip().strip("/") for name in ignore)
    return tuple(path for path in paths if not any(path == name or path.startswith(f"{name}/") for name in names))


@dataclass(slots=True)
class _Decision:
    replace: bool
    write: dict[str, Entry] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    taken: list[str] = field(default_factory=list)
    clashes: dict[str, str] = field(default_factory=dict)

    def take(self, path: str, before: Entry | None, wanted: Entry | None, disk: Disk) -> None:
        live, odd = disk.ids.get(path), disk.odd.get(path)
        changed = odd is not None or live != (before and before.id)
        if changed and before == wanted and not self.replace:
            self.kept.append(path)
        elif odd is not None and wanted is not None:
            self.clashes[path] = odd
        elif odd is not None:
            self.kept.append(path)
        elif live == (wanted and wanted.id):
            if before and wanted and before.executable != wanted.executable:
                self._do(path, wanted, user_has=False)
        elif changed and not self.replace:
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
