"""Passes, one after the other, with what can be seen of them from outside."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from aiohttp import web

from git_pull.bell import Bell, Wish
from git_pull.figures import Figures
from git_pull.history import HISTORY, History, Run
from git_pull.home import Home
from git_pull.mirror import Mirror
from git_pull.options import Options
from git_pull.page import View
from git_pull.puller import Places, Puller
from git_pull.told import obey
from git_pull.verdicts import Verdicts
from git_pull.web import Hooks, Page, Ports, figures_app

_LOGGER = logging.getLogger(__name__)


class Follower:
    """A pass, and another one whenever somebody wants one, with what can be seen of them."""

    def __init__(self, *, options: Options, places: Places, home: Home, verdicts: Verdicts | None = None) -> None:
        self._options = options
        mirror = Mirror(places.mirror, modules=options.submodules)
        self._puller = Puller(options=options, places=places, mirror=mirror, home=home, now=lambda: datetime.now(UTC))
        self._history = History(places.data / HISTORY)
        self._verdicts = verdicts
        self._bell = Bell()
        self._figures = Figures(time.time)
        self._busy = False

    def apps(self, ports: Ports, entry: Callable[[], Awaitable[str]]) -> list[tuple[int, web.Application]]:
        """By their ports; `entry` is the address of our page in Home Assistant."""
        page = Page(bell=self._bell, view=self._view, entry=entry)
        apps = [(ports.page, page.app()), (ports.figures, self.figures())]
        if self._options.webhook_secret:
            branch = self._options.source.branch
            hooks = Hooks(bell=self._bell, secret=self._options.webhook_secret, branch=branch, clock=time.time)
            apps.append((ports.hooks, hooks.app()))
        return apps

    async def obey(self, lines: asyncio.StreamReader) -> None:
        """What Home Assistant writes to us; until that ends."""
        await obey(lines, self._bell)

    def figures(self) -> web.Application:
        return figures_app(self._figures.text)

    async def follow(self) -> int:
        """The exit code, when there is nothing to wait for."""
        wish = Wish("start")
        while True:
            self._busy = True
            run = await self._puller.run(wish.by, wish.to)
            self._busy = False
            await self._tell(run)
            if not self._options.lasting:
                return 0 if run.good else 1
            wish = await self._bell.wish(self._options.interval)

    async def _tell(self, run: Run) -> None:
        """One line in the log, whatever became of it."""
        _LOGGER.log(logging.INFO if run.good else logging.ERROR, "%s", run.sentence)
        self._figures.add(run, self._puller.known.live)
        try:
            await self._history.add(run)
        except OSError as error:
            _LOGGER.warning("The history of runs cannot be written: %s", error)
        if self._verdicts is not None:
            await self._verdicts.tell(run)

    def _view(self, ours: str) -> View:
        known, source = self._puller.known, self._options.source
        return View(
            repository=source.url,
            branch=source.branch,
            live=known.live,
            held=None if known.held == known.live else known.held,
            busy=self._busy,
            runs=self._history.runs,
            ours=ours,
        )
