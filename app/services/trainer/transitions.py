"""Every change of a training's status, the columns that it resets, and its job; and the requested stop of a running
one."""

from collections.abc import Callable
from copy import copy
from typing import Any

from sqlalchemy import select

from app.errors import IllegalTransition
from app.extensions import db
from app.jobs.model import CANCEL, PAUSE, Job, JobStatus
from app.jobs.transitions import change as change_job
from app.models import Training, TrainingStatus, now
from app.services.trainer.advance import as_progress

KIND = "training"
UNFINISHED = (JobStatus.PENDING, JobStatus.RUNNING, JobStatus.PAUSED)

PENDING, RUNNING, PAUSED = TrainingStatus.PENDING, TrainingStatus.RUNNING, TrainingStatus.PAUSED
COMPLETED, FAILED, CANCELLED = TrainingStatus.COMPLETED, TrainingStatus.FAILED, TrainingStatus.CANCELLED

Value = Any | Callable[[], Any]
NO_PROCESS: dict[str, Value] = {"devices": None, "eta": None}
OVER = NO_PROCESS | {"end_time": now, "pause_requested": False, "waiting_for": None}
NEVER_RAN = OVER | {"stop_requested": True, "pause_reason": None, "progress": {"stage": "cancelled"}}
AT_REST = NO_PROCESS | {"pause_requested": False, "waiting_for": None, "progress": {"stage": "paused"}}
QUEUED = NO_PROCESS | {
    "stop_requested": False,
    "pause_requested": False,
    "pause_reason": None,
    "waiting_for": None,
    "end_time": None,
    "error": None,
    "error_kind": None,
    "traceback": None,
    "progress": {"stage": "queued"},
}

# The columns that each change sets, besides those of its caller; a callable is called.
CHANGES: dict[tuple[TrainingStatus, TrainingStatus], dict[str, Value]] = {
    (PENDING, RUNNING): {"event_seq": 0, "event_offset": 0, "waiting_for": None},
    (PENDING, PAUSED): AT_REST | {"pause_reason": "asked"},
    (PENDING, CANCELLED): NEVER_RAN,
    (PENDING, FAILED): OVER | {"progress": {"stage": "failed"}},
    (RUNNING, PENDING): QUEUED,
    (RUNNING, PAUSED): AT_REST,
    (RUNNING, COMPLETED): OVER | {"progress": {"stage": "completed"}},
    (RUNNING, FAILED): OVER | {"progress": {"stage": "failed"}},
    (RUNNING, CANCELLED): OVER | {"progress": {"stage": "cancelled"}},
    (PAUSED, PENDING): QUEUED,
    (PAUSED, CANCELLED): NEVER_RAN,
    (PAUSED, FAILED): OVER | {"progress": {"stage": "failed"}},
    (COMPLETED, PENDING): QUEUED,
    (FAILED, PENDING): QUEUED,
    (CANCELLED, PENDING): QUEUED,
}


def change(row: Training, status: TrainingStatus, **values: Any) -> None:
    """Change the status of a training and of its job, in the caller's write transaction.

    Raises:
        IllegalTransition: the present status does not lead there.
    """
    leave_as(row, status, **values)
    follow(row)


def leave_as(row: Training, status: TrainingStatus, **values: Any) -> None:
    """As `change`, for a training without a job: it ended before this database had its row."""
    current = TrainingStatus(row.status)
    columns = CHANGES.get((current, status))
    if columns is None:
        raise IllegalTransition(current, status)
    row.status = status
    for name, value in (columns | values).items():
        setattr(row, name, value() if callable(value) else copy(value))


def follow(row: Training) -> None:
    """Copy the training's status and its queue position to its job."""
    job, status = job_of(row.id), JobStatus(row.status)
    if job is None:
        if status in UNFINISHED:
            db.session.add(new_job(row))
        return
    job.priority, job.position, job.not_before = row.priority, row.position, row.start_not_before
    if job.status == status:
        return
    if status == JobStatus.PENDING:  # another version may have run it meanwhile: an attempt's number must not be reused
        job.attempt = max(job.attempt, row.attempt)
    values: dict[str, object] = {"progress": as_progress(row)} if status.ended else {}
    if status == JobStatus.FAILED:
        values["error"] = {"code": row.error_kind or "code", "message": row.error or ""}
    if status == JobStatus.COMPLETED:
        values["result"] = {"model_path": row.model_path}
    change_job(job, status, **values)


def request_stop(row: Training, mode: str, reason: str | None = None) -> None:
    """Request the end of a running training: `cancel`, or `pause` for a reason. Its supervisor reads it within a
    second.

    Cancel overrides pause.
    """
    if row.stop_requested and mode == PAUSE:
        return
    row.stop_requested, row.pause_requested = mode == CANCEL, mode == PAUSE
    if mode == PAUSE:
        row.pause_reason = reason
    job = job_of(row.id)
    if job is None:
        job = new_job(row)
        db.session.add(job)
    job.stop_mode, job.stop_requested_at = mode, now()


def job_of(training_id: int) -> Job | None:
    """The job of a training that has not ended; in the caller's transaction."""
    mine = (Job.kind == KIND) & (Job.subject_id == training_id) & Job.status.in_(UNFINISHED)
    return db.session.scalar(select(Job).where(mine).order_by(Job.id.desc()).limit(1))


def requested(row: Training) -> dict[str, object]:
    """The requested stop of a running training, as columns of its job."""
    if row.status != RUNNING or not (row.stop_requested or row.pause_requested):
        return {}
    return {"stop_mode": CANCEL if row.stop_requested else PAUSE, "stop_requested_at": now()}


def new_job(row: Training) -> Job:
    """A job with the training's status and attempt, which then ends with the training."""
    return Job(
        kind=KIND,
        subject_type="training",
        subject_id=row.id,
        params={"device": row.params.get("device", "auto")},
        status=JobStatus(row.status),
        priority=row.priority,
        position=row.position,
        not_before=row.start_not_before,
        attempt=row.attempt,
        devices=row.devices,
        started_at=row.start_time if row.status == RUNNING else None,
        **requested(row),
    )


def adopt_attempt(job: Job, row: Training) -> None:
    """Set a job to the attempt and the status of its training, whose folder was newer than the database. This is not a
    regular transition: what happened in between is in the folder.
    """
    job.attempt, job.status, job.runner = row.attempt, JobStatus(row.status), None
    job.devices = row.devices if row.status == RUNNING else None
    for name, value in requested(row).items():
        setattr(job, name, value)
