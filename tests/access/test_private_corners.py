"""PRIVATE_DATA in special cases: messages of one task for many users, runs copied from others, rows that outlive their
dataset, and reads that decide about permissions.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask import g
from sqlalchemy import update

from app import notify
from app.access import audience
from app.access.identify import of_token
from app.config import settings
from app.core.file_lock import FileLock
from app.database import writing
from app.extensions import db, socketio
from app.jobs.model import Job
from app.models import Dataset, DatasetRevision, Evaluation, Training
from app.routes.departures import go_round
from app.services import services
from tests.access.conftest import Headers
from tests.access.test_private import MARK, RowIds, account, app, create_rows, headers, join_dashboard, row_ids, share

__all__ = ["app", "headers", "row_ids"]


def change(app: APIFlask, kind: type, number: int, **values: Any) -> None:
    with app.app_context(), writing() as session:
        session.execute(update(kind).where(kind.id == number).values(values))


def add(app: APIFlask, row: Any) -> int:
    with app.app_context(), writing() as session:
        session.add(row)
        session.flush()
        return row.id


def status(app: APIFlask, headers: Headers, path: str) -> list[int]:
    """The statuses for the owner of `row_ids`, another trainer and a viewer."""
    client = app.test_client()
    return [client.get(path, headers=headers[name]).status_code for name in ("trainer", "another", "viewer")]


def test_a_message_names_no_run_of_somebody_else(app: APIFlask, headers: Headers, row_ids: RowIds) -> None:
    mine = create_rows(app, account(app, headers, "another"))
    change(app, Dataset, mine[Dataset], name="mine")
    waits = {"code": "device", "training_id": row_ids[Training]}
    change(app, Training, mine[Training], name="mine", status="pending", waiting_for=waits)
    socket = join_dashboard(app, headers["another"])
    try:
        assert socket.emit("join_training", {"training_id": mine[Training]}, callback=True)["ok"]
        socket.get_received()
        for secret in (None, headers["admin"]["Authorization"].split()[1]):  # a task, and an admin's request
            with app.test_request_context() if secret else app.app_context():
                g.principal = of_token(secret) if secret else None
                audience.forget()
                services().trainer.feed.send_status(mine[Training])
            messages = socket.get_received()
            assert [item["args"][0]["training"]["waiting_for"]["code"] for item in messages] == ["device"]
            assert MARK not in json.dumps(messages)
    finally:
        socket.disconnect()


def test_a_room_is_left_when_another_process_ends_the_sharing(app: APIFlask, headers: Headers, row_ids: RowIds) -> None:
    share(app, row_ids)
    socket = join_dashboard(app, headers["another"])
    try:
        assert socket.emit("join_training", {"training_id": row_ids[Training]}, callback=True)["ok"]
        share(app, row_ids, False)
        go_round(app)
        socket.get_received()
        with app.app_context():
            notify.to_training("training_progress", row_ids[Training], {"seq": 1})
        assert socket.get_received() == []
    finally:
        socket.disconnect()


@pytest.mark.parametrize("action", ["clone", "run-again"])
def test_a_cloned_run_uses_no_hidden_weights(app: APIFlask, headers: Headers, row_ids: RowIds, action: str) -> None:
    """The run is shared; the run whose weights it started from is not."""
    start = {"kind": "training", "training_id": row_ids[Training], "checkpoint": "best"}
    like = create_rows(app, account(app, headers, "trainer"))
    change(app, Training, like[Training], start=start)
    share(app, like)
    with app.app_context():
        weights = settings().MODELS_DIR / str(row_ids[Training]) / "run" / "weights" / "best.pt"
    weights.parent.mkdir(parents=True)
    with zipfile.ZipFile(weights, "w") as file:
        file.writestr("best/data.pkl", b"")
    client, path = app.test_client(), f"/api/trainings/{like[Training]}/{action}"
    refused = client.post(path, json={}, headers=headers["another"])
    assert (refused.status_code, refused.json["errors"][0]["field"]) == (422, "start"), refused.text
    assert client.post(path, json={}, headers=headers["trainer"]).status_code == 201


def test_an_evaluation_outlives_its_dataset_and_stays_hidden(app: APIFlask, headers: Headers, row_ids: RowIds) -> None:
    """An evaluation of another user's shared run on a private dataset that is then deleted."""
    share(app, row_ids)
    another = account(app, headers, "another")
    mine = create_rows(app, another)
    values = {"training_id": row_ids[Training], "split": "val", "checkpoint": "best", "img_size": 64}
    number = add(app, Evaluation(**values, dataset_id=mine[Dataset], created_by=another))
    assert status(app, headers, f"/api/evaluations/{number}") == [404, 200, 404]
    change(app, Evaluation, number, dataset_id=None)
    assert status(app, headers, f"/api/evaluations/{number}") == [404, 200, 404]


def test_a_job_is_visible_with_its_result(app: APIFlask, headers: Headers, row_ids: RowIds) -> None:
    """An evaluation of a shared run is visible to everybody on a shared dataset, and only to its owner on a
    hidden one.
    """
    share(app, row_ids)
    another = account(app, headers, "another")
    hidden = create_rows(app, another)[Dataset]
    for dataset_id, expected in ((row_ids[Dataset], 200), (hidden, 404)):
        about = {"subject_type": "training", "subject_id": row_ids[Training], "created_by": another}
        job = add(app, Job(kind="evaluate", **about, status="pending"))
        values = {"training_id": row_ids[Training], "split": "val", "checkpoint": "best", "img_size": 64}
        number = add(app, Evaluation(**values, dataset_id=dataset_id, created_by=another, job_id=job))
        assert status(app, headers, f"/api/jobs/{job}") == [expected, 200, expected]
        assert status(app, headers, f"/api/evaluations/{number}") == [expected, 200, expected]
    listed = app.test_client().get(f"/api/trainings/{row_ids[Training]}/evaluations", headers=headers["trainer"]).json
    assert [item["status"] for item in listed["evaluations"]] == ["pending", "pending"]


