"""Working copies of git repositories, made by the git program; knows no add-ons.

The other side of a clone is a stranger and we are root, so: no hooks, no configuration but ours, no transport that runs
commands, no questions, a deadline and a size limit for everything, credentials neither on a command line nor in an
error. A working copy has no remote: the address comes from our settings each time, so a changed one needs no repair.
"""

import asyncio
import os
import re
import shutil
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from supervisor_k8s.errors import RepositoryError
from supervisor_k8s.model.repository import RepositoryUrl

PROTOCOLS = ("https", "http", "git")
"""`file` and `ext` would read our disk and run commands; `ssh` would need keys that nobody can give us."""
TIMEOUT = 300.0
"""Seconds that one git command may take; a first clone of the largest known store takes 20 on a slow line."""
SIZE_LIMIT = 256 * 1024 * 1024
"""Bytes that a repository may have, packed and unpacked; the largest known store has 40 MB."""
FILE_LIMIT = 50_000
_OUTPUT_LIMIT = 16 * 1024 * 1024
_CHUNK = 65536
_BLOCK = 512
_INHERITED = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO")
_PROXY = re.compile(r"(https?|all|no)_proxy", re.IGNORECASE)
_CREDENTIALS = re.compile(r"://[^/\s'\"]*@")
_ANSWER = '!f() { printf "username=%s\\npassword=%s\\n" "$STORE_USERNAME" "$STORE_PASSWORD"; }; f'
_LIMITED = 'trap "" XFSZ; ulimit -f "$1"; shift; exec "$@"'
"""For sh: no file may become larger than so many blocks of 512 bytes, so that a pack cannot fill the disk; who writes
too much is told so, instead of being killed without a word.
"""
_TOO_LARGE = "File too large"
_OPTIONS = {
    "advice.detachedHead": "false",
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.logAllRefUpdates": "false",
    "core.protectNTFS": "true",
    "fetch.unpackLimit": "1",
    "gc.auto": "0",
    "http.lowSpeedLimit": "1000",
    "http.lowSpeedTime": "60",
    "init.defaultBranch": "main",
    "maintenance.auto": "false",
    "pack.threads": "1",
    "safe.directory": "*",
    "submodule.recurse": "false",
}


@dataclass(frozen=True, slots=True)
class _Result:
    code: int
    output: bytes
    complaints: str
    """The end of what git wrote to its error stream, without credentials."""

    @property
    def complaint(self) -> str:
        """The last line that says something."""
        lines = [line.strip() for line in self.complaints.splitlines() if line.strip()]
        telling = [line for line in lines if line.startswith(("fatal:", "error:"))]
        return (telling or lines or [""])[-1]


class _DamagedError(RepositoryError):
    """The working copy on our disk is at fault, not the other side."""


