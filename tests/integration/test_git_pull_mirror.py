"""The Git pull add-on fetches: from a real git server, with secrets where nobody sees them."""

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path

import pytest

from git_pull.errors import GitError, TreeError
from git_pull.mirror import Mirror
from git_pull.options import Login, Source
from git_pull.tree import read_tree
from tests.authority import certified
from tests.gitserver import GitServer, Repository, git


@pytest.fixture
def repository(git_server: GitServer) -> Repository:
    made = git_server.repository("house")
    made.commit({"configuration.yaml": "a:\n", "packages/Küche.yaml": "{}\n", "empty.yaml": "", "run.sh": "exit\n"})
    return made


@pytest.fixture
def mirror(tmp_path: Path) -> Mirror:
    return Mirror(tmp_path / "data" / "mirror.git")


async def files(mirror: Mirror, commit: str, folder: Path) -> dict[str, bytes]:
    await mirror.write(read_tree(await mirror.listing(commit)).files, folder)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def test_files_are_as_committed(
    git_server: GitServer, repository: Repository, mirror: Mirror, tmp_path: Path
) -> None:
    """Byte for byte, whatever attributes the repository has, and larger than any buffer."""
    large = bytes(range(256)) * 20_000
    repository.commit({"large.bin": large, ".gitattributes": "*.yaml text eol=crlf\n"})
    commit = await mirror.fetch(Source(url=f"{git_server.url}/house", branch="main"))
    found = await files(mirror, commit, tmp_path / "candidate")
    assert found["large.bin"] == large
    assert found["configuration.yaml"] == b"a:\n"
    assert found["empty.yaml"] == b""
    assert found["packages/Küche.yaml"] == b"{}\n"


async def test_branches_and_tags(git_server: GitServer, repository: Repository, mirror: Mirror) -> None:
    """By their names; without one, what the repository's HEAD is. One that does not exist is an error that names it."""
    first = git(repository.path, "rev-parse", "HEAD")
    git(repository.path, "tag", "--annotate", "--message", "one", "v1")
    git(repository.path, "branch", "other")
    second = repository.commit({"configuration.yaml": "b:\n"})
    url = f"{git_server.url}/house"
    names = {"main": second, "": second, "v1": first, "other": first}
    assert {name: await mirror.fetch(Source(url=url, branch=name)) for name in names} == names
    with pytest.raises(GitError, match="no branch or tag none-such; its default branch is main"):
        await mirror.fetch(Source(url=url, branch="none-such"))
    assert await mirror.has(second)


async def test_a_default_branch_that_gets_another_name(
    git_server: GitServer, repository: Repository, mirror: Mirror
) -> None:
    """It is followed where no branch was named; where the old one was, that is told."""
    url = f"{git_server.url}/house"
    first = await mirror.fetch(Source(url=url))
    git(repository.path, "branch", "--move", "main", "trunk")
    assert await mirror.fetch(Source(url=url)) == first
    with pytest.raises(GitError, match="default branch is trunk"):
        await mirror.fetch(Source(url=url, branch="main"))
    later = repository.commit({"configuration.yaml": "b:\n"})
    assert await mirror.fetch(Source(url=url)) == later


async def test_a_tag_that_moves(git_server: GitServer, repository: Repository, mirror: Mirror) -> None:
    """As release tags do: to a newer commit, to an older one, and from a light one to an annotated one."""
    source = Source(url=f"{git_server.url}/house", branch="stable")
    first = git(repository.path, "rev-parse", "HEAD")
    second = repository.commit({"configuration.yaml": "b:\n"})
    for arguments, expected in (((), second), ((first,), first), (("--annotate", "-m", "x", second), second)):
        options, target = arguments[:-1], arguments[-1:]
        git(repository.path, "tag", "--force", *options, "stable", *target)
        assert await mirror.fetch(source) == expected


async def test_a_part_of_the_history(
    git_server: GitServer, repository: Repository, mirror: Mirror, tmp_path: Path
) -> None:
    """Only so many commits are fetched, now and later; all of them, once that is wanted. What is live stays."""
    url = f"{git_server.url}/house"
    first = git(repository.path, "rev-parse", "HEAD")
    second = repository.commit({"configuration.yaml": "b:\n"})
    assert await mirror.fetch(Source(url=url, depth=1)) == second
    assert not await mirror.has(first)
    await mirror.hold(second)
    third = repository.commit({"configuration.yaml": "c:\n"})
    forced = repository.commit({"configuration.yaml": "d:\n"}, force=True)
    assert await mirror.fetch(Source(url=url, depth=1)) == forced
    assert not await mirror.has(third)
    await mirror.prune()
    assert await mirror.has(second)
    assert (await files(mirror, forced, tmp_path / "candidate"))["configuration.yaml"] == b"d:\n"
    more = repository.commit({"configuration.yaml": "e:\n"})
    assert await mirror.fetch(Source(url=url)) == more
    assert await mirror.is_part(forced, more)


