"""One websocket connection to Home Assistant Core: greeting, numbered commands, answers."""

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from supervisor_k8s.errors import CoreAnswerError, CoreUnreachableError


class CoreWebsocket:
    """Commands over an open websocket. `read` must run, or no command gets its answer.

    After `authenticate`, somebody else may speak over `raw` instead.
    """

    def __init__(self, raw: aiohttp.ClientWebSocketResponse) -> None:
        self.raw = raw
        self._last = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.version = "?"
        """Core's version, as it greeted us."""

    async def authenticate(self, token: str | None) -> None:
        """Go through Core's greeting. CoreAnswerError when it wants another token, CoreUnreachableError when it stops.

        Over the Unix socket it is `auth_ok` at once; over TCP it is `auth_required` first.
        """
        greeting = await self._receive()
        self.version = str(greeting.get("ha_version", "?"))
        if greeting.get("type") == "auth_required" and token is not None:
            await self._send({"type": "auth", "access_token": token})
            greeting = await self._receive()
        if greeting.get("type") != "auth_ok":
            raise CoreAnswerError(request="the websocket", code=greeting.get("type"), reason="we are not let in")

    async def command(self, kind: str, fields: Mapping[str, Any]) -> Any:
        """The command's result. CoreAnswerError when Core says no, CoreUnreachableError when the connection ends."""
        self._last += 1
        number = self._last
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send({**fields, "id": number, "type": kind})
            result = await answer
        finally:
            self._waiting.pop(number, None)
        if not result.get("success"):
            error = result.get("error") or {}
            raise CoreAnswerError(request=kind, code=error.get("code"), reason=error.get("message"))
        return result.get("result")

    async def read(self) -> None:
        """Hand out answers until the connection ends, however it does."""
        try:
            while True:
                message = await self._receive()
                answer = self._waiting.get(message.get("id", 0))
                if message.get("type") == "result" and answer is not None and not answer.done():
                    answer.set_result(message)
        except CoreUnreachableError:
            return
        finally:
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(CoreUnreachableError("The connection to Home Assistant Core ended"))

    async def close(self) -> None:
        await self.raw.close()

    async def _send(self, message: Mapping[str, Any]) -> None:
        try:
            await self.raw.send_str(orjson.dumps(message).decode())
        except (aiohttp.ClientError, ConnectionError) as error:
            raise CoreUnreachableError("The connection to Home Assistant Core ended") from error

    async def _receive(self) -> Mapping[str, Any]:
        message = await self.raw.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise CoreUnreachableError("The connection to Home Assistant Core ended")
        try:
            content = orjson.loads(message.data)
        except orjson.JSONDecodeError as error:
            raise CoreUnreachableError("Home Assistant Core sent no JSON") from error
        if not isinstance(content, dict):
            raise CoreUnreachableError("Home Assistant Core sent an unknown message")
        return content
