"""Asks a registry what an image says about itself, by the distribution protocol, without pulling it.

Of the little that is read nothing is believed unseen: the image's configuration is held against its digest.
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from supervisor_k8s.errors import ImageConfigUnavailableError, RegistryAwayError
from supervisor_k8s.model.image_pull import Place, place_of
from supervisor_k8s.remote import bounded

WAIT = 5.0
"""Seconds for all of it: somebody waits for an install."""
LARGEST = 4 * 1024 * 1024
"""Bytes of one answer; registries take no larger manifest."""
KINDS = ", ".join(
    f"application/vnd.{kind}+json"
    for kind in (
        "oci.image.index.v1",
        "oci.image.manifest.v1",
        "docker.distribution.manifest.list.v2",
        "docker.distribution.manifest.v2",
    )
)
_OK, _UNAUTHORIZED = 200, 401
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')

type Login = tuple[str, str]
"""User name and password."""


class ImageConfigs:
    """`scheme` is another one in tests alone."""

    def __init__(self, *, scheme: str = "https") -> None:
        self._scheme = scheme

    async def fetch(self, image: str, *, architecture: str, login: Login | None) -> Mapping[str, Any]:
        """What an image (with tag) for this architecture, in Kubernetes' words, is run with: `Env`, `Cmd`,
        `Healthcheck` and the like. ImageConfigUnavailableError, RegistryAwayError.
        """
        place = place_of(image)
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WAIT)) as session:
                registry = _Registry(session, self._scheme, place, login)
                return await registry.config(architecture)
        except (aiohttp.ClientConnectionError, OSError) as error:  # TimeoutError is an OSError
            raise RegistryAwayError(image=image, reason=str(error) or f"no answer within {WAIT:.0f} s") from error
        except aiohttp.ClientError as error:
            reason = str(error)
        except (ValueError, LookupError, TypeError, AttributeError):
            reason = "it answers in another way than registries do"
        raise ImageConfigUnavailableError(image=image, reason=reason)


class _Registry:
    """One image's, while it is asked."""

    def __init__(self, session: aiohttp.ClientSession, scheme: str, place: Place, login: Login | None) -> None:
        self._session = session
        self._scheme = scheme
        self._place = place
        self._login = None if login is None else f"Basic {base64.b64encode(':'.join(login).encode()).decode()}"
        self._authorization = ""

    async def config(self, architecture: str) -> Mapping[str, Any]:
        manifest = orjson.loads(await self._read(f"manifests/{self._place.reference}"))
        if "manifests" in manifest:
            wanted = {"os": "linux", "architecture": architecture}
            fitting = [one for one in manifest["manifests"] if wanted.items() <= one.get("platform", {}).items()]
            manifest = orjson.loads(await self._read(f"manifests/{fitting[0]['digest']}"))
        digest = manifest["config"]["digest"]
        content = await self._read(f"blobs/{digest}")
        if digest != f"sha256:{hashlib.sha256(content).hexdigest()}":
            raise ValueError("another content than its digest says")
        found: Mapping[str, Any] = orjson.loads(content).get("config") or {}
        return found

    async def _read(self, path: str) -> bytes:
        """An answer's content. Who asks for a login gets it, or a token for it, once."""
        url = f"{self._scheme}://{self._place.host}/v2/{self._place.name}/{path}"
        async with self._session.get(url, headers=self._headers()) as reply:
            if reply.status != _UNAUTHORIZED or self._authorization:
                return await _content(reply)
            challenge = reply.headers.get("WWW-Authenticate", "")
        self._authorization = await self._authorized(challenge)
        async with self._session.get(url, headers=self._headers()) as reply:
            return await _content(reply)

    def _headers(self) -> dict[str, str]:
        return {"Accept": KINDS, **({"Authorization": self._authorization} if self._authorization else {})}

    async def _authorized(self, challenge: str) -> str:
        """What to send along with each request from now on."""
        if not challenge.lower().startswith("bearer"):
            if self._login is None:
                raise aiohttp.ClientError("it asks for a login")
            return self._login
        said = dict(_PARAMETER.findall(challenge))
        realm = said.pop("realm")
        if not realm.startswith(f"{self._scheme}://"):
            raise aiohttp.ClientError("it asks for a login at a place that is not safe")
        query = {"service": said.get("service", ""), "scope": f"repository:{self._place.name}:pull"}
        headers = {} if self._login is None else {"Authorization": self._login}
        async with self._session.get(realm, params=query, headers=headers) as reply:
            given = orjson.loads(await _content(reply))
        return f"Bearer {given.get('token') or given['access_token']}"


async def _content(reply: aiohttp.ClientResponse) -> bytes:
    if reply.status != _OK:
        raise aiohttp.ClientError(f"status {reply.status}")
    content = await bounded.read(reply, LARGEST)
    if content is None:
        raise aiohttp.ClientError(f"its answer is larger than {LARGEST // 1024 // 1024} MB")
    return content
