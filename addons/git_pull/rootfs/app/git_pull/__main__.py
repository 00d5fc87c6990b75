"""The add-on's program: a pass, and another one after each interval, until it is told to end."""

import asyncio
import json
import logging
import os
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from git_pull.errors import GitPullError
from git_pull.mirror import Mirror
from git_pull.options import Options
from git_pull.puller import Places, Puller
from git_pull.supervisor import Supervisor

_LOGGER = logging.getLogger(__name__)
LIVE, DATA = Path("/config"), Path("/data")
OPTIONS = "options.json"
ADDRESS = "http://supervisor"


async def serve(*, live: Path, data: Path, address: str, token: str) -> int:
    """The exit code: 0 when a single pass left the wanted commit live. OptionsError."""
    options = Options.read(json.loads((data / OPTIONS).read_text()))
    async with aiohttp.ClientSession() as session:
        home = Supervisor(session=session, address=address, token=token, data=data)
        places = Places(live, data)
        puller = Puller(
            options=options, places=places, mirror=Mirror(places.mirror), home=home, now=lambda: datetime.now(UTC)
        )
        while True:
            good = await _pass(puller)
            if options.interval is None:
                return 0 if good else 1
            await asyncio.sleep(options.interval)


async def _pass(puller: Puller) -> bool:
    try:
        await puller.run()
    except (GitPullError, OSError) as error:
        _LOGGER.error("%s", error)  # noqa: TRY400 - its text is all that a user can use
        return False
    return True


async def _until_told(work: asyncio.Task[int]) -> int:
    """SIGTERM ends it; a switch that has begun is finished before, by the thread that does it."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    with suppress(asyncio.CancelledError):
        return await work
    return 0


async def _main() -> int:
    address, token = os.environ.get("SUPERVISOR_API", ADDRESS), os.environ["SUPERVISOR_TOKEN"]
    return await _until_told(asyncio.create_task(serve(live=LIVE, data=DATA, address=address, token=token)))


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    try:
        return asyncio.run(_main())
    except GitPullError as error:
        _LOGGER.error("%s", error)  # noqa: TRY400 - its text is all that a user can use
        return 1


if __name__ == "__main__":
    sys.exit(main())
