"""Working copies from a real git server: right, bounded, and without a way in for whoever runs the server."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from supervisor_k8s.errors import RepositoryError
from supervisor_k8s.model.repository import RepositoryUrl
from supervisor_k8s.store.git import Git, redact
from tests.gitserver import GitServer, git


@pytest.fixture
def tool(tmp_path: Path) -> Git:
    return Git(home=tmp_path / "home", environment=os.environ, timeout=20, size_limit=2_000_000)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return tmp_path / "clones" / "a0d7b954"


def source(git_server: GitServer, name: str = "store", branch: str | None = None) -> RepositoryUrl:
    return RepositoryUrl(f"{git_server.url}/{name}", branch)


async def test_a_repository_is_cloned_shallowly(git_server: GitServer, tool: Git, copy: Path) -> None:
    """The newest files are there, the history is not, and nothing lies beside the working copy."""
    store = git_server.repository("store")
    store.commit({"old": "1"})
    store.commit({"old": None, "a/config.yaml": "name: x"})
    assert await tool.update(copy, source(git_server))
    assert (copy / "a" / "config.yaml").read_text() == "name: x"
    assert not (copy / "old").exists()
    assert git(copy, "rev-list", "--count", "HEAD") == "1"
    assert os.listdir(copy.parent) == [copy.name]  # noqa: PTH208


async def test_only_changes_are_changes(git_server: GitServer, tool: Git, copy: Path) -> None:
    """An update says whether anything changed; unchanged files keep their time, so that they are not parsed again."""
    store = git_server.repository("store")
    store.commit({"same": "1", "other": "1"})
    assert await tool.update(copy, source(git_server))
    before = (copy / "same").stat().st_mtime_ns
    assert not await tool.update(copy, source(git_server))
    store.commit({"other": "2"})
    assert await tool.update(copy, source(git_server))
    assert (copy / "other").read_text() == "2"
    assert (copy / "same").stat().st_mtime_ns == before


async def test_a_forced_push_is_followed(git_server: GitServer, tool: Git, copy: Path) -> None:
    """A rewritten history is what the author wants us to have."""
    store = git_server.repository("store")
    store.commit({"a": "1"})
    await tool.update(copy, source(git_server))
    store.commit({"a": "2"}, force=True)
    assert await tool.update(copy, source(git_server))
    assert (copy / "a").read_text() == "2"


async def test_a_branch_is_chosen(git_server: GitServer, tool: Git, copy: Path) -> None:
    """`#branch` means that branch; one that does not exist is named."""
    store = git_server.repository("store")
    store.commit({"a": "main"})
    git(store.path, "checkout", "--quiet", "-b", "next/one")
    store.commit({"a": "next"})
    git(store.path, "checkout", "--quiet", "main")
    await tool.update(copy, source(git_server, branch="next/one"))
    assert (copy / "a").read_text() == "next"
    with pytest.raises(RepositoryError, match="couldn't find remote ref gone"):
        await tool.update(copy, source(git_server, branch="gone"))
    assert (copy / "a").read_text() == "next"


async def test_local_changes_are_undone(git_server: GitServer, tool: Git, copy: Path) -> None:
    """Whatever happened to the working copy, the next refresh repairs it."""
    git_server.repository("store").commit({"a": "1", "b/c": "1"})
    await tool.update(copy, source(git_server))
    (copy / "a").write_text("changed")
    shutil.rmtree(copy / "b")
    (copy / "extra").write_text("x")
    await tool.update(copy, source(git_server))
    assert ((copy / "a").read_text(), (copy / "b" / "c").read_text(), (copy / "extra").exists()) == ("1", "1", False)


@pytest.mark.parametrize("damage", ["objects", "HEAD", "index", "index.lock", "config", "everything"])
async def test_a_damaged_copy_is_healed(git_server: GitServer, tool: Git, copy: Path, damage: str) -> None:
    """Whatever is broken below `.git`, the next refresh leaves a good working copy."""
    store = git_server.repository("store")
    store.commit({"a": "1"})
    await tool.update(copy, source(git_server))
    inside = copy / ".git"
    if damage == "objects":
        for path in [*inside.glob("objects/??/*"), *inside.glob("objects/pack/*")]:
            path.chmod(0o600)
            path.write_bytes(b"\0")
    elif damage == "everything":
        shutil.rmtree(inside)
        inside.mkdir()
    else:
        (inside / damage).write_bytes(b"\0broken")
    store.commit({"a": "2"})
    await tool.update(copy, source(git_server))
    assert (copy / "a").read_text() == "2"
    assert git(copy, "fsck") == ""
    assert not await tool.update(copy, source(git_server))


async def test_a_repository_that_is_not_there_changes_nothing(git_server: GitServer, tool: Git, copy: Path) -> None:
    """The error is git's own last line, and neither a folder nor a half clone is left."""
    with pytest.raises(RepositoryError, match=r"repository 'http://127.0.0.1:\d+/store/' not found"):
        await tool.update(copy, source(git_server))
    assert list(copy.parent.iterdir()) == []


