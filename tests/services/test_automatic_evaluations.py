"""Evaluations that follow the end of a run automatically."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import select

from app.core.evaluate import CONCLUDED
from app.database import writing
from app.events import Stage
from app.extensions import db
from app.jobs import Job
from app.jobs.supervise import Supervisor
from app.jobs.supervisor_context import SupervisorContext
from app.models import Dataset, Evaluation, Training, now
from app.services.evaluations.queue import FIRST, KIND, LAST, NORMAL, UNASKED
from tests.data import change_settings, checkpoint_bytes
from tests.services.runs import FakeWorker, claim, create_training, release, row_of, service

ENGLISH = {"Accept-Language": "en"}


def ended(app: APIFlask, status: str, test_images: int = 2, announced: bool = True, days: int = 0) -> int:
    """A run with weights that ended with this status some days ago, and was announced, unless an earlier version did
    not do so.
    """
    training_id = create_training(app, status, epochs=3, current_epoch=3, end_time=now() - timedelta(days=days))
    weights = service(app).store.folder(training_id) / "run" / "weights" / "best.pt"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(checkpoint_bytes(b"weights"))
    with app.app_context(), writing() as session:
        session.get_one(Dataset, session.get_one(Training, training_id).dataset_id).test_images = test_images
    if announced:
        notify(app, training_id)
    return training_id


def notify(app: APIFlask, training_id: int) -> None:
    with app.app_context():
        service(app).ended.notify(db.session.get_one(Training, training_id))


def rows(app: APIFlask, training_id: int) -> list[tuple[str, str, int, bool]]:
    """Split, status, priority, and whether the run's results are written, of each evaluation."""
    with app.app_context():
        statement = select(Evaluation).where(Evaluation.training_id == training_id).order_by(Evaluation.id)
        jobs = [(row, db.session.get_one(Job, row.job_id)) for row in db.session.scalars(statement)]
        assert all(job.kind == (UNASKED if job.priority == LAST else KIND) for _, job in jobs)
        assert all(job.subject_id == training_id for _, job in jobs)
        return [(row.split, row.status, job.priority, "conclude" in job.params) for row, job in jobs]


def job_of(app: APIFlask, training_id: int) -> Job:
    """The job of its only evaluation."""
    with app.app_context():
        row = db.session.scalars(select(Evaluation).where(Evaluation.training_id == training_id)).one()
        return db.session.get_one(Job, row.job_id)


def begin(app: APIFlask, training_id: int) -> tuple[Supervisor, FakeWorker]:
    """Start its only evaluation: its supervisor, and its process."""
    assert claim(app) == [training_id]
    job, jobs = job_of(app, training_id), app.extensions["services"].jobs
    worker = FakeWorker(jobs.root / job.token / str(job.attempt))
    with app.app_context(), writing() as session:
        runner = {"host": "here", "pid": worker.pid, "started": worker.started}
        session.get_one(Job, job.id).runner = runner
    context = SupervisorContext(jobs.kinds, jobs.live, jobs.root, jobs.announce)
    return Supervisor(context, job.id, job.attempt, follows=True), worker


def test_the_message_of_written_results_has_a_number_of_its_own(idle_app: APIFlask) -> None:
    """It was sent with a number that was never committed: the next message had it again, and open pages dropped that
    one."""
    training_id = ended(idle_app, "cancelled")
    jobs, job_id = idle_app.extensions["services"].jobs, job_of(idle_app, training_id).id
    before = row_of(idle_app, training_id).seq
    with idle_app.app_context():
        jobs.kinds[UNASKED].apply(db.session.get_one(Job, job_id), Stage(CONCLUDED), Path())
        db.session.rollback()  # as its supervisor does
    assert service(idle_app).feed.newest[training_id] == before + 1
    assert row_of(idle_app, training_id).seq == before + 1


def status_of(app: APIFlask, training_id: int) -> str:
    (row,) = app.test_client().get(f"/api/trainings/{training_id}/evaluations").get_json()["evaluations"]
    return str(row["status"])


@pytest.fixture
def auto_app(idle_app: APIFlask) -> APIFlask:
    change_settings(idle_app, AUTO_EVALUATE=True)
    return idle_app


