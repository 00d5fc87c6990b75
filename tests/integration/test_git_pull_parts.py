"""The Git pull add-on fetches what a commit only points to: submodules and LFS, from a real git server."""

import random
from pathlib import Path

import pytest

from git_pull.disk import read_disk
from git_pull.errors import GitError
from git_pull.mirror import Mirror
from git_pull.options import Login, Source
from git_pull.tree import Tree, read_tree
from tests.gitserver import GitServer, Repository, git

ATTRIBUTES = "*.mp4 filter=lfs diff=lfs merge=lfs -text\n"
FILM = bytes(range(256)) * 5_000


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirror(tmp_path / "mirror.git", modules=True)


class Reader:
    """Fetches `house` and writes the files of the commit that it has."""

    def __init__(self, mirror: Mirror, source: Source, folder: Path) -> None:
        self.mirror = mirror
        self.source = source
        self.folder = folder

    async def tree(self) -> Tree:
        commit = await self.mirror.fetch(self.source)
        await self.mirror.complete(self.source, commit)
        return read_tree(await self.mirror.listing(commit)).files

    async def live(self, before: str | None) -> str:
        """What is fetched now becomes live in its place."""
        await self.tree()
        commit = await self.mirror.fetched()
        await self.mirror.hold(commit, before=before)
        return commit

    async def files(self) -> dict[str, bytes]:
        tree = await self.tree()
        await self.mirror.write(tree, self.folder)
        assert read_disk(self.folder, tree, like="0" * 40).ids == {path: entry.id for path, entry in tree.items()}
        return {path: (self.folder / path).read_bytes() for path in tree}


@pytest.fixture
def reader(git_server: GitServer, repository: Repository, mirror: Mirror, tmp_path: Path) -> Reader:
    assert repository.path.exists()
    return Reader(mirror, Source(url=f"{git_server.url}/house", branch="main"), tmp_path / "candidate")


def add(repository: Repository, path: str, url: str, commit: str) -> str:
    """As `git submodule add` does it, without a clone of it."""
    modules = repository.path / ".gitmodules"
    before = modules.read_text() if modules.exists() else ""
    modules.write_text(f'{before}[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n')
    git(repository.path, "add", ".gitmodules")
    git(repository.path, "update-index", "--add", "--cacheinfo", f"160000,{commit},{path}")
    git(repository.path, "commit", "--quiet", "--message", "submodule")
    return git(repository.path, "rev-parse", "HEAD")


async def test_submodules(git_server: GitServer, repository: Repository, reader: Reader) -> None:
    """At the commit that is named, also when the branch has gone on; in each other; by addresses of both kinds."""
    inner, outer = git_server.repository("inner"), git_server.repository("outer")
    inner.commit({"dark.yaml": "dark: {}\n"})
    outer.commit({"light.yaml": "light: {}\n"})
    named = add(outer, "deep", f"{git_server.url}/inner", git(inner.path, "rev-parse", "HEAD"))
    outer.commit({"light.yaml": "later: {}\n", ".gitmodules": (outer.path / ".gitmodules").read_text()})
    add(repository, "themes/of others", "../outer", named)
    found = await reader.files()
    del found[".gitmodules"]
    del found["themes/of others/.gitmodules"]
    assert found == {
        "configuration.yaml": b"a:\n",
        "themes/of others/light.yaml": b"light: {}\n",
        "themes/of others/deep/dark.yaml": b"dark: {}\n",
    }
    tree = await reader.tree()
    assert {path for path, entry in tree.items() if entry.foreign} == {path for path in tree if "themes/" in path}
    asked = len(git_server.requests)
    await reader.tree()
    assert not any("inner" in path or "outer" in path for path in git_server.requests[asked:])


async def test_submodules_that_nobody_wants(
    git_server: GitServer, repository: Repository, reader: Reader, tmp_path: Path
) -> None:
    """Are not asked for, and named."""
    add(repository, "themes", "../none-such", "1" * 40)
    mirror = Mirror(tmp_path / "other.git")
    commit = await mirror.fetch(reader.source)
    await mirror.complete(reader.source, commit)
    assert read_tree(await mirror.listing(commit)).modules == ("themes",)
    assert not any("none-such" in path for path in git_server.requests)


async def test_a_submodule_that_is_not_there(git_server: GitServer, repository: Repository, reader: Reader) -> None:
    """It is named; so is one without its commit, with an address that is none of ours, or without an address."""
    add(repository, "themes", "../none-such", "1" * 40)
    with pytest.raises(GitError, match=r"themes is a submodule whose commit cannot be fetched from .*/none-such"):
        await reader.tree()
    git_server.repository("none-such").commit({"a": "b"})
    with pytest.raises(GitError, match="cannot be fetched"):
        await reader.tree()
    local = '[submodule "themes"]\n\tpath = themes\n\turl = file:///etc\n'
    for modules, told in ((local, "cannot be used: file:///etc"), ("", "is not in")):
        (repository.path / ".gitmodules").write_text(modules)
        git(repository.path, "commit", "--quiet", "--message", "address", ".gitmodules")
        with pytest.raises(GitError, match=f"themes is a submodule whose address {told}"):
            await reader.tree()


async def test_a_login_is_for_its_own_server(git_server: GitServer, repository: Repository, reader: Reader) -> None:
    """A submodule on the same one gets it, one of another does not; neither is it told."""
    git_server.login = ("me", "s3cret")
    inner = git_server.repository("inner")
    commit = inner.commit({"dark.yaml": "dark: {}\n"})
    reader.source = Source(url=reader.source.url, branch="main", login=Login(*git_server.login))
    add(repository, "same", "../inner", commit)
    assert "same/dark.yaml" in await reader.tree()
    second = inner.commit({"dark.yaml": "other: {}\n"})
    add(repository, "other", f"{git_server.url.replace('127.0.0.1', 'localhost')}/inner", second)
    with pytest.raises(GitError, match="other is a submodule") as told:
        await reader.tree()
    assert "s3cret" not in str(told.value)


