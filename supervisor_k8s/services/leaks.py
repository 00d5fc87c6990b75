"""Whether passwords of add-ons are known to have leaked, as far as the network lets us ask.

Nobody waits for an answer longer than a moment: questions are tasks of our own, and what they bring is remembered, by
digest and in memory only. Where nobody answers, nothing is asked for a while, and the answer is "unknown".
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence

from supervisor_k8s.errors import LeaksUnavailableError
from supervisor_k8s.model.issue import Cause, Context, Fault
from supervisor_k8s.model.leak import PREFIX, digest

_LOGGER = logging.getLogger(__name__)
REMEMBERED = 24 * 60 * 60.0
"""Seconds an answer counts; upstream looks once a day."""
PAUSE = 10 * 60.0
"""Seconds without a question after one that nobody answered."""
PARALLEL = 4
"""Questions at the same time."""


class Leaks:
    """Knows of digests whether they leaked."""

    def __init__(
        self,
        *,
        fetch: Callable[[str], Awaitable[Collection[str]]],
        enabled: Callable[[], bool],
        passwords: Callable[[], Awaitable[Mapping[str, Collection[str]]]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`fetch` gives all leaked digests with a prefix, or LeaksUnavailableError; `passwords` each add-on's."""
        self._fetch = fetch
        self._enabled = enabled
        self._passwords = passwords
        self._clock = clock
        self._known: dict[str, tuple[bool, float]] = {}
        """Digest to whether it leaked, and until when that counts."""
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._silent_until = 0.0
        self._turn = asyncio.Semaphore(PARALLEL)
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Own the questions until cancelled."""
        async with asyncio.TaskGroup() as self._tasks:
            await asyncio.get_running_loop().create_future()

    async def any_leaked(self, passwords: Collection[str], *, within: float) -> bool | None:
        """Whether one of them did. None when that is not known within so many seconds; False where the user does not
        want to know.
        """
        if not self._enabled():
            return False
        digests = {digest(password) for password in passwords if password}
        await self._learn(digests, within)
        verdicts = {self._verdict(one) for one in digests}
        return True if True in verdicts else None if None in verdicts else False

    async def check(self, *, within: float = 3.0) -> Sequence[Fault]:
        """Add-ons with a leaked password, for the check `addon_pwned`; what is not known yet is for the next run."""
        given = await self._passwords() if self._enabled() else {}
        await self._learn({digest(password) for several in given.values() for password in several}, within)
        leaky = [slug for slug, several in given.items() if any(self._verdict(digest(one)) for one in several)]
        return [Fault(Cause.PWNED, Context.ADDON, slug) for slug in leaky]

    # ---------------------------------------------------------------------------------------------------------------

    def _verdict(self, one: str) -> bool | None:
        leaked, until = self._known.get(one, (None, 0.0))
        return leaked if self._clock() < until else None

    async def _learn(self, digests: Collection[str], within: float) -> None:
        """Ask for those that are not known, and wait a moment."""
        unknown = {one for one in digests if self._verdict(one) is None}
        if not unknown or self._tasks is None or self._clock() < self._silent_until:
            return
        for prefix in {one[:PREFIX] for one in unknown} - set(self._asking):
            alike = {one for one in unknown if one.startswith(prefix)}
            self._asking[prefix] = self._tasks.create_task(self._ask(prefix, alike))
        await asyncio.wait({self._asking[one[:PREFIX]] for one in unknown}, timeout=within)

    async def _ask(self, prefix: str, digests: Collection[str]) -> None:
        try:
            async with self._turn:
                if self._clock() < self._silent_until:
                    return
                leaked = await self._fetch(prefix)
        except LeaksUnavailableError as error:
            self._silent_until = self._clock() + PAUSE
            _LOGGER.info("%s; passwords of add-ons are not compared with known leaks for now", error)
        else:
            now = self._clock()
            self._known = {one: answer for one, answer in self._known.items() if now < answer[1]}
            self._known |= {one: (one in leaked, now + REMEMBERED) for one in digests}
        finally:
            del self._asking[prefix]
