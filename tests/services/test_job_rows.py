"""A training and its job: which request wins if both get one, and a training's data in the list of jobs."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask_migrate import downgrade, upgrade
from sqlalchemy import inspect, select
from sqlalchemy.exc import DataError, OperationalError

from app import database
from app.database import writing
from app.events import Failed, Finished
from app.extensions import db
from app.jobs import Job, JobStatus, queue
from app.jobs import supervise as jobs_supervise
from app.jobs.disk import DiskSpace
from app.jobs.kinds import CannotStart
from app.jobs.supervise import Supervisor
from app.jobs.supervisor_context import SupervisorContext
from app.jobs.texts import error_text
from app.models import Dataset, Training, TrainingStatus
from app.services.evaluations.queue import KIND as EVALUATION
from app.services.trainer import actions, record
from app.services.trainer.output import without_controls
from app.services.trainer.transitions import change, new_job, request_stop
from tests.services.runs import (
    RUN,
    STARTED,
    FakeWorker,
    claim,
    create_training,
    epoch,
    numbered,
    row_of,
    service,
    write_events,
)
from tests.test_queries import statements

FULL = DiskSpace(2**20, 10**9)
UNAVAILABLE = OperationalError("SELECT", {}, Exception("the database system is starting up"))


def job_of(app: APIFlask, training_id: int) -> Job:
    with app.app_context():
        job = db.session.scalars(select(Job).where(Job.subject_id == training_id).order_by(Job.id.desc())).first()
        assert job is not None
        return job


def running(app: APIFlask, worker: FakeWorker | None = None, **changes: object) -> int:
    """A running training, with a job that has this process."""
    training_id = create_training(app, devices=["cpu"], **changes)
    with app.app_context(), writing() as session:
        job = new_job(session.get_one(Training, training_id))
        job.runner = {"host": "here", "pid": worker.pid, "started": worker.started} if worker else None
        session.add(job)
    return training_id


def supervise(app: APIFlask, training_id: int) -> None:
    """Supervise it to its end, in this thread."""
    jobs = app.extensions["services"].jobs
    context = SupervisorContext(jobs.kinds, jobs.live, jobs.root, jobs.announce)
    Supervisor(context, job_of(app, training_id).id, 1, follows=True).run(app)


def unavailable_once(call: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The same, but at the first call the database is unavailable."""
    monkeypatch.setattr(database, "RETRY_S", 0.0)
    failures = [UNAVAILABLE]

    def called(*args: Any) -> Any:
        if failures:
            raise failures.pop()
        return call(*args)

    return called


def test_a_stop_is_not_lost_to_the_pause_for_the_disk(idle_app: APIFlask) -> None:
    training_id = running(idle_app)
    with idle_app.app_context():
        service(idle_app).actions.stop(training_id)
        assert service(idle_app).jobs.record.disk_pauses.pause(training_id, FULL) == []
        with writing() as session:
            request_stop(session.get_one(Training, training_id), "pause", "disk")
    row = row_of(idle_app, training_id)
    assert (row.stop_requested, row.pause_requested, row.pause_reason) == (True, False, None)
    assert job_of(idle_app, training_id).stop_mode == "cancel"


@pytest.mark.parametrize(
    ("requested", "mode"), [({"stop_requested": True}, "cancel"), ({"pause_requested": True}, "pause"), ({}, None)]
)
def test_what_was_requested_of_an_older_version_still_is(
    idle_app: APIFlask, requested: dict[str, bool], mode: str | None
) -> None:
    training_id = create_training(idle_app, devices=["cpu"], **requested)
    with idle_app.app_context():
        service(idle_app).reconcile()
    job = job_of(idle_app, training_id)
    assert (job.stop_mode, job.stop_requested_at is not None) == (mode, mode is not None)


