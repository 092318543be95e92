"""Every pair of a training's statuses: the fields that it sets, or that it is refused; and its job changes with it."""

from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import select

from app.database import writing
from app.errors import IllegalTransition
from app.extensions import db
from app.jobs import Job
from app.models import Training, TrainingStatus
from app.services.trainer.transitions import change, follow, leave_as, request_stop
from tests.services.runs import create_training

MOMENT = datetime(2020, 1, 1, tzinfo=UTC)
BEFORE: dict[str, Any] = {
    "devices": ["cpu"],
    "eta": 5.0,
    "end_time": None,
    "stop_requested": False,
    "pause_requested": True,
    "pause_reason": "disk",
    "waiting_for": {"code": "turn", "ahead": 1},
    "error": "it failed",
    "error_kind": "code",
    "traceback": "line 1",
    "progress": {"stage": "validating", "epoch": 2},
    "event_seq": 7,
    "event_offset": 700,
    "resume_from": "checkpoints/epoch-2.pt",
    "model_path": "models/1/best.pt",
    "restarts": 2,
}
OVER = {"devices": None, "eta": None, "end_time": "now", "pause_requested": False, "waiting_for": None}
NEVER_RAN = OVER | {"stop_requested": True, "pause_reason": None, "progress": {"stage": "cancelled"}}
REST = {
    "devices": None,
    "eta": None,
    "pause_requested": False,
    "waiting_for": None,
    "progress": {"stage": "paused"},
}
QUEUED = {
    "devices": None,
    "eta": None,
    "end_time": None,
    "stop_requested": False,
    "pause_requested": False,
    "pause_reason": None,
    "waiting_for": None,
    "error": None,
    "error_kind": None,
    "traceback": None,
    "progress": {"stage": "queued"},
}
# The fields that each legal transition changes.
TABLE: dict[tuple[str, str], dict[str, Any]] = {
    ("pending", "running"): {"event_seq": 0, "event_offset": 0, "waiting_for": None},
    ("pending", "paused"): REST | {"pause_reason": "asked"},
    ("pending", "cancelled"): NEVER_RAN,
    ("pending", "failed"): OVER | {"progress": {"stage": "failed"}},
    ("running", "pending"): QUEUED,
    ("running", "paused"): REST,
    ("running", "completed"): OVER | {"progress": {"stage": "completed"}},
    ("running", "failed"): OVER | {"progress": {"stage": "failed"}},
    ("running", "cancelled"): OVER | {"progress": {"stage": "cancelled"}},
    ("paused", "pending"): QUEUED,
    ("paused", "cancelled"): NEVER_RAN,
    ("paused", "failed"): OVER | {"progress": {"stage": "failed"}},
    ("completed", "pending"): QUEUED,
    ("failed", "pending"): QUEUED,
    ("cancelled", "pending"): QUEUED,
}


@pytest.mark.parametrize(("current", "status"), list(product(TrainingStatus, TrainingStatus)))
def test_every_pair(current: TrainingStatus, status: TrainingStatus) -> None:
    row = Training(status=current, **BEFORE)
    expected = TABLE.get((str(current), str(status)))
    if expected is None:
        with pytest.raises(IllegalTransition):
            leave_as(row, status)
        assert {name: getattr(row, name) for name in BEFORE} == BEFORE
        assert row.status == current
        return
    leave_as(row, status)
    for name, value in (BEFORE | expected).items():
        if value == "now":
            assert getattr(row, name) > MOMENT
        else:
            assert getattr(row, name) == value, name
    assert row.status == status


def jobs_of(app: APIFlask, training_id: int) -> list[Job]:
    with app.app_context():
        return list(db.session.scalars(select(Job).where(Job.subject_id == training_id).order_by(Job.id)))


def test_the_job_goes_along(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app, "pending", priority=3)
    with idle_app.app_context(), writing() as session:
        row = session.get_one(Training, training_id)
        follow(row)
        change(row, TrainingStatus.RUNNING, attempt=1, devices=["cpu"])
        request_stop(row, "pause", "asked")
        assert (row.pause_requested, row.stop_requested) == (True, False)
    (job,) = jobs_of(idle_app, training_id)
    assert (job.kind, job.status, job.priority, job.stop_mode) == ("training", "running", 3, "pause")
    with idle_app.app_context(), writing() as session:
        row = session.get_one(Training, training_id)
        change(row, TrainingStatus.PAUSED)
        row.priority = 9
        change(row, TrainingStatus.PENDING)
    (job,) = jobs_of(idle_app, training_id)
    assert (job.status, job.priority, job.stop_mode) == ("pending", 9, None)


def test_a_training_that_ended_gets_another_job_when_it_goes_on(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app, attempt=4)
    with idle_app.app_context(), writing() as session:
        row = session.get_one(Training, training_id)
        follow(row)
        change(row, TrainingStatus.FAILED, error="no images", error_kind="data")
        change(row, TrainingStatus.PENDING)
    first, second = jobs_of(idle_app, training_id)
    assert (first.status, first.error) == ("failed", {"code": "data", "message": "no images"})
    assert (second.status, second.attempt) == ("pending", 4), "its attempts go on"