def test_a_job_of_an_admin_is_visible_to_the_owner(app: APIFlask, headers: Headers, row_ids: RowIds) -> None:
    admin = account(app, headers, "admin")
    for kind in ("training", "dataset"):
        about = {"subject_type": kind, "subject_id": row_ids[Training if kind == "training" else Dataset]}
        job = add(app, Job(kind="estimate", **about, created_by=admin, status="completed"))
        assert status(app, headers, f"/api/jobs/{job}") == [200, 404, 404], kind


def test_a_dataset_in_use_is_not_deleted(
    app: APIFlask, headers: Headers, row_ids: RowIds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner does not see other users' runs: the refusal comes before anything is ended."""
    ended: list[int] = []
    with app.app_context():
        datasets = services().datasets
    monkeypatch.setattr(datasets.imports, "end", ended.append)
    change(app, Evaluation, row_ids[Evaluation], status="completed")
    change(app, Training, row_ids[Training], created_by=account(app, headers, "another"))
    answer = app.test_client().delete(f"/api/datasets/{row_ids[Dataset]}", headers=headers["trainer"])
    assert answer.status_code == 409
    assert ended == []


def test_deleting_a_dataset_ends_jobs_of_every_user(app: APIFlask, headers: Headers, row_ids: RowIds) -> None:
    """A reader's request rebuilds an index; nothing must write to the folder during its deletion."""
    share(app, row_ids, True, Dataset)
    about = {"subject_type": "dataset", "subject_id": row_ids[Dataset], "created_by": account(app, headers, "another")}
    job = add(app, Job(kind="index_dataset", **about, status="pending", params={"number": 1}))
    assert status(app, headers, f"/api/jobs/{job}") == [404, 200, 404]
    change(app, Training, row_ids[Training], dataset_id=create_rows(app, account(app, headers, "trainer"))[Dataset])
    change(app, Evaluation, row_ids[Evaluation], status="completed")
    answer = app.test_client().delete(f"/api/datasets/{row_ids[Dataset]}", headers=headers["trainer"])
    assert answer.status_code == 200, answer.text
    with app.app_context():
        assert db.session.get(Job, job).status == "cancelled"


def test_whoever_waits_for_a_sample_gets_none_of_somebody_else(
    app: APIFlask, headers: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two users' samples are created while a third request waits: the newer sample is another user's."""
    lock = FileLock(Path(settings(app).DATA_ROOT) / "sample.lock")
    assert lock.acquire()
    mine, theirs = (
        add(app, Dataset(name="sample", status="validating", created_by=account(app, headers, name)))
        for name in ("another", "trainer")
    )
    for number in (mine, theirs):
        add(app, DatasetRevision(dataset_id=number, number=1, origin={"kind": "upload", "sample": True}))
    monkeypatch.setattr(socketio, "sleep", lambda _seconds: lock.release())  # it has detected that it must wait
    answer = app.test_client().post("/api/datasets/sample", headers=headers["another"])
    assert (answer.status_code, answer.json["dataset_id"]) == (201, mine)


def test_a_refusal_names_no_run_of_somebody_else(app: APIFlask, headers: Headers, row_ids: RowIds) -> None:
    """A run that started from shared weights prevents their permanent deletion."""
    start = {"training_id": row_ids[Training], "checkpoint": "best"}
    values = {"created_by": account(app, headers, "another"), "status": "pending", "start": start}
    hidden_id = add(app, Training(name="their secret", dataset_id=row_ids[Dataset], model_version="n", **values))
    client, path = app.test_client(), f"/api/trainings/{row_ids[Training]}"
    assert client.delete(path, headers=headers["trainer"]).status_code == 200
    for name, names_it in (("trainer", False), ("admin", True)):
        answer = client.delete(f"{path}?permanent=true", headers=headers[name])
        assert (answer.status_code, "their secret" in answer.text) == (409, names_it)
    change(app, Training, hidden_id, created_by=account(app, headers, "trainer"))
    assert "their secret" in client.delete(f"{path}?permanent=true", headers=headers["trainer"]).text
    change(app, Training, hidden_id, status="completed")


def test_everybody_with_access_is_notified_of_a_deletion(app: APIFlask, headers: Headers, row_ids: RowIds) -> None:
    share(app, row_ids)
    sockets = [join_dashboard(app, headers[name]) for name in ("trainer", "another")]
    client, path = app.test_client(), f"/api/trainings/{row_ids[Training]}"
    try:
        assert client.delete(path, headers=headers["trainer"]).status_code == 200
        for socket in sockets:
            socket.get_received()
        with app.app_context():
            audience.forget()
        assert client.delete(f"{path}?permanent=true", headers=headers["trainer"]).status_code == 200
        names = [[message["name"] for message in socket.get_received()] for socket in sockets]
        assert names == [["training_deleted"], ["training_deleted"]]
    finally:
        for socket in sockets:
            socket.disconnect()
