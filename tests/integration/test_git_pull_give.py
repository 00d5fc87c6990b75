"""The Git pull add-on gives the user's changes back: real pushes to a real git server."""

from pathlib import Path

import pytest

from git_pull.changes import Edits, edits
from git_pull.disk import read_disk
from git_pull.errors import ChangedMeanwhileError, GitError
from git_pull.give import Giver
from git_pull.mirror import Mirror
from git_pull.options import Source
from git_pull.tree import Entry, read_tree
from tests.gitserver import GitServer, Repository, git

FIRST = {"automations.yaml": "[]\n", "old.yaml": "{}\n", "secrets.yaml": "a: b\n", "run.sh": "exit\n"}
BRANCH = "home-assistant"


class Desk:
    """A house that follows `main`, and its repository."""

    def __init__(self, server: GitServer, folder: Path) -> None:
        self.repository: Repository = server.repository("house")
        self.source = Source(url=f"{server.url}/house", branch="main")
        self.mirror = Mirror(folder / "mirror.git")
        self.live = folder / "config"
        self.live.mkdir()
        self.giver = self.to(BRANCH)

    def to(self, branch: str) -> Giver:
        return Giver(mirror=self.mirror, source=self.source, branch=branch, live=self.live)

    def write(self, **files: str) -> None:
        for name, text in files.items():
            (self.live / f"{name}.yaml").write_text(text)

    async def edits(self, commit: str) -> Edits:
        tree = read_tree(await self.mirror.listing(commit)).files
        return edits(tree, read_disk(self.live, tree, like=commit))

    async def give(self, commit: str, giver: Giver | None = None) -> None:
        await (giver or self.giver).give(await self.edits(commit), commit)

    def has(self, name: str, branch: str = BRANCH) -> str:
        return git(self.repository.path, "show", f"{branch}:{name}")

    def tip(self, branch: str = BRANCH) -> str:
        return git(self.repository.path, "rev-parse", branch)


@pytest.fixture
def desk(git_server: GitServer, tmp_path: Path) -> Desk:
    desk = Desk(git_server, tmp_path)
    desk.repository.commit({**FIRST})
    for name, text in FIRST.items():
        (desk.live / name).write_text(text)
    return desk


async def test_changes_are_pushed(desk: Desk) -> None:
    """Written and deleted files, on top of what is live; secrets and new files stay in the house."""
    live = await desk.mirror.fetch(desk.source)
    desk.write(automations="- ui\n", secrets="s3cret: of the house\n", new="{}\n")
    (desk.live / "old.yaml").unlink()
    await desk.give(live)
    assert desk.has("automations.yaml") == "- ui"
    assert desk.has("secrets.yaml") == "a: b"
    assert git(desk.repository.path, "ls-tree", "--name-only", BRANCH).split() == [
        "automations.yaml",
        "run.sh",
        "secrets.yaml",
    ]
    assert git(desk.repository.path, "rev-parse", f"{BRANCH}^") == live
    assert desk.tip("main") == live
    assert "Changed in Home Assistant: automations.yaml, old.yaml" in git(desk.repository.path, "log", "-1", BRANCH)


async def test_the_branch_only_grows(desk: Desk, git_server: GitServer) -> None:
    """The same again is not pushed again; more is a commit on top, also after the followed branch went on."""
    live = await desk.mirror.fetch(desk.source)
    desk.write(automations="- ui\n")
    await desk.give(live)
    first, asked = desk.tip(), len(git_server.requests)
    await desk.give(live)
    assert (desk.tip(), len(git_server.requests)) == (first, asked)
    desk.write(automations="- ui\n- more\n")
    await desk.give(live)
    second = desk.tip()
    assert git(desk.repository.path, "rev-parse", f"{second}^") == first
    later = desk.repository.commit({"other.yaml": "{}\n"})
    await desk.mirror.fetch(desk.source)
    desk.write(other="{}\n", automations="- ui\n- yet more\n")
    await desk.give(later)
    assert git(desk.repository.path, "rev-parse", f"{BRANCH}^1", f"{BRANCH}^2").split() == [second, later]
    assert (desk.has("other.yaml"), desk.has("automations.yaml")) == ("{}", "- ui\n- yet more")


async def test_after_a_merge(desk: Desk) -> None:
    """The commit that has the changes is known by them; the next ones begin a new commit on top of it."""
    live = await desk.mirror.fetch(desk.source)
    desk.write(automations="- ui\n")
    await desk.give(live)
    assert await desk.giver.known(live) is None
    git(desk.repository.path, "merge", "--quiet", "--no-ff", "--message", "merged", BRANCH)
    merged = await desk.mirror.fetch(desk.source)
    known = await desk.giver.known(merged)
    assert known is not None
    assert known["automations.yaml"].id == (await desk.edits(live)).write["automations.yaml"].id
    desk.write(automations="- later\n")
    await desk.give(merged)
    assert git(desk.repository.path, "rev-parse", f"{BRANCH}^") == merged


async def test_somebody_elses_commits(desk: Desk) -> None:
    """They are never overwritten, neither on the branch of ours nor on the followed one."""
    live = await desk.mirror.fetch(desk.source)
    git(desk.repository.path, "checkout", "--quiet", "-b", BRANCH)
    theirs = desk.repository.commit({"theirs.yaml": "{}\n"})
    git(desk.repository.path, "checkout", "--quiet", "main")
    desk.write(automations="- ui\n")
    with pytest.raises(GitError, match="has commits that are not live here"):
        await desk.give(live)
    assert desk.tip() == theirs
    pushed = desk.repository.commit({"pushed.yaml": "{}\n"})
    with pytest.raises(GitError, match="branch main has commits that are not live here"):
        await desk.give(live, desk.to("main"))
    assert desk.tip("main") == pushed


async def test_a_push_that_was_cut(desk: Desk) -> None:
    """Whether it had come through or not: the next one goes on from there."""
    live = await desk.mirror.fetch(desk.source)
    desk.write(automations="- ui\n")
    hook = desk.repository.path / ".git" / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(GitError, match="git push failed"):
        await desk.give(live)
    hook.unlink()
    await desk.give(live)
    first = desk.tip()
    await desk.mirror.git.run("update-ref", "-d", "refs/git_pull/given")
    desk.write(automations="- more\n")
    await desk.give(live)
    assert git(desk.repository.path, "rev-parse", f"{BRANCH}^") == first


async def test_a_server_that_lets_only_read(desk: Desk, git_server: GitServer) -> None:
    """Nothing is lost by it, and the password is not told."""
    live = await desk.mirror.fetch(desk.source)
    git(desk.repository.path, "config", "http.receivepack", "false")
    desk.write(automations="- ui\n")
    with pytest.raises(GitError, match="git push failed"):
        await desk.give(live)
    assert (desk.live / "automations.yaml").read_text() == "- ui\n"


async def test_a_file_that_changes_meanwhile(desk: Desk) -> None:
    """What was not looked at is not pushed."""
    live = await desk.mirror.fetch(desk.source)
    desk.write(automations="- ui\n")
    with pytest.raises(ChangedMeanwhileError):
        await desk.giver.give(Edits(write={"automations.yaml": Entry("0" * 40)}), live)
    assert git(desk.repository.path, "branch", "--list", BRANCH) == ""
