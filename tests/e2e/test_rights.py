"""Least rights: what the Supervisor of the house asked the API server for while the tests of this tier ran."""

import os
from datetime import datetime
from pathlib import Path

import pytest

from tests import rights
from tests.cluster import cluster, paths
from tests.cluster.steps import Console, Context

from .house import NAMESPACE, Supervisor, becomes


@pytest.fixture
def log() -> Path:
    console = Console()
    ctx = Context(paths.from_environment(), console)
    return cluster.node(ctx).plane.audit_log


@pytest.mark.last
@pytest.mark.skipif(os.environ.get("CLUSTER") == "external", reason="the audit log of a foreign API server is not ours")
async def test_rights(request: pytest.FixtureRequest, began: datetime, log: Path, supervisor: Supervisor) -> None:
    """Nothing was refused, nothing was done by a right that others gave, and in a whole run of the tier each right was
    used or has its reason. An outage may need one of those, too; for a while there are those for Gateways as well.
    """

    async def logged() -> bool:
        return (await supervisor.get("/supervisor/logs")).status == 200

    await becomes(logged, what="the Supervisor reads its own log")
    assert (await supervisor.get("/core/stats")).status == 200
    granted, did = rights.granted(), rights.seen(log, NAMESPACE, since=began)
    assert ("pods/log", "get") in did.used, "what we have just made it ask is not in the log"
    assert rights.overstepped(granted | rights.granted(rights.GATEWAY), did) == []
    if _whole(request.session):
        assert rights.unused(granted, did, but=rights.allowed("e2e")) == []


def _whole(session: pytest.Session) -> bool:
    """Whether the tier was asked for, and not some tests of it."""
    some = session.config.option.keyword or session.config.option.markexpr
    return not some and {item.path for item in session.items} >= set(Path(__file__).parent.glob("test_*.py"))