async def test_lfs(git_server: GitServer, repository: Repository, reader: Reader, tmp_path: Path) -> None:
    """The contents, of files that attributes keep there; they are fetched once."""
    repository.commit({".gitattributes": ATTRIBUTES, "www/film.mp4": git_server.keep(FILM), "www/x.mp4": "short"})
    found = await reader.files()
    assert found["www/film.mp4"] == FILM
    assert found["www/x.mp4"] == b"short"
    asked = len(git_server.requests)
    repository.commit({"www/same.mp4": git_server.keep(FILM), "configuration.yaml": "b:\n"})
    assert (await reader.files())["www/same.mp4"] == FILM
    assert not any("lfs" in path for path in git_server.requests[asked:])
    again = Mirror(tmp_path / "mirror.git")
    await again.prune()
    assert (await Reader(again, reader.source, reader.folder).files())["www/film.mp4"] == FILM


def stored(mirror: Mirror) -> int:
    """Bytes that it takes."""
    return sum(path.stat().st_size for path in mirror.git.path.rglob("*") if path.is_file())


async def test_contents_that_nobody_needs(git_server: GitServer, repository: Repository, reader: Reader) -> None:
    """Ten changes of a large file leave what is live, what was live before it, and what is to come; an older one is
    fetched again when it is wanted.
    """
    chance, size, before = random.Random(9), 400_000, None
    films = [chance.randbytes(size) for _ in range(10)]
    for film in films:
        repository.commit({".gitattributes": ATTRIBUTES, "www/film.mp4": git_server.keep(film)})
        before = await reader.live(before)
    assert 2 * size < stored(reader.mirror) < 4 * size
    git(repository.path, "reset", "--quiet", "--hard", "HEAD~8")
    assert (await reader.files())["www/film.mp4"] == films[1]
    repository.commit({".gitattributes": "", "www/film.mp4": None})
    for text in ("a", "b", "c"):
        repository.commit({"configuration.yaml": text})
        before = await reader.live(before)
    assert stored(reader.mirror) < size


async def test_a_content_that_is_damaged(git_server: GitServer, repository: Repository, reader: Reader) -> None:
    """It becomes no file; the next pass fetches it again."""
    repository.commit({".gitattributes": ATTRIBUTES, "www/film.mp4": git_server.keep(FILM)})
    tree = await reader.tree()
    (kept,) = (reader.mirror.git.path / "contents").iterdir()
    kept.write_bytes(b"damaged")
    with pytest.raises(GitError, match=r"film\.mp4 was damaged"):
        await reader.mirror.write(tree, reader.folder)
    assert (await reader.files())["www/film.mp4"] == FILM


async def test_submodules_that_nobody_needs(git_server: GitServer, repository: Repository, reader: Reader) -> None:
    """One whose history is replaced again and again takes what a few of its commits take; none, once it is gone."""
    chance, size, before = random.Random(9), 400_000, None
    inner = git_server.repository("inner")
    for _ in range(6):
        named = inner.commit({"film.bin": chance.randbytes(size)}, force=True)
        add(repository, "media", "../inner", named)
        before = await reader.live(before)
        (repository.path / ".gitmodules").unlink()
    assert size < stored(reader.mirror) < 4 * size
    git(repository.path, "rm", "--quiet", "--cached", "media")
    git(repository.path, "commit", "--quiet", "--message", "without")
    for text in ("a", "b", "c"):
        repository.commit({"configuration.yaml": text})
        before = await reader.live(before)
    assert stored(reader.mirror) < size
    names = git(reader.mirror.git.path, "for-each-ref", "--format=%(refname)").split()
    assert names == [f"refs/git_pull/{name}" for name in ("good", "live", "wanted")]


async def test_contents_that_are_there(git_server: GitServer, repository: Repository, reader: Reader) -> None:
    """Are not fetched again with new ones."""
    old, new = (git_server.keep(FILM + more) for more in (b"", b"more"))
    repository.commit({".gitattributes": ATTRIBUTES, "www/film.mp4": old})
    await reader.files()
    asked = len(git_server.requests)
    repository.commit({"www/other.mp4": new})
    found = await reader.files()
    assert (found["www/film.mp4"], found["www/other.mp4"]) == (FILM, FILM + b"more")
    assert len([path for path in git_server.requests[asked:] if "content" in path]) == 1


async def test_lfs_of_a_submodule(git_server: GitServer, repository: Repository, reader: Reader) -> None:
    """From its own server."""
    inner = git_server.repository("inner")
    commit = inner.commit({".gitattributes": ATTRIBUTES, "film.mp4": git_server.keep(FILM)})
    add(repository, "media", "../inner", commit)
    assert (await reader.files())["media/film.mp4"] == FILM
    assert any("/inner.git/info/lfs" in path for path in git_server.requests)


async def test_lfs_that_lacks_a_content(git_server: GitServer, repository: Repository, reader: Reader) -> None:
    """Nothing is taken then; once it is there, all is."""
    pointer = git_server.keep(FILM)
    contents, git_server.contents = git_server.contents, {}
    repository.commit({".gitattributes": ATTRIBUTES, "www/film.mp4": pointer})
    with pytest.raises(GitError, match="lfs"):
        await reader.tree()
    git_server.contents = contents
    assert (await reader.files())["www/film.mp4"] == FILM
