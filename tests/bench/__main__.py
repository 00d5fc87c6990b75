"""`python -m tests.bench`: measures, prints a table, and writes JSON."""

import argparse
import asyncio
import os
import platform
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from tests.bench import boot, house, info, names, pages, ports, process, pulls, store, streams
from tests.bench.figure import Figure, NotRun, as_json, progress, table

SECTIONS = (
    "info",
    "answers",
    "log",
    "events",
    "metrics",
    "store",
    "process",
    "names",
    "ingress",
    "ports",
    "git_pull",
    "cluster",
    "boot",
)
RESULTS = Path("test-results/bench.json")


def main() -> int:
    """Exit code 1 when something failed; for a missed aim with `--strict` only: on a busy machine it is no verdict."""
    options = _options()
    sections: dict[str, Callable[[], Awaitable[Sequence[Figure | NotRun]]]] = {
        "info": lambda: info.answering(rounds=options.rounds, delay=options.delay),
        "answers": lambda: info.every_answer(rounds=max(3, options.rounds // 2)),
        "log": lambda: streams.flowing(rounds=options.rounds),
        "events": lambda: streams.telling(rounds=options.rounds),
        "metrics": lambda: info.scraping(scrapes=options.rounds),
        "store": lambda: store.reading(rounds=options.rounds),
        "process": lambda: process.running(starts=options.starts, idle=options.idle),
        "names": lambda: names.looking_up(rounds=options.rounds),
        "ingress": lambda: pages.passing(rounds=options.rounds),
        "ports": lambda: ports.reaching(rounds=options.rounds),
        "git_pull": lambda: pulls.pulling(rounds=options.rounds),
        "cluster": lambda: house.living(rounds=options.rounds, starts=options.starts, delay=options.delay),
        "boot": lambda: boot.coming_up(rounds=max(1, options.rounds // 4)),
    }
    results: list[Figure | NotRun] = []
    failed = False
    for name, measure in sections.items():
        if not options.only or name in options.only:
            try:
                results += asyncio.run(_all(measure))
            except Exception as error:  # noqa: BLE001 - the other figures are still worth having
                results.append(NotRun(names=[name], why=f"{type(error).__name__}: {error}"))
                failed = True
    progress("")
    print(table(results))
    written = as_json(results, _machine())
    if options.json == "-":
        print(written)
    else:
        target = Path(options.json)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(written + "\n")
        print(f"\nwritten to {target}")
    missed = any(isinstance(one, Figure) and one.met is False for one in results)
    return int(failed or (options.strict and missed))


async def _all(measure: Callable[[], Awaitable[Sequence[Figure | NotRun]]]) -> Sequence[Figure | NotRun]:
    return await measure()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--json", default=str(RESULTS), metavar="FILE", help="where to write; - for standard output")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=())
    parser.add_argument("--rounds", type=int, default=11, help="pairs of runs")
    parser.add_argument("--starts", type=int, default=5, help="starts of our process")
    parser.add_argument("--idle", type=float, default=150, metavar="SECONDS", help="how long idle requests are counted")
    parser.add_argument("--delay", type=float, default=0, metavar="SECONDS", help="make our API slower, from outside")
    parser.add_argument("--strict", action="store_true", help="exit code 1 when an aim is missed")
    return parser.parse_args()


def _machine() -> dict[str, Any]:
    return {"cpus": os.cpu_count(), "kernel": platform.release(), "python": platform.python_version()}


if __name__ == "__main__":
    sys.exit(main())
