"""Named steps: one line of progress each, a log each, and failures that help.

A step is a `with` block. What it runs is logged to its own file; when it fails,
the console shows which step, why, the end of that log and what to do.

    with ctx.step("build image supervisor", advice="is the disk full?") as step:
        if archive.exists():
            step.note("cached")
        else:
            step.run(["buildah", "build", ...])

`together` runs functions side by side, each with steps of its own.
"""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .paths import Paths

TAIL_LINES = 15
HEARTBEAT = 30.0
"""Seconds after which a step that still runs says so, where no spinner can turn."""
SPIN = 0.2
"""Seconds between two frames of the spinner."""
FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class Failed(Exception):  # noqa: N818  # reads as what happened, like the states of Kubernetes
    """Something did not work; the message says what, in words for a person."""

    def __init__(self, message: str, *, log: Path | None = None) -> None:
        """`log` is the file that tells more than the step's own log, if there is one."""
        super().__init__(message)
        self.log = log


class StepFailed(Exception):  # noqa: N818
    """A step failed and the console has said so."""


class Console:
    """Prints finished steps line by line and shows the running ones; safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, tuple[float, float]] = {}
        self._closed = threading.Event()
        self._tty = sys.stdout.isatty()
        self._ticker: threading.Thread | None = None

    def begin(self, name: str) -> None:
        now = time.monotonic()
        with self._lock:
            self._running[name] = (now, now)
            if self._ticker is None:
                self._ticker = threading.Thread(target=self._tick, daemon=True)
                self._ticker.start()

    def end(self, name: str, note: str, *, failed: bool = False) -> None:
        with self._lock:
            began, _ = self._running.pop(name)
            seconds = time.monotonic() - began
            mark = "FAILED" if failed else "ok"
            self._print(f"{mark:>6} {seconds:7.1f} s  {name}{f' ({note})' if note else ''}")

    def say(self, text: str) -> None:
        with self._lock:
            self._print(text)

    def close(self) -> None:
        self._closed.set()
        if self._ticker is not None:
            self._ticker.join()

    def _print(self, text: str) -> None:
        clear = "\r\x1b[K" if self._tty else ""
        print(f"{clear}{text}", flush=True)

    def _tick(self) -> None:
        turn = 0
        while not self._closed.wait(SPIN):
            turn += 1
            with self._lock:
                if self._tty:
                    self._spin(FRAMES[turn % len(FRAMES)])
                else:
                    self._heartbeat()

    def _spin(self, frame: str) -> None:
        now = time.monotonic()
        running = ", ".join(f"{name} {now - began:.0f} s" for name, (began, _) in self._running.items())
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
        line = f"{frame} {running}" if running else ""
        print(f"\r\x1b[K{line[: columns - 1]}", end="", flush=True)

    def _heartbeat(self) -> None:
        now = time.monotonic()
        for name, (began, said) in self._running.items():
            if now - said >= HEARTBEAT:
                self._running[name] = (began, now)
                self._print(f"   ... {now - began:7.1f} s  {name}")


@dataclass(slots=True)
class Step:
    """One running step: runs commands into its log, and carries the note for its line."""

    name: str
    log: Path
    noted: str = field(default="")

    def note(self, text: str) -> None:
        """A word on what happened: "cached", "built", "unchanged"."""
        self.noted = text

    def write(self, text: str) -> None:
        """Add a line to the log of the step."""
        with self.log.open("a") as log:
            log.write(text.rstrip("\n") + "\n")

    def run(  # noqa: PLR0913  # as subprocess.run, by keyword
        self,
        command: Sequence[str | Path],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        timeout: float = 1800.0,
        secret: bool = False,
    ) -> str:
        """Run to the end and return standard output. Failed on any other exit code than 0.

        `env` is added to the environment; `timeout` is in seconds; `secret`
        output is not written to the log.
        """
        words = [str(word) for word in command]
        name = Path(words[0]).name
        self.write(f"$ {' '.join(words)}")
        try:
            with self.log.open("a") as log:
                done = subprocess.run(
                    words,
                    cwd=cwd,
                    env={**os.environ, **(env or {})},
                    input=stdin,
                    stdin=subprocess.DEVNULL if stdin is None else None,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    timeout=timeout,
                    check=False,
                )
        except FileNotFoundError as error:
            raise Failed(f"{name} is not installed") from error
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{name} did not end within {timeout:.0f} s") from error
        if done.stdout and not secret:
            self.write(done.stdout)
        if done.returncode != 0:
            raise Failed(f"{name} ended with exit code {done.returncode}")
        return done.stdout


@dataclass(frozen=True, slots=True)
class Context:
    """What every part of the cluster is handed: where things are, and how to make steps."""

    paths: Paths
    console: Console
    log_directory: Path | None = None
    """Where the logs of steps go, when not to `paths.logs`."""

    @contextmanager
    def step(self, name: str, *, advice: str = "") -> Iterator[Step]:
        """Run the block as a step. StepFailed, already explained, when the block fails.

        `advice` says what a person can do when it fails.
        """
        step = Step(name, self._log(name))
        self.console.begin(name)
        try:
            yield step
        except (Failed, OSError, subprocess.SubprocessError) as error:
            self.console.end(name, step.noted, failed=True)
            self.console.say(_explain(step, error, advice))
            raise StepFailed(name) from error
        except BaseException:
            self.console.end(name, "interrupted", failed=True)
            raise
        self.console.end(name, step.noted)

    def _log(self, name: str) -> Path:
        log = (
            self.log_directory or self.paths.logs
        ) / f"step-{re.sub(r'[^a-z0-9.]+', '-', name.lower()).strip('-')}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text("")
        return log


def together(*parts: Callable[[], Any]) -> None:
    """Run the parts side by side, wait for all, and raise the first failure."""
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        futures = [pool.submit(part) for part in parts]
    for future in futures:
        future.result()


def until(condition: Callable[[], bool], *, within: float, what: str, every: float = 0.1) -> None:
    """Ask `condition` until it holds. Failed with `what` after `within` seconds."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            raise Failed(f"{what} did not happen within {within:.0f} s")
        time.sleep(every)


def tail(path: Path, lines: int = TAIL_LINES) -> str:
    """The last lines of a text file, or nothing where there is none."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 64 * 1024))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def _explain(step: Step, error: BaseException, advice: str) -> str:
    log = (error.log if isinstance(error, Failed) else None) or step.log
    parts = [f"\nThe step “{step.name}” failed: {error}"]
    if end := tail(log):
        parts.append("\n".join(f"    | {line}" for line in end.splitlines()))
    parts.append(f"Log:     {log}")
    if advice:
        parts.append(f"To do:   {advice}")
    return "\n".join(parts)
