"""The Git pull add-on: a pass without a change, from a push to what is live, and its memory for a large repository.

Beside it runs what the official add-on does with git, on the same commits. The git server is git's own.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import aiohttp

from git_pull.follower import Follower
from git_pull.puller import Places
from git_pull.web import Ports, served
from tests.bench.figure import Figure, NotRun, in_turn, progress, spread
from tests.bench.one_pull import Willing, options, puller
from tests.bench.process import MEGABYTE, rolled_up
from tests.free_ports import free_port
from tests.gitserver import ENVIRONMENT, Repository, git
from tests.unit.test_git_pull_webhook import SECRET, github

NO_CHANGE = "git pull: a pass without a change, 10,000 files"
PUSH = "git pull: push and webhook to live, 10,000 files"
MEMORY = "git pull: most memory for a new repository of 1 GB"
FILES = 10_000
LARGE, PIECE = 200, 5 * 10**6
"""Files of the large repository, and the bytes of each."""
ROOM = 8 * 10**9
"""Bytes of disk that it needs, in all its copies."""
_LOOK = 0.02
_PATIENCE = 600.0


async def pulling(*, rounds: int) -> list[Figure | NotRun]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "served").mkdir()
        async with _daemon(folder / "served") as address:
            found: list[Figure | NotRun] = [*await _many(folder, f"{address}/many", rounds)]
            if shutil.disk_usage(folder).free < ROOM:
                return [*found, NotRun(names=[MEMORY], why="the disk has less than 8 GB left")]
            return [*found, await _large(folder, f"{address}/large")]


@asynccontextmanager
async def _daemon(root: Path) -> AsyncIterator[str]:
    """Serves every repository below `root`; the address."""
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        "git", "daemon", "--export-all", "--listen=127.0.0.1", f"--port={port}", f"--base-path={root}", root,
        env=ENVIRONMENT, start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_PATIENCE):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(_LOOK)
                else:
                    with closing(writer):
                        break
        yield f"git://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        await process.wait()


# --- many files ----------------------------------------------------------------------------------------------


async def _many(folder: Path, address: str, rounds: int) -> list[Figure]:
    progress("git pull: 10,000 files are committed")
    repository = Repository(folder / "served" / "many")
    repository.commit({f"packages/{number % 100}/{number}.yaml": f"x: {number}\n" for number in range(FILES)})
    live, data = folder / "config", folder / "data"
    live.mkdir()
    data.mkdir()
    git(folder, "clone", "--quiet", "--branch", "main", address, "official")
    ports = Ports(free_port(), free_port(), free_port())
    chosen = options(address, webhook_secret=SECRET)
    pulls = puller(live, data, chosen)
    first = await pulls.run("bench")
    assert first.good, first.said
    before = _written(live, data)

    async def official() -> float:
        return await _official(folder / "official")

    async def ours() -> float:
        began = time.perf_counter()
        run = await pulls.run("bench")
        assert run.good, run.said
        return time.perf_counter() - began

    unchanged = await in_turn(official, ours, rounds=rounds, say="git pull: no change")
    touched = len({path for path, _ in before ^ _written(live, data)})
    follower = Follower(options=chosen, places=Places(live, data), home=Willing())
    async with served(follower.apps(ports, _nowhere)), aiohttp.ClientSession() as http:
        following = asyncio.create_task(follower.follow())
        numbers = iter(range(10**6))

        async def pulled() -> float:
            repository.commit({"packages/1/1.yaml": f"x: official {next(numbers)}\n"})
            return await _official(folder / "official")

        async def pushed() -> float:
            text = f"x: ours {next(numbers)}\n"
            repository.commit({"packages/1/1.yaml": text})
            return await _pushed(http, ports.hooks, live / "packages/1/1.yaml", text)

        changed = await in_turn(pulled, pushed, rounds=rounds, say="git pull: push to live")
        following.cancel()
        await asyncio.wait({following})
    return [
        spread(NO_CHANGE, unchanged.ours, unit="s", aim=0.3, official=_seconds(unchanged.baseline),
               files_written=f"{touched} in {rounds + 1} passes"),
        spread(PUSH, changed.ours, unit="s", aim=2, official_flow_without_its_check=_seconds(changed.baseline)),
    ]  # fmt: skip


async def _nowhere() -> str:
    return ""


async def _pushed(http: aiohttp.ClientSession, port: int, file: Path, text: str) -> float:
    began = time.perf_counter()
    body = f'{{"ref": "refs/heads/main", "after": "{text.strip()}"}}'.encode()
    async with http.post(f"http://127.0.0.1:{port}/webhook", data=body, headers=github(body)) as answer:
        assert answer.status == 202, answer.status
    async with asyncio.timeout(_PATIENCE):
        while file.read_text() != text:
            await asyncio.sleep(_LOOK)
    return time.perf_counter() - began


async def _official(clone: Path) -> float:
    """What the official add-on's script asks of git in a pass; neither its shell nor its check."""
    began = time.perf_counter()
    for command in (
        ("remote", "get-url", "--all", "origin"), ("rev-parse", "--abbrev-ref", "HEAD"), ("rev-parse", "HEAD"),
        ("fetch", "--quiet", "origin", "main"), ("pull", "--quiet"), ("rev-parse", "HEAD"),
    ):  # fmt: skip
        await asyncio.to_thread(git, clone, *command)
    return time.perf_counter() - began


