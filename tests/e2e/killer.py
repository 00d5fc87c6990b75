"""Ends the Git pull add-on's program by SIGKILL, again and again, and looks at what it leaves.

This is run in the add-on's own container, by `python3 - <what is known, in JSON>`: a kill of the container itself would
cost half a minute each time. The program is the one that the container runs, for one pass, on the real configuration,
and what it started dies with it, as in a container. What it says last is one line of JSON.
"""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LIVE, DATA = Path("/config"), Path("/data")
FOLDER = "e2e_kill"
MINE = ("mine.bin", "sub/.hidden", "005.txt~")
"""Files of the user's between those of the repository."""
BRANCHES = ("main", "other")
FIRST, ROUND = "candidate", (*("early",) * 8, "aside", "exchange")
"""Where a pass is killed; one that is killed in the exchange is begun again and killed there until CHAIN is over."""
CHAIN = 18
KILLS, ROUNDS = 50, 4
PATIENCE = 120.0
"""Seconds of one pass; a check by Home Assistant takes most of it."""
PROGRAM = """
import asyncio, os, sys
from pathlib import Path
from git_pull.__main__ import ADDRESS, DATA, LIVE, serve
from git_pull.web import Ports

token = os.environ["SUPERVISOR_TOKEN"]
sys.exit(asyncio.run(serve(live=LIVE, data=DATA, address=ADDRESS, token=token, ports=Ports(0, 0, 0))))
"""


