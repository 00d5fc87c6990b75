"""Ingress sessions: when they are over, and when they cannot be kept."""

import logging
import shutil
from pathlib import Path
from typing import Any

import pytest

from supervisor_k8s.errors import IngressSessionError, NotInChargeError
from supervisor_k8s.model.ingress import LIFETIME
from supervisor_k8s.model.launch import config_of
from supervisor_k8s.services.ingress import SAVE_AFTER, Ingress
from supervisor_k8s.state.records import Records


async def _nobody() -> list[dict[str, Any]]:
    return []


async def _deaf(slug: str, *, enabled: bool) -> None:
    """Core, which nobody asks here."""


async def test_a_session_that_is_over_is_refused(tmp_path: Path) -> None:
    """For good, and after our restart, too; a new one is good."""
    clock, records = 1_000_000.0, await Records.load(tmp_path)
    ingress = Ingress(records=records, config=config_of, users=_nobody, push_panel=_deaf, now=lambda: clock)
    session = await ingress.create_session(None)
    again = Ingress(records=records, config=config_of, users=_nobody, push_panel=_deaf, now=lambda: clock)
    clock += LIFETIME
    for one in (ingress, ingress, again):
        with pytest.raises(IngressSessionError):
            await one.use_session(session)
        fresh = await one.create_session(None)
        assert (await one.use_session(fresh)).id == fresh


async def test_sessions_that_cannot_be_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Pages open and stay open; one warning for each kind of failure; all are kept as soon as that works."""
    in_charge, clock, state = False, 1_000_000.0, tmp_path / "state"

    def may_write() -> None:
        if not in_charge:
            raise NotInChargeError(why="a test says so")

    records = await Records.load(state, may_write=may_write)
    ingress = Ingress(records=records, config=config_of, users=_nobody, push_panel=_deaf, now=lambda: clock)
    with caplog.at_level(logging.WARNING):
        session = await ingress.create_session(None)
        for away in (False, True):
            in_charge = away
            if away:
                shutil.rmtree(state)
            for _ in range(3):
                clock += SAVE_AFTER + 1
                assert (await ingress.use_session(session)).id == session
    assert len(caplog.records) == 2
    state.mkdir()
    clock += SAVE_AFTER + 1
    await ingress.use_session(session)
    (kept,) = (await Records.load(state)).ingress["sessions"]
    assert kept["id"] == session