class Git:
    """Keeps working copies equal to their remotes."""

    def __init__(
        self,
        *,
        home: Path,
        environment: Mapping[str, str],
        timeout: float = TIMEOUT,
        size_limit: int = SIZE_LIMIT,
    ) -> None:
        """`home` is an empty directory of our own; of `environment` only PATH, proxies and certificates are used."""
        self._home = home
        self._inherited = {
            name: value for name, value in environment.items() if name in _INHERITED or _PROXY.fullmatch(name)
        }
        self._timeout = timeout
        self._size_limit = size_limit

    async def update(self, path: Path, source: RepositoryUrl) -> bool:
        """Make `path` the newest state of `source`; True when anything changed. RepositoryError leaves it as it was.

        Forced pushes are followed, changes of the working copy undone; a copy that is missing or damaged is cloned
        anew.
        """
        with _disk_errors():
            if not await asyncio.to_thread((path / ".git").is_dir):
                await self.clone(path, source)
                return True
            try:
                changed = await self._fetch_new(path, source)
                await self._local(path, "reset", "--quiet", "--hard", "FETCH_HEAD")
                await self._local(path, "clean", "--quiet", "-ffdx")
                if changed:
                    await self._drop_leftovers(path)
            except _DamagedError:
                await self.clone(path, source)
                return True
            except RepositoryError:
                await self._drop_leftovers(path)
                raise
            return changed

    async def clone(self, path: Path, source: RepositoryUrl) -> None:
        """Clone beside `path`, then take its place. RepositoryError leaves `path` as it was."""
        fresh, old = path.with_name(f"{path.name}.new"), path.with_name(f"{path.name}.old")
        with _disk_errors():
            try:
                await asyncio.to_thread(_empty, fresh)
                await self._git(fresh, "init", "--quiet", "--template=")
                await self._fetch(fresh, source)
                await self._check_size(fresh)
                await self._local(fresh, "reset", "--quiet", "--hard", "FETCH_HEAD")
                await asyncio.to_thread(_take_place, fresh, path, old)
            finally:
                await asyncio.to_thread(shutil.rmtree, fresh, ignore_errors=True)

    async def _fetch_new(self, path: Path, source: RepositoryUrl) -> bool:
        """Whether the other side has something else than the working copy, which is not touched yet."""
        await self._fetch(path, source)
        commits = await self._local(path, "rev-parse", "HEAD^{commit}", "FETCH_HEAD^{commit}")
        before, after = commits.output.split()
        if before != after:
            await self._check_size(path)
        return before != after

    async def _drop_leftovers(self, path: Path) -> None:
        """Free the room of what nothing refers to: older commits, half of a fetch, a commit that was too large."""
        await self._local(path, "gc", "--quiet", "--prune=now")

    async def _fetch(self, path: Path, source: RepositoryUrl) -> None:
        """Fetch one commit. When it fails, a look at the working copy tells whose fault it is."""
        if source.url.partition("://")[0].lower() not in PROTOCOLS:
            raise RepositoryError(f"Only addresses with {', '.join(PROTOCOLS)} can be cloned")
        url, credentials = _split_credentials(source.url)
        arguments = ("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--force", "--")
        try:
            await self._git(path, *arguments, url, source.branch or "HEAD", credentials=credentials)
        except RepositoryError:
            await self._local(path, "fsck", "--connectivity-only", "--no-dangling", "--no-progress")
            raise

    async def _check_size(self, path: Path) -> None:
        """Refuse what would be too much on the disk once it is unpacked."""
        listing = await self._local(path, "ls-tree", "-r", "-z", "--format=%(objectsize)", "FETCH_HEAD")
        sizes = listing.output.decode("ascii", "replace").split("\0")
        total = sum(int(size) for size in sizes if size.isdecimal())
        if total > self._size_limit or len(sizes) > FILE_LIMIT:
            raise RepositoryError(
                f"It has {len(sizes) - 1} files with {total / 1e6:.0f} MB together; "
                f"{FILE_LIMIT} files and {self._size_limit / 1e6:.0f} MB are allowed"
            )

    async def _local(self, path: Path, *arguments: str, allowed: Sequence[int] = (0,)) -> _Result:
        """A command that needs nobody else: when it fails, the working copy is damaged."""
        try:
            return await self._git(path, *arguments, allowed=allowed)
        except RepositoryError as error:
            raise _DamagedError(str(error)) from error

    async def _git(
        self,
        path: Path,
        *arguments: str,
        credentials: Mapping[str, str] | None = None,
        allowed: Sequence[int] = (0,),
    ) -> _Result:
        options = [part for key, value in _OPTIONS.items() for part in ("-c", f"{key}={value}")]
        blocks = str(self._size_limit // _BLOCK)
        process = await asyncio.create_subprocess_exec(
            "sh", "-c", _LIMITED, "sh", blocks, "git", *options, *arguments,
            cwd=path, env=self._environment(path) | dict(credentials or {}), start_new_session=True,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            async with asyncio.timeout(self._timeout):
                result = await _communicate(process)
        except TimeoutError as error:
            raise RepositoryError(f"git {arguments[0]} took longer than {self._timeout:.0f} s") from error
        finally:
            await _end(process)
        if result.code not in allowed:
            raise RepositoryError(self._explain(arguments[0], result))
        return result

    def _environment(self, path: Path) -> dict[str, str]:
        return {
            "PATH": os.defpath,
            **self._inherited,
            "HOME": str(self._home),
            "LC_ALL": "C.UTF-8",
            "GIT_ALLOW_PROTOCOL": ":".join(PROTOCOLS),
            "GIT_DIR": str(path / ".git"),
            "GIT_WORK_TREE": str(path),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_TERMINAL_PROMPT": "0",
        }

    def _explain(self, command: str, result: _Result) -> str:
        if _TOO_LARGE in result.complaints:
            return f"It is larger than {self._size_limit / 1e6:.0f} MB"
        return result.complaint or f"git {command} ended with code {result.code}"


@contextmanager
def _disk_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RepositoryError(f"The state volume does not take it: {error.strerror}") from error


def _split_credentials(url: str) -> tuple[str, dict[str, str]]:
    """The address without user and password, and variables by which git gets them for this host alone."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url, {}
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host)), {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"credential.{parts.scheme}://{host}.helper",
        "GIT_CONFIG_VALUE_0": _ANSWER,
        "STORE_USERNAME": unquote(parts.username or ""),
        "STORE_PASSWORD": unquote(parts.password or ""),
    }


async def _communicate(process: asyncio.subprocess.Process) -> _Result:
    assert process.stdout and process.stderr  # noqa: S101, PT018 - both were asked for
    async with asyncio.TaskGroup() as group:
        output = group.create_task(_read_whole(process.stdout))
        complaints = group.create_task(_read_end(process.stderr))
    return _Result(await process.wait(), output.result(), redact(complaints.result()))


async def _read_whole(stream: asyncio.StreamReader) -> bytes:
    """All of it up to a limit; the rest is read and dropped."""
    kept = bytearray()
    while chunk := await stream.read(_CHUNK):
        kept += chunk[: max(0, _OUTPUT_LIMIT - len(kept))]
    return bytes(kept)


async def _read_end(stream: asyncio.StreamReader) -> str:
    """The end of a stream that may be endless."""
    kept = b""
    while chunk := await stream.read(_CHUNK):
        kept = (kept + chunk)[-_CHUNK:]
    return kept.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    """Leave nothing behind: git's helpers are in its process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await process.wait()


def redact(text: str) -> str:
    """The text without user names and passwords of addresses in it."""
    return _CREDENTIALS.sub("://***@", text)


def _empty(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)


def _take_place(fresh: Path, path: Path, old: Path) -> None:
    shutil.rmtree(old, ignore_errors=True)
    if path.exists():
        path.rename(old)
    fresh.rename(path)
    shutil.rmtree(old, ignore_errors=True)
