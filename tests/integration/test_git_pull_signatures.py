"""The Git pull add-on asks for signatures: real keys of ssh and of OpenPGP, commits and tags signed by git itself."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_pull.errors import OptionsError, SignatureError
from git_pull.mirror import Mirror
from git_pull.options import Signers, Source
from tests.gitserver import GitServer, Repository, git

FORGE = "forge <forge@example.com>"


class Signer:
    """Somebody with a key; `settings` are git's, `trusted` names them in the add-on's options."""

    def __init__(self, settings: tuple[str, ...], trusted: Signers) -> None:
        self._settings = [part for setting in settings for part in ("-c", setting)]
        self.trusted = trusted

    def commit(self, repository: Repository, text: str) -> str:
        repository.commit({"configuration.yaml": text})
        git(repository.path, *self._settings, "commit", "--quiet", "--amend", "--no-edit", "--gpg-sign")
        return git(repository.path, "rev-parse", "HEAD")

    def tag(self, repository: Repository, name: str) -> None:
        git(repository.path, *self._settings, "tag", "--force", "--sign", "--message", name, name)


def ssh(folder: Path, name: str) -> Signer:
    key = folder / name
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)]
    subprocess.run(command, check=True, timeout=30)
    line = f"{name}@example.com {key.with_suffix('.pub').read_text().strip()}"
    return Signer(("gpg.format=ssh", f"user.signingKey={key}"), Signers(ssh=(line,)))


@pytest.fixture
def pgp(tmp_path: Path) -> Iterator[Signer]:
    """Its agent's socket needs a short path; the agent goes with it."""
    with tempfile.TemporaryDirectory(prefix="gpg", dir="/tmp") as ring:
        environment = {**os.environ, "GNUPGHOME": ring}

        def gpg(*arguments: str) -> str:
            command = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", *arguments]
            return subprocess.run(
                command, env=environment, check=True, capture_output=True, text=True, timeout=50
            ).stdout

        gpg("--quick-generate-key", FORGE, "ed25519", "sign", "never")
        program = tmp_path / "gpg-of-the-forge"
        program.write_text(f'#!/bin/sh\nGNUPGHOME={ring} exec gpg "$@"\n')
        program.chmod(0o755)
        settings = (f"gpg.program={program}", "gpg.format=openpgp", "user.signingKey=forge@example.com")
        yield Signer(settings, Signers(gpg=gpg("--armor", "--export", FORGE)))
        subprocess.run(["gpgconf", "--kill", "all"], env=environment, check=False, timeout=30)


class House:
    """A mirror that fetches from there."""

    def __init__(self, server: GitServer, folder: Path) -> None:
        self._url = f"{server.url}/house"
        self.mirror = Mirror(folder / "mirror.git")

    async def takes(self, signers: Signers, branch: str = "main") -> bool:
        commit = await self.mirror.fetch(Source(url=self._url, branch=branch))
        try:
            await self.mirror.verify(commit, signers)
        except SignatureError:
            return False
        return True


@pytest.fixture
def house(git_server: GitServer, tmp_path: Path) -> House:
    return House(git_server, tmp_path)


async def test_ssh(house: House, repository: Repository, tmp_path: Path) -> None:
    """Signed by one of those who are trusted; not unsigned, nor by somebody else, nor for another purpose."""
    me, other = ssh(tmp_path, "me"), ssh(tmp_path, "other")
    assert not await house.takes(me.trusted)
    me.commit(repository, "mine:\n")
    assert await house.takes(me.trusted)
    assert not await house.takes(other.trusted)
    assert await house.takes(Signers(ssh=(*other.trusted.ssh, *me.trusted.ssh)))
    (line,) = me.trusted.ssh
    name, _, key = line.partition(" ")
    assert not await house.takes(Signers(ssh=(f'{name} namespaces="file" {key}',)))
    repository.commit({"configuration.yaml": "b:\n"})
    assert not await house.takes(me.trusted), "the newest one is not signed"


async def test_open_pgp(house: House, repository: Repository, tmp_path: Path, pgp: Signer) -> None:
    """The same, with a key as gpg exports it; each kind is asked for its own keys only."""
    me = ssh(tmp_path, "me")
    assert not await house.takes(pgp.trusted)
    pgp.commit(repository, "b:\n")
    assert await house.takes(pgp.trusted)
    assert not await house.takes(me.trusted)
    me.commit(repository, "c:\n")
    assert not await house.takes(pgp.trusted)
    assert await house.takes(Signers(ssh=me.trusted.ssh, gpg=pgp.trusted.gpg))


async def test_a_forged_commit(house: House, repository: Repository, tmp_path: Path) -> None:
    """Another content under a good signature."""
    me = ssh(tmp_path, "me")
    commit = me.commit(repository, "mine:\n")
    text = git(repository.path, "cat-file", "commit", commit).replace("change", "exchange")
    file = tmp_path / "forged"
    file.write_text(f"{text}\n")
    forged = git(repository.path, "hash-object", "-t", "commit", "-w", str(file))
    git(repository.path, "update-ref", "refs/heads/main", forged)
    assert forged != commit
    assert not await house.takes(me.trusted)


async def test_a_signed_tag(house: House, repository: Repository, tmp_path: Path) -> None:
    """Stands for the commit where the tag is followed; not for another commit."""
    me, other = ssh(tmp_path, "me"), ssh(tmp_path, "other")
    me.tag(repository, "v1")
    assert await house.takes(me.trusted, "v1")
    assert not await house.takes(other.trusted, "v1")
    assert not await house.takes(me.trusted, "main")
    first = git(repository.path, "rev-parse", "HEAD")
    repository.commit({"configuration.yaml": "b:\n"})
    git(repository.path, "tag", "--force", "--annotate", "--message", "unsigned", "v1")
    assert not await house.takes(me.trusted, "v1")
    with pytest.raises(SignatureError, match="not signed with a key that you trust"):
        await house.mirror.verify(first, me.trusted)


async def test_keys_that_are_none(house: House, repository: Repository) -> None:
    """The option is named, and nothing is taken."""
    repository.commit({"configuration.yaml": "b:\n"})
    with pytest.raises(OptionsError, match="gpg_keys"):
        await house.takes(Signers(gpg="nonsense\n"))