def digest(files: Mapping[str, bytes]) -> str:
    """Of contents by their paths."""
    lines = (f"{path} {hashlib.sha256(files[path]).hexdigest()}\n" for path in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def children(pid: int) -> list[int]:
    """And theirs."""
    above: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        above.setdefault(parent, []).append(int(stat.parent.name))
    found, waiting = list[int](), [pid]
    while waiting:
        waiting += above.get(waiting[0], [])
        found += above.get(waiting.pop(0), [])
    return found


class Killer:
    """`trees` are the digests of what the branches have, `own` that of all files that no commit has."""

    def __init__(self, chance: random.Random, trees: Mapping[str, str]) -> None:
        self.chance = chance
        self.trees = trees
        self.folder = LIVE / ".git_pull"
        self.new, self.plan, self.done = (self.folder / name for name in ("new", "plan.json", "done"))
        self.candidate = DATA / "candidate"
        self.said = Path("/tmp/said")
        self.seconds = 1.0
        """From a pass' start to its candidate."""
        self.own = self.untracked()
        self.kills: dict[str, int] = {}
        self.left_open = 0

    # --- what is there -------------------------------------------------------------------------------------------

    def tree(self) -> str:
        paths = [path for path in (LIVE / FOLDER).rglob("*") if path.is_file()]
        files = {str(path.relative_to(LIVE / FOLDER)): path for path in paths}
        return digest({name: path.read_bytes() for name, path in files.items() if name not in MINE})

    def untracked(self) -> str:
        """Not what Home Assistant writes by itself."""
        names = ("onboarding", "core.uuid", "auth_provider.homeassistant")
        paths = [*LIVE.glob("*.yaml"), *(LIVE / ".storage" / name for name in names)]
        paths += [LIVE / FOLDER / name for name in MINE]
        return digest({str(path): path.read_bytes() for path in paths if path.exists()})

    def is_open(self) -> bool:
        return self.plan.exists() and not self.done.exists()

    def waiting(self) -> int:
        """Files that the exchange has not moved yet."""
        try:
            return sum(1 for _ in self.new.iterdir())
        except FileNotFoundError:
            return 0

    def look(self, after: str) -> None:
        """An open switch is not looked at: nobody reads the configuration then."""
        assert self.untracked() == self.own, f"files of the user's are others after {after}"
        if self.is_open():
            self.left_open += 1
        else:
            assert self.tree() in self.trees.values(), f"neither the one nor the other commit after {after}"

    # --- what is done --------------------------------------------------------------------------------------------

    def want(self, branch: str) -> None:
        options = json.loads((DATA / "options.json").read_text())
        options |= {"git_branch": branch, "webhook_secret": "", "repeat": {"active": False, "interval": 300}}
        (DATA / "options.json").write_text(json.dumps(options))

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, *arguments], stdout=self.said.open("wb"), stderr=subprocess.STDOUT)

    def until(self, process: subprocess.Popen[bytes], look: Callable[[], bool]) -> None:
        """Or until it has ended by itself."""
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and not look():
            assert time.monotonic() < deadline, f"a pass takes more than {PATIENCE:.0f} s"
            time.sleep(0.0005)

    def kill(self, process: subprocess.Popen[bytes], where: str) -> bool:
        """With all that it started. One that has ended by itself is not counted; False when it has failed."""
        if process.poll() is None:
            process.send_signal(signal.SIGSTOP)
            for pid in (process.pid, *children(process.pid)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
            self.kills[where] = self.kills.get(where, 0) + 1
        self.look(where)
        return process.returncode <= 0

    def kill_once(self, where: str) -> None:
        """Of a pass that gets so far: it fails while the check that a killed one asked for is not over."""
        deadline = time.monotonic() + PATIENCE
        while not self.kill_there(where):
            assert time.monotonic() < deadline, self.said.read_text()
            time.sleep(0.5)

    def kill_there(self, where: str) -> bool:
        begun = time.monotonic()
        process = self.begin("-c", PROGRAM)
        if where == "early":
            moment = begun + self.chance.uniform(0, self.seconds)
            self.until(process, lambda: time.monotonic() > moment)
        elif where == "candidate":
            self.until(process, self.candidate.exists)
            self.seconds = time.monotonic() - begun
            time.sleep(self.chance.uniform(0, 2))
        elif where == "aside":
            least = self.chance.randrange(1, 300)
            self.until(process, lambda: self.waiting() >= least)
        else:
            self.until(process, self.is_open)
            self.until_moved(process, CHAIN)
        return self.kill(process, where)

    def until_moved(self, process: subprocess.Popen[bytes], kills: int) -> None:
        """So many files more that the exchange lasts for so many kills."""
        left = self.waiting()
        goal = left - self.chance.randint(1, 1 + left // kills)
        self.until(process, lambda: self.waiting() <= goal or self.done.exists())

    def round(self, branch: str, ways: Sequence[str]) -> None:
        self.want(branch)
        shutil.rmtree(self.candidate, ignore_errors=True)
        for where in ways:
            self.kill_once(where)
        for kills in range(CHAIN, 0, -1):
            if not self.is_open():
                return
            process = self.begin("-c", PROGRAM)
            self.until_moved(process, kills)
            self.kill(process, "exchange")

    def end(self, *arguments: str) -> None:
        """Let it go on to its end, again while it fails."""
        deadline = time.monotonic() + PATIENCE
        while self.begin(*arguments).wait(PATIENCE):
            assert time.monotonic() < deadline, self.said.read_text()
            time.sleep(1)
        self.look(" ".join(arguments[:2]))
        assert not self.is_open()


def main() -> None:
    """In the end a switch to the first branch is open, if it was to be had, for the add-on's own start to carry out."""
    given = json.loads(sys.argv[1])
    killer = Killer(random.Random(given["seed"]), given["trees"])
    for number in range(ROUNDS):
        killer.round(BRANCHES[(number + 1) % 2], ROUND if number else (FIRST, *ROUND))
        enough = sum(killer.kills.values()) >= KILLS
        if enough and number % 2:
            break
        killer.end("-m", "git_pull.finish", str(LIVE))
        killer.end("-c", PROGRAM)
    print(json.dumps({"kills": killer.kills, "left_open": killer.left_open, "open": killer.is_open()}))


if __name__ == "__main__":
    main()
