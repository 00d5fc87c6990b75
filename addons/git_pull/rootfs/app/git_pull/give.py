"""The user's own changes, given back to the repository: a commit on a branch of ours, pushed as anybody would.

What the branch has is never overwritten: a push that the server does not take as it is does not happen. Nothing leaves
the house but files that the live commit has; `secrets.yaml` never does.
"""

import tempfile
from pathlib import Path

from git_pull.changes import Edits
from git_pull.errors import ChangedMeanwhileError, GitError
from git_pull.git import With, access
from git_pull.mirror import Mirror
from git_pull.options import Source
from git_pull.tree import Tree, named, read_tree

_GIVEN, _GIVING = "refs/git_pull/given", "refs/git_pull/giving"
"""The second one is set before a push, the first one after it: we may end in between."""
_WHO = {"NAME": "Home Assistant", "EMAIL": "git-pull@home-assistant.invalid"}
_SELF = {f"GIT_{role}_{what}": text for role in ("AUTHOR", "COMMITTER") for what, text in _WHO.items()}
_FILE, _PROGRAM = "100644", "100755"


class Giver:
    """To `branch` of `source`; the files are those of `live`."""

    def __init__(self, *, mirror: Mirror, source: Source, branch: str, live: Path) -> None:
        self._mirror = mirror
        self._git = mirror.git
        self._source = source
        self._branch = branch
        self._live = live

    async def give(self, edits: Edits, commit: str) -> None:
        """The branch has `commit`, which is live, with these changes. GitError, ChangedMeanwhileError."""
        tree = await self._tree(edits, commit)
        if tree == await self._found(f"{_GIVEN}^{{tree}}"):
            return
        with access(self._source) as granted:
            parents = [part for parent in await self._parents(commit, granted) for part in ("-p", parent)]
            about = f"Changed in Home Assistant: {named(edits.paths)}"
            made = await self._git.ask("commit-tree", tree, *parents, "-m", about, also=With(environment=_SELF))
            await self._git.run("update-ref", _GIVING, made)
            await self._git.run(
                "push", "--quiet", "--no-verify", "--no-signed", "--no-recurse-submodules",
                "--", self._source.url, f"{made}:{self._ref}", also=granted,
            )  # fmt: skip
            await self._git.run("update-ref", _GIVEN, made)

    async def known(self, commit: str) -> Tree | None:
        """The files that were given last, if the history of this commit has them. GitError."""
        given = await self._found(_GIVEN)
        if given is None or not await self._mirror.is_part(given, commit):
            return None
        return read_tree(await self._mirror.listing(given)).files

    @property
    def _ref(self) -> str:
        return f"refs/heads/{self._branch}"

    async def _parents(self, commit: str, granted: With) -> tuple[str, ...]:
        """So that the branch only grows. GitError where somebody else works on it."""
        tip = (await self._git.ask("ls-remote", "--", self._source.url, self._ref, also=granted)).partition("\t")[0]
        if not tip or await self._mirror.is_part(tip, commit):
            return (commit,)
        if tip not in {await self._found(_GIVEN), await self._found(_GIVING)}:
            raise GitError(f"its branch {self._branch} has commits that are not live here")
        return (tip,) if await self._mirror.is_part(commit, tip) else (tip, commit)

    async def _found(self, name: str) -> str | None:
        try:
            return await self._git.ask("rev-parse", "--verify", "--quiet", name)
        except GitError:
            return None

    async def _tree(self, edits: Edits, commit: str) -> str:
        """Of all files of the commit, changed as on the disk."""
        await self._store(edits)
        lines = [
            f"{_PROGRAM if entry.executable else _FILE} {entry.id}\t{path}\0" for path, entry in edits.write.items()
        ]
        lines += [f"0 {'0' * len(commit)}\t{path}\0" for path in edits.remove]
        with tempfile.TemporaryDirectory(prefix="git-pull-") as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
            await self._git.run("read-tree", commit, also=With(environment=index))
            text = "".join(lines).encode()
            await self._git.run("update-index", "-z", "--index-info", also=With(environment=index, text=text))
            return await self._git.ask("write-tree", also=With(environment=index))

    async def _store(self, edits: Edits) -> None:
        """The files' contents. ChangedMeanwhileError when they are others than were looked at."""
        if not edits.write:
            return
        text = "".join(f"{self._live / path}\n" for path in edits.write).encode()
        stored = await self._git.ask("hash-object", "-w", "--no-filters", "--stdin-paths", also=With(text=text))
        if stored.split() != [entry.id for entry in edits.write.values()]:
            raise ChangedMeanwhileError("A file was changed while it was being committed")
