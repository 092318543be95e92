"""The room of a job: its state on joining, then each change, with the reason in the reader's language."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask

from app.extensions import socketio
from app.jobs import Job, JobKind, JobService


def drawing(images: int) -> Callable[[Job, Path], Mapping[str, Any]]:
    def spec(_job: Job, directory: Path) -> Mapping[str, Any]:
        return {"output": str(directory / "sample.zip"), "train": images, "val": 1, "size": 32}

    return spec


@pytest.fixture
def jobs(app: APIFlask) -> JobService:
    service: JobService = app.extensions["services"].jobs
    service.register(JobKind("short", "sample", drawing(20)))
    service.register(JobKind("missing", "no_such_program", drawing(1), restarts=0))
    return service


class Viewer:
    """A client with its received messages."""

    def __init__(self, app: APIFlask) -> None:
        self.client = socketio.test_client(app, headers={"Accept-Language": "en"})
        self.received: list[tuple[str, dict[str, Any]]] = []

    def ask(self, event: str, job_id: int) -> dict[str, Any]:
        return self.client.emit(event, {"job_id": job_id}, callback=True)

    def wait(self, event: str) -> dict[str, Any]:
        until = time.monotonic() + 180
        while True:
            self.received += [(item["name"], item["args"][0]) for item in self.client.get_received()]
            if match := next((payload for name, payload in self.received if name == event), None):
                return match
            assert time.monotonic() < until, self.received
            time.sleep(0.02)


def waiting_job(app: APIFlask, jobs: JobService, kind: str) -> int:
    """A job that the queue does not start before `let_go`."""
    jobs.scheduler.close()
    with app.app_context():
        return jobs.submit(kind, {}).id


def end_job(app: APIFlask, jobs: JobService) -> None:
    jobs.scheduler.closed = False
    with app.app_context():
        jobs.scheduler.round()


def test_a_job_that_completes(app: APIFlask, jobs: JobService) -> None:
    job_id, viewer, departed = waiting_job(app, jobs, "short"), Viewer(app), Viewer(app)
    answer = viewer.ask("join_job", job_id)
    assert (answer["ok"], answer["job_id"], answer["job"]["status"]) == (True, job_id, "pending")
    assert departed.ask("join_job", job_id)["ok"]
    assert departed.ask("leave_job", job_id) == {"ok": True, "job_id": job_id}
    end_job(app, jobs)
    completed = viewer.wait("job_completed")
    assert (completed["job_id"], completed["kind"], completed["status"]) == (job_id, "short", "completed")
    assert completed["result"] is not None
    updates = [payload for name, payload in viewer.received if name == "job_update"]
    assert {payload["status"] for payload in updates} >= {"running", "completed"}
    assert all(payload["job_id"] == job_id and "percent" in payload["progress"] for payload in updates)
    assert departed.client.get_received() == [], "who left hears nothing"


def test_a_failed_job_announces_the_reason(app: APIFlask, jobs: JobService) -> None:
    job_id, viewer = waiting_job(app, jobs, "missing"), Viewer(app)
    assert viewer.ask("join_job", job_id)["ok"]
    end_job(app, jobs)
    failed = viewer.wait("job_error")
    assert (failed["job_id"], failed["status"], failed["code"]) == (job_id, "failed", "program_changed")
    assert failed["error"]


def test_there_is_no_such_job(app: APIFlask) -> None:
    viewer = Viewer(app)
    answer = viewer.ask("join_job", 99)
    assert (answer["ok"], answer["status"]) == (False, 404)
    assert viewer.client.emit("join_job", {"job_id": "x"}, callback=True)["status"] == 422
