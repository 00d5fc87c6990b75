"""Answers of servers that are not ours, which may be of any length."""

import aiohttp


async def read(reply: aiohttp.ClientResponse, largest: int) -> bytes | None:
    """All of it; None when it has more than `largest` bytes. aiohttp.ClientError when it breaks off."""
    content = bytearray()
    async for part in reply.content.iter_any():
        content += part
        if len(content) > largest:
            return None
    return bytes(content)