def test_a_completed_run_is_measured_on_val_and_test_behind_every_training(auto_app: APIFlask) -> None:
    training_id = ended(auto_app, "completed")
    assert rows(auto_app, training_id) == [("val", "pending", LAST, False), ("test", "pending", LAST, False)]
    notify(auto_app, training_id)
    assert len(rows(auto_app, training_id)) == 2, "they are there already"
    waits = create_training(auto_app, "pending", priority=-100)
    assert claim(auto_app) == [waits], "no evaluation delays it"
    assert row_of(auto_app, waits).status == "running"


@pytest.mark.parametrize(("status", "test_images", "expected"), [("completed", 0, ["val"]), ("failed", 2, [])])
def test_what_is_not_there_is_not_measured(
    auto_app: APIFlask, status: str, test_images: int, expected: list[str]
) -> None:
    assert [row[0] for row in rows(auto_app, ended(auto_app, status, test_images))] == expected


def test_a_run_without_weights_or_in_the_trash_is_skipped(auto_app: APIFlask) -> None:
    training_id = create_training(auto_app, "completed")
    notify(auto_app, training_id)
    assert rows(auto_app, training_id) == []
    training_id = ended(auto_app, "completed", 0)
    with auto_app.app_context(), writing() as session:
        session.query(Evaluation).delete()
    assert auto_app.test_client().delete(f"/api/trainings/{training_id}").status_code == 200
    notify(auto_app, training_id)
    assert rows(auto_app, training_id) == []


def test_the_results_of_a_stopped_run_come_first(auto_app: APIFlask) -> None:
    training_id = ended(auto_app, "cancelled")
    assert rows(auto_app, training_id) == [("val", "pending", FIRST, True), ("test", "pending", LAST, False)]


def test_a_stopped_run_of_an_earlier_version_gets_its_results_at_the_start(idle_app: APIFlask) -> None:
    stopped, completed = ended(idle_app, "cancelled", announced=False), ended(idle_app, "completed", announced=False)
    old = ended(idle_app, "cancelled", announced=False, days=31)

    def start() -> None:
        with idle_app.app_context():
            idle_app.extensions["services"].evaluations.reconcile()

    start()
    assert rows(idle_app, stopped) == [("val", "pending", FIRST, True)]
    assert rows(idle_app, completed) == []
    assert rows(idle_app, old) == [], "nobody remembers whether it was stopped by hand"
    job = job_of(idle_app, stopped)
    assert idle_app.test_client().post(f"/api/jobs/{job.id}/stop").status_code == 202
    start()
    assert rows(idle_app, stopped) == [], "it was stopped by hand"


def test_the_setting_turns_off_all_but_the_results_of_a_stopped_run(idle_app: APIFlask) -> None:
    assert rows(idle_app, ended(idle_app, "completed")) == []
    assert rows(idle_app, ended(idle_app, "cancelled")) == [("val", "pending", FIRST, True)]


def test_they_are_removed_once_the_run_resumes(auto_app: APIFlask) -> None:
    client, training_id = auto_app.test_client(), ended(auto_app, "cancelled")
    mine = client.post(f"/api/trainings/{training_id}/evaluations", json={"split": "train"}).get_json()
    assert client.post(f"/api/trainings/{training_id}/retry").status_code == 202
    assert [row[0] for row in rows(auto_app, training_id)] == ["train"], "what somebody asked for stays"
    assert client.get(f"/api/evaluations/{mine['evaluation_id']}").get_json()["status"] == "pending"


def test_more_epochs_end_them_too(auto_app: APIFlask) -> None:
    client, training_id = auto_app.test_client(), ended(auto_app, "completed")
    checkpoint = service(auto_app).store.folder(training_id) / "checkpoints" / "epoch-3.pt"
    checkpoint.parent.mkdir()
    checkpoint.write_bytes(checkpoint_bytes(b"checkpoint"))
    answer = client.post(f"/api/trainings/{training_id}/extend", json={"epochs": 2}, headers=ENGLISH)
    assert answer.status_code == 202, answer.get_json()
    assert rows(auto_app, training_id) == []


