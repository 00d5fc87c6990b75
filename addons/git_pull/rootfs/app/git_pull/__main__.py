"""The program, as an add-on or, where no Supervisor gave it a token, in its stand-alone mode (`alone`)."""

import asyncio
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp

from git_pull import alone, hidden, verdicts
from git_pull.errors import GitPullError
from git_pull.flags import Flags
from git_pull.follower import Follower
from git_pull.options import Options
from git_pull.puller import Places
from git_pull.supervisor import Supervisor
from git_pull.told import standard_input
from git_pull.web import Ports, served

_LOGGER = logging.getLogger(__name__)
LIVE, DATA = Path("/config"), Path("/data")
OPTIONS = "options.json"
ADDRESS = "http://supervisor"
PORTS = Ports()


async def serve(  # noqa: PLR0913 - what one start of the program is given
    *,
    live: Path,
    data: Path,
    address: str,
    token: str,
    ports: Ports = PORTS,
    told: asyncio.StreamReader | None = None,
) -> int:
    """The exit code: 0 when a single pass left the wanted commit live. `told` are commands of Home Assistant's.
    OptionsError, OSError for a port in use.
    """
    options = Options.read(json.loads((data / OPTIONS).read_text()))
    async with aiohttp.ClientSession() as session:
        home = Supervisor(session=session, address=address, token=token, data=data)
        forge = verdicts.of(options, session)
        follower = Follower(options=options, places=Places(live, data), home=home, verdicts=forge)
        async with served(follower.apps(ports, home.page)), _beside(follower.obey(told) if told else None):
            return await follower.follow()


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None] | None) -> AsyncIterator[None]:
    """It is done meanwhile, and ended afterwards."""
    task = None if work is None else asyncio.create_task(work)
    try:
        yield
    finally:
        if task is not None:
            task.cancel()
            await asyncio.wait({task})


async def _until_told(work: asyncio.Task[int]) -> int:
    """SIGTERM ends it; a switch that has begun is finished before, by the thread that does it."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, work.cancel)
    with suppress(asyncio.CancelledError):
        return await work
    return 0


async def _main() -> int:
    token = os.environ.get("SUPERVISOR_TOKEN")
    if token is None:
        work = alone.serve(Flags(hidden.given(sys.argv[1:], os.environ)), os.environ)
    else:
        address, told = os.environ.get("SUPERVISOR_API", ADDRESS), await standard_input()
        work = serve(live=LIVE, data=DATA, address=address, token=token, told=told)
    return await _until_told(asyncio.create_task(work))


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stdout)
    try:
        return asyncio.run(_main())
    except (GitPullError, OSError) as error:
        _LOGGER.error("%s", error)  # noqa: TRY400 - its text is all that a user can use
        return 1


if __name__ == "__main__":
    sys.exit(main())