def _seconds(values: Sequence[float]) -> str:
    return f"{sorted(values)[len(values) // 2]:.3g} s (from {min(values):.3g})"


def _written(*folders: Path) -> frozenset[tuple[str, int]]:
    """All files, and when each was written."""
    found = (path for folder in folders for path in folder.rglob("*"))
    return frozenset((str(path), path.lstat().st_mtime_ns) for path in found)


# --- much content --------------------------------------------------------------------------------------------


async def _large(folder: Path, address: str) -> Figure:
    progress("git pull: 1 GB is committed")
    repository = Repository(folder / "served" / "large")
    git(repository.path, "config", "core.compression", "0")
    git(repository.path, "config", "core.bigFileThreshold", "1m")
    for number in range(LARGE):
        repository.commit({f"www/{number}.bin": os.urandom(PIECE)})
        (repository.path / "www" / f"{number}.bin").unlink()
        git(repository.path, "update-index", "--skip-worktree", f"www/{number}.bin")
    live, data = folder / "large-config", folder / "large-data"
    live.mkdir()
    data.mkdir()
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.one_pull", live, data, address,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, stdout=sys.stderr,
    )  # fmt: skip
    most = {"Pss": 0.0, "Anonymous": 0.0}
    ended = asyncio.create_task(process.wait())
    while not ended.done():
        now = [rolled_up(text) for text in _rollups(process.pid)]
        most = {kind: max(before, sum(one.get(kind, 0.0) for one in now)) for kind, before in most.items()}
        progress(f"git pull: 1 GB, {time.perf_counter() - began:.0f} s, {most['Pss']:.0f} MB at most")
        await asyncio.wait({ended}, timeout=_LOOK * 5)
    assert await ended == 0, "the pass was not good"
    size = sum(path.stat().st_size for path in live.rglob("*.bin"))
    assert size == LARGE * PIECE, size
    return spread(
        MEMORY, [most["Pss"]], unit="MB", aim=150, without_mapped_files=f"{most['Anonymous']:.0f} MB",
        took=f"{time.perf_counter() - began:.0f} s for {size / MEGABYTE:.0f} MB",
    )  # fmt: skip


def _rollups(root: int) -> Iterator[str]:
    """Of this process and all that came from it; one may end meanwhile."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    wanted = {root}
    while more := {process for process, parent in parents.items() if parent in wanted} - wanted:
        wanted |= more
    for process in wanted:
        try:
            text = Path(f"/proc/{process}/smaps_rollup").read_text()
        except OSError:
            continue
        if text:
            yield text
