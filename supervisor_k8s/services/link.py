"""The core-link's keys: made once, kept in Secrets, renewed in time.

Core's pod mounts the server's; ours stay with us. Whoever holds the client's is an administrator of the house.
"""

import asyncio
import base64
import binascii
import logging
import ssl
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol

from supervisor_k8s.errors import ClusterError, NotReadyError
from supervisor_k8s.model.desired.core import POD
from supervisor_k8s.model.desired.link import CA_SECRET, CLIENT_SECRET, SERVER_SECRET, KeyPair, LinkKeys, link_secrets
from supervisor_k8s.model.intent import CORE_KEY, Manifest
from supervisor_k8s.model.site import Site
from supervisor_k8s.reconcile import Cluster, Live
from supervisor_k8s.remote.certificates import client_context, make_keys, needs_renewal, usable, utc_now

_LOGGER = logging.getLogger(__name__)
CHECK_EVERY = 86400.0
"""Seconds between looks at the certificates' ends."""


class LinkCluster(Cluster, Protocol):
    """What the link needs of the cluster beyond the rest."""

    async def touch(self, pod: Live) -> None:
        """Have the kubelet refresh the pod's volumes now: by itself it takes about a minute."""


class Link:
    """Certificates and keys of both ends of the core-link."""

    def __init__(
        self,
        *,
        cluster: LinkCluster,
        converge: Callable[[str], Awaitable[None]],
        site: Site,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._cluster = cluster
        self._converge = converge
        self._site = site
        self._clock = clock
        self._keys: LinkKeys | None = None
        self._context: ssl.SSLContext | None = None

    async def prepare(self) -> None:
        """Read the keys from the cluster; make what is missing, damaged or near its end, and store it at once."""
        stored = self._stored()
        keys = self._renewed(stored)
        if keys != self._keys:
            for secret in link_secrets(keys, self._site):
                await self._cluster.apply(secret)
            self._context = client_context(keys)
            self._keys = keys
        if keys != stored:
            await self._show()

    async def run(self) -> None:
        """Renew certificates for as long as we run."""
        while True:
            await asyncio.sleep(CHECK_EVERY)
            try:
                before = self._keys
                await self.prepare()
                if self._keys != before:
                    _LOGGER.info("The core-link has new certificates")
                    await self._converge(CORE_KEY)
            except ClusterError as error:
                _LOGGER.warning("The core-link's certificates were not renewed, tomorrow again: %s", error)

    async def _show(self) -> None:
        """Bring the new keys into the pod of a Core that runs: until the link has them, we may not be let in."""
        if (pod := self._cluster.get("Pod", POD)) is None:
            return
        try:
            await self._cluster.touch(pod)
        except ClusterError as error:
            _LOGGER.warning("The core-link gets its new certificates a little later: %s", error)

    def secrets(self) -> tuple[Manifest, ...]:
        """The Secrets as they are to be in the cluster; they belong to Core's workload."""
        return link_secrets(self._present(), self._site)

    def context(self) -> ssl.SSLContext:
        """TLS for connections to Core."""
        self._present()
        if self._context is None:
            raise NotReadyError("The core-link has no certificates yet")
        return self._context

    def _present(self) -> LinkKeys:
        if self._keys is None:
            raise NotReadyError("The core-link has no certificates yet")
        return self._keys

    def _stored(self) -> LinkKeys | None:
        pairs = [self._pair(name) for name in (CA_SECRET, SERVER_SECRET, CLIENT_SECRET)]
        authority, server, client = pairs
        if authority is None or server is None or client is None:
            return None if authority is None else LinkKeys(authority, KeyPair(""), KeyPair(""))
        return LinkKeys(authority, server, client)

    def _renewed(self, stored: LinkKeys | None) -> LinkKeys:
        now = self._clock()
        if stored is None or needs_renewal(stored.authority.certificate, now):
            return make_keys(now)
        if not usable(stored.authority, stored.authority):
            return make_keys(now)
        leaves = (stored.server, stored.client)
        if all(usable(leaf, stored.authority) and not needs_renewal(leaf.certificate, now) for leaf in leaves):
            return stored
        return make_keys(now, stored.authority)

    def _pair(self, name: str) -> KeyPair | None:
        data = (self._cluster.get("Secret", name) or {}).get("data", {})
        try:
            certificate, key = (base64.b64decode(data[item], validate=True).decode() for item in ("tls.crt", "tls.key"))
        except (KeyError, binascii.Error, UnicodeDecodeError):
            return None
        return KeyPair(certificate, key)
