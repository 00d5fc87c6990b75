"""Telling a forge what became of its commits."""

import logging
import ssl

import aiohttp

from git_pull.errors import HomeError
from git_pull.forge import Desk, Verdict, body
from git_pull.history import Outcome, Run
from git_pull.options import Options
from git_pull.rest import Rest, trust

_LOGGER = logging.getLogger(__name__)
_GOOD = {
    Outcome.LIVE: True,
    Outcome.INVALID: False,
    Outcome.RETURNED: False,
    Outcome.UNTRUSTED: False,
    Outcome.CLASH: None,
}
"""What the other outcomes say is nothing about a commit, or nothing new."""


class Verdicts:
    """To one repository's commits."""

    def __init__(
        self, *, session: aiohttp.ClientSession, desk: Desk, token: str, trust: ssl.SSLContext | bool = True
    ) -> None:
        self._rest = Rest(session=session, address=desk.address, token=lambda: token, trust=trust)
        self._desk = desk
        self._last: Verdict | None = None

    async def tell(self, run: Run) -> None:
        """The same again is not told. A forge that does not take it keeps nothing from going on."""
        verdict = _verdict(run)
        if verdict is None or verdict == self._last:
            return
        try:
            await self._rest.ask("POST", f"{self._desk.path}{verdict.commit}", dict(body(self._desk, verdict)))
        except HomeError as error:
            _LOGGER.warning("The forge does not take what became of the commit: %s", error)
            return
        self._last = verdict


def of(options: Options, session: aiohttp.ClientSession) -> Verdicts | None:
    """None where nobody is to be told."""
    if options.desk is None:
        return None
    trusted = trust(options.source.authorities)
    return Verdicts(session=session, desk=options.desk, token=options.status_token, trust=trusted)


def _verdict(run: Run) -> Verdict | None:
    if run.commit is None or run.outcome not in _GOOD:
        return None
    said = next(iter(run.said.splitlines()), "") or ("It is live" if run.outcome is Outcome.LIVE else run.outcome)
    return Verdict(run.commit, _GOOD[run.outcome], said)
