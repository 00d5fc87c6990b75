"""Fetching what a commit only points to: the commits of submodules, and the contents of files in LFS.

Commits become part of the same bare repository, each under a name of ours, and contents are kept beside it, so that
whoever lists and reads files of a commit needs not know where they come from. Who has the repository's login is asked
with it, others without. What nobody points to any more is dropped, and fetched again if somebody does.
"""

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import replace

from git_pull.contents import Contents
from git_pull.errors import GitError, OptionsError
from git_pull.git import Git, With, access
from git_pull.options import Source, without_login
from git_pull.parts import LFS, Pointer, Record, addresses, pointer, records

_MODULES = "refs/git_pull/module"
_DEEPEST = 5
"""Submodules in submodules."""
_MODULE_FILE, _LFS_FILE = b"module", b"lfs"
_TRANSFERS = {"lfs.basictransfersonly": "true", "lfs.concurrenttransfers": "2", "lfs.locksverify": "false"}


class Parts:
    """`modules`: submodules are wanted, too."""

    def __init__(self, git: Git, *, modules: bool) -> None:
        self._git = git
        self._modules = modules
        self.contents = Contents(git.path / "contents")

    async def fetch(self, source: Source, commit: str, *, depth: int = 0) -> None:
        """All that this commit of `source` points to. GitError, TreeError."""
        found = tuple(records(await self._git.run("ls-tree", "-r", "-l", "-z", "--full-tree", commit)))
        await self._fetch_contents(source, commit, found)
        links = [record for record in found if record.is_module]
        if not links or not self._modules:
            return
        if depth >= _DEEPEST:
            raise GitError(f"Submodules are {_DEEPEST} deep in each other")
        settings = await self._git.run("config", "--blob", f"{commit}:.gitmodules", "-z", "--list")
        urls = addresses(settings, source.url)
        for record in links:
            path = _text(record.path)
            if record.path not in urls:
                raise GitError(f"{path} is a submodule whose address is not in .gitmodules")
            try:
                module = _of_module(source, urls[record.path])
            except OptionsError as error:
                raise GitError(f"{path} is a submodule whose address cannot be used: {urls[record.path]}") from error
            await self._fetch_module(module, record.id, path)
            await self.fetch(module, record.id, depth=depth + 1)

    async def listing(self, commit: str) -> bytes:
        """As `read_tree` takes it. GitError for a part that was not fetched."""
        contents = await asyncio.to_thread(self.contents.known)
        lines = [record.line async for record in self._expanded(commit, b"", b"blob")]
        return b"".join(_with_content(record, contents).line for record in records(b"".join(lines)))

    async def forget(self, but: Iterable[str]) -> None:
        """Drop what none of these commits points to. GitError, OSError."""
        names = await self._names(_MODULES)
        if not names and not await asyncio.to_thread(self.contents.known):
            return
        needed = set().union(*[await self._ids(commit) for commit in but])
        await asyncio.to_thread(self.contents.forget, needed)
        dropped = [name for name in names if name.rpartition("/")[2] not in needed]
        await self._delete(dropped)
        for name in dropped:
            if not await self._git.ask("for-each-ref", "--count=1", "--contains", name.rpartition("/")[2]):
                # Its files are nobody's. To have them away is worth much work, but no pass that fails.
                await self._git.holds("gc", "--quiet", "--prune=now", also=With({"repack.writeBitmaps": "false"}))
                return

    async def _ids(self, commit: str) -> set[str]:
        """Of all files and submodules of a commit, and of those of its submodules, as far as they are there."""
        found, waiting = set[str](), [commit]
        while waiting:
            one = waiting.pop()
            if not await self._git.holds("cat-file", "-e", f"{one}^{{tree}}"):
                continue
            for record in records(await self._git.run("ls-tree", "-r", "-z", "--full-tree", one)):
                if record.is_module and self._modules and record.id not in found:
                    waiting.append(record.id)
                if self._modules or not record.is_module:
                    found.add(record.id)
        return found

    async def _expanded(self, commit: str, above: bytes, kind: bytes) -> AsyncIterator[Record]:
        for record in records(await self._git.run("ls-tree", "-r", "-z", "--full-tree", commit)):
            path = above + record.path
            if not record.is_module or not self._modules:
                yield replace(record, path=path, kind=kind if record.kind == b"blob" else record.kind)
                continue
            async for inner in self._expanded(record.id, path + b"/", _MODULE_FILE):
                yield inner

    # --- submodules ------------------------------------------------------------------------------------------

    async def _fetch_module(self, module: Source, commit: str, path: str) -> None:
        """By its commit; from a server that gives none by that, among its branches and tags."""
        name = f"{_MODULES}/{commit}"
        if await self._git.holds("rev-parse", "--verify", "--quiet", f"{name}^{{tree}}"):
            return
        place = f"{_MODULES}-of/{hashlib.sha256(module.url.encode()).hexdigest()}"
        with access(module) as granted:
            if not await self._fetched(module, (f"+{commit}:{name}",), granted):
                await self._fetched(module, (f"+refs/heads/*:{place}/h/*", f"+refs/tags/*:{place}/t/*"), granted)
        if not await self._git.holds("cat-file", "-e", f"{commit}^{{tree}}"):
            raise GitError(f"{path} is a submodule whose commit cannot be fetched from {module.url}")
        await self._git.run("update-ref", name, commit)
        await self._delete(await self._names(place))

    async def _fetched(self, source: Source, names: Sequence[str], granted: With) -> bool:
        options = ("--quiet", "--force", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head")
        return await self._git.holds("fetch", *options, "--", source.url, *names, also=granted)

    async def _names(self, below: str) -> list[str]:
        return (await self._git.ask("for-each-ref", "--format=%(refname)", below)).split()

    async def _delete(self, names: Sequence[str]) -> None:
        if names:
            text = "".join(f"delete {name}\n" for name in names).encode()
            await self._git.run("update-ref", "--stdin", also=With(text=text))

    # --- LFS -------------------------------------------------------------------------------------------------

    async def _fetch_contents(self, source: Source, commit: str, found: Iterable[Record]) -> None:
        pointers = await self._pointers(tuple(found))
        known = await asyncio.to_thread(self.contents.known)
        missing = [identity for identity in pointers if identity not in known]
        if not missing:
            return
        place = self._git.path / "lfs"
        places = {name: place / "objects" / one.oid[:2] / one.oid[2:4] / one.oid for name, one in pointers.items()}
        for identity in pointers.keys() & known.keys():
            await asyncio.to_thread(self.contents.lend, identity, known[identity], places[identity])
        with access(source) as granted:
            settings = {**granted.settings, **_TRANSFERS, "remote.origin.url": source.url}
            also = With(settings, {**granted.environment, "HOME": str(self._git.path)})
            await self._git.run("lfs", "fetch", "origin", commit, also=also)
        for identity in missing:
            path, one = places[identity], pointers[identity]
            if not path.is_file() or path.stat().st_size != one.size:
                raise GitError(f"LFS has not all of the content {one.oid}")
            await asyncio.to_thread(self.contents.keep, identity, path)
        await asyncio.to_thread(shutil.rmtree, place, ignore_errors=True)

    async def _pointers(self, found: Sequence[Record]) -> dict[str, Pointer]:
        """By the id of the pointer's own file. Nothing where no file of attributes speaks of LFS."""
        attributes = [one for one in found if one.may_be_attributes]
        if not any(LFS in content for content in (await self._contents(attributes)).values()):
            return {}
        contents = await self._contents([one for one in found if one.may_be_pointer])
        return {identity: one for identity, content in contents.items() if (one := pointer(content)) is not None}

    async def _contents(self, wanted: Iterable[Record]) -> dict[str, bytes]:
        """Of small files, by their ids."""
        ids = sorted({record.id for record in wanted})
        if not ids:
            return {}
        text = "".join(f"{identity}\n" for identity in ids).encode()
        answer, at, contents = await self._git.run("cat-file", "--batch", also=With(text=text)), 0, {}
        for identity in ids:
            end = answer.index(b"\n", at)
            kind, *sizes = answer[at:end].split()[1:]
            if kind != b"blob":
                raise GitError(f"The repository lacks the content {identity}")
            size = int(sizes[0])
            contents[identity] = answer[end + 1 : end + 1 + size]
            at = end + size + 2
        return contents


def _of_module(source: Source, address: str) -> Source:
    """The repository's login is for its own server only."""
    url, login = without_login(address)
    module = replace(source, url=url, branch="", depth=0, login=None)
    return replace(module, login=login or (source.login if module.place == source.place else None))


def _with_content(record: Record, contents: Mapping[str, str]) -> Record:
    content = contents.get(record.id)
    return record if content is None else replace(record, id=content, kind=_LFS_FILE)


def _text(path: bytes) -> str:
    return path.decode(errors="replace")