async def test_no_network_leaves_the_copy(git_server: GitServer, tool: Git, copy: Path) -> None:
    """When nobody answers, the error says so and what we have stays whole."""
    git_server.repository("store").commit({"a": "1"})
    await tool.update(copy, source(git_server))
    with pytest.raises(RepositoryError, match=r"Failed to connect|Could not connect|unable to access"):
        await tool.update(copy, RepositoryUrl("http://127.0.0.1:9/store"))
    assert (copy / "a").read_text() == "1"
    assert not await tool.update(copy, source(git_server))


@pytest.mark.parametrize("url", ["file:///etc", "ext::sh -c touch% /tmp/x", "ssh://a@127.0.0.1/x", "/etc", "git@x:y"])
async def test_other_transports_are_refused(tool: Git, copy: Path, url: str) -> None:
    """Only https, http and git are spoken: the others read our disk or run commands."""
    with pytest.raises(RepositoryError, match="Only addresses with https, http, git can be cloned"):
        await tool.update(copy, RepositoryUrl(url))


async def test_a_redirect_to_another_transport_is_refused(git_server: GitServer, tool: Git, copy: Path) -> None:
    """A submodule that points at our own disk is not followed."""
    store = git_server.repository("store")
    victim = git_server.repository("victim")
    victim.commit({"secret": "1"})
    (store.path / ".gitmodules").write_text(f'[submodule "x"]\n path = x\n url = {victim.path}\n')
    git(store.path, "update-index", "--add", "--cacheinfo", f"160000,{git(victim.path, 'rev-parse', 'HEAD')},x")
    git(store.path, "add", ".gitmodules")
    git(store.path, "commit", "--quiet", "--message", "x")
    await tool.update(copy, source(git_server))
    assert not (copy / "x" / "secret").exists()


async def test_it_never_asks_and_never_waits(git_server: GitServer, tool: Git, copy: Path) -> None:
    """A server that wants a login is an error at once, not a question."""
    git_server.repository("store").commit({"a": "1"})
    git_server.login = ("me", "s3cret")
    with pytest.raises(RepositoryError, match=r"could not read Username .*: terminal prompts disabled"):
        await tool.update(copy, source(git_server))


async def test_credentials_work_and_stay_private(git_server: GitServer, tool: Git, copy: Path) -> None:
    """A login in the address is used, and shows neither in the clone, nor on a command line, nor in an error."""
    git_server.repository("store").commit({"a": "1"})
    git_server.login = ("me@home", "s3cr/t")
    git_server.hold.clear()
    private = RepositoryUrl(f"http://me%40home:s3cr%2Ft@{git_server.host}/store")
    task = asyncio.create_task(tool.update(copy, private))
    while not git_server.requests:
        await asyncio.sleep(0.01)
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    git_server.hold.set()
    assert await task
    assert f"{git_server.host}/store" in processes
    assert "s3cr" not in processes
    for path in copy.rglob("*"):
        assert not path.is_file() or b"s3cr" not in path.read_bytes()
    git_server.login = ("me@home", "other")
    with pytest.raises(RepositoryError, match="Authentication failed") as caught:
        await tool.update(copy, private)
    assert "s3cr" not in str(caught.value)


