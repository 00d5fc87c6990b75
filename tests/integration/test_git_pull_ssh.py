"""The Git pull add-on fetches by ssh: whom it trusts, and with which key. The program that connects is a stand-in; a
real server is asked in the end-to-end tier.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from git_pull.errors import GitError
from git_pull.mirror import Mirror
from git_pull.options import Source
from tests.gitserver import GitServer, Repository, git

from .test_git_pull_parts import ATTRIBUTES, FILM, Reader, add

SSH = """#!/bin/sh
# Stands for the ssh program: notes what it was given, and runs what it was to run on the other side.
for argument; do
  case $before in -i) echo "key $(stat -c %a "$argument") $(cat "$argument")" >> RECORD;; esac
  case $argument in UserKnownHostsFile=*) cat "${argument#*=}" >> RECORD;; esac
  before=$argument
done
echo "$@" >> RECORD
exec sh -c "$before"
"""
STRANGER = """#!/bin/sh
printf 'No ED25519 host key is known for git.example.com and you have requested strict checking.\\r\\n' >&2
printf 'Host key verification failed.\\r\\n' >&2
exit 255
"""
"""As OpenSSH says it."""
AUTHENTICATE = """#!/bin/sh
# What a server of LFS has for ssh: where contents are, and what to show there.
cat ANSWER
"""
KNOWN = "git.example.com ssh-ed25519 AAAAexample"
AT = "git@git.example.com"


class OtherSide:
    """What is reached by ssh."""

    def __init__(self, folder: Path) -> None:
        self._record = folder / "record"
        self._programs = folder / "bin"
        self._programs.mkdir()
        self._answer = folder / "answer.json"
        self.program("ssh", SSH.replace("RECORD", str(self._record)))

    @property
    def path(self) -> str:
        return f"{self._programs}:/usr/bin:/bin"

    def offer(self, address: str, header: str) -> None:
        """LFS is there, for whoever shows this."""
        self._answer.write_text(json.dumps({"href": address, "header": {"Authorization": header}}))
        self.program("git-lfs-authenticate", AUTHENTICATE.replace("ANSWER", str(self._answer)))

    def program(self, name: str, text: str) -> None:
        (self._programs / name).write_text(text)
        (self._programs / name).chmod(0o755)

    def seen(self) -> Sequence[str]:
        return self._record.read_text().splitlines()


@pytest.fixture
def other_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OtherSide:
    made = OtherSide(tmp_path)
    monkeypatch.setenv("PATH", made.path)
    return made


@pytest.fixture
def reader(repository: Repository, tmp_path: Path) -> Reader:
    source = Source(url=f"{AT}:{repository.path}", branch="main", key="KEY\n", known_hosts=(KNOWN,))
    return Reader(Mirror(tmp_path / "mirror.git", modules=True), source, tmp_path / "candidate")


async def test_whom_it_trusts(other_side: OtherSide, repository: Repository, reader: Reader) -> None:
    """Only known servers are trusted; the key is in a file that is ours alone, and gone afterwards."""
    assert await reader.mirror.fetch(reader.source) == git(repository.path, "rev-parse", "HEAD")
    seen = other_side.seen()
    assert "key 600 KEY" in seen
    assert KNOWN in seen
    assert any(line.startswith("github.com ssh-ed25519") for line in seen)
    arguments = seen[-1].split()
    assert {"StrictHostKeyChecking=yes", "BatchMode=yes", AT} <= set(arguments)
    assert not Path(arguments[arguments.index("-i") + 1]).exists()


async def test_a_server_that_nobody_knows(other_side: OtherSide, reader: Reader) -> None:
    """What ssh says is told in one line, with the option that makes it known."""
    other_side.program("ssh", STRANGER)
    with pytest.raises(GitError) as told:
        await reader.mirror.fetch(reader.source)
    assert str(told.value) == (
        "git fetch failed: No ED25519 host key is known for git.example.com and you have requested strict checking.; "
        "Host key verification failed.; fatal: Could not read from remote repository.; see known_hosts"
    )


async def test_a_submodule(
    other_side: OtherSide, git_server: GitServer, repository: Repository, reader: Reader
) -> None:
    """A private one beside the repository is fetched with the same key."""
    inner = git_server.repository("inner")
    add(repository, "themes", "../inner", inner.commit({"dark.yaml": "dark: {}\n"}))
    assert (await reader.files())["themes/dark.yaml"] == b"dark: {}\n"
    seen = other_side.seen()
    asked = [line for line in seen if f"git-upload-pack '{inner.path}'" in line]
    assert asked
    assert all(AT in line.split() for line in asked)
    assert len([line for line in seen if line == "key 600 KEY"]) > len(asked)


async def test_lfs(other_side: OtherSide, git_server: GitServer, repository: Repository, reader: Reader) -> None:
    """The contents are where the server says by ssh, and whoever was let in there gets them."""
    git_server.login = ("of-lfs", "s3cret")
    other_side.offer(f"{git_server.url}/house/info/lfs", git_server.header)
    repository.commit({".gitattributes": ATTRIBUTES, "www/film.mp4": git_server.keep(FILM)})
    assert (await reader.files())["www/film.mp4"] == FILM
    asked = [line for line in other_side.seen() if "git-lfs-authenticate" in line]
    assert [line.split()[-3:] for line in asked] == [["git-lfs-authenticate", str(repository.path), "download"]]
