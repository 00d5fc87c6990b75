"""The program in its stand-alone mode: its parts, and the files that its options name."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from git_pull import kube, verdicts
from git_pull.errors import OptionsError
from git_pull.flags import FILES, Flags
from git_pull.follower import Follower
from git_pull.kube import DEPLOYMENTS, STATEFUL_SETS, Workload
from git_pull.options import Options
from git_pull.puller import Places
from git_pull.rest import Rest
from git_pull.standalone import StandAlone
from git_pull.web import served
from git_pull.worktree import origin


async def serve(flags: Flags, environment: Mapping[str, str]) -> int:
    """The exit code: with `--interval 0`, 0 when a single pass left the wanted commit live. OptionsError."""
    places = Places(Path(flags.text("--ha-config-path")), Path(flags.text("--data-path")))
    options, port = read(flags), _port(flags)
    token = _secret(flags, "--ha-token")
    if not token:
        raise OptionsError("The option --ha-token is missing: a long-lived access token of Home Assistant")
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        core = Rest(session=session, address=f"{flags.text('--ha-url').rstrip('/')}/api", token=lambda: token)
        workload = _workload(flags, session, environment) if options.auto_restart else None
        home = StandAlone(core=core, workload=workload)
        places.data.mkdir(parents=True, exist_ok=True)
        follower = Follower(options=options, places=places, home=home, verdicts=verdicts.of(options, session))
        if port is not None:
            await stack.enter_async_context(served([(port, follower.figures())]))
        return await follower.follow()


def read(flags: Flags) -> Options:
    """OptionsError."""
    tree = Path(flags.text("--ha-config-path")) / ".git"
    known = origin(*(_text(tree / name) for name in ("config", "HEAD"))) if (tree / "config").is_file() else ("", "")
    return Options.read(
        flags.as_options(
            url=known[0],
            branch=known[1],
            password=_secret(flags, "--git-token"),
            status_token=_named(flags, "--status-token-file").strip(),
            texts={name: _named(flags, name) for name in FILES},
        )
    )


def _workload(flags: Flags, session: aiohttp.ClientSession, environment: Mapping[str, str]) -> Workload:
    stateful = flags.text("--kube-statefulset")
    return Workload(
        rest=kube.in_cluster(session, environment),
        namespace=flags.text("--kube-namespace"),
        kind=STATEFUL_SETS if stateful else DEPLOYMENTS,
        name=stateful or flags.text("--kube-deployment"),
        now=lambda: datetime.now(UTC),
    )


def _port(flags: Flags) -> int | None:
    return flags.number("--metrics-port") if flags.switch("--metrics") else None


def _secret(flags: Flags, name: str) -> str:
    return flags.text(name) or _named(flags, f"{name}-file").strip()


def _named(flags: Flags, name: str) -> str:
    """The text of the file that an option names; nothing when it names none."""
    path = flags.text(name)
    try:
        return _text(Path(path)) if path else ""
    except OSError as error:
        raise OptionsError(f"The file of the option {name} cannot be read: {error}") from error


def _text(path: Path) -> str:
    return path.read_text(errors="replace")