def test_no_child_is_orphaned_when_following_fails(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The training has failed, so its process must not continue in the folder."""
    worker = FakeWorker(service(idle_app).store.models / "child")
    try:
        training_id = running(idle_app, worker)

        def fail(_job_id: int) -> None:
            raise ValueError("no place")

        monkeypatch.setattr(service(idle_app).jobs.record, "position", fail)
        supervise(idle_app, training_id)
        assert row_of(idle_app, training_id).status == "failed"
        assert worker.process.wait(60) == -9
    finally:
        worker.process.kill()
        worker.process.wait()


def test_a_database_that_is_away_delays_following(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The position to resume reading from, and what follows an end, are read again."""
    training_id = running(idle_app)
    kind = service(idle_app).jobs.record
    write_events(service(idle_app).store.attempt_dir(training_id, 1), RUN)
    monkeypatch.setattr(kind, "position", unavailable_once(kind.position, monkeypatch))
    ended: list[int] = []
    monkeypatch.setattr(kind, "process_ended", unavailable_once(ended.append, monkeypatch))
    supervise(idle_app, training_id)
    assert row_of(idle_app, training_id).status == "completed"
    assert ended == [job_of(idle_app, training_id).id]


def test_a_database_that_is_away_delays_the_start(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    training_id = running(idle_app)

    def spec(_job: Job, _directory: Path) -> dict[str, Any]:
        raise CannotStart("data", "its own reason")

    kind = replace(service(idle_app).jobs.kind, spec=unavailable_once(spec, monkeypatch))
    idle_app.extensions["services"].jobs.register(kind)
    supervise(idle_app, training_id)
    row = row_of(idle_app, training_id)
    assert (row.status, row.error_kind, row.error) == ("failed", "data", "its own reason")


def sent_for(app: APIFlask, *paths: str) -> list[int]:
    """The number of statements of each request."""
    counts = []
    for path in paths:
        with statements(app) as sent:
            assert app.test_client().get(path).status_code == 200
        counts.append(len(sent))
    return counts


def test_a_list_of_jobs_takes_no_query_a_job(idle_app: APIFlask) -> None:
    claimed = create_training(idle_app, "pending")
    assert claim(idle_app) == [claimed]
    few = sent_for(idle_app, "/api/jobs?per_page=100", "/api/system")
    for _ in range(5):
        create_training(idle_app, "pending")
    assert claim(idle_app) == []
    assert sent_for(idle_app, "/api/jobs?per_page=100", "/api/system") == few


def test_a_job_names_the_dataset_that_it_is_about(idle_app: APIFlask) -> None:
    with idle_app.app_context(), writing() as session:
        dataset = Dataset(name="Animals", classes=[], status="valid")
        session.add(dataset)
        session.flush()
        dataset_id, missing = dataset.id, dataset.id + 1
        for subject_id in (dataset_id, missing):
            job = Job(kind="import_dataset", subject_type="dataset", subject_id=subject_id)
            job.status = JobStatus.COMPLETED
            session.add(job)
    listed = idle_app.test_client().get("/api/jobs").get_json()["jobs"]
    assert [(job["subject"], job["subject_name"]) for job in listed] == [
        ({"type": "dataset", "id": missing}, None),
        ({"type": "dataset", "id": dataset_id}, "Animals"),
    ]


def test_a_round_takes_no_query_a_training(idle_app: APIFlask) -> None:
    def sent(count: int) -> int:
        """The reads of trainings in a round that notifies this many of what they are waiting for."""
        for _ in range(count):
            create_training(idle_app, "pending")
        jobs = idle_app.extensions["services"].jobs
        with idle_app.app_context():
            service(idle_app).reconcile()
            with statements(idle_app) as executed:
                assert queue.claim(jobs.kinds, jobs.devices) == []
        return sum("FROM training " in " ".join(statement.split()) for statement in executed)

    create_training(idle_app, "running", devices=["cpu"])
    sent(1)
    assert sent(2) == sent(6)


def test_a_job_that_ended_stays_as_it_ended(idle_app: APIFlask) -> None:
    """Its training continues in another job, which has the progress from now on."""
    training_id = create_training(idle_app, "pending")
    assert claim(idle_app) == [training_id]
    client, jobs = idle_app.test_client(), service(idle_app).jobs
    with idle_app.app_context():
        job_id = job_of(idle_app, training_id).id
        jobs.record.apply(job_id, 1, numbered([STARTED, epoch(1), epoch(2), Failed("data", "no images")]), None)
    ended = client.get(f"/api/jobs/{job_id}").get_json()["progress"]
    assert (ended["stage"], ended["done"], ended["percent"]) == ("failed", 2, 66.7)
    with idle_app.app_context(), writing() as session:
        change(session.get_one(Training, training_id), TrainingStatus.PENDING, current_epoch=0)
    assert client.get(f"/api/jobs/{job_id}").get_json()["progress"] == ended
    newest = client.get(f"/api/jobs/{job_of(idle_app, training_id).id}").get_json()
    assert (newest["status"], newest["progress"]["done"]) == ("pending", 0)


def test_a_waiting_job_is_on_no_device(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app, "pending", params={"device": "0"})
    assert claim(idle_app) == []
    assert idle_app.test_client().get(f"/api/jobs/{job_of(idle_app, training_id).id}").get_json()["device"] is None


@pytest.mark.parametrize("code", ["files_missing", "terminated", "weights"])
def test_a_failed_job_has_its_reason(idle_app: APIFlask, code: str) -> None:
    training_id = running(idle_app)
    with idle_app.app_context(), writing() as session:
        change(session.get_one(Training, training_id), TrainingStatus.FAILED, error="-", error_kind=code)
    body = idle_app.test_client().get(f"/api/jobs/{job_of(idle_app, training_id).id}").get_json()
    assert body["error"]["code"] == code
    with idle_app.app_context():
        assert body["error"]["message"] != error_text("code")


def test_an_ending_of_another_kind_of_work_ends_nothing(idle_app: APIFlask) -> None:
    """Without a Completed event, a training has not completed: its process's exit status decides."""
    training_id = running(idle_app)
    write_events(service(idle_app).store.attempt_dir(training_id, 1), [STARTED, epoch(1), Finished({})])
    supervise(idle_app, training_id)
    row = row_of(idle_app, training_id)
    assert (row.status, row.current_epoch, row.notes[-1]["code"]) == ("pending", 1, "restarted_killed")


def test_a_database_error_is_reported_without_its_statement(
    idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    training_id = running(idle_app)
    write_events(service(idle_app).store.attempt_dir(training_id, 1), RUN[:3])

    def fail(_job_id: int) -> None:
        raise DataError("UPDATE training SET error=?", {"error": "secret"}, Exception("text must not have a NUL"))

    monkeypatch.setattr(service(idle_app).jobs.record, "position", fail)
    supervise(idle_app, training_id)
    assert row_of(idle_app, training_id).error == "DataError: text must not have a NUL"


def test_output_has_no_nul() -> None:
    assert without_controls("epoch 1\x00\x00\n\x1b[1mdone\x00") == "epoch 1\ndone"


def test_an_ending_that_cannot_be_written_leaves_the_row_for_a_later_round(
    idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a fault of ours")

    training_id, kind = running(idle_app), service(idle_app).jobs.record
    write_events(service(idle_app).store.attempt_dir(training_id, 1), RUN[:3])
    with monkeypatch.context() as patched:
        patched.setattr(kind, "position", fail)
        patched.setattr(kind, "fail", fail)
        supervise(idle_app, training_id)
    assert row_of(idle_app, training_id).status == "running"
    supervise(idle_app, training_id)
    assert row_of(idle_app, training_id).status == "pending", "killed: it goes on"


def test_a_fault_outside_the_run_does_not_end_it(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error in a rule of the coach, a text or a socket is logged, and the run continues."""

    def fail(*_: object) -> None:
        raise KeyError("a rule")

    training_id = running(idle_app)
    write_events(service(idle_app).store.attempt_dir(training_id, 1), RUN)
    monkeypatch.setattr(record, "advise", fail)
    monkeypatch.setattr(service(idle_app).feed, "send", fail)
    monkeypatch.setattr(service(idle_app).jobs.record, "process_ended", lambda _job_id: None)
    monkeypatch.setattr(jobs_supervise, "RETRY_S", 0.0)
    supervise(idle_app, training_id)
    row = row_of(idle_app, training_id)
    assert (row.status, row.current_epoch, row.error) == ("completed", 3, None)


def test_an_attempt_never_comes_again(idle_app: APIFlask) -> None:
    """An earlier version resumed a training whose paused job it did not know."""
    training_id = create_training(idle_app, "paused", attempt=1)
    with idle_app.app_context():
        service(idle_app).reconcile()
        with writing() as session:
            row = session.get_one(Training, training_id)
            row.status, row.attempt = TrainingStatus.COMPLETED, 2
        with writing() as session:
            change(session.get_one(Training, training_id), TrainingStatus.PENDING)
    assert (job_of(idle_app, training_id).attempt, claim(idle_app)) == (2, [training_id])
    assert row_of(idle_app, training_id).attempt == 3


def test_going_back_a_version_leaves_no_jobs_of_trainings(idle_app: APIFlask) -> None:
    training_id = create_training(idle_app, "paused")
    with idle_app.app_context():
        service(idle_app).reconcile()
        database.set_up_migrations(idle_app)
        downgrade(revision="0007")
        with db.engine.connect() as connection:
            remaining = connection.exec_driver_sql("SELECT id FROM job WHERE subject_id = ?", (training_id,)).all()
    assert remaining == []


def test_devices_are_those_of_the_attempt_that_runs(idle_app: APIFlask) -> None:
    """The database is older than the folder: its values of an earlier attempt do not count."""
    training_id = running(idle_app)
    directory = service(idle_app).store.attempt_dir(training_id, 4)
    directory.mkdir(parents=True)
    (directory / "spec.json").write_text(json.dumps({"devices": ["1"]}))
    with idle_app.app_context():
        with writing() as session:
            session.get_one(Training, training_id).attempt = 4
        service(idle_app).reconcile()
    job = job_of(idle_app, training_id)
    assert (job.attempt, job.devices, row_of(idle_app, training_id).devices) == (4, ["1"], ["1"])


def test_an_action_that_loses_a_deadlock_is_applied_once(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL ends one of two deadlocked transactions; it is retried once, and no request gets a 503."""

    class Deadlock(Exception):
        sqlstate = "40P01"

    failures: list[Exception] = [OperationalError("UPDATE", {}, Deadlock())]

    def lost(row: Training, mode: str) -> None:
        request_stop(row, mode)
        if failures:
            raise failures.pop()

    training_id = running(idle_app)
    monkeypatch.setattr(actions, "request_stop", lost)
    client = idle_app.test_client()
    assert client.post(f"/api/trainings/{training_id}/stop").status_code == 202
    assert (row_of(idle_app, training_id).stop_requested, job_of(idle_app, training_id).stop_mode) == (True, "cancel")
    failures.append(OperationalError("UPDATE", {}, Exception("it is gone")))
    assert client.post(f"/api/trainings/{training_id}/stop").status_code >= 500


Announced = list[tuple[str, str, str | None]]


@pytest.fixture
def announced(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> Announced:
    """Kind, status and requested stop of each announced job."""
    changes: Announced = []
    live = idle_app.extensions["services"].jobs.live
    monkeypatch.setattr(live, "publish", lambda job: changes.append((job.kind, str(job.status), job.stop_mode)))
    return changes


def test_a_pause_for_the_disk_and_its_end_are_announced(idle_app: APIFlask, announced: Announced) -> None:
    training_id = running(idle_app)
    with idle_app.app_context():
        service(idle_app).jobs.record.disk_short(job_of(idle_app, training_id).id, FULL)
        assert announced == [("training", "running", "pause")]
        with writing() as session:
            change(session.get_one(Training, training_id), TrainingStatus.PAUSED)
        service(idle_app).jobs.record.resume_paused(DiskSpace(10**12, 10**9))
    assert announced[1:] == [("training", "pending", None)]


def test_a_withdrawn_evaluation_is_announced(idle_app: APIFlask, announced: Announced) -> None:
    training_id = create_training(idle_app, "cancelled")
    with idle_app.app_context():
        idle_app.extensions["services"].jobs.submit(
            EVALUATION, {"evaluation_id": 1, "token": "t"}, ("training", training_id)
        )
    announced.clear()
    assert idle_app.test_client().delete(f"/api/trainings/{training_id}").status_code == 200
    assert (EVALUATION, "cancelled", None) in announced


def test_an_sqlite_that_drops_no_columns_is_upgraded(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    """RHEL 9 and Debian 11 have 3.34: the columns stay, and are not read."""

    def columns() -> set[str]:
        return {column["name"] for column in inspect(db.engine).get_columns("training")}

    with idle_app.app_context():
        database.set_up_migrations(idle_app)
        downgrade(revision="0007")
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
        upgrade()
        assert {"pid", "pid_started"} <= columns()
    training_id = create_training(idle_app, "pending")
    assert claim(idle_app) == [training_id]
    with idle_app.app_context():
        downgrade(revision="0007")
        monkeypatch.undo()
        upgrade()
        assert "pid" not in columns()
