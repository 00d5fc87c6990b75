"""The command line: `python -m tests.cluster up|down|status|env|stop|start|packages`."""

import argparse
import fcntl
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from . import binaries, cluster, external, packages, paths, product, teardown
from .paths import Paths
from .steps import Console, Context, Failed, StepFailed

USAGE = """\
up      make everything that is missing and wait until Home Assistant is there
down    take away everything that up made, but the caches
stop    stop all, as when the machine is switched off; the data stay
start   start all again after stop or after a reboot
status  what runs
env     export lines for a shell:  eval "$(python -m tests.cluster env)"
packages  install what tests need of Debian's packages, as up --for-tests does first

With CLUSTER=external up, down, status and env are about the cluster that KUBECONFIG names, see external.py. Without it
KUBECONFIG is never looked at.
"""


def main(words: Sequence[str] | None = None) -> int:
    """Run one command, that of the command line unless `words` are given; 0 when it worked."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.cluster",
        description=__doc__,
        epilog=USAGE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=("up", "down", "stop", "start", "status", "env", "packages"))
    parser.add_argument("--bare", action="store_true", help="only the cluster, without Home Assistant")
    parser.add_argument("--for-tests", action="store_true", help="with the packages and images that only tests need")
    arguments = parser.parse_args(words)
    where = paths.from_environment()
    try:
        if external.wanted(os.environ):
            return _external(arguments.command, where)
    except Failed as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.command == "env":
        return _environment(where)
    if os.geteuid() != 0:
        print("The local cluster needs root: it mounts, makes network interfaces and runs containers.")
        return 1
    commands: dict[str, Callable[[Context], int]] = {
        "up": lambda ctx: _up(ctx, bare=arguments.bare, for_tests=arguments.for_tests),
        "start": _start,
        "stop": _stop,
        "down": _down,
        "status": cluster.status,
        "packages": _packages,
    }
    console = Console()
    try:
        with _alone(where):
            return commands[arguments.command](Context(where, console))
    except StepFailed:
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted. The same command continues where it stopped.")
        return 130
    finally:
        console.close()


def _external(command: str, where: Paths) -> int:
    """On the caller's cluster; needs no root. Failed says what is missing."""
    console = Console()
    try:
        return external.run(command, external.context(where, console), os.environ)
    except StepFailed:
        return 1
    finally:
        console.close()


def _up(ctx: Context, *, bare: bool, for_tests: bool) -> int:
    cluster.up(ctx, bare=bare, for_tests=for_tests)
    if not bare:
        product.up(ctx)
    return 0


def _packages(ctx: Context) -> int:
    packages.install(ctx, for_tests=True)
    return 0


def _start(ctx: Context) -> int:
    cluster.start(ctx)
    return 0


def _stop(ctx: Context) -> int:
    with _logs_aside(ctx) as aside:
        teardown.stop(aside, cluster.node(ctx))
    return 0


def _down(ctx: Context) -> int:
    with _logs_aside(ctx) as aside:
        teardown.down(aside, cluster.node(ctx))
    return 0


def _environment(where: Paths) -> int:
    if not where.kubeconfig.exists():
        print("There is no local cluster: run `make up` first.", file=sys.stderr)
        return 1
    print(f"export KUBECONFIG={where.kubeconfig}")
    print(f'export PATH="{binaries.program(where, "kubectl").parent}:$PATH"')
    return 0


@contextmanager
def _logs_aside(ctx: Context) -> Iterator[Context]:
    """The steps of taking down keep their logs outside of what is taken down."""
    with tempfile.TemporaryDirectory(prefix="supervisor-k8s-down-") as folder:
        yield replace(ctx, log_directory=Path(folder))


@contextmanager
def _alone(where: Paths) -> Iterator[None]:
    """One command at a time: the second waits for the first."""
    where.cache.mkdir(parents=True, exist_ok=True)
    with (where.cache / "cluster.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    sys.exit(main())