@pytest.mark.parametrize("name", ["..", ".git", ".GIT", "A.yaml"])
async def test_trees_that_no_git_would_make(
    git_server: GitServer, repository: Repository, mirror: Mirror, name: str
) -> None:
    """Made by somebody who means harm: they are fetched, and refused before any of their files is written."""
    blob = git(repository.path, "hash-object", "-w", "--stdin", text="harm")
    inner = git(repository.path, "mktree", text=f"100644 blob {blob}\tx\n")
    entries = f"100644 blob {blob}\ta.yaml\n040000 tree {inner}\t{name}\n"
    tree = git(repository.path, "mktree", text=entries)
    commit = git(repository.path, "commit-tree", "-m", "harm", tree)
    git(repository.path, "update-ref", "refs/heads/harm", commit)
    found = await mirror.fetch(Source(url=f"{git_server.url}/house", branch="harm"))
    with pytest.raises(TreeError):
        read_tree(await mirror.listing(found))


async def test_what_is_live_stays(git_server: GitServer, repository: Repository, mirror: Mirror) -> None:
    """Its files can be read after its history was replaced and everything unused was dropped."""
    source = Source(url=f"{git_server.url}/house", branch="main")
    before = await mirror.fetch(source)
    await mirror.hold(before)
    repository.commit({"configuration.yaml": "forced:\n"}, force=True)
    await mirror.fetch(source)
    await mirror.prune()
    assert await mirror.has(before)
    assert not await mirror.has("0" * 40)


async def test_a_damaged_mirror(git_server: GitServer, repository: Repository, mirror: Mirror, tmp_path: Path) -> None:
    """The pass that meets it fails, the next one has a new mirror; a server that is away damages nothing."""
    source = Source(url=f"{git_server.url}/house", branch="main")
    first = await mirror.fetch(source)
    with pytest.raises(GitError):
        await mirror.fetch(Source(url="http://127.0.0.1:9/house", branch="main"))
    assert await mirror.has(first)
    for path in (tmp_path / "data" / "mirror.git" / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            path.write_bytes(b"damaged")
    repository.commit({"configuration.yaml": "b:\n"})
    with pytest.raises(GitError):
        await mirror.fetch(source)
    assert await mirror.fetch(source) == git(repository.path, "rev-parse", "HEAD")


async def test_what_a_killed_git_left(git_server: GitServer, repository: Repository, mirror: Mirror) -> None:
    """Its locks and half of a pack are in nobody's way, and take no space."""
    source = Source(url=f"{git_server.url}/house", branch="main")
    await mirror.fetch(source)
    left = ("refs/git_pull/wanted.lock", "packed-refs.lock", "shallow.lock", "gc.pid", "objects/pack/tmp_pack_aBcDeF")
    for name in left:
        (mirror.git.path / name).write_bytes(b"half")
    commit = repository.commit({"configuration.yaml": "b:\n"})
    assert await mirror.fetch(source) == commit
    assert not any((mirror.git.path / name).exists() for name in left)


async def test_a_pointer_that_is_none(
    git_server: GitServer, repository: Repository, mirror: Mirror, tmp_path: Path
) -> None:
    """No attributes say that it is in LFS, and it cannot be meant as it is: it is refused by its path."""
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    repository.commit({"www/film.mp4": pointer})
    commit = await mirror.fetch(Source(url=f"{git_server.url}/house", branch="main"))
    with pytest.raises(GitError, match=r"www/film\.mp4"):
        await files(mirror, commit, tmp_path / "candidate")


async def test_a_login_is_seen_by_nobody(git_server: GitServer, repository: Repository, mirror: Mirror) -> None:
    """While git is at work, neither the arguments nor the environment of any process have the password."""
    git_server.login = ("me", "s3cr3t-of-this-test")
    source = Source(url=f"{git_server.url}/house", branch="main", login=Login(*git_server.login))
    git_server.hold.clear()
    fetching = asyncio.create_task(mirror.fetch(source))
    async with asyncio.timeout(30):
        while not git_server.requests:
            await asyncio.sleep(0.01)
    seen = b"".join(contents("cmdline") + contents("environ"))
    git_server.hold.set()
    assert await fetching == git(repository.path, "rev-parse", "HEAD")
    assert git_server.host.encode() in seen
    assert b"s3cr3t-of-this-test" not in seen


async def test_https(mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server is believed by its certificate only; SSL_CERT_FILE names the authorities where the system's are not
    those. The login is asked for, as over any HTTP.
    """
    authority, tls = certified(tmp_path / "authority", "127.0.0.1")
    (tmp_path / "private").mkdir()
    with GitServer(tmp_path / "private").running(tls) as server:
        server.login = ("me", "s3cret")
        commit = server.repository("house").commit({"configuration.yaml": "a:\n"})
        source = Source(url=f"https://{server.host}/house", branch="main", login=Login(*server.login))
        with pytest.raises(GitError, match="certificate"):
            await mirror.fetch(source)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        with pytest.raises(GitError, match="could not read Username"):
            await mirror.fetch(replace(source, login=None))
        assert await mirror.fetch(source) == commit


def contents(name: str) -> list[bytes]:
    """Of this file of every process; one may end meanwhile."""
    found = []
    for path in Path("/proc").glob(f"[0-9]*/{name}"):
        with contextlib.suppress(OSError):
            found.append(path.read_bytes())
    return found
