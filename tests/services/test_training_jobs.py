"""Trainings among the jobs: listed, stopped and announced there like all other background work."""

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient

from app.database import writing
from app.extensions import db
from app.jobs import Job
from app.models import Training
from app.services.evaluations.queue import KIND as EVALUATION
from tests.data import valid_dataset
from tests.services.runs import STARTED, claim, create_training, epoch, numbered, row_of, service


@pytest.fixture
def client(idle_app: APIFlask) -> FlaskClient:
    return idle_app.test_client()


def job_of(client: FlaskClient, training_id: int) -> dict[str, object]:
    (job,) = [job for job in client.get("/api/jobs").get_json()["jobs"] if job["subject"]["id"] == training_id]
    return job


def test_a_new_training_is_a_job_that_can_be_stopped(idle_app: APIFlask, client: FlaskClient) -> None:
    body = {"dataset_id": valid_dataset(idle_app), "model_version": "n", "priority": 4}
    training_id = client.post("/api/trainings", json=body).get_json()["training_id"]
    job = job_of(client, training_id)
    assert (job["kind"], job["status"], job["subject"]) == (
        "training",
        "pending",
        {"type": "training", "id": training_id},
    )
    answer = client.post(f"/api/jobs/{job['id']}/stop")
    assert (answer.status_code, answer.get_json()["status"]) == (202, "cancelled")
    row = row_of(idle_app, training_id)
    assert (row.status, row.stop_requested) == ("cancelled", True)
    assert client.post(f"/api/jobs/{job['id']}/stop").status_code == 409


def test_a_running_job_has_progress_and_can_be_stopped(idle_app: APIFlask, client: FlaskClient) -> None:
    training_id = create_training(idle_app, "pending")
    assert claim(idle_app) == [training_id]
    with idle_app.app_context():
        events = numbered([STARTED, epoch(1)])
        service(idle_app).jobs.record.apply(int(str(job_of(client, training_id)["id"])), 1, events, None)
    job = job_of(client, training_id)
    assert (job["status"], job["device"], job["attempt"]) == ("running", "cpu", 1)
    assert job["progress"] == {"stage": None, "done": 1, "total": 3, "percent": 33.3, "rate": None, "eta": 2.0}
    answer = client.post(f"/api/jobs/{job['id']}/stop")
    assert (answer.status_code, answer.get_json()["status"]) == (202, "running")
    assert row_of(idle_app, training_id).stop_requested
    assert job_of(client, training_id)["stop_requested"]


def test_an_evaluation_behind_a_stop_goes_first_and_ends_when_the_run_goes_on(
    idle_app: APIFlask, client: FlaskClient
) -> None:
    waits = create_training(idle_app, "pending", priority=100)
    training_id = create_training(idle_app, "paused")
    weights = service(idle_app).store.folder(training_id) / "run" / "weights"
    weights.mkdir(parents=True)
    (weights / "best.pt").write_bytes(b"weights")
    assert client.post(f"/api/trainings/{training_id}/stop").get_json()["status"] == "cancelled"
    with idle_app.app_context():
        (job,) = db.session.query(Job).filter_by(kind=EVALUATION).all()
    assert claim(idle_app) == [training_id], "its evaluation has the CPU before the training that waits"
    assert row_of(idle_app, waits).status == "pending"
    assert client.post(f"/api/trainings/{training_id}/retry").status_code == 202
    with idle_app.app_context():
        assert db.session.get_one(Job, job.id).stop_mode == "cancel"


def test_stop_and_status_cannot_disagree(idle_app: APIFlask, client: FlaskClient) -> None:
    """Whatever is requested of a training, its job has the same state."""
    training_id = create_training(idle_app, "pending")
    for action, status in (("pause", "paused"), ("resume", "pending"), ("stop", "cancelled"), ("retry", "pending")):
        assert client.post(f"/api/trainings/{training_id}/{action}").status_code == 202
        with idle_app.app_context():
            newest = db.session.query(Job).filter_by(subject_id=training_id).order_by(Job.id.desc()).first()
            assert newest is not None
            assert (newest.status, row_of(idle_app, training_id).status) == (status, status), action
    client.patch(f"/api/trainings/{training_id}", json={"priority": 8})
    with idle_app.app_context(), writing() as session:
        newest = session.query(Job).filter_by(subject_id=training_id).order_by(Job.id.desc()).first()
        assert newest.priority == session.get_one(Training, training_id).priority == 8
