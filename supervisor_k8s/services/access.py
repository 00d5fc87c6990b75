"""Whose token is this? The one place that turns a token into a caller.

Tokens are looked up by their SHA-256 digest: a look-up's time then says nothing about the token itself, and neither our
records of callers nor a memory dump of them opens a door.
"""

import base64
import binascii
import hmac
import secrets
from collections.abc import Callable, Mapping

from supervisor_k8s.model import naming
from supervisor_k8s.model.access import CLI, CORE, Caller
from supervisor_k8s.model.intent import CoreRecord, InstalledAddon, Launch, Manifest, Wanted
from supervisor_k8s.model.token import digest
from supervisor_k8s.reconcile import Cluster

CLI_SECRET = "supervisor-cli"  # noqa: S105 - the object's name
CLI_KEY = "token"
_TOKEN_BYTES = 56
"""112 hex digits, as upstream's tokens have."""


class Access:
    """The tokens that are valid now: Core's and each add-on's present launch, and the command line's.

    An add-on's token is good while its launch is meant to run, and after that as long as its pod is there: what an
    add-on does at its end still calls us.
    """

    def __init__(
        self,
        *,
        cluster: Cluster,
        namespace: str,
        core: Callable[[], CoreRecord | None],
        addons: Callable[[], Mapping[str, InstalledAddon]],
    ) -> None:
        """`core` and `addons` give the stored records, read at each look-up; a changed record is in another mapping."""
        self._cluster = cluster
        self._namespace = namespace
        self._core = core
        self._addons = addons
        self._slugs: tuple[object, Mapping[str, str]] = (None, {})
        """The mapping of records it was made of; digest to slug."""

    async def prepare(self) -> None:
        """Make the command line's token (Secret `supervisor-cli`, key `token`) unless there is one; it is kept."""
        if self._cli_digest() is None:
            await self._cluster.apply(cli_secret(secrets.token_hex(_TOKEN_BYTES), self._namespace))

    def caller(self, token: str) -> Caller | None:
        """Whose token it is; None when it is nobody's (any more)."""
        given = digest(token)
        core = self._core()
        if core is not None and _same(_launch_digest(core.intent.launch), given):
            return CORE
        if _same(self._cli_digest(), given):
            return CLI
        return self._addon(given)

    def _addon(self, given: str) -> Caller | None:
        addons = self._addons()
        if self._slugs[0] is not addons:
            digests = ((_launch_digest(record.intent.launch), slug) for slug, record in addons.items())
            self._slugs = addons, {known: slug for known, slug in digests if known}
        slug = self._slugs[1].get(given)
        if slug is None:
            return None
        record = addons[slug]
        launch = record.intent.launch
        if launch is None or not self._is_alive(record.intent.wanted, launch):
            return None
        return Caller.addon(slug, launch.config or record.system)

    def _is_alive(self, wanted: Wanted, launch: Launch) -> bool:
        return wanted is Wanted.RUNNING or bool(self._cluster.select("Pod", {naming.LABEL_LAUNCH: launch.id}))

    def _cli_digest(self) -> str | None:
        secret = self._cluster.get("Secret", CLI_SECRET)
        encoded = (secret or {}).get("data", {}).get(CLI_KEY)
        if not encoded:
            return None
        try:
            return digest(base64.b64decode(encoded, validate=True).decode().strip())
        except (binascii.Error, UnicodeDecodeError):
            return None


def cli_secret(token: str, namespace: str) -> Manifest:
    """Secret with the command line's token, for a person's `curl`."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": CLI_SECRET, "namespace": namespace, "labels": naming.supervisor_labels()},
        "type": "Opaque",
        "data": {CLI_KEY: base64.b64encode(token.encode()).decode()},
    }


def _launch_digest(launch: Launch | None) -> str | None:
    return launch.token_digest or None if launch is not None else None


def _same(known: str | None, given: str) -> bool:
    return known is not None and hmac.compare_digest(known, given)
