"""Core behind a proxy, with its file and its store as doubles, and the service beside it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supervisor_k8s.errors import CandidateInvalidError, CoreAnswerError, CoreMigratingError, CoreUnreachableError
from supervisor_k8s.jobs import Jobs
from supervisor_k8s.model.desired.config_check import Candidate
from supervisor_k8s.model.http_config import NOT_PROMOTED
from supervisor_k8s.model.issue import Fault
from supervisor_k8s.services.trusted_proxies import FILE, Neighbours, TrustedProxies
from supervisor_k8s.state.storage import SharedVolume

PODS, OTHER, MINE = "10.42.0.0/16", "10.43.0.0/16", "192.168.1.5/32"
OLDER, NEWER = "2026.2.3", "2026.11.0"
TEXT = "default_config:\nhttp:\n  server_port: 8123\n"
DEFAULT: Mapping[str, Any] = {"server_port": 80, "cors_allowed_origins": [], "ip_ban_enabled": True}
ABOUT: Mapping[str, Any] = {"created_at": "2026-11-22T00:00:00+00:00", "error": None, "error_message": None}


def settings(**changes: Any) -> dict[str, Any]:
    """Of a slot, with what Core keeps beside them."""
    return {**DEFAULT, **changes, **ABOUT}


def proxied(*proxies: str, **changes: Any) -> dict[str, Any]:
    return settings(use_x_forwarded_for=True, trusted_proxies=list(proxies), **changes)


def told(stable: Mapping[str, Any], pending: Mapping[str, Any] | None = None, active: str = "stable") -> dict[str, Any]:
    return {"stable": stable, "pending": pending, "active_config_type": active, "revert_at": None}


@dataclass
class CoreDouble:
    """Core's store of network settings as Core 2026.11 keeps it, its checker, and how often it restarted."""

    version: str = NEWER
    stable: dict[str, Any] = field(default_factory=settings)
    pending: dict[str, Any] | None = None
    active: str = "stable"
    restarts: int = 0
    restarts_by_us: int = 0
    away: bool = False
    stuck: bool = False
    """It does not restart."""
    objection: str | None = None
    """What its checker says of every candidate."""
    migrating: bool = False
    checked: list[bytes] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    volume: Path = Path()

    async def command(self, kind: str, **fields: Any) -> Any:
        if self.away:
            raise CoreUnreachableError("Home Assistant Core is not connected")
        self.said.append(kind)
        if kind == "http/config":
            return told(self.stable, self.pending, self.active)
        if kind == "http/config/promote":
            if self.pending is None:
                raise CoreAnswerError(request=kind, code="not_allowed", reason="No pending HTTP config to promote")
            self.stable, self.pending, self.active = self.pending, None, "stable"
            return None
        assert not set(fields["config"]) & set(ABOUT), "Core's schema knows none of these"
        self.pending = {**fields["config"], **ABOUT}
        if not self.stuck:
            self.restarts += 1
            self.active = "pending"
        return {"restart": True}

    def revert(self) -> None:
        """Five minutes are over."""
        assert self.pending is not None
        self.pending, self.active = {**self.pending, "error": NOT_PROMOTED}, "stable"
        self.restarts += 1

    async def check(self, candidate: Candidate) -> None:
        self.checked.append((self.volume / candidate.directory / "configuration.yaml").read_bytes())
        if self.objection:
            raise CandidateInvalidError(self.objection, errors=[self.objection], warnings=[])

    async def restart(self) -> None:
        if self.migrating:
            raise CoreMigratingError
        self.restarts += 1
        self.restarts_by_us += 1


class FaultsDouble:
    def __init__(self) -> None:
        self.now: list[Fault] = []

    def report(self, fault: Fault) -> None:
        self.now.append(fault)

    def settle(self, fault: Fault) -> None:
        self.now.remove(fault)

    @property
    def said(self) -> list[str]:
        return [str(dict(fault.extra)["message"]) for fault in self.now]


class House:
    """The service with the real volume and real jobs; each `look` is one of Core's starts."""

    def __init__(self, volume: Path, core: CoreDouble, jobs: Jobs) -> None:
        core.volume = volume
        self.volume, self.core, self.faults = volume, core, FaultsDouble()
        self.remembered: list[str] = []
        self._jobs = jobs

    def service(self, *proxies: str) -> TrustedProxies:
        """As a process of ours that starts has it."""

        async def remember(ours: Sequence[str]) -> None:
            self.remembered = list(ours)

        return TrustedProxies(
            proxies=proxies,
            files=SharedVolume(self.volume),
            jobs=self._jobs,
            neighbours=Neighbours(
                version=lambda: self.core.version,
                command=self.core.command,
                check=self.core.check,
                restart=self.core.restart,
                former=lambda: self.remembered,
                remember=remember,
            ),
            faults=self.faults,
        )

    async def look(self, *proxies: str, service: TrustedProxies | None = None) -> bool:
        return await (service or self.service(*proxies))._look()

    @property
    def text(self) -> str:
        return (self.volume / FILE).read_text()

    def write(self, text: str) -> None:
        (self.volume / FILE).write_text(text)


@asynccontextmanager
async def house_of(volume: Path, **core: Any) -> AsyncIterator[House]:
    (volume / FILE).parent.mkdir(parents=True)
    (volume / FILE).write_text(TEXT)
    jobs = Jobs()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(jobs.run())
        await asyncio.sleep(0)
        yield House(volume, CoreDouble(**core), jobs)
        running.cancel()
