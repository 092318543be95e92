"""Every pair of statuses: the fields that it sets, or that it is refused."""

from datetime import UTC, datetime
from itertools import product

import pytest

from app.errors import IllegalTransition
from app.jobs.model import Job, JobStatus
from app.jobs.transitions import change

MOMENT = datetime(2020, 1, 1, tzinfo=UTC)
BEFORE = {
    "runner": {"host": "here", "pid": 7, "started": 1.0},
    "devices": ["cpu"],
    "waiting_for": {"code": "turn", "ahead": 1},
    "stop_mode": "cancel",
    "stop_requested_at": MOMENT,
    "progress": {"done": 3},
    "result": {"bytes": 1},
    "error": {"code": "killed"},
    "started_at": MOMENT,
    "ended_at": None,
    "attempt": 4,
}
REST = {"runner": None, "devices": None, "waiting_for": None, "stop_mode": None, "stop_requested_at": None}
OVER = REST | {"ended_at": "now"}
# The fields that each legal transition changes.
TABLE = {
    ("pending", "running"): {
        "runner": None,
        "devices": None,
        "waiting_for": None,
        "stop_mode": None,
        "stop_requested_at": None,
        "progress": {},
        "result": None,
        "error": None,
        "started_at": "now",
        "attempt": 5,
    },
    ("pending", "cancelled"): OVER,
    ("pending", "failed"): OVER,
    ("pending", "paused"): REST,
    ("running", "pending"): REST | {"progress": {}, "started_at": None},
    ("running", "paused"): REST | {"progress": {}, "started_at": None},
    ("paused", "pending"): REST,
    ("paused", "cancelled"): OVER,
    ("paused", "failed"): OVER,
    ("running", "completed"): OVER | {"error": None},
    ("running", "failed"): OVER | {"result": None},
    ("running", "cancelled"): OVER | {"result": None, "error": None},
}


@pytest.mark.parametrize(("current", "status"), list(product(JobStatus, JobStatus)))
def test_every_pair(current: JobStatus, status: JobStatus) -> None:
    job = Job(status=current, **BEFORE)
    expected = TABLE.get((str(current), str(status)))
    if expected is None:
        with pytest.raises(IllegalTransition):
            change(job, status)
        assert {name: getattr(job, name) for name in BEFORE} == BEFORE
        assert job.status == current
        return
    change(job, status)
    after = {name: getattr(job, name) for name in BEFORE}
    for name, value in (BEFORE | expected).items():
        if value == "now":
            assert after[name] > MOMENT
        else:
            assert after[name] == value, name
    assert job.status == status


def test_values_of_the_caller_win() -> None:
    job = Job(status="running", **BEFORE)
    change(job, JobStatus.FAILED, error={"code": "data", "message": "no images"})
    assert job.error == {"code": "data", "message": "no images"}
