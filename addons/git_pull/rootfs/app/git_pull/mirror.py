"""A bare copy of the user's repository, outside of the configuration; the only place that runs git.

The other side is a stranger: no hooks, no configuration but ours, no transport that runs commands, no questions, a
deadline for everything. Secrets are in files that only we can read: on no command line, in no address and no error.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from git_pull.errors import GitError
from git_pull.options import SCHEMES, Source
from git_pull.tree import Tree

TIMEOUT = 3600.0
"""Seconds for one command; a gigabyte on a slow line takes half of it."""
KNOWN_HOSTS = Path(__file__).with_name("known_hosts")
"""Keys of large forges, as they publish them."""
LFS = b"version https://git-lfs.github.com/spec/"
_WANTED, _LIVE = "refs/git_pull/wanted", "refs/git_pull/live"
_CHUNK = 2**20
_LINES = 5
_SETTINGS = {
    "core.hooksPath": "/dev/null",
    "core.fsync": "committed",
    "credential.helper": "",
    "gc.auto": "0",
    "init.defaultBranch": "main",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
}
_INHERITED = (
    "PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTPS_PROXY",
    "NO_PROXY",
)


@dataclass(frozen=True, slots=True)
class _Secrets:
    """`settings` and `environment` name files and hold no secret."""

    settings: Mapping[str, str]
    environment: Mapping[str, str]


class Mirror:
    """At `path`, which is made when it is missing."""

    def __init__(self, path: Path, *, timeout: float = TIMEOUT) -> None:
        self._path = path
        self._timeout = timeout

    async def fetch(self, source: Source) -> str:
        """The commit that `source` names now. GitError: the last one is still there then."""
        if not (self._path / "HEAD").exists():
            await asyncio.to_thread(_make_anew, self._path)
            await self._git("init", "--quiet", "--bare")
        refspec = f"+{source.branch or 'HEAD'}:{_WANTED}"
        try:
            with _secrets(source) as secrets:
                await self._git(
                    "fetch", "--quiet", "--force", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head",
                    "--", source.url, refspec, secrets=secrets,
                )  # fmt: skip
        except GitError:
            await self._drop_damaged()
            raise
        return (await self._git("rev-parse", "--verify", f"{_WANTED}^{{commit}}")).decode().strip()

    async def _drop_damaged(self) -> None:
        """What a power cut or a full disk left unusable is fetched anew by the next pass."""
        try:
            await self._git("fsck", "--connectivity-only", "--no-dangling", "--no-progress")
        except GitError:
            shutil.rmtree(self._path, ignore_errors=True)

    async def has(self, commit: str) -> bool:
        try:
            await self._git("cat-file", "-e", f"{commit}^{{tree}}")
        except GitError:
            return False
        return True

    async def listing(self, commit: str) -> bytes:
        """As `read_tree` takes it. GitError."""
        return await self._git("ls-tree", "-r", "-z", "--full-tree", commit)

    async def hold(self, commit: str) -> None:
        """It is live, or about to be: it stays when nothing else names it any more. GitError."""
        await self._git("update-ref", _LIVE, commit)

    async def prune(self) -> None:
        """Drop what nothing names. GitError."""
        await self._git("prune")

    async def write(self, tree: Tree, folder: Path) -> None:
        """The contents of these files, below a folder that is made anew. GitError, OSError."""
        await asyncio.to_thread(_make_anew, folder)
        process = await self._start(("cat-file", "--batch"), None)
        try:
            async with asyncio.timeout(self._timeout):
                for path, entry in tree.items():
                    await _write_one(process, path, entry.id, folder / path)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
            raise GitError("git cat-file gave no whole answer") from error
        finally:
            await _end(process)

    async def _git(self, *arguments: str, secrets: _Secrets | None = None) -> bytes:
        process = await self._start(arguments, secrets)
        try:
            async with asyncio.timeout(self._timeout):
                output, errors = await process.communicate()
        except TimeoutError as error:
            raise GitError(f"git {arguments[0]} took longer than {self._timeout:.0f} s") from error
        finally:
            await _end(process)
        if process.returncode:
            said = errors.decode(errors="replace").strip().splitlines()[-_LINES:]
            raise GitError(f"git {arguments[0]} failed: " + ("; ".join(said) or f"exit code {process.returncode}"))
        return output

    async def _start(self, arguments: Sequence[str], secrets: _Secrets | None) -> asyncio.subprocess.Process:
        settings = {**_SETTINGS, **(secrets.settings if secrets else {})}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        environment = {
            **{key: os.environ[key] for key in _INHERITED if key in os.environ},
            "GIT_ALLOW_PROTOCOL": ":".join(SCHEMES),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_DIR": str(self._path),
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C.UTF-8",
            **(secrets.environment if secrets else {}),
        }
        return await asyncio.create_subprocess_exec(
            "git", *options, *arguments, cwd=self._path, env=environment, start_new_session=True,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip


def _make_anew(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


@contextmanager
def _secrets(source: Source) -> Iterator[_Secrets]:
    """Files in a folder that only we can enter, for the time of one command."""
    with tempfile.TemporaryDirectory(prefix="git-pull-") as name:
        folder = Path(name)
        settings, environment = {}, {}
        if source.login is not None:
            login = folder / "login"
            login.write_text(f"username={source.login.user}\npassword={source.login.password}\n")
            settings[f"credential.{source.place}.helper"] = '!f() { cat "$GIT_PULL_LOGIN"; }; f'
            environment["GIT_PULL_LOGIN"] = str(login)
        hosts = folder / "known_hosts"
        hosts.write_text(KNOWN_HOSTS.read_text() + "".join(f"{line}\n" for line in source.known_hosts))
        ssh = [
            "ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=30",
            "-o", f"UserKnownHostsFile={hosts}", "-o", "GlobalKnownHostsFile=none", "-o", "IdentitiesOnly=yes",
        ]  # fmt: skip
        if source.key:
            key = folder / "key"
            key.touch(mode=0o600)
            key.write_text(source.key)
            ssh += ["-i", str(key)]
        environment["GIT_SSH_COMMAND"] = " ".join(ssh)
        yield _Secrets(settings, environment)


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
                raise GitError(f"{path} is kept in LFS; LFS is not supported")
            file.write(chunk)
            left, begins = left - len(chunk), False
    await process.stdout.readexactly(1)


async def _end(process: asyncio.subprocess.Process) -> None:
    """It and what it started, if anything of that is left."""
    if process.returncode is None:
        try:
            os.killpg(process.pid, 9)
        except ProcessLookupError:
            return
        await process.wait()
