"""Contents that LFS had, each a file of its own beside the repository: git would put them into packs, which only grow.
Waits for the disk.
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path

from git_pull import files
from git_pull.errors import GitError

_PARTIAL = "partial"
_READABLE = 0o644


class Contents:
    """In `folder`, by names `<id of the pointer>-<id of the content>`; both ids are git's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def known(self) -> Mapping[str, str]:
        """Ids of contents by those of their pointers."""
        names = (path.name.partition("-") for path in self._folder.glob("*-*"))
        return {pointer: content for pointer, _, content in names}

    def keep(self, pointer: str, file: Path) -> None:
        """A copy of it. OSError."""
        self._folder.mkdir(exist_ok=True)
        partial = self._folder / _PARTIAL
        partial.unlink(missing_ok=True)
        files.copy(file, partial, mode=_READABLE)
        partial.replace(self._folder / f"{pointer}-{files.blob_id(partial, like=pointer)}")
        files.sync(self._folder)

    def lend(self, pointer: str, content: str, target: Path) -> None:
        """It is there, too, if the volume knows links; without them it is fetched again."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):
            target.hardlink_to(self._folder / f"{pointer}-{content}")

    def forget(self, but: Collection[str]) -> None:
        """All but those of these pointers. OSError."""
        for pointer, content in self.known().items():
            if pointer not in but:
                (self._folder / f"{pointer}-{content}").unlink()

    def paths(self) -> Mapping[str, Path]:
        """By the ids of their contents."""
        return {content: self._folder / f"{pointer}-{content}" for pointer, content in self.known().items()}


def write(kept: Path, identity: str, target: Path) -> None:
    """A new file with the content of this id. GitError for a damaged one, which is gone then; OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    files.copy(kept, target, mode=_READABLE)
    if files.blob_id(target, like=identity) != identity:
        kept.unlink()
        raise GitError(f"{target.name} was damaged below /data; it is fetched from LFS again")
