"""Home Assistant's version file: which version of everything a channel offers now, read over HTTPS."""

from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from supervisor_k8s.errors import VersionsUnavailableError
from supervisor_k8s.remote import bounded

WAIT = 10.0
"""Seconds for all of it."""
LARGEST = 256 * 1024
"""Bytes; the real one has 4 kB."""
_OK = 200


class VersionFile:
    """`url` has `{channel}` where the channel's name goes."""

    def __init__(self, *, url: str) -> None:
        self._url = url

    async def fetch(self, channel: str) -> Mapping[str, Any]:
        """The file of `channel` (stable, beta or dev). VersionsUnavailableError when it is away or another one's."""
        url = self._url.replace("{channel}", channel)
        timeout = aiohttp.ClientTimeout(total=WAIT)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as reply:
                if reply.status != _OK:
                    raise VersionsUnavailableError(url=url, reason=f"status {reply.status}")
                content = await bounded.read(reply, LARGEST)
        except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
            raise VersionsUnavailableError(url=url, reason=str(error) or f"no answer within {WAIT:.0f} s") from error
        if content is None:
            raise VersionsUnavailableError(url=url, reason=f"it is larger than {LARGEST // 1024} kB")
        try:
            data = orjson.loads(content)
        except orjson.JSONDecodeError:
            data = None
        if not isinstance(data, dict) or data.get("channel") != channel:
            raise VersionsUnavailableError(url=url, reason=f"it is no version file of channel {channel}")
        return data
