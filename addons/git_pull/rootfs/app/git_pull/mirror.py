"""A bare copy of the user's repository, outside of the configuration."""

import asyncio
import shutil
from pathlib import Path

from git_pull.contents import write
from git_pull.errors import GitError
from git_pull.gather import Parts
from git_pull.git import TIMEOUT, Git, With, access, end
from git_pull.options import Signers, Source
from git_pull.progress import Progress
from git_pull.signatures import verify
from git_pull.tree import Tree

LFS = b"version https://git-lfs.github.com/spec/"
"""Of a pointer for which no file of attributes says that it is one: nobody knows what is meant."""
_WANTED, _LIVE, _GOOD = "refs/git_pull/wanted", "refs/git_pull/live", "refs/git_pull/good"
_NAMED = (_WANTED, _LIVE, _GOOD, "refs/git_pull/given", "refs/git_pull/giving")
"""Commits whose files may be asked for without anybody having fetched them just before."""
_NO_BRANCH = "couldn't find remote ref"
"""Git's own words, untranslated."""
_LEFT = ("*.lock", "refs/**/*.lock", "objects/*.lock", "objects/info/*.lock", "objects/pack/tmp_*", "gc.pid")
"""What a git leaves that was killed; the next one would not begin for some of it."""
_CHUNK = 2**20


class Mirror:
    """At `path`, which is made when it is missing. `git` is for who knows more of it."""

    def __init__(self, path: Path, *, modules: bool = False, timeout: float = TIMEOUT) -> None:
        """`modules`: with submodules."""
        self._path = path
        self.git = Git(path, timeout=timeout)
        self._parts = Parts(self.git, modules=modules)
        self._whole = set[str]()
        """Commits that are known to be complete; a few."""

    async def fetch(self, source: Source) -> str:
        """The commit that `source` names now. GitError: the last one is still there then."""
        if not (self._path / "HEAD").exists():
            await asyncio.to_thread(_make_anew, self._path)
            await self.git.run("init", "--quiet", "--bare")
        await asyncio.to_thread(_clear, self._path)
        try:
            with access(source) as granted:
                await self._fetch(source, granted)
        except GitError:
            await asyncio.to_thread(_clear, self._path)
            await self._drop_damaged()
            raise
        return await self.fetched()

    async def complete(self, source: Source, commit: str) -> None:
        """Fetch what this commit of `source` only points to; what neither it nor a commit in use points to is dropped
        before. GitError, TreeError, OSError.
        """
        if commit in self._whole:
            return
        used = {commit, *(await self.git.ask("for-each-ref", "--format=%(objectname) %(*objectname)", *_NAMED)).split()}
        await self._parts.forget(used)
        self._whole &= used
        await self._parts.fetch(source, commit)
        self._whole.add(commit)

    async def _fetch(self, source: Source, granted: With) -> None:
        shallow = (self._path / "shallow").exists()
        depth = [f"--depth={source.depth}"] if source.depth else ["--unshallow"] if shallow else []
        try:
            await self.git.run(
                "fetch", "--progress", "--force", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head",
                *depth, "--", source.url, f"+{source.branch or 'HEAD'}:{_WANTED}", also=granted, tell=Progress(),
            )  # fmt: skip
        except GitError as error:
            if _NO_BRANCH not in str(error) or not source.branch:
                raise
            found = await self.git.ask("ls-remote", "--symref", "--", source.url, "HEAD", also=granted)
            default = found.removeprefix("ref: refs/heads/").partition("\t")[0] if found.startswith("ref: ") else ""
            hint = f"; its default branch is {default}" if default else ""
            raise GitError(f"The repository has no branch or tag {source.branch}{hint}. See git_branch") from error

    async def fetched(self) -> str:
        """The commit that the last `fetch` brought. GitError."""
        return await self.git.ask("rev-parse", "--verify", f"{_WANTED}^{{commit}}")

    async def _drop_damaged(self) -> None:
        """What a power cut or a full disk left unusable is fetched anew by the next pass."""
        if not await self.git.holds("fsck", "--connectivity-only", "--no-dangling", "--no-progress"):
            self._whole.clear()
            shutil.rmtree(self._path, ignore_errors=True)

    async def has(self, commit: str) -> bool:
        return await self.git.holds("cat-file", "-e", f"{commit}^{{tree}}")

    async def is_part(self, commit: str, of: str) -> bool:
        """Whether the history of `of` has it. False also where that is not known."""
        return await self.git.holds("merge-base", "--is-ancestor", commit, of)

    async def verify(self, commit: str, signers: Signers) -> None:
        """SignatureError unless it, or the tag that was fetched, is signed by one of them. OptionsError."""
        await verify(self.git, commit, _WANTED, signers)

    async def listing(self, commit: str) -> bytes:
        """As `read_tree` takes it. GitError."""
        return await self._parts.listing(commit)

    async def hold(self, commit: str, *, before: str | None = None) -> None:
        """It is live, or about to be: it stays when nothing else names it any more. So does the one that was live
        before it. GitError.
        """
        if before is not None and await self.has(before):
            await self.git.run("update-ref", _GOOD, before)
        await self.git.run("update-ref", _LIVE, commit)

    async def prune(self) -> None:
        """Drop what nothing names. GitError."""
        await self.git.run("prune")

    async def write(self, tree: Tree, folder: Path) -> None:
        """The contents of these files, below a folder that is made anew. GitError, OSError."""
        await asyncio.to_thread(_make_anew, folder)
        contents = await asyncio.to_thread(self._parts.contents.paths)
        process, progress = await self.git.start(("cat-file", "--batch")), Progress()
        try:
            async with asyncio.timeout(self.git.timeout):
                for number, (path, entry) in enumerate(tree.items()):
                    progress(f"Writing files: {number} of {len(tree)}")
                    if entry.foreign and entry.id in contents:
                        await asyncio.to_thread(write, contents[entry.id], entry.id, folder / path)
                    else:
                        await _write_one(process, path, entry.id, folder / path)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
            raise GitError("git cat-file gave no whole answer") from error
        except GitError:
            self._whole.clear()
            raise
        finally:
            await end(process)


def _clear(path: Path) -> None:
    """Nobody but us works there, and we are not at work."""
    for left in [found for pattern in _LEFT for found in path.glob(pattern)]:
        left.unlink(missing_ok=True)


def _make_anew(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


async def _write_one(process: asyncio.subprocess.Process, path: str, identity: str, target: Path) -> None:
    """One answer of `cat-file --batch`: `<id> <type> <size>`, the content, a line end. GitError, OSError."""
    if process.stdin is None or process.stdout is None:
        raise GitError("git cat-file was started without pipes")
    process.stdin.write(f"{identity}\n".encode())
    await process.stdin.drain()
    head = (await process.stdout.readuntil()).decode().split()
    if head[1:2] != ["blob"]:
        raise GitError(f"{path}: the repository lacks its content")
    left, begins = int(head[2]), True
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        while left:
            chunk = await process.stdout.read(min(left, _CHUNK))
            if not chunk:
                raise GitError("git cat-file ended too early")
            if begins and chunk.startswith(LFS):
                raise GitError(f"{path} is a pointer of LFS, but .gitattributes does not say so")
            file.write(chunk)
            left, begins = left - len(chunk), False
    await process.stdout.readexactly(1)
