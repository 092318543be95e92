"""The automatic export after the end of a run, which releases its device to all other work."""

from typing import Any

import pytest
from apiflask import APIFlask
from sqlalchemy import select

from app.database import writing
from app.events import Failed, Verified
from app.extensions import db
from app.jobs import Job
from app.jobs.recovery import DISPLACED_FROM_DEVICE, conclude
from app.models import ModelExport
from app.services.exports import automatic
from app.services.exports.queue import FIRST, KIND, LAST, UNASKED
from app.services.trainer.run_endings import end_automatic
from tests.data import change_settings
from tests.services.runs import claim, create_training
from tests.services.test_automatic_evaluations import ended, notify


@pytest.fixture
def exporting_app(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> APIFlask:
    monkeypatch.setattr(automatic, "gpus", lambda _visible: ())
    change_settings(idle_app, AUTO_EXPORT=True)
    return idle_app


def jobs_of(app: APIFlask, training_id: int) -> list[Job]:
    """The jobs of a run's exports; each export has one."""
    with app.app_context():
        rows = db.session.scalars(select(ModelExport).where(ModelExport.training_id == training_id)).all()
        assert all(row.format == "openvino" and row.arguments == {"img_size": 640} for row in rows)
        return [db.session.get_one(Job, row.job_id) for row in rows]


def test_a_completed_run_is_exported_behind_everything(exporting_app: APIFlask) -> None:
    training_id = ended(exporting_app, "completed")
    (job,) = jobs_of(exporting_app, training_id)
    assert (job.kind, job.priority, job.status) == (UNASKED, LAST, "pending")
    notify(exporting_app, training_id)
    assert [item.id for item in jobs_of(exporting_app, training_id)] == [job.id], "it is there already"
    waits = create_training(exporting_app, "pending", priority=-100)
    assert claim(exporting_app) == [waits]
    assert exporting_app.test_client().post(f"/api/jobs/{job.id}/stop").status_code == 202
    assert jobs_of(exporting_app, training_id) == [], "nobody asked for it"


def test_incomplete_runs_and_gpu_hosts_have_no_export(idle_app: APIFlask, monkeypatch: pytest.MonkeyPatch) -> None:
    assert jobs_of(idle_app, ended(idle_app, "completed")) == [], "it is turned off"
    change_settings(idle_app, AUTO_EXPORT=True)
    for status in ("cancelled", "failed"):
        assert jobs_of(idle_app, ended(idle_app, status)) == []
    monkeypatch.setattr(automatic, "gpus", lambda _visible: ("0",))
    assert jobs_of(idle_app, ended(idle_app, "completed")) == [], "a GPU is faster"


def test_it_yields_to_a_training_and_ends_once_its_run_resumes(exporting_app: APIFlask) -> None:
    training_id = ended(exporting_app, "completed")
    assert claim(exporting_app) == [training_id]
    (job,) = jobs_of(exporting_app, training_id)
    waits = create_training(exporting_app, "pending")
    assert claim(exporting_app) == [waits], "it does not wait for the end"
    with exporting_app.app_context(), writing() as session:
        row = session.get_one(Job, job.id)
        assert row.stop_mode == "displaced"
        conclude(row, exporting_app.extensions["services"].jobs.kinds[UNASKED], Failed(DISPLACED_FROM_DEVICE, ""))
        assert (row.status, row.restarts) == ("pending", 0)
    with exporting_app.app_context(), writing() as session:
        end_automatic(training_id)
        assert session.get_one(Job, job.id).status == "cancelled"


def test_whoever_asks_for_it_gets_it_first(exporting_app: APIFlask) -> None:
    training_id = ended(exporting_app, "completed")
    answer = exporting_app.test_client().post(f"/api/trainings/{training_id}/exports", json={"format": "openvino"})
    (job,) = jobs_of(exporting_app, training_id)
    assert (answer.status_code, answer.get_json()["job_id"]) == (202, job.id)
    assert (job.kind, job.priority, "automatic" in job.params) == (KIND, FIRST, False)


def test_one_that_is_being_ended_is_nobodys(exporting_app: APIFlask) -> None:
    """A new request then creates one of its own, with an id that stays."""
    training_id = ended(exporting_app, "completed")
    (job,) = jobs_of(exporting_app, training_id)
    with exporting_app.app_context(), writing() as session:
        row = session.get_one(Job, job.id)
        row.status, row.stop_mode = "running", "cancel"
    answer = exporting_app.test_client().post(f"/api/trainings/{training_id}/exports", json={"format": "openvino"})
    (replacement,) = jobs_of(exporting_app, training_id)
    assert (answer.status_code, answer.get_json()["job_id"], replacement.kind) == (202, replacement.id, KIND)
    assert replacement.id != job.id


def test_exports_of_earlier_weights_are_removed_unless_requested(exporting_app: APIFlask) -> None:
    def finish(export_id: int) -> None:
        with exporting_app.app_context(), writing() as session:
            row = session.get_one(ModelExport, export_id)
            row.status, row.weights_sha256 = "completed", "another"

    def numbers() -> list[int]:
        with exporting_app.app_context():
            return sorted(db.session.scalars(select(ModelExport.id)))

    training_id = ended(exporting_app, "completed")
    (first,) = numbers()
    finish(first)
    with exporting_app.app_context(), writing() as session:
        session.get_one(ModelExport, first).key = "another"
    notify(exporting_app, training_id)
    (second,) = numbers()
    assert second != first
    exporting_app.test_client().post(f"/api/trainings/{training_id}/exports", json={"format": "openvino"})
    finish(second)
    with exporting_app.app_context(), writing() as session:
        session.get_one(ModelExport, second).key = "another"
    notify(exporting_app, training_id)
    assert len(numbers()) == 2, "somebody asked for the second"


@pytest.mark.parametrize(("code", "stays"), [("accuracy_lost", True), ("unproven", False), ("not_exportable", False)])
def test_an_unrequested_failure_stays_only_for_its_figures(exporting_app: APIFlask, code: str, stays: bool) -> None:
    training_id = ended(exporting_app, "completed")
    (job,) = jobs_of(exporting_app, training_id)
    kind: Any = exporting_app.extensions["services"].model_exports.kind
    with exporting_app.app_context():
        kind.apply(job, Verified({"map95": 0.1, "conclusive": False}), None)
        with writing() as session:
            row = session.get_one(Job, job.id)
            row.status, row.error = "failed", {"code": code, "message": ""}
        kind.ended(db.session.get_one(Job, job.id))
    listed = exporting_app.test_client().get(f"/api/trainings/{training_id}/exports").get_json()["exports"]
    assert [item["status"] for item in listed] == (["failed"] if stays else [])
    assert all(item["notes"] for item in listed), "that the figures prove little"
