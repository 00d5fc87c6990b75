"""`python -m tests.bench.one_pull <configuration> <data> <address>`: one pass of the Git pull add-on, as a program.

Whoever runs Home Assistant is played by somebody who agrees with everything at once: what is left is the add-on's own.
"""

import asyncio
import sys
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path

from git_pull.mirror import Mirror
from git_pull.options import Options
from git_pull.puller import Places, Puller


class Willing:
    """A `git_pull.home.Home`."""

    async def core_version(self) -> str:
        return "2026.11.0"

    async def check(self, candidate: Path, without: Sequence[str]) -> bool:  # noqa: ARG002 - it agrees with all
        return True

    async def check_live(self) -> None:
        """It does."""

    async def restart(self) -> None:
        """At once."""

    async def actions(self) -> Collection[str]:
        return ()

    async def act(self, action: str) -> None:
        """At once."""

    async def show(self, message: str | None) -> None:
        """To nobody."""


def puller(live: Path, data: Path, options: Options) -> Puller:
    places = Places(live, data)
    return Puller(
        options=options, places=places, mirror=Mirror(places.mirror), home=Willing(), now=lambda: datetime.now(UTC)
    )


def options(address: str, **others: object) -> Options:
    return Options.read({"repository": address, "git_branch": "main", **others})


async def main() -> int:
    live, data, address = sys.argv[1:]
    run = await puller(Path(live), Path(data), options(address)).run("bench")
    print(run.sentence)
    return 0 if run.good else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
