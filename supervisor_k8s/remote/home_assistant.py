"""Home Assistant Core, as its Supervisor talks with it: a client of its API that keeps one websocket up for events."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from supervisor_k8s.errors import CoreAnswerError, CoreUnreachableError
from supervisor_k8s.model.desired.link import CORE_PORT
from supervisor_k8s.remote.core_api import FIRST_PAUSE, CoreApi, Door
from supervisor_k8s.remote.core_websocket import CoreWebsocket

_LOGGER = logging.getLogger(__name__)
COMMAND_WAIT = 10.0
LONGEST_PAUSE = 30.0
WAITING_EVENTS = 1000
_COMPLETE: Mapping[str, Any] = {
    "event": "supervisor_update",
    "update_key": "supervisor",
    "data": {"startup": "complete"},
}


class HomeAssistant(CoreApi):
    """`run` keeps the websocket up."""

    def __init__(
        self, *, door: Callable[[], Door | None], tls: Callable[[], ssl.SSLContext], port: int = CORE_PORT
    ) -> None:
        """As CoreApi's."""
        super().__init__(door=door, tls=tls, port=port)
        self._listeners: list[Callable[[], None]] = []
        self._wake = asyncio.Event()
        self._websocket: CoreWebsocket | None = None
        self._connected = asyncio.Event()
        self._events: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue(WAITING_EVENTS)

    async def is_up(self) -> bool:
        """Whether Core is running now; False too when it cannot be asked. An open websocket says so without a request:
        Core closes it first of all when it stops.
        """
        if self.connected:
            return True
        try:
            return (await self.state()).up
        except (CoreUnreachableError, CoreAnswerError):
            return False

    async def answers(self) -> bool:
        """Whether Core's API says anything at all, however far Core is: that it refuses us is an answer, too."""
        if self.connected:
            return True
        try:
            await self.state()
        except CoreUnreachableError:
            return False
        except CoreAnswerError:
            return True
        return True

    def wake(self) -> None:
        """Something about Core's pod changed: try at once instead of after the pause."""
        self._wake.set()

    @property
    def connected(self) -> bool:
        """Whether the websocket is up."""
        return self._connected.is_set()

    def on_connected(self, listener: Callable[[], None]) -> None:
        """Call `listener` whenever the websocket has come up."""
        self._listeners.append(listener)

    def send_event(self, data: Mapping[str, Any]) -> None:
        """Send `data` (with its key `event`) to Core, in order with other events. Lost while Core is not connected, as
        upstream's are: Core reads everything anew when it hears `startup: complete`.
        """
        if not self.connected:
            return
        if self._events.full():
            lost = self._events.get_nowait()
            _LOGGER.warning("Home Assistant Core takes events too slowly; dropped one: %s", lost.get("event"))
        self._events.put_nowait(data)

    async def command(self, kind: str, /, *, within: float = COMMAND_WAIT, **fields: Any) -> Any:
        """Result of a websocket command. CoreUnreachableError when not connected or not answered within `within`
        seconds, CoreAnswerError when Core says no.
        """
        try:
            async with asyncio.timeout(within):
                await self._connected.wait()
                if self._websocket is None:
                    raise CoreUnreachableError("Home Assistant Core is not connected")
                return await self._websocket.command(kind, fields)
        except TimeoutError as error:
            raise CoreUnreachableError(f"Home Assistant Core did not answer {kind} within {within:.0f} s") from error

    async def config_entries(self, domain: str) -> list[Mapping[str, Any]]:
        """Core's config entries of one integration."""
        entries: list[Mapping[str, Any]] = await self.command("config_entries/get", domain=domain)
        return entries

    async def run(self) -> None:
        """Keep the websocket up until cancelled, with growing pauses while Core is away."""
        pause = FIRST_PAUSE
        while True:
            self._wake.clear()
            try:
                await self._converse()
                pause = FIRST_PAUSE
                _LOGGER.info("The websocket to Home Assistant Core was closed")
            except (CoreUnreachableError, CoreAnswerError) as error:
                _LOGGER.debug("No websocket to Home Assistant Core yet: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)
                pause = FIRST_PAUSE / 2
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _converse(self) -> None:
        """One connection, from the door to its end."""
        state = await self.state()
        if not state.up:
            raise CoreUnreachableError(f"Home Assistant Core is in state {state.state}")
        async with self.dial() as websocket, asyncio.TaskGroup() as tasks:
            _LOGGER.info("Connected with Home Assistant Core %s", websocket.version)
            self._events = asyncio.Queue(WAITING_EVENTS)
            self._events.put_nowait(_COMPLETE)
            self._websocket = websocket
            self._connected.set()
            for listener in self._listeners:
                listener()
            sender = tasks.create_task(self._send_events(websocket, self._events), name="events to Core")
            try:
                await websocket.read()
            finally:
                self._connected.clear()
                self._websocket = None
                sender.cancel()

    async def _send_events(self, websocket: CoreWebsocket, events: asyncio.Queue[Mapping[str, Any]]) -> None:
        """One after another, each with its answer: that keeps the order, and a slow Core is not flooded."""
        while True:
            data = await events.get()
            try:
                async with asyncio.timeout(COMMAND_WAIT):
                    await websocket.command("supervisor/event", {"data": data})
            except CoreAnswerError as error:
                _LOGGER.warning("Event %s was not taken: %s", data.get("event"), error)
            except (CoreUnreachableError, TimeoutError):
                _LOGGER.warning("Home Assistant Core does not answer; closing the websocket")
                await websocket.close()
                return
