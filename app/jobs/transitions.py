"""Every change of a job's status, and the columns that it resets. A requested stop (`stop_mode`) is not a status."""

from collections.abc import Callable
from typing import Any

from app.errors import IllegalTransition
from app.jobs.model import Job, JobStatus
from app.models.base import now

PENDING, RUNNING, PAUSED = JobStatus.PENDING, JobStatus.RUNNING, JobStatus.PAUSED
COMPLETED, FAILED, CANCELLED = JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED

Value = Any | Callable[[], Any]
AT_REST: dict[str, Value] = {
    "runner": None,
    "devices": None,
    "waiting_for": None,
    "stop_mode": None,
    "stop_requested_at": None,
}
OVER = AT_REST | {"ended_at": now}

# The columns that each change sets, besides those of its caller; a callable is called.
CHANGES: dict[tuple[JobStatus, JobStatus], dict[str, Value]] = {
    (PENDING, RUNNING): {
        "started_at": now,
        "ended_at": None,
        "runner": None,
        "devices": None,
        "waiting_for": None,
        "progress": dict,
        "stop_mode": None,
        "stop_requested_at": None,
        "result": None,
        "error": None,
    },
    (PENDING, CANCELLED): OVER,
    (PENDING, FAILED): OVER,
    (PENDING, PAUSED): AT_REST,
    (RUNNING, PENDING): AT_REST | {"progress": dict, "started_at": None},
    (RUNNING, PAUSED): AT_REST | {"progress": dict, "started_at": None},
    (PAUSED, PENDING): AT_REST,
    (PAUSED, CANCELLED): OVER,
    (PAUSED, FAILED): OVER,
    (RUNNING, COMPLETED): OVER | {"error": None},
    (RUNNING, FAILED): OVER | {"result": None},
    (RUNNING, CANCELLED): OVER | {"result": None, "error": None},
}


def change(job: Job, status: JobStatus, **values: Any) -> None:
    """Change the status of a job, in the caller's write transaction.

    Raises:
        IllegalTransition: the present status does not lead there.
    """
    current = JobStatus(job.status)
    columns = CHANGES.get((current, status))
    if columns is None:
        raise IllegalTransition(current, status)
    job.status = status
    for name, value in (columns | values).items():
        setattr(job, name, value() if callable(value) else value)
    if status == RUNNING:
        job.attempt += 1
