"""What a user chooses for an installed add-on: options, ports, boot and the like. Saving never restarts anything: a
launch is frozen, so choices take effect with the next start.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from supervisor_k8s.errors import AddonBootConfigError, AddonOptionsInvalidError, StorageError
from supervisor_k8s.events import Signal
from supervisor_k8s.model import options as option_model
from supervisor_k8s.model.addon import AddonConfig
from supervisor_k8s.model.allowance import grants
from supervisor_k8s.model.intent import InstalledAddon
from supervisor_k8s.model.options import Secrets
from supervisor_k8s.model.ports import ports_of
from supervisor_k8s.state.records import Records
from supervisor_k8s.store import documents

_LOGGER = logging.getLogger(__name__)
SECRETS = "homeassistant/secrets.yaml"
"""The file on the shared volume to which `!secret` in options refers, as it does in Core's own configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Of options that somebody wants to give to an add-on."""

    fault: str = ""
    """Why they would be refused; empty when they are valid."""
    passwords: frozenset[str] = field(default=frozenset(), repr=False)
    """What stands in valid ones where a password is expected, secrets filled in."""


class AddonSettings:
    """Reads and changes the `user` half of records."""

    def __init__(  # noqa: PLR0913 - its place in the house, keyword-only
        self,
        *,
        records: Records,
        installed: Callable[[], Collection[str]],
        get: Callable[[str], InstalledAddon],
        config: Callable[[InstalledAddon], AddonConfig],
        read: Callable[[str], Awaitable[bytes | None]],
        allowed: Callable[[], Collection[str]],
        check_ports: Callable[[InstalledAddon], None],
    ) -> None:
        """`installed` gives slugs; `read` a file of the shared volume, or StorageError; `allowed` is what the
        administrator lets add-ons have; `check_ports` raises AddonPortConflictError when an add-on could not have its
        ports now.
        """
        self.changed: Signal[str] = Signal()
        """Slug of an add-on of which something else was chosen."""
        self._records = records
        self._installed = installed
        self._get = get
        self._config = config
        self._read = read
        self._allowed = allowed
        self._check_ports = check_ports
        self._unknown: dict[str, frozenset[str]] = {}
        """Options of which it was said that the add-on does not know them."""

    def merged(self, slug: str) -> Mapping[str, Any]:
        """Stored options over the manifest's defaults: what `/addons/<slug>/info` shows."""
        record = self._get(slug)
        return option_model.merge(self._config(record).options, record.user.get("options") or {})

    async def resolved(self, record: InstalledAddon) -> Mapping[str, Any]:
        """The options an add-on gets: validated, with secrets filled in. AddonOptionsInvalidError names the fault."""
        config = self._config(record)
        return await self._validated(config, option_model.merge(config.options, record.user.get("options") or {}))

    async def validate(self, slug: str, candidate: Mapping[str, Any] | None) -> Judgement:
        """What is to be said of `candidate`, or of what is stored."""
        self._get(slug)
        secrets = await self._secrets()
        return self._judged(self._config(self._get(slug)), candidate or self.merged(slug), secrets)

    async def judged_by(self, slug: str, config: AddonConfig) -> Judgement:
        """What another manifest of the add-on says of the options that the user chose."""
        chosen = self._get(slug).user.get("options") or {}
        return self._judged(config, option_model.merge(config.options, chosen), await self._secrets())

    async def passwords(self) -> Mapping[str, Collection[str]]:
        """Those in the options of all add-ons that want some, by slug; of options that are not valid none."""
        secrets = await self._secrets()
        asking = [
            slug for slug in self._installed() if option_model.wants_password(self._get(slug).system.get("schema"))
        ]
        return {
            slug: self._judged(self._config(self._get(slug)), self.merged(slug), secrets).passwords for slug in asking
        }

    async def change(self, slug: str, changes: Mapping[str, Any]) -> None:
        """Store what `POST /addons/<slug>/options` asks for; everything is checked before anything is stored."""
        record = self._get(slug)
        config = self._config(record)
        user: dict[str, Any] = {}
        if "options" in changes:
            # The posted object is judged alone, as upstream does: defaults do not make up for a missing key. It is kept
            # as it was posted: the validated one has secrets filled in.
            given = changes["options"]
            if given is not None:
                await self._validated(config, given)
            user["options"] = dict(given or {})
        if "boot" in changes:
            if config.boot == "manual_only":
                raise AddonBootConfigError(app=slug, boot_config=config.boot)
            user["boot"] = changes["boot"]
        if "network" in changes:
            wanted = changes["network"]
            user["network"] = None if wanted is None else known_ports(config, wanted)
            self._check_ports(replace(record, user={**record.user, **user}))
        for key in ("auto_update", "audio_output", "audio_input", "ingress_panel", "watchdog"):
            if key in changes and not (key == "watchdog" and config.startup == "once"):
                user[key] = changes[key]
        await self.set_user(slug, **user)

    async def unpublish(self, slug: str, number: int) -> None:
        """No port of the add-on is published as this number any more; others stay as they are."""
        record = self._get(slug)
        ports = {port: None for port, published in ports_of(record).items() if published == number}
        await self.set_user(slug, network={**(record.user.get("network") or {}), **ports})

    async def set_user(self, slug: str, **values: Any) -> None:
        """Store single values of the `user` half (protected, system_managed, …)."""
        self._get(slug)
        await self._records.update_addon(slug, lambda now: replace(now, user={**now.user, **values}))
        self.changed(slug)

    def _judged(self, config: AddonConfig, options: Mapping[str, Any], secrets: Secrets) -> Judgement:
        try:
            accepted = self._accepted(config, options, secrets)
        except AddonOptionsInvalidError as error:
            return Judgement(fault=str(error.fields["validation_error"]))
        return Judgement(passwords=option_model.passwords(config.schema, accepted))

    async def _validated(self, config: AddonConfig, options: Mapping[str, Any]) -> Mapping[str, Any]:
        accepted = self._accepted(config, options, await self._secrets())
        self._tell_unknown(config, options)
        return accepted

    def _tell_unknown(self, config: AddonConfig, options: Mapping[str, Any]) -> None:
        """Say once what the add-on does not get. Without a schema it gets nothing, which is no exception."""
        names = frozenset(() if config.schema is None else option_model.unknown(config.schema, options))
        if names and self._unknown.get(config.slug) != names:
            _LOGGER.warning("Add-on %s knows no option %s: it gets none", config.slug, ", ".join(sorted(names)))
        self._unknown[config.slug] = names

    def _accepted(self, config: AddonConfig, options: Mapping[str, Any], secrets: Secrets) -> Mapping[str, Any]:
        given = grants(config, self._allowed())
        return option_model.validate(config.schema, options, secrets=secrets, app=config.slug, given=given)

    async def _secrets(self) -> Secrets:
        """Core's secrets; none when there is no such file. Add-ons may write there, so it may be anything; what is
        wrong with it is said without what is in it.
        """
        try:
            content = await self._read(SECRETS)
        except StorageError as error:
            return Secrets(trouble=str(error))
        if not content:
            return Secrets()
        if len(content) > documents.SIZE_LIMIT:
            return Secrets(trouble=f"{SECRETS} is larger than {documents.SIZE_LIMIT // 1024} kB")
        try:
            values = await asyncio.to_thread(documents.parse, content, ".yaml")
        except ValueError:  # UnicodeDecodeError among them
            return Secrets(trouble=f"{SECRETS} is no plain YAML")
        if values is None:
            return Secrets()
        if not isinstance(values, dict):
            return Secrets(trouble=f"{SECRETS} is no mapping of names to values")
        return Secrets({str(key): value for key, value in values.items()})


def known_ports(config: AddonConfig, wanted: Mapping[str, int | None]) -> dict[str, int | None]:
    """The wanted ports under the manifest's own spelling; ports it does not have are dropped, as upstream does."""
    spelled = {port if "/" in port else f"{port}/tcp": number for port, number in wanted.items()}
    known = {port if "/" in port else f"{port}/tcp": port for port in config.ports}
    return {known[port]: number for port, number in spelled.items() if port in known}
