"""Asks *Have I Been Pwned* for leaked passwords that begin alike, over HTTPS."""

import aiohttp

from supervisor_k8s.errors import LeaksUnavailableError
from supervisor_k8s.model.leak import leaked
from supervisor_k8s.remote import bounded

WAIT = 10.0
"""Seconds for all of it."""
LARGEST = 1024 * 1024
"""Bytes; real pages have 40 kB."""
_OK = 200


class LeakedPasswords:
    """`url` has `{prefix}` where the first digits go."""

    def __init__(self, *, url: str) -> None:
        self._url = url

    async def fetch(self, prefix: str) -> frozenset[str]:
        """All known digests that begin with `prefix`. LeaksUnavailableError; its words do not tell the prefix."""
        # Padded, so that the length of the answer does not tell the prefix to whoever sees the line.
        headers, timeout = {"Add-Padding": "true"}, aiohttp.ClientTimeout(total=WAIT)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
                session.get(self._url.replace("{prefix}", prefix)) as reply,
            ):
                if reply.status != _OK:
                    raise LeaksUnavailableError(reason=f"status {reply.status}")
                content = await bounded.read(reply, LARGEST)
        except TimeoutError as error:
            raise LeaksUnavailableError(reason=f"no answer within {WAIT:.0f} s") from error
        except (aiohttp.ClientConnectionError, OSError) as error:
            raise LeaksUnavailableError(reason="no connection") from error
        except aiohttp.ClientError as error:
            raise LeaksUnavailableError(reason=f"a broken answer ({type(error).__name__})") from error
        if content is None:
            raise LeaksUnavailableError(reason=f"the answer is larger than {LARGEST // 1024} kB")
        return leaked(prefix, content.decode(errors="replace"))
