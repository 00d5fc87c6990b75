"""Running the git program in a bare repository of ours, and only here.

The other side is a stranger: no hooks, no configuration but ours, no transport that runs commands, no questions, a
deadline for everything. Secrets are in files that only we can read: on no command line, in no address and no error.
"""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from git_pull.errors import GitError
from git_pull.options import SCHEMES, Source
from git_pull.progress import heard

TIMEOUT = 3600.0
"""Seconds for one command; a gigabyte on a slow line takes half of it."""
KNOWN_HOSTS = Path(__file__).with_name("known_hosts")
"""Keys of large forges, as they publish them."""
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
"""Whom the system trusts."""
_NAMED, _TRUSTED = "SSL_CERT_FILE", "http.sslCAInfo"
_LINES = 5
_ADVICE = ("Please make sure you have the correct access rights", "and the repository exists.")
_STRANGER = "Host key verification failed."
"""The words of ssh."""
_SETTINGS = {
    # Larger files are passed on piece by piece, and what is kept in memory is bounded.
    "core.bigFileThreshold": "8m",
    "core.deltaBaseCacheLimit": "16m",
    "core.fsync": "committed",
    "core.hooksPath": "/dev/null",
    "core.packedGitLimit": "64m",
    "core.packedGitWindowSize": "8m",
    "credential.helper": "",
    "gc.auto": "0",
    "init.defaultBranch": "main",
    "maintenance.auto": "false",
    "pack.threads": "1",
    "pack.windowMemory": "32m",
    "submodule.recurse": "false",
}
_INHERITED = (
    "PATH",
    _NAMED,
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "HTTPS_PROXY",
    "NO_PROXY",
)


@dataclass(frozen=True, slots=True)
class With:
    """What a command gets beside its arguments. `settings` and `environment` name files and hold no secret; `text` is
    for its standard input.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    text: bytes = b""


_NOTHING = With()


class Git:
    """For the repository at `path`."""

    def __init__(self, path: Path, *, timeout: float = TIMEOUT) -> None:
        self.path = path
        self.timeout = timeout

    async def run(self, *arguments: str, also: With = _NOTHING, tell: Callable[[str], None] | None = None) -> bytes:
        """What it says. `tell` hears how far it is, and `also` has no text then. GitError in its own words."""
        process = await self.start(arguments, also)
        try:
            async with asyncio.timeout(self.timeout):
                if tell is None:
                    output, errors = await process.communicate(also.text)
                else:
                    output, errors = await _followed(process, tell)
        except TimeoutError as error:
            raise GitError(f"git {arguments[0]} took longer than {self.timeout:.0f} s") from error
        finally:
            await end(process)
        if process.returncode:
            raise GitError(f"git {arguments[0]} failed: " + (_told(errors) or f"exit code {process.returncode}"))
        return output

    async def ask(self, *arguments: str, also: With = _NOTHING) -> str:
        """A word or a line."""
        return (await self.run(*arguments, also=also)).decode().strip()

    async def holds(self, *arguments: str, also: With = _NOTHING) -> bool:
        """Whether a command ends well: one that looks whether something is so, or one that may fail."""
        try:
            await self.run(*arguments, also=also)
        except GitError:
            return False
        return True

    async def start(self, arguments: Sequence[str], also: With = _NOTHING) -> asyncio.subprocess.Process:
        """With pipes; `end` is for whoever calls this."""
        settings = {**_SETTINGS, **_authorities(), **also.settings}
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        environment = {
            **{key: os.environ[key] for key in _INHERITED if key in os.environ},
            "GIT_ALLOW_PROTOCOL": ":".join(SCHEMES),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_DIR": str(self.path),
            "GIT_TERMINAL_PROMPT": "0",
            "LC_ALL": "C.UTF-8",
            **also.environment,
        }
        return await asyncio.create_subprocess_exec(
            "git", *options, *arguments, cwd=self.path, env=environment, start_new_session=True,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip


def _authorities() -> Mapping[str, str]:
    """Those that all other programs go by; git alone does not look there."""
    file = os.environ.get(_NAMED)
    return {_TRUSTED: file} if file else {}


def _system_authorities() -> str:
    file = Path(os.environ.get(_NAMED) or AUTHORITIES)
    return f"{file.read_text()}\n" if file.is_file() else ""


def _told(errors: bytes) -> str:
    """What it said last, without its advice that fits any trouble with another machine."""
    lines = (line.strip() for line in errors.decode(errors="replace").splitlines())
    said = [line for line in lines if line and line not in _ADVICE][-_LINES:]
    return "; ".join((*said, "see known_hosts") if _STRANGER in said else said)


async def _followed(process: asyncio.subprocess.Process, tell: Callable[[str], None]) -> tuple[bytes, bytes]:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise GitError("git was started without pipes")
    process.stdin.close()
    output, errors = await asyncio.gather(process.stdout.read(), heard(process.stderr, tell))
    await process.wait()
    return output, errors


async def end(process: asyncio.subprocess.Process) -> None:
    """It and what it started, if anything of that is left."""
    if process.returncode is None:
        try:
            os.killpg(process.pid, 9)
        except ProcessLookupError:
            return
        await process.wait()


@contextmanager
def access(source: Source) -> Iterator[With]:
    """To its server: files in a folder that only we can enter, for the time of a few commands."""
    with tempfile.TemporaryDirectory(prefix="git-pull-") as name:
        folder = Path(name)
        settings, environment = {}, {}
        if source.login is not None:
            login = folder / "login"
            login.write_text(f"username={source.login.user}\npassword={source.login.password}\n")
            settings[f"credential.{source.place}.helper"] = '!f() { cat "$GIT_PULL_LOGIN"; }; f'
            environment["GIT_PULL_LOGIN"] = str(login)
        if source.authorities:
            trusted = folder / "authorities"
            trusted.write_text(_system_authorities() + source.authorities)
            settings[_TRUSTED] = str(trusted)
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
        yield With(settings, environment)
