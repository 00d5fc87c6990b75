"""Tracked work as values: one job, its tree as the REST API shows it, its event as Core reads it. Pure.

Shapes: Supervisor's `GET /jobs/info` and the websocket event `job` (aiohasupervisor 0.8.1 `models/jobs.py`; Core's
`hassio/jobs.py` matches by name and reference).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class JobError:
    """What went wrong in a job, with the keys by which clients translate it."""

    type: str
    message: str
    stage: str | None = None
    error_key: str | None = None
    extra_fields: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work. `progress` is 0 to 100; `done` is None before it began, then False, then True (also after a
    failure). `uuid` and `parent` are 32 hex digits.
    """

    uuid: str
    name: str
    created: datetime
    reference: str | None = None
    parent: str | None = None
    progress: float = 0
    stage: str | None = None
    done: bool | None = None
    errors: tuple[JobError, ...] = ()
    extra: Mapping[str, Any] | None = field(default=None)


def describe(job: Job) -> dict[str, Any]:
    """The job alone, without its children, as REST and event share it."""
    return {
        "name": job.name,
        "reference": job.reference,
        "uuid": job.uuid,
        "progress": round(job.progress, 1),
        "stage": job.stage,
        "done": job.done,
        "errors": [
            {
                "type": error.type,
                "message": error.message,
                "stage": error.stage,
                "error_key": error.error_key,
                "extra_fields": dict(error.extra_fields) if error.extra_fields else None,
            }
            for error in job.errors
        ],
        "created": job.created.isoformat(),
        "extra": dict(job.extra) if job.extra is not None else None,
    }


def tree(jobs: Iterable[Job], root: str) -> dict[str, Any]:
    """The job `root` with everything below it, children oldest first."""
    known = tuple(jobs)
    own = next(job for job in known if job.uuid == root)
    children = sorted((job for job in known if job.parent == root), key=lambda job: job.created)
    return {**describe(own), "child_jobs": [tree(known, child.uuid) for child in children]}


def forest(jobs: Iterable[Job]) -> list[dict[str, Any]]:
    """All trees, the newest root first."""
    known = tuple(jobs)
    roots = sorted((job for job in known if job.parent is None), key=lambda job: job.created, reverse=True)
    return [tree(known, root.uuid) for root in roots]


def event(job: Job) -> dict[str, Any]:
    """The message for Core's websocket command `supervisor/event` after any change of the job."""
    return {"event": "job", "data": {**describe(job), "parent_id": job.parent}}