async def test_hooks_and_filters_do_not_run(git_server: GitServer, tool: Git, copy: Path) -> None:
    """Neither a hook that lies in our clone nor a filter that the author asks for is run."""
    store = git_server.repository("store")
    store.commit({".gitattributes": "* filter=evil\n", "a": "1"})
    await tool.update(copy, source(git_server))
    hook = copy / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {copy.parent}/ran\n")
    hook.chmod(0o755)
    store.commit({"a": "2"})
    await tool.update(copy, source(git_server))
    assert not (copy.parent / "ran").exists()


async def test_a_server_that_never_answers_is_given_up(git_server: GitServer, copy: Path, tmp_path: Path) -> None:
    """After the deadline the error says so, and no process is left."""
    git_server.repository("store").commit({"a": "1"})
    git_server.hold.clear()
    impatient = Git(home=tmp_path, environment=os.environ, timeout=0.5)
    with pytest.raises(RepositoryError, match="git fetch took longer than"):
        await impatient.update(copy, source(git_server))
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert git_server.host not in processes


async def test_a_cancelled_update_leaves_no_process(git_server: GitServer, tool: Git, copy: Path) -> None:
    """Whoever stops waiting stops git."""
    git_server.repository("store").commit({"a": "1"})
    git_server.hold.clear()
    task = asyncio.create_task(tool.update(copy, source(git_server)))
    while not git_server.requests:
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert git_server.host not in processes
    assert list(copy.parent.iterdir()) == []


async def test_a_large_pack_is_refused(git_server: GitServer, tool: Git, copy: Path) -> None:
    """A repository that is too large to send is given up while it arrives."""
    git_server.repository("store").commit({"noise": os.urandom(4_000_000)})
    with pytest.raises(RepositoryError, match="It is larger than 2 MB"):
        await tool.update(copy, source(git_server))
    assert list(copy.parent.iterdir()) == []


async def test_a_small_pack_of_large_files_is_refused(git_server: GitServer, tool: Git, copy: Path) -> None:
    """What is small on the wire and large on the disk is refused before it is unpacked, and does not stay."""
    store = git_server.repository("store")
    store.commit({"a": "1"})
    await tool.update(copy, source(git_server))
    store.commit({f"zero{number}": bytes([number]) * 1_500_000 for number in range(4)})
    for _ in range(3):
        with pytest.raises(RepositoryError, match="5 files with 6 MB together; 50000 files and 2 MB are allowed"):
            await tool.update(copy, source(git_server))
    assert sorted(path.name for path in copy.iterdir()) == [".git", "a"]
    assert sum(path.stat().st_size for path in copy.rglob("*")) < 200_000


async def test_old_states_do_not_pile_up(git_server: GitServer, tool: Git, copy: Path) -> None:
    """After many refreshes the clone is no larger than a fresh one."""
    store = git_server.repository("store")
    for number in range(3):
        store.commit({"noise": os.urandom(400_000), "n": str(number)})
        await tool.update(copy, source(git_server))
    assert sum(path.stat().st_size for path in copy.rglob("*")) < 1_000_000


async def test_a_volume_that_refuses_is_an_error(git_server: GitServer, tool: Git, tmp_path: Path) -> None:
    """A state volume that does not take the clone says so; nothing else breaks."""
    git_server.repository("store").commit({"a": "1"})
    (tmp_path / "file").write_text("")
    with pytest.raises(RepositoryError, match="The state volume does not take it: Not a directory"):
        await tool.update(tmp_path / "file" / "store", source(git_server))


def test_credentials_are_redacted_wherever_an_address_stands() -> None:
    """User and password vanish; addresses without stay."""
    assert (
        redact("fatal: unable to access 'https://u:p@ss@host/x/': no")
        == "fatal: unable to access 'https://***@host/x/': no"
    )
    assert redact("https://host/a@b") == "https://host/a@b"