def test_the_same_request_joins_the_one_that_waits_and_brings_it_forward(auto_app: APIFlask) -> None:
    client, training_id = auto_app.test_client(), ended(auto_app, "completed", 0)
    address = f"/api/trainings/{training_id}/evaluations"
    first = client.post(address, json={"split": "val"}).get_json()
    assert client.post(address, json={"split": "val"}).get_json()["evaluation_id"] == first["evaluation_id"]
    assert rows(auto_app, training_id) == [("val", "pending", FIRST, False)]
    client.post(address, json={"split": "train"})
    assert rows(auto_app, training_id)[1] == ("train", "pending", NORMAL, False), "many do not hold up all trainings"
    with auto_app.app_context():
        job: Any = db.session.get_one(Job, first["job_id"])
        assert "automatic" not in job.params, "it is somebody's now"


def test_weights_that_were_measured_already_are_not_again(auto_app: APIFlask) -> None:
    training_id = ended(auto_app, "completed", 0)
    with auto_app.app_context(), writing() as session:
        row = session.scalars(select(Evaluation)).one()
        row.status, row.result = "completed", {"metrics": {}}
    notify(auto_app, training_id)
    assert len(rows(auto_app, training_id)) == 1
    best = Path(service(auto_app).store.folder(training_id)) / "run" / "weights" / "best.pt"
    with auto_app.app_context(), writing() as session:  # measured before these weights existed
        row = session.scalars(select(Evaluation)).one()
        row.created_at = row.created_at.replace(year=2020)
    assert best.is_file()
    notify(auto_app, training_id)
    assert len(rows(auto_app, training_id)) == 2


def test_a_running_evaluation_yields_to_a_training_and_restarts_behind_it(auto_app: APIFlask) -> None:
    training_id = ended(auto_app, "completed", 0)
    supervisor, worker = begin(auto_app, training_id)
    before = job_of(auto_app, training_id)
    assert status_of(auto_app, training_id) == "running"
    waits = create_training(auto_app, "pending", priority=-100)
    assert claim(auto_app) == [waits], "it does not wait for the end"
    supervisor.run(auto_app)
    assert worker.process.wait(60) == -9
    job = job_of(auto_app, training_id)
    assert (job.kind, job.params, job.priority, job.restarts) == (UNASKED, before.params, LAST, 0)
    assert (job.stop_mode, job.error, job.devices, job.ended_at) == (None, None, None, None)
    assert not supervisor.directory.exists()
    assert status_of(auto_app, training_id) == "pending"
    assert claim(auto_app) == [], "the training has the device"
    release(auto_app, waits)
    assert claim(auto_app) == [training_id]
    assert job_of(auto_app, training_id).attempt == 2


def test_one_that_runs_stays_once_somebody_asks_for_it(auto_app: APIFlask) -> None:
    training_id = ended(auto_app, "completed", 0)
    _, worker = begin(auto_app, training_id)
    answer = auto_app.test_client().post(f"/api/trainings/{training_id}/evaluations", json={"split": "val"})
    job = job_of(auto_app, training_id)
    assert (answer.get_json()["job_id"], job.kind, job.status, job.attempt) == (job.id, KIND, "running", 1)
    create_training(auto_app, "pending")
    assert claim(auto_app) == []
    worker.process.kill()


def test_an_evaluation_that_is_ending_is_not_duplicated(auto_app: APIFlask) -> None:
    client, training_id = auto_app.test_client(), ended(auto_app, "completed", 0)
    supervisor, _ = begin(auto_app, training_id)
    create_training(auto_app, "pending")
    claim(auto_app)
    assert job_of(auto_app, training_id).stop_mode == "displaced"
    client.post(f"/api/trainings/{training_id}/evaluations", json={"split": "val"})
    supervisor.run(auto_app)
    job = job_of(auto_app, training_id)
    assert (job.kind, job.status, job.priority) == (KIND, "pending", FIRST), "behind the training that is there"
    assert claim(auto_app) == []


def test_one_that_is_leaving_can_be_stopped(auto_app: APIFlask) -> None:
    training_id = ended(auto_app, "completed", 0)
    supervisor, _ = begin(auto_app, training_id)
    create_training(auto_app, "pending")
    claim(auto_app)
    job_id = job_of(auto_app, training_id).id
    assert auto_app.test_client().post(f"/api/jobs/{job_id}/stop").status_code == 202
    supervisor.run(auto_app)
    with auto_app.app_context():
        assert db.session.get_one(Job, job_id).status == "cancelled"
    assert rows(auto_app, training_id) == []
