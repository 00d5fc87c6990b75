"""What an audit log tells of our rights: what the tests of two tiers go by."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests import rights
from tests.cluster.versions import ACCOUNT

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ROLE = frozenset({("pods", "get"), ("pods", "delete"), ("jobs.batch", "create")})


def event(verb: str, resource: str, *, code: int = 200, group: str = "", at: datetime = NOW, **fields: Any) -> str:
    """A line of the log."""
    about = {"resource": resource, "namespace": "ha", "apiGroup": group}
    status = {"code": code, "message": f"{verb} {resource}, no"}
    user = {"username": ACCOUNT.format(namespace="ha")}
    told = {"verb": verb, "user": user, "objectRef": about, "responseStatus": status, "stageTimestamp": at.isoformat()}
    return json.dumps(told | fields) + "\n"


def test_what_was_done(tmp_path: Path) -> None:
    """By us, here, since then; also when the log was full meanwhile, and when its last line is still being written."""
    before, line = NOW - timedelta(seconds=1), event("list", "pods")
    (tmp_path / "audit-2026-11-21T12-00-00.000.log").write_text(
        event("get", "pods") + event("watch", "pods", at=before)
    )
    other = event("delete", "pods", user={"username": "admin"})
    (tmp_path / "audit.log").write_text(other + event("patch", "jobs", code=201, group="batch") + line[:-20])
    did = rights.seen(tmp_path / "audit.log", "ha", since=NOW)
    assert did.used == {("pods", "get"), ("jobs.batch", "patch"), ("jobs.batch", "create")}
    assert did.refused == frozenset()


def test_too_much_and_too_little(tmp_path: Path) -> None:
    """What was refused, what was done by somebody else's leave, and what nobody needed; but for what has a reason."""
    log = tmp_path / "audit.log"
    asked = event("create", "selfsubjectaccessreviews", group="authorization.k8s.io")
    log.write_text(event("get", "pods") + event("get", "secrets") + event("list", "pods", code=403) + asked)
    did = rights.seen(log, "ha")
    assert rights.overstepped(ROLE, did) == ["refused: list pods, no", "used, and not granted by us: get secrets"]
    assert rights.unused(ROLE, did, but={("pods", "delete"): "why"}) == ["granted and not used: create jobs.batch"]


def test_refused_though_granted(tmp_path: Path) -> None:
    """By an API server that has not read the roles yet: nothing too much was asked for, but elsewhere it would be."""
    log = tmp_path / "audit.log"
    elsewhere = {"resource": "pods", "namespace": "theirs", "apiGroup": ""}
    log.write_text(event("get", "pods", code=403))
    assert rights.overstepped(ROLE, rights.seen(log, "ha")) == []
    log.write_text(event("get", "pods", code=403, objectRef=elsewhere))
    assert rights.overstepped(ROLE, rights.seen(log, "ha")) == ["refused: get pods, no"]


def test_the_reasons() -> None:
    """Each is about rights that are granted."""
    for tier in ("integration", "e2e"):
        assert set(rights.allowed(tier)) <= rights.granted()
